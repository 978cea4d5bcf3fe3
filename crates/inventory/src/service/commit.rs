//! `commit`: sells the held seats to the buyer.

use super::hold::views;
use super::pending_change::PendingChange;
use super::{LoadedShow, Service, Stored, contended, rejected};
use crate::rows;
use domain::hold::{self, CommitDecision, Hold, HoldKey, HoldState, Rejection};
use domain::id::OrderId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::seat::SeatState;
use ports::inventory::{CommitSeats, Committed};
use ports::store::{CommitError, Write};
use ports::{Fault, PortError, probe};
use std::sync::Arc;

impl Service {
    pub(super) async fn commit_seats(
        &self,
        command: &CommitSeats,
    ) -> Result<Committed, PortError<Rejection>> {
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            let (first, retake) = self.holds(&command.reservation).await?;
            let claim = hold::Claim {
                show: command.show.as_ref(),
                seats: &command.seats,
                quantity: command.quantity,
                person: command.person.as_ref(),
            };
            let (first_hold, retake_hold) =
                (first.as_ref().map(|s| &s.hold), retake.as_ref().map(|s| &s.hold));
            let decision = hold::commit(first_hold, retake_hold, claim, command.intent.as_ref());
            probe::hit_variant("commit", &decision);
            if let CommitDecision::Reject(rejection) = decision {
                return rejected(rejection);
            }
            let Some(first) = first else { return rejected(Rejection::NoSuchHold) };
            let loaded = self.loaded_for(&first).await?;
            let committed = match decision {
                CommitDecision::Already(hold) => Some(committed(&loaded, &hold)),
                CommitDecision::Adopt(hold) => {
                    let version = if hold.key == HoldKey::First { Some(&first) } else { retake.as_ref() };
                    self.adopt(&loaded, hold, version.map_or(0, |stored| stored.version)).await?
                }
                CommitDecision::Seal { order } => self.seal(&loaded, first, &order, command).await?,
                CommitDecision::Retake { order } => self.retake(&loaded, first, &order, command).await?,
                CommitDecision::Reject(rejection) => return rejected(rejection),
            };
            if let Some(committed) = committed {
                return Ok(committed);
            }
            if attempt > 0 {
                self.step_aside(attempt).await;
            }
        }
        Err(contended().into())
    }

    /// Records the payment that bought seats which were sold without naming one; `None` = look
    /// again.
    async fn adopt(&self, loaded: &LoadedShow, hold: Hold, version: u64) -> Result<Option<Committed>, Fault> {
        let stored = self.write_hold(&hold, version, &[]).await?;
        Ok(stored.then(|| committed(loaded, &hold)))
    }

    /// Writes one hold, and checks others; `false` = look again.
    pub(super) async fn write_hold(
        &self,
        hold: &Hold,
        version: u64,
        checks: &[Write],
    ) -> Result<bool, Fault> {
        let mut writes = vec![rows::hold_put(hold, version)];
        writes.extend_from_slice(checks);
        match self.commit_rows(writes).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => Ok(false),
            Err(CommitError::Failed(fault)) => Err(fault),
        }
    }

    /// Turns a live hold into an order; `None` = look again.
    async fn seal(
        &self,
        loaded: &Arc<LoadedShow>,
        first: Stored,
        order: &OrderId,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let Some(change) = self.mark_own(loaded, &first).await? else { return Ok(None) };
        let at = self.inner.clock.now();
        let mut hold = first.hold;
        hold.state = HoldState::Committed { order: order.clone(), intent: command.intent.clone(), at };
        let state = SeatState::Sold { order: order.clone() };
        let mut writes = vec![rows::hold_put(&hold, first.version)];
        writes.extend(change.writes(&state));
        let stored = self.apply(change, writes, &state, "commit").await?;
        Ok(stored.then(|| committed(loaded, &hold)))
    }

    /// Commits a change that brings marked seats to one state; `false` = look again. `what` is its
    /// label in the metrics.
    pub(super) async fn apply(
        &self,
        change: PendingChange,
        writes: Vec<Write>,
        state: &SeatState,
        what: &'static str,
    ) -> Result<bool, Fault> {
        match self.commit_rows(writes).await {
            Ok(()) => {
                change.stored(state);
                Ok(true)
            }
            Err(CommitError::Conflict { .. }) => {
                change.overtaken();
                self.inner.metrics.conflict(what);
                Ok(false)
            }
            // Trap T-S9: the result is unknown. The seats stay in doubt, and the next look finds
            // out.
            Err(CommitError::Ambiguous(_)) => Ok(false),
            Err(CommitError::Failed(fault)) => {
                change.untouched();
                Err(fault)
            }
        }
    }
}

/// The answer to every commit of this hold.
pub(super) fn committed(loaded: &LoadedShow, hold: &Hold) -> Committed {
    let (order, at, intent) = match &hold.state {
        HoldState::Committed { order, at, intent } => (order.clone(), *at, intent.clone()),
        HoldState::Live | HoldState::Released { .. } => {
            (OrderId::for_reservation(&hold.reservation), hold.placed_at, None)
        }
    };
    Committed { order, seats: views(loaded, hold), at, intent }
}
