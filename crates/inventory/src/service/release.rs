//! `release`: gives the seats of a hold back. It competes with `commit` for the same rows; the second one finds a typed
//! answer (trap S2).

use super::claim::Claim;
use super::{Service, Stage, Stored, contended, rejected};
use crate::rows;
use domain::hold::{self, HoldState, Rejection, ReleaseCause, ReleaseDecision, Released};
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::seat::SeatState;
use ports::inventory::ReleaseSeats;
use ports::store::CommitError;
use ports::{Fault, PortError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What one look at the seats of a live hold leads to.
pub(super) enum Own {
    /// They are marked: commit.
    Claimed(Claim),
    /// A change to them is on its way.
    Wait(CancellationToken),
    /// The rows and the hold are to be read again.
    Stale,
}

impl Service {
    pub(super) async fn release_seats(
        &self,
        command: &ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            let (first, retake) = self.holds(&command.reservation).await?;
            let claim = hold::Claim {
                show: command.show.as_ref(),
                seats: &command.seats,
                quantity: command.quantity,
                person: None,
            };
            let now = self.inner.clock.now();
            let (first_hold, retake_hold) =
                (first.as_ref().map(|s| &s.hold), retake.as_ref().map(|s| &s.hold));
            let cause = match hold::release(first_hold, retake_hold, claim, command.cause, now) {
                ReleaseDecision::Release(cause) => cause,
                ReleaseDecision::Before { cause, at } => return Ok(Released::Before { cause, at }),
                ReleaseDecision::Reject(rejection) => return rejected(rejection),
            };
            let Some(first) = first else { return rejected(Rejection::NoSuchHold) };
            let stage = self.stage_of(&first).await?;
            match self.claim_own(&stage, &first)? {
                Own::Wait(done) => done.cancelled().await,
                Own::Stale => self.refresh(&stage, &places_of(&stage, &first)?).await?,
                Own::Claimed(claim) => {
                    if let Some(released) = self.give_back(first, claim, cause).await? {
                        return Ok(released);
                    }
                }
            }
            if attempt > 0 {
                self.step_aside(attempt).await;
            }
        }
        Err(contended().into())
    }

    /// Commits the release; `None` to look again.
    async fn give_back(
        &self,
        first: Stored,
        claim: Claim,
        cause: ReleaseCause,
    ) -> Result<Option<Released>, Fault> {
        let at = self.inner.clock.now();
        let mut hold = first.hold;
        hold.state = HoldState::Released { cause, at };
        let mut writes = vec![rows::hold_put(&hold, first.version)];
        writes.extend(claim.writes(&SeatState::Available));
        match self.commit_rows(writes).await {
            Ok(()) => {
                claim.stored(&SeatState::Available);
                Ok(Some(Released::Now { seats: hold.seats, at }))
            }
            Err(CommitError::Conflict { .. }) => {
                self.inner.metrics.conflict("release");
                Ok(None)
            }
            // Read again: if it was carried out after all, the next look finds it released.
            Err(CommitError::Ambiguous(_)) => Ok(None),
            Err(CommitError::Failed(fault)) => Err(fault),
        }
    }

    /// The show of a stored hold.
    pub(super) async fn stage_of(&self, stored: &Stored) -> Result<Arc<Stage>, Fault> {
        let show = &stored.hold.show;
        let missing = || {
            Fault::permanent(format!("{} holds seats of {show}, which is not there", stored.hold.reservation))
        };
        self.stage(show).await?.ok_or_else(missing)
    }

    /// Marks the seats of a live hold, if the table agrees that they are its own.
    pub(super) fn claim_own(&self, stage: &Arc<Stage>, stored: &Stored) -> Result<Own, Fault> {
        let places = places_of(stage, stored)?;
        let mut table = stage.table();
        if let Some(done) = table.pending(&places) {
            return Ok(Own::Wait(done));
        }
        let reservation = &stored.hold.reservation;
        let own = table.stale(&places).is_empty()
            && places.iter().all(|place| table.seat(*place).state.is_held_by(reservation));
        Ok(if own { Own::Claimed(Claim::new(stage, &mut table, places)) } else { Own::Stale })
    }
}

pub(super) fn places_of(stage: &Stage, stored: &Stored) -> Result<Vec<domain::show::Place>, Fault> {
    stage.places(&stored.hold.seats).map_err(|_| {
        Fault::permanent(format!(
            "{} holds seats that {} does not have",
            stored.hold.reservation, stage.show.id
        ))
    })
}
