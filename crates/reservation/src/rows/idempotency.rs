//! The recorded answer of a create: the same key and the same request again get it, whatever became
//! of the reservation since (invariant X2). It is written in the commit of its reservation and in
//! no other (trap T-T14).

use super::{PARTITION_PREFIX, partition, remembered, ttl};
use crate::request::Fingerprint;
use contracts::rest::reservation::Created;
use contracts::time::rfc3339;
use domain::id::{ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::reservation::Status;
use domain::seat::{SeatStatus, SeatView};
use domain::time::Timestamp;
use ports::store::{Attributes, Expect, Key, Row, Write};
use serde::{Deserialize, Serialize};

const SORT: &str = "idem";

/// The buyer's answer when seats are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The reservation.
    pub id: ReservationId,
    /// The show.
    pub show: ShowId,
    /// The seats, also those that the inventory picked.
    pub seats: Vec<SeatView>,
    /// The price of all seats together.
    pub total: Money,
    /// When the hold is due.
    pub hold_expires_at: Timestamp,
}

impl Placed {
    /// The answer of `POST /v1/reservations`.
    pub fn to_rest(&self) -> Created {
        Created {
            reservation_id: self.id.to_string(),
            status: Status::Hold.as_str().to_owned(),
            event_id: self.show.to_string(),
            seat_ids: self.seats.iter().map(|seat| seat.id.to_string()).collect(),
            quantity: u32::try_from(self.seats.len()).unwrap_or(u32::MAX),
            hold_expires_at: rfc3339(self.hold_expires_at),
            total_amount: self.total.amount,
            currency: self.total.currency.as_str().to_owned(),
        }
    }
}

/// The recorded answer of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// The fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// The recorded answer.
    pub answer: Placed,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// The answer as it is stored, in JSON.
#[derive(Serialize, Deserialize)]
struct Answer {
    event_id: String,
    seats: Vec<Seat>,
    total: u64,
    currency: String,
    hold_expires_at: u64,
}

#[derive(Serialize, Deserialize)]
struct Seat {
    id: String,
    section: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    row: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    number: String,
    price: u64,
}

impl IdempotencyRow {
    /// The key of a reservation's record.
    pub fn key(id: &ReservationId) -> Key {
        Key::new(partition(id), SORT)
    }

    /// The write of a new record.
    pub fn write(&self) -> Write {
        let placed = &self.answer;
        let seat = |seat: &SeatView| Seat {
            id: seat.id.as_str().to_owned(),
            section: seat.section.as_str().to_owned(),
            row: seat.row.clone(),
            number: seat.number.clone(),
            price: seat.price.amount,
        };
        let answer = Answer {
            event_id: placed.show.as_str().to_owned(),
            seats: placed.seats.iter().map(seat).collect(),
            total: placed.total.amount,
            currency: placed.total.currency.as_str().to_owned(),
            hold_expires_at: placed.hold_expires_at.as_millis(),
        };
        let answer = serde_json::to_string(&answer).expect("texts and numbers are JSON");
        let (until, forget) = remembered(placed.id.as_str(), self.created_at);
        let attributes = Attributes::new()
            .with("reservation_id", placed.id.as_str())
            .with("fingerprint", self.fingerprint.0.clone())
            .with("answer", answer)
            .with("created_at", self.created_at)
            .with("expires_at", ttl(until));
        Write::Put { key: Self::key(&placed.id), expect: Expect::Absent, attributes, indexes: vec![forget] }
    }

    /// Reads a row; `None` if it is not a recorded answer or lacks a part.
    pub fn read(row: &Row) -> Option<Self> {
        if &*row.key.sort != SORT {
            return None;
        }
        let id = ReservationId::parse(row.key.partition.strip_prefix(PARTITION_PREFIX)?).ok()?;
        let answer: Answer = serde_json::from_str(row.attributes.text("answer")?).ok()?;
        let currency = Currency::parse(&answer.currency)?;
        let seat = |seat: Seat| {
            Some(SeatView {
                id: SeatId::parse(&seat.id).ok()?,
                section: SectionId::parse(&seat.section).ok()?,
                row: seat.row,
                number: seat.number,
                price: Money { amount: seat.price, currency: currency.clone() },
                status: SeatStatus::Held,
            })
        };
        let seats = answer.seats.into_iter().map(seat).collect::<Option<_>>()?;
        let placed = Placed {
            id,
            show: ShowId::parse(&answer.event_id).ok()?,
            seats,
            total: Money { amount: answer.total, currency: currency.clone() },
            hold_expires_at: Timestamp::from_millis(answer.hold_expires_at),
        };
        Some(Self {
            fingerprint: Fingerprint(row.attributes.text("fingerprint")?.clone()),
            answer: placed,
            created_at: row.attributes.time("created_at")?,
        })
    }
}
