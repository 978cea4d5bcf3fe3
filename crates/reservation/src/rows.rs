//! The rows of the reservation service: readable attributes, and how they are read.
//!
//! A reservation and its idempotency record share the partition `rsv#<id>` (sorts `reservation` and
//! `idem`), so one read answers a retry. Ids of webhooks and redeemed passes have partitions of
//! their own. Readers outside the service (an invariant checker, `tacos trace`) read rows through
//! [`AnyRow::read`].
//!
//! A reservation has an entry in [`DUE`] exactly while it is HOLD: a reservation that the sweeper
//! finds there has no end yet.

use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::limits::MEMORY;
use domain::money::{Currency, Money};
use domain::reservation::{Reservation, Status};
use domain::time::Timestamp;
use ports::store::{Attributes, Expect, IndexEntry, Key, Row, Write};
use std::sync::Arc;

mod history;
mod idempotency;
mod pass;
mod webhook;

pub use history::{History, HistoryEntry};
pub use idempotency::{IdempotencyRow, Placed};
pub use pass::PassRow;
pub use webhook::WebhookRow;
pub(crate) use webhook::kind_from_wire;

/// The index of reservations in HOLD, by when the sweeper looks at them: when the hold is due, and
/// later after each time that their expiry was announced again.
pub const DUE: &str = "due_reservations";
/// The index of a person's reservations, newest first; the shard is the person.
pub const BY_PERSON: &str = "by_person";
/// The index of rows that are remembered for a while, by when they may be forgotten.
pub const FORGET: &str = "forget";
/// Every index that an engine must have for this service.
pub const INDEXES: &[&str] = &[DUE, BY_PERSON, FORGET, outbox::INDEX];
/// Shards of [`DUE`] and [`FORGET`], named as those of the outbox.
pub const SHARDS: u32 = 8;

const PARTITION_PREFIX: &str = "rsv#";
const SORT: &str = "reservation";

/// Lists show the newest first and indexes are read in ascending order, so entries are stored at
/// this minus their time. The year 144,000 is far enough, and every engine stores the difference
/// exactly.
const HORIZON_MS: u64 = 1 << 52;

/// A reservation as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The reservation as the rules know it.
    pub reservation: Reservation,
    /// The row's version; 0 before it is stored.
    pub version: u64,
    /// Its past.
    pub history: History,
    /// When the sweeper looks at it, while it is HOLD.
    pub look_at: Timestamp,
    /// How many times the sweeper announced its expiry again.
    pub announced_again: u32,
}

/// Any row of this service's table, outbox rows apart.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyRow {
    /// A reservation.
    Reservation(Box<Stored>),
    /// A recorded answer.
    Idempotency(IdempotencyRow),
    /// A remembered webhook.
    Webhook(WebhookRow),
    /// A redeemed pass.
    Pass(PassRow),
}

impl AnyRow {
    /// Reads a row; `None` if it is none of these or lacks a part.
    pub fn read(row: &Row) -> Option<Self> {
        Stored::read(row)
            .map(|stored| Self::Reservation(Box::new(stored)))
            .or_else(|| IdempotencyRow::read(row).map(Self::Idempotency))
            .or_else(|| WebhookRow::read(row).map(Self::Webhook))
            .or_else(|| PassRow::read(row).map(Self::Pass))
    }
}

/// The key of a reservation.
pub fn reservation_key(id: &ReservationId) -> Key {
    Key::new(partition(id), SORT)
}

/// The reservation of a key; `None` if the key is not one of a reservation.
pub fn reservation_of(key: &Key) -> Option<ReservationId> {
    (&*key.sort == SORT).then(|| ReservationId::parse(key.partition.strip_prefix(PARTITION_PREFIX)?).ok())?
}

fn partition(id: &ReservationId) -> String {
    format!("{PARTITION_PREFIX}{id}")
}

/// The place in a list that shows the newest first.
pub(crate) const fn newest_first(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(HORIZON_MS.saturating_sub(at.as_millis()))
}

/// When a row of `now` may be forgotten, and the index entry for that time.
fn remembered(id: &str, now: Timestamp) -> (Timestamp, IndexEntry) {
    let until = now.plus(MEMORY);
    (until, IndexEntry { index: FORGET, shard: outbox::shard_of(id, SHARDS), at: until })
}

/// The attribute by which DynamoDB deletes a row itself: seconds since 1970.
fn ttl(until: Timestamp) -> u64 {
    until.as_millis() / 1_000
}

impl Stored {
    /// A new reservation, not yet stored.
    pub fn placed(reservation: Reservation) -> Self {
        let history = History::begin(reservation.created_at, reservation.status.as_str());
        let look_at = reservation.hold_expires_at;
        Self { reservation, version: 0, history, look_at, announced_again: 0 }
    }

    /// The same row with the next state of the reservation, and a line of history for it.
    #[must_use]
    pub fn followed_by(&self, next: Reservation) -> Self {
        let what = [
            Some(next.status.as_str()),
            next.order.as_ref().map(AsRef::as_ref),
            next.intent.as_ref().map(AsRef::as_ref),
        ]
        .into_iter()
        .chain([next.cancel_reason.as_deref(), next.error_code.as_deref()])
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
        let mut history = self.history.clone();
        history.add(next.updated_at, &what);
        Self { reservation: next, history, ..self.clone() }
    }

    /// The write of this row over the version that was read.
    pub fn write(&self) -> Write {
        let r = &self.reservation;
        let texts =
            |seats: &[SeatId]| seats.iter().map(|seat| seat.as_str().into()).collect::<Vec<Arc<str>>>();
        let attributes = Attributes::new()
            .with("reservation_id", r.id.as_str())
            .with("event_id", r.show.as_str())
            .with_some("section", r.section.as_ref().map(SectionId::as_str))
            .with("user_id", r.person.as_str())
            .with("status", r.status.as_str())
            .with("seat_ids", texts(&r.seats))
            .with("total_price", r.total.amount)
            .with("currency", r.total.currency.as_str())
            .with("hold_expires_at", r.hold_expires_at)
            .with("created_at", r.created_at)
            .with("updated_at", r.updated_at)
            .with_some("order_id", r.order.as_ref().map(OrderId::as_str))
            .with_some("payment_intent_id", r.intent.as_ref().map(PaymentIntentId::as_str))
            .with_some("cancel_reason", r.cancel_reason.clone())
            .with_some("error_code", r.error_code.clone())
            .with("history", self.history.lines().to_vec())
            .with("look_at", self.look_at)
            .with_some("announced_again", Some(self.announced_again).filter(|times| *times > 0));
        let by_person =
            IndexEntry { index: BY_PERSON, shard: r.person.as_str().into(), at: newest_first(r.created_at) };
        let due = IndexEntry { index: DUE, shard: outbox::shard_of(r.id.as_str(), SHARDS), at: self.look_at };
        let indexes = if r.status == Status::Hold { vec![by_person, due] } else { vec![by_person] };
        Write::Put {
            key: reservation_key(&r.id),
            expect: Expect::unchanged(self.version),
            attributes,
            indexes,
        }
    }

    /// Reads a row; `None` if it is not a reservation or lacks a part.
    pub fn read(row: &Row) -> Option<Self> {
        let id = reservation_of(&row.key)?;
        let a = &row.attributes;
        let section = a.text("section").map(|text| SectionId::parse(text)).transpose().ok()?;
        let order = a.text("order_id").map(|text| OrderId::parse(text)).transpose().ok()?;
        let intent = a.text("payment_intent_id").map(|text| PaymentIntentId::parse(text)).transpose().ok()?;
        let seats =
            a.texts("seat_ids")?.iter().map(|text| SeatId::parse(text)).collect::<Result<_, _>>().ok()?;
        let amount = u64::try_from(a.number("total_price")?).ok()?;
        let hold_expires_at = a.time("hold_expires_at")?;
        let reservation = Reservation {
            id,
            show: ShowId::parse(a.text("event_id")?).ok()?,
            section,
            person: PersonId::parse(a.text("user_id")?).ok()?,
            status: Status::parse(a.text("status")?)?,
            seats,
            total: Money { amount, currency: Currency::parse(a.text("currency")?)? },
            hold_expires_at,
            created_at: a.time("created_at")?,
            updated_at: a.time("updated_at")?,
            order,
            intent,
            cancel_reason: a.text("cancel_reason").cloned(),
            error_code: a.text("error_code").cloned(),
        };
        Some(Self {
            reservation,
            version: row.version,
            history: History::from_lines(a.texts("history").unwrap_or_default()),
            look_at: a.time("look_at").unwrap_or(hold_expires_at),
            announced_again: a
                .number("announced_again")
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests;
