//! The journal of the steps of each event, for `tacos trace`: a ring in memory of the last
//! entries, read by reservation.
//!
//! It is for people, not a record: it is bounded, and a restart empties it. The event loop writes a
//! turn's entries under one lock; a reader walks the ring.

use domain::id::ReservationId;
use domain::time::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;

/// The size of the ring. An event without trouble takes four entries, so it covers the last quarter
/// of a minute at a thousand events a second. Each entry takes 96 bytes, its ids not counted.
pub const ENTRIES_MAX: usize = 65_536;

/// One step that was done to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The reservation of the event.
    pub reservation: ReservationId,
    /// The queue's id of the message.
    pub message: Arc<str>,
    /// The kind of event, as the metric label.
    pub kind: &'static str,
    /// The step.
    pub step: Step,
}

/// A step that was done to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A poll received it, for the given time.
    Received {
        /// Receives so far, this one included.
        count: u32,
    },
    /// It was received again while it was being worked on; the newer lease is kept.
    ReceivedAgain,
    /// A handler started it.
    Started {
        /// Which attempt this is.
        attempt: u32,
    },
    /// The handler ended.
    Ended {
        /// The outcome, as the metric label.
        outcome: &'static str,
        /// The effect, or why there is none.
        detail: Box<str>,
    },
    /// It will be retried.
    Retrying {
        /// After this many milliseconds.
        after_ms: u64,
    },
    /// It was handed back to the queue: it was not started, or counts as not started.
    HandedBack {
        /// Why.
        why: &'static str,
    },
    /// Its lease ran out, or another receive took it.
    LeaseLost,
    /// It was copied to the dead-letter queue.
    Buried {
        /// Why.
        reason: &'static str,
    },
    /// It was deleted from the queue.
    Settled,
    /// Its deletion could not be confirmed before its lease ended.
    SettlementLost,
}

/// An entry in the form of `GET /admin/journal/{reservation}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EntryBody {
    /// RFC 3339 with milliseconds.
    pub at: String,
    /// Always `worker`.
    pub layer: &'static str,
    /// The step, as one word.
    pub what: &'static str,
    /// The kind of event, as the metric label.
    pub event_type: &'static str,
    /// The queue's id of the message.
    pub message_id: String,
    /// The number that belongs to it, if any, and the text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Entry {
    /// The entry for people and programs. `at` is an argument because the text form of time belongs
    /// to `contracts`.
    pub fn body(&self, at: String) -> EntryBody {
        let (what, detail) = match &self.step {
            Step::Received { count } => ("received", format!("receive {count}")),
            Step::ReceivedAgain => ("received_again", String::new()),
            Step::Started { attempt } => ("started", format!("attempt {attempt}")),
            Step::Ended { outcome, detail } => ("ended", format!("{outcome}: {detail}")),
            Step::Retrying { after_ms } => ("retrying", format!("after {after_ms} ms")),
            Step::HandedBack { why } => ("handed_back", (*why).to_owned()),
            Step::LeaseLost => ("lease_lost", String::new()),
            Step::Buried { reason } => ("buried", (*reason).to_owned()),
            Step::Settled => ("settled", String::new()),
            Step::SettlementLost => ("settlement_lost", String::new()),
        };
        let message_id = self.message.to_string();
        EntryBody { at, layer: "worker", what, event_type: self.kind, message_id, detail }
    }
}

/// The ring. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<VecDeque<Entry>>>);

impl Journal {
    /// Appends the entries and empties `entries`; the oldest entries are dropped.
    pub fn append(&self, entries: &mut Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let mut ring = self.0.lock();
        if ring.capacity() == 0 {
            // At once, because growing step by step would copy the ring and leave its smaller
            // buffers behind.
            ring.reserve_exact(ENTRIES_MAX);
        }
        let excess = (ring.len() + entries.len()).saturating_sub(ENTRIES_MAX).min(ring.len());
        ring.drain(..excess);
        ring.extend(entries.drain(..));
    }

    /// The entries of a reservation, oldest first.
    pub fn entries(&self, reservation: &str) -> Vec<Entry> {
        let ring = self.0.lock();
        ring.iter().filter(|entry| entry.reservation.as_str() == reservation).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_bounded_and_keeps_the_newest() {
        let journal = Journal::default();
        let entry = |n: u64| Entry {
            at: Timestamp::from_millis(n),
            reservation: ReservationId::parse(if n.is_multiple_of(2) { "rsv_even" } else { "rsv_odd" })
                .expect("valid"),
            message: "m".into(),
            kind: "expired",
            step: Step::Settled,
        };
        for from in (0..ENTRIES_MAX as u64 + 100).step_by(100) {
            journal.append(&mut (from..from + 100).map(entry).collect());
        }
        let even = journal.entries("rsv_even");
        assert!(even.len() <= ENTRIES_MAX / 2 + 1);
        assert!(even.last().is_some_and(|last| last.at.as_millis() >= ENTRIES_MAX as u64));
        assert!(journal.entries("rsv_none").is_empty());
    }
}
