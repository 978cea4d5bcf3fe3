//! The row of one event that waits to be published.
//!
//! A row has readable attributes (`event_id`, `type`, `reservation_id`, `due_at`, `body`, and the
//! trace it belongs to) and one entry in the index `outbox`, in the shard of its reservation, at
//! its due time. All rows of a reservation are in one shard, so a scan of a shard sees them in
//! order.

use contracts::envelope;
use domain::event::Event;
use domain::id::EventId;
use domain::time::Timestamp;
use ports::Trace;
use ports::store::{Attributes, Expect, IndexEntry, Key, Row, Write};
use std::sync::Arc;

/// The index of waiting rows, ordered by due time.
pub const INDEX: &str = "outbox";
/// The sort key of every row.
pub const SORT: &str = "event";
const PARTITION_PREFIX: &str = "outbox#";

/// The key of an event's row. If a row exists when an event is written, the same event is already
/// waiting, because the id is derived from the fact: the writer then leaves it unchanged.
pub fn row_key(event_id: &str) -> Key {
    Key::new(format!("{PARTITION_PREFIX}{event_id}"), SORT)
}

/// The event id of a row's key; `None` if the key is not one of the outbox.
pub(crate) fn event_id_of(key: &Key) -> Option<&str> {
    (&*key.sort == SORT).then(|| key.partition.strip_prefix(PARTITION_PREFIX))?
}

/// The write that puts an event into the outbox, as part of the commit of its effect. It expects
/// that the row is absent. `shard_count` must be the relay's ([`crate::RelayOptions::shards`]).
pub fn row_write(event: &Event, due: Timestamp, shard_count: u32) -> Write {
    row_write_traced(event, due, shard_count, &Trace::default())
}

/// As [`row_write`]; the message also carries the trace's `traceparent` as an attribute, so that
/// the consumer's spans join the trace of the request that caused the event.
pub fn row_write_traced(event: &Event, due: Timestamp, shard_count: u32, trace: &Trace) -> Write {
    let attributes = Attributes::new()
        .with("event_id", event.id.as_str())
        .with("type", event.fact.kind().wire())
        .with("reservation_id", event.reservation.as_str())
        .with("due_at", due)
        .with("body", envelope::encode(event))
        .with_some("traceparent", trace.traceparent.clone());
    Write::Put {
        key: row_key(event.id.as_str()),
        expect: Expect::Absent,
        attributes,
        indexes: vec![IndexEntry {
            index: INDEX,
            shard: shard_of(event.reservation.as_str(), shard_count),
            at: due,
        }],
    }
}

/// The write that withdraws an event that is not published yet; it does nothing if there is none.
pub fn delete_write(event_id: &EventId) -> Write {
    Write::Delete { key: row_key(event_id.as_str()), expect: Expect::Any }
}

/// The shard of the index for a reservation: FNV-1a of its id, modulo the number of shards. It is
/// stored, so it must not change.
pub fn shard_of(reservation: &str, shard_count: u32) -> Arc<str> {
    shard_name((domain::hash::fnv1a(reservation.as_bytes()) % u64::from(shard_count.max(1))) as u32)
}

/// The name of a shard of the index.
pub fn shard_name(number: u32) -> Arc<str> {
    number.to_string().into()
}

/// A waiting event, read from its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRow {
    /// The event's id: also its deduplication id on the queue.
    pub event_id: EventId,
    /// The event's reservation: also its message group.
    pub reservation: Arc<str>,
    /// It is not published before this time.
    pub due: Timestamp,
    /// The encoded envelope.
    pub body: Arc<str>,
    /// The trace that the message carries.
    pub traceparent: Option<Arc<str>>,
}

impl PendingRow {
    /// Reads a row; `None` if it is not an outbox row or lacks a part.
    pub fn read(row: &Row) -> Option<Self> {
        let event_id = EventId::parse(event_id_of(&row.key)?).ok()?;
        Some(Self {
            event_id,
            reservation: row.attributes.text("reservation_id")?.clone(),
            due: row.attributes.time("due_at")?,
            body: row.attributes.text("body")?.clone(),
            traceparent: row.attributes.text("traceparent").cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::event::{Fact, SeatsHint};
    use domain::id::ReservationId;

    fn event() -> Event {
        let reservation = ReservationId::parse("rsv_1").expect("valid");
        Event {
            id: crate::expired_event_id(&reservation),
            source: "reservation-api".into(),
            at: Timestamp::from_millis(1_000),
            trace_id: None,
            reservation,
            seats: SeatsHint::default(),
            person: None,
            fact: Fact::ReservationExpired { expired_at: None },
        }
    }

    #[test]
    fn a_row_is_read_back_as_it_was_written() {
        let trace = Trace { trace_id: None, traceparent: Some("00-ab-cd-01".into()) };
        let due = Timestamp::from_millis(61_000);
        let Write::Put { key, expect, attributes, indexes } = row_write_traced(&event(), due, 16, &trace)
        else {
            panic!("a put");
        };
        assert_eq!(expect, Expect::Absent);
        assert_eq!(key, row_key(event().id.as_str()));
        assert_eq!(indexes.len(), 1);
        assert_eq!((indexes[0].index, indexes[0].at), (INDEX, due));
        assert_eq!(indexes[0].shard, shard_of("rsv_1", 16));
        let row = PendingRow::read(&Row { key, version: 1, attributes }).expect("readable");
        assert_eq!(row.event_id, event().id);
        assert_eq!((&*row.reservation, row.due), ("rsv_1", due));
        assert_eq!(row.traceparent.as_deref(), Some("00-ab-cd-01"));
        let (read, _) = envelope::decode(&row.body, "m", &[]).expect("decodable");
        assert_eq!(read, event());
    }

    #[test]
    fn rows_of_others_are_not_taken_for_outbox_rows() {
        let foreign =
            Row { key: Key::new("payment#1", "payment"), version: 1, attributes: Attributes::new() };
        assert_eq!(PendingRow::read(&foreign), None);
        let lacking = Row { key: row_key("evt_1"), version: 1, attributes: Attributes::new() };
        assert_eq!(PendingRow::read(&lacking), None);
    }

    #[test]
    fn shards_are_stable_and_spread() {
        assert_eq!(&*shard_of("rsv_1", 1), "0");
        assert_eq!(&*shard_of("rsv_1", 0), "0");
        let used: std::collections::BTreeSet<_> =
            (0..1_000).map(|n| shard_of(&format!("rsv_{n}"), 16)).collect();
        assert_eq!(used.len(), 16);
    }
}
