//! Takes seats off sale, and puts them back.

use super::look::Wanted;
use super::pending_change::PendingChange;
use super::{Service, contended};
use domain::hold::Rejection;
use domain::id::{SeatId, ShowId};
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::seat::{SeatState, SeatStatus};
use ports::PortError;
use tokio_util::sync::CancellationToken;

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
