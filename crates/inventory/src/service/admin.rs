//! Creating shows, and taking seats off sale.

use super::look::Wanted;
use super::{Service, contended};
use crate::rows;
use crate::service::pending_change::PendingChange;
use domain::hold::Rejection;
use domain::id::{SeatId, ShowId};
use domain::limits::{CONFLICT_RETRIES_MAX, ROWS_PER_COMMIT_MAX};
use domain::seat::{SeatState, SeatStatus};
use domain::show::{InvalidShow, Show};
use ports::store::{CommitError, Expect, Write};
use ports::{Fault, PortError};
use tokio_util::sync::CancellationToken;

/// The result of creating a show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The show is on sale now.
    Now,
    /// The same show was already on sale.
    Before,
}

/// Why a show was not created.
#[derive(Debug)]
pub enum CreateShowError {
    /// The definition is wrong in these ways.
    Invalid(Vec<InvalidShow>),
    /// Another show has that id.
    Different,
    /// A technical failure.
    Failed(Fault),
}

impl From<Fault> for CreateShowError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// The result of blocking or unblocking one seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatChange {
    /// The seat.
    pub seat: SeatId,
    /// `Ok` if the seat now has the requested state, else its current status; `None` = the show has
    /// no such seat.
    pub outcome: Result<(), Option<SeatStatus>>,
}

impl Service {
    /// Creates a show. The rows of its sections come first; the show exists once its own row does.
    pub async fn create_show(&self, show: &Show) -> Result<Created, CreateShowError> {
        show.check().map_err(CreateShowError::Invalid)?;
        if let Some(present) = self.read_show(&show.id).await? {
            return same(&present, show);
        }
        let sections = rows::section_rows(show);
        for batch in sections.chunks(ROWS_PER_COMMIT_MAX) {
            self.write_sections(batch).await?;
        }
        match self.commit_rows(vec![rows::show_put(show)]).await {
            Ok(()) => {
                // Read the seats now, so that the first buyer does not have to wait for it.
                if let Err(fault) = self.loaded(&show.id).await {
                    tracing::warn!(
                        error = fault.chain(),
                        "new show not read ahead; it is read at its first request"
                    );
                }
                Ok(Created::Now)
            }
            Err(CommitError::Failed(fault)) => Err(fault.into()),
            Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => {
                match self.read_show(&show.id).await? {
                    Some(present) => same(&present, show),
                    None => Err(contended().into()),
                }
            }
        }
    }

    /// Writes section rows. An earlier try that was cut short may have written some of them: these
    /// are identical, because their partition names the definition.
    async fn write_sections(
        &self,
        batch: &[(ports::store::Key, ports::store::Attributes)],
    ) -> Result<(), Fault> {
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let keys: Vec<_> = batch.iter().map(|(key, _)| key.clone()).collect();
            let present = self.inner.store.get(&keys).await?;
            let missing = batch.iter().zip(present).filter(|(_, row)| row.is_none());
            let writes: Vec<Write> = missing
                .map(|((key, attributes), _)| Write::Put {
                    key: key.clone(),
                    expect: Expect::Absent,
                    attributes: attributes.clone(),
                    indexes: Vec::new(),
                })
                .collect();
            if writes.is_empty() {
                return Ok(());
            }
            match self.commit_rows(writes).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Failed(fault)) => return Err(fault),
                Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => {}
            }
        }
        Err(contended())
    }

    /// Takes free seats off sale, or puts them back.
    pub async fn set_blocked(
        &self,
        id: &ShowId,
        seats: &[SeatId],
        blocked: bool,
    ) -> Result<Vec<SeatChange>, PortError<Rejection>> {
        let mut changes = Vec::with_capacity(seats.len());
        for seat in seats {
            let outcome = self.block_one(id, seat, blocked).await?;
            changes.push(SeatChange { seat: seat.clone(), outcome });
        }
        Ok(changes)
    }

    async fn block_one(
        &self,
        id: &ShowId,
        seat: &SeatId,
        blocked: bool,
    ) -> Result<Result<(), Option<SeatStatus>>, PortError<Rejection>> {
        let loaded = self.loaded(id).await?.ok_or(PortError::Rejected(Rejection::NoSuchShow))?;
        let Some(place) = loaded.show.locate(seat) else { return Ok(Err(None)) };
        let (from, to) = match blocked {
            true => (SeatState::Available, SeatState::Blocked),
            false => (SeatState::Blocked, SeatState::Available),
        };
        let wanted = Wanted::Named(vec![place]);
        // Memory is good enough for a try. A refusal, or an answer that nothing changes, needs a
        // fresh read.
        let mut looked_closer = false;
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            let look = {
                let mut seat_map = loaded.seat_map();
                if let Some(done) = seat_map.pending(&[place]) {
                    Look::Wait(done)
                } else if !seat_map.stale(&[place]).is_empty() {
                    Look::Refresh
                } else if seat_map.seat(place).state == from {
                    Look::Change(PendingChange::new(&loaded, &mut seat_map, vec![place], vec![seat.clone()]))
                } else if seat_map.seat(place).state == to {
                    Look::Tell(Ok(()))
                } else {
                    Look::Tell(Err(Some(seat_map.seat(place).state.status())))
                }
            };
            match look {
                Look::Wait(done) => done.cancelled().await,
                Look::Refresh => self.refresh(&loaded, &[place]).await?,
                Look::Tell(outcome) if looked_closer => return Ok(outcome),
                Look::Tell(outcome) => {
                    if !self.look_closer(&loaded, &wanted).await? {
                        return Ok(outcome);
                    }
                    looked_closer = true;
                }
                Look::Change(change) => {
                    let writes = change.writes(&to).collect();
                    if self.apply(change, writes, &to, "block").await? {
                        return Ok(Ok(()));
                    }
                    self.step_aside(attempt).await;
                }
            }
        }
        Err(contended().into())
    }
}

/// The next step after a look at a seat to block or unblock.
enum Look {
    Wait(CancellationToken),
    Refresh,
    Change(PendingChange),
    Tell(Result<(), Option<SeatStatus>>),
}

fn same(present: &Show, wanted: &Show) -> Result<Created, CreateShowError> {
    if present == wanted { Ok(Created::Before) } else { Err(CreateShowError::Different) }
}
