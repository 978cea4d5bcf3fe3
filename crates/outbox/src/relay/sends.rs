//! From the lanes to the queue.

use super::{Relay, RelayPorts, SendAnswer};
use crate::backoff;
use crate::id::CompactId;
use crate::row::PendingRow;
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use domain::time::Timestamp;
use ports::plant::{Plant, planted};
use ports::queue::{Outgoing, Sent};
use ports::{Fault, FaultClass, clock};

impl Relay {
    /// Sends the ready rows. While calls fail, one call at a time tests whether the queue answers
    /// again.
    pub(super) fn start_sends(&mut self) {
        let elapsed = self.ports.clock.elapsed();
        self.lanes.wake(elapsed);
        if elapsed < self.send_rest.until {
            return;
        }
        let in_flight_max = if self.send_rest.failures > 0 { 1 } else { self.options.sends_in_flight_max };
        while self.sends.len() < in_flight_max && self.lanes.has_ready() {
            let batch = self.lanes.take(QUEUE_BATCH_MAX);
            if planted(Plant::DeletedBeforeSend) {
                self.sent.extend(batch.iter().map(|row| CompactId::new(row.event_id.as_str())));
            }
            let (ports, options) = (self.ports.clone(), &self.options);
            self.sends.push(Box::pin(send(ports, options.call_timeout, options.lead, batch)));
        }
    }

    /// Handles the answer of one send.
    pub(super) fn answered(&mut self, (batch, answer): SendAnswer) {
        match answer {
            Ok(results) => {
                self.send_rest = super::Rest::default();
                self.state_set(|state| state.queue = None);
                let mut results = results.into_iter();
                for row in batch {
                    match results.next() {
                        Some(Ok(sent)) => self.entry_sent(&row, &sent),
                        Some(Err(fault)) => self.entry_failed(&row, &fault),
                        None => self
                            .entry_failed(&row, &Fault::transient("the queue gave no result for the entry")),
                    }
                }
            }
            Err(fault) if fault.class == FaultClass::Permanent => self.batch_refused(&batch, &fault),
            Err(fault) => self.call_failed(&batch, &fault),
        }
    }

    fn entry_sent(&mut self, row: &PendingRow, sent: &Sent) {
        // Zero for a message that was sent ahead of its time.
        let lag = self.ports.clock.now().since(row.due);
        self.metrics.published.inc();
        self.metrics.lag.observe(lag.as_secs_f64());
        tracing::debug!(
            event_id = row.event_id.as_str(),
            reservation_id = &*row.reservation,
            message_id = &*sent.message_id,
            "published"
        );
        self.lanes.sent(&row.reservation);
        self.sent.push_back(CompactId::new(row.event_id.as_str()));
    }

    /// The queue refused this entry; its lane waits.
    fn entry_failed(&mut self, row: &PendingRow, fault: &Fault) {
        self.metrics.failures.inc();
        let failures = self.lanes.failures(&row.reservation) + 1;
        let rest = self.rest(failures);
        let (error, event_id) = (fault.chain(), row.event_id.as_str());
        if fault.class == FaultClass::Permanent {
            // The row is kept and retried at the longest wait: an event is never dropped, and an
            // operator must fix what a queue refuses for good (a missing permission, a size limit).
            tracing::error!(
                event_id,
                failures,
                error,
                "event refused by the queue; check permissions and the size of the event"
            );
        } else {
            tracing::warn!(event_id, failures, error, "event not accepted by the queue; retrying");
        }
        self.lanes.failed(&row.reservation, self.ports.clock.elapsed() + rest);
    }

    /// The queue understood the call and refused it as a whole. One entry may be the cause, so each
    /// is tried alone.
    fn batch_refused(&mut self, batch: &[PendingRow], fault: &Fault) {
        if let [row] = batch {
            self.entry_failed(row, fault);
            return;
        }
        tracing::warn!(
            entries = batch.len(),
            error = fault.chain(),
            "batch refused; sending its events one by one"
        );
        for row in batch {
            self.lanes.call_failed(&row.reservation, true);
        }
    }

    /// The queue did not answer, or answered with a transient error: all sending waits.
    fn call_failed(&mut self, batch: &[PendingRow], fault: &Fault) {
        self.metrics.failures.inc_by(batch.len() as u64);
        for row in batch {
            self.lanes.call_failed(&row.reservation, false);
        }
        let elapsed = self.ports.clock.elapsed();
        // Calls that ran at the same time fail together and count as one failure.
        if elapsed >= self.send_rest.until {
            let failures = self.send_rest.failures.saturating_add(1);
            let rest = self.rest(failures);
            self.send_rest = super::Rest { failures, until: elapsed + rest };
        }
        let error = fault.chain();
        tracing::warn!(failures = self.send_rest.failures, error, "queue not answering; events wait");
        self.state_set(|state| state.queue = Some(error.clone()));
    }

    pub(super) fn rest(&self, failures: u32) -> Duration {
        let mut dice = self.ports.dice.clone();
        backoff::rest(failures, self.options.rest_first, self.options.rest_max, &mut dice)
    }
}

async fn send(ports: RelayPorts, limit: Duration, lead: Duration, batch: Vec<PendingRow>) -> SendAnswer {
    let now = ports.clock.now();
    let entries = batch.iter().map(|row| outgoing(row, now, lead)).collect();
    // Dropping a send that takes too long is safe: if it is carried out after all, the retry has
    // the same deduplication id.
    let answer = clock::timeout(&*ports.clock, limit, ports.events.publish(entries))
        .await
        .unwrap_or_else(|_| Err(Fault::unavailable("sending events took too long")));
    (batch, answer)
}

fn outgoing(row: &PendingRow, now: Timestamp, lead: Duration) -> Outgoing {
    let traceparent = row.traceparent.iter().map(|text| ("traceparent".to_owned(), text.to_string()));
    Outgoing {
        body: row.body.to_string(),
        group: Some(row.reservation.to_string()),
        dedup_id: Some(row.event_id.to_string()),
        // Without a lead the row waited here until it was due, so the message needs no delay even
        // if the clock was set back since: a FIFO queue would refuse a delay.
        delay: row.due.since(now).min(lead),
        attributes: traceparent.collect(),
    }
}
