//! A redeemed pass: its row is written in the commit that stores the reservation, and must be
//! absent before (invariant W4).

use super::{remembered, ttl};
use domain::id::{PersonId, ReservationId, ShowId};
use domain::time::Timestamp;
use ports::store::{Attributes, Expect, Key, Row, Write};
use std::sync::Arc;

const PARTITION_PREFIX: &str = "pass#";
const SORT: &str = "pass";

/// One pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRow {
    /// The turn that the pass belongs to.
    pub id: Arc<str>,
    /// The show that it was for.
    pub show: ShowId,
    /// The person that it was for.
    pub person: PersonId,
    /// The reservation that redeemed it.
    pub reservation: ReservationId,
    /// When it was redeemed.
    pub redeemed_at: Timestamp,
}

impl PassRow {
    /// The key of a pass; two shows may use the same pass id.
    pub fn key(show: &ShowId, id: &str) -> Key {
        Key::new(format!("{PARTITION_PREFIX}{show}#{id}"), SORT)
    }

    /// The write of a newly redeemed pass.
    pub fn write(&self) -> Write {
        let (until, forget) = remembered(self.reservation.as_str(), self.redeemed_at);
        let attributes = Attributes::new()
            .with("pass_id", self.id.clone())
            .with("event_id", self.show.as_str())
            .with("user_id", self.person.as_str())
            .with("reservation_id", self.reservation.as_str())
            .with("redeemed_at", self.redeemed_at)
            .with("expires_at", ttl(until));
        Write::Put {
            key: Self::key(&self.show, &self.id),
            expect: Expect::Absent,
            attributes,
            indexes: vec![forget],
        }
    }

    /// Reads a row; `None` if it is not a pass or lacks a part.
    pub fn read(row: &Row) -> Option<Self> {
        let a = &row.attributes;
        if &*row.key.sort != SORT || !row.key.partition.starts_with(PARTITION_PREFIX) {
            return None;
        }
        Some(Self {
            id: a.text("pass_id")?.clone(),
            show: ShowId::parse(a.text("event_id")?).ok()?,
            person: PersonId::parse(a.text("user_id")?).ok()?,
            reservation: ReservationId::parse(a.text("reservation_id")?).ok()?,
            redeemed_at: a.time("redeemed_at")?,
        })
    }
}
