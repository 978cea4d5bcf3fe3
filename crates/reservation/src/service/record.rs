//! Recording an end that the inventory has already reached.

use super::{Service, unreadable};
use crate::refusal::Refusal;
use crate::rows::Stored;
use core::time::Duration;
use domain::id::SeatId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::reservation::{Decision, End, Reservation, Status, apply};
use ports::store::CommitError;
use ports::{Trace, probe};

/// Commits without an answer after which the store counts as not answering.
const AMBIGUOUS_MAX: u32 = 3;

impl Service {
    /// Records an end over the known row and gives the reservation after it. `sold` are the seats
    /// of the commit where they may differ from the reservation's (general admission that was taken
    /// again).
    ///
    /// When a reservation leaves HOLD, the announcement of its expiry is withdrawn in the same
    /// commit: the event would only find the reservation ended. One that is already on its way
    /// finds the same.
    pub(super) async fn record(
        &self,
        known: Stored,
        end: &End,
        sold: Option<&[SeatId]>,
        trace: &Trace,
    ) -> Result<Reservation, Refusal> {
        let id = &known.reservation.id.clone();
        let (mut stored, mut ambiguous) = (known, 0);
        for _ in 0..CONFLICT_RETRIES_MAX {
            let now = self.0.clock.now();
            let decision = apply(&stored.reservation, end.clone(), now);
            probe::hit_variant("reservation", &decision);
            let mut next = match decision {
                Decision::Changed(next) => next,
                Decision::Same => return Ok(stored.reservation),
                Decision::Refused { current } => {
                    return Err(Refusal::Illegal { current, intent: stored.reservation.intent });
                }
            };
            if let Some(sold) = sold.filter(|sold| !sold.is_empty()) {
                next.seats = sold.to_vec();
            }
            if next.status == Status::Confirmed && next.order.is_none() {
                return Err(unreadable(id));
            }
            let mut writes = vec![stored.followed_by(next.clone()).write()];
            if stored.reservation.status == Status::Hold {
                writes.push(outbox::delete_write(&outbox::expired_event_id(id)));
            }
            match self.0.table.commit(writes).await {
                Ok(()) => {
                    self.log_change(&stored, &next, trace);
                    return Ok(next);
                }
                Err(CommitError::Conflict { .. }) => {}
                // The row shows whether it was written: if so, the same end again changes nothing
                // (trap T-S9).
                Err(CommitError::Ambiguous(fault)) => {
                    ambiguous += 1;
                    if ambiguous == AMBIGUOUS_MAX {
                        return Err(Refusal::Store(fault));
                    }
                }
                Err(CommitError::Failed(fault)) => return Err(Refusal::Store(fault)),
            }
            stored = self.get(id, None).await?;
        }
        Err(Refusal::Contended(id.clone()))
    }

    /// Logs one line for each change of status.
    fn log_change(&self, before: &Stored, after: &Reservation, trace: &Trace) {
        let from = before.reservation.status;
        if from != after.status {
            self.0.metrics.moved(after.status);
        }
        let age: Duration = after.updated_at.since(after.created_at);
        tracing::info!(
            reservation_id = %after.id,
            show_id = %after.show,
            trace_id = trace.trace_id.as_deref(),
            from = from.as_str(),
            status = after.status.as_str(),
            order_id = after.order.as_ref().map(AsRef::<str>::as_ref),
            error_code = after.error_code.as_deref(),
            age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            "reservation changed"
        );
    }
}
