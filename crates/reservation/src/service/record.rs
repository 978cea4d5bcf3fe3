//! Recording a change that the inventory has already made.

use super::{Service, unreadable};
use crate::refusal::Refusal;
use crate::rows::{Stored, reservation_key};
use core::time::Duration;
use domain::id::SeatId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::reservation::{Decision, Reservation, Status};
use domain::time::Timestamp;
use ports::store::{CommitError, Row};
use ports::table::{self, Tries, UpdateError};
use ports::{Trace, probe};

/// Commits without an answer after which the store counts as not answering.
const UNANSWERED_MAX: u32 = 3;

impl Service {
    /// Records what `decide` says of the known row, and gives the reservation after it. `sold` are
    /// the seats of the commit where they may differ from the reservation's (general admission that
    /// was taken again).
    ///
    /// When a reservation leaves HOLD, the announcement of its expiry is withdrawn in the same
    /// commit: the event would only find the reservation ended. One that is already on its way
    /// finds the same.
    pub(super) async fn record(
        &self,
        known: Stored,
        decide: impl Fn(&Reservation, Timestamp) -> Decision + Send + Sync,
        sold: Option<&[SeatId]>,
        trace: &Trace,
    ) -> Result<Reservation, Refusal> {
        let id = &known.reservation.id.clone();
        let tries = Tries { commits_max: CONFLICT_RETRIES_MAX, unanswered_max: UNANSWERED_MAX };
        let read = |row: Option<Row>| {
            let row = row.ok_or_else(|| Refusal::NoSuchReservation(id.clone()))?;
            Stored::read(&row).ok_or_else(|| unreadable(id))
        };
        let decide = |stored: &Stored| {
            let decision = decide(&stored.reservation, self.inner.clock.now());
            next(stored, decision, sold)
        };
        let committed = |(from, next): &(Status, Reservation), result: &Result<(), CommitError>| {
            if result.is_ok() {
                self.log_change(*from, next, trace);
            }
        };
        let key = reservation_key(id);
        let recorded = self.inner.table.update(&key, Some(known), tries, read, decide, committed).await;
        recorded.map(|(_, reservation)| reservation).map_err(|error| match error {
            UpdateError::Refused(refusal) => refusal,
            UpdateError::Failed(fault) => Refusal::Store(fault),
            UpdateError::Contended => Refusal::Contended(id.clone()),
        })
    }

    /// Logs one line for each change.
    fn log_change(&self, from: Status, after: &Reservation, trace: &Trace) {
        if from != after.status {
            self.inner.metrics.moved(after.status);
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

/// The writes that record a decision, with the reservation's status before and the reservation
/// after them.
fn next(
    stored: &Stored,
    decision: Decision,
    sold: Option<&[SeatId]>,
) -> Result<table::Decision<(Status, Reservation)>, Refusal> {
    let before = &stored.reservation;
    probe::hit_variant("reservation", &decision);
    let mut next = match decision {
        Decision::Changed(next) => next,
        Decision::Same => return Ok(table::Decision::Keep((before.status, before.clone()))),
        Decision::Refused { current } => {
            return Err(Refusal::Illegal { current, intent: before.intent.clone() });
        }
    };
    if let Some(sold) = sold.filter(|sold| !sold.is_empty()) {
        next.seats = sold.to_vec();
    }
    if next.status == Status::Confirmed && next.order.is_none() {
        return Err(unreadable(&before.id));
    }
    let mut writes = vec![stored.followed_by(next.clone()).write()];
    if before.status == Status::Hold && next.status.is_terminal() {
        writes.push(outbox::delete_write(&outbox::expired_event_id(&before.id)));
    }
    Ok(table::Decision::Write(writes, (before.status, next)))
}
