//! A buyer's request, checked before anything is done with it.
//!
//! REST and gRPC read their bodies into the same [`Create`], so both refuse the same requests with
//! the same messages. The rules here need no show: what only the show can tell (a seat that does
//! not exist, a section that is full) the inventory decides.

use crate::refusal::Refusal;
pub use contracts::IdempotencyKey;
use contracts::inventory_wire::Subject;
use contracts::reservation::v1 as proto;
use contracts::rest::reservation as rest;
use contracts::vocabulary::{optional, quantity, required, seat_ids};
use domain::hold::check_request;
use domain::id::{PersonId, SeatId, SectionId, ShowId};
use std::sync::Arc;

mod identity;

pub use identity::{Fingerprint, Origin, reservation_id};

/// The wanted seats: by name, or `quantity` of any in `section`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// The show.
    pub show: ShowId,
    /// The section of unnamed seats; `None` for named ones.
    pub section: Option<SectionId>,
    /// The seats by name; empty for general admission.
    pub seats: Vec<SeatId>,
    /// How many, 1 to 10; as many as `seats` where they are named.
    pub quantity: u32,
    /// The buyer.
    pub person: PersonId,
    /// The pass of the waiting room.
    pub pass: Option<Arc<str>>,
    /// The key under which the request happens once. Earlier callers over gRPC have none.
    pub key: Option<IdempotencyKey>,
}

impl Create {
    /// What a refusal to hold the seats is about.
    pub(crate) fn subject(&self) -> Subject<'_> {
        let (show, section) = (Some(&self.show), self.section.as_ref());
        Subject { reservation: None, show, section, seats: &self.seats }
    }

    /// Reads the body of `POST /v1/reservations`.
    pub fn from_rest(body: &rest::Create, key: IdempotencyKey) -> Result<Self, Refusal> {
        Self::read(
            &body.event_id,
            &body.seat_ids,
            body.quantity.unwrap_or_default(),
            body.section.as_deref().unwrap_or_default(),
            &body.user_id,
            body.reservation_token.as_deref().unwrap_or_default(),
            Some(key),
        )
    }

    /// Reads the gRPC request. Its metadata (user agent and the like) is not kept: nothing here
    /// needs it.
    pub fn from_proto(request: &proto::CreateReservationRequest) -> Result<Self, Refusal> {
        let key = match request.idempotency_key.as_str() {
            "" => None,
            text => Some(IdempotencyKey::parse(text)?),
        };
        Self::read(
            &request.event_id,
            &request.seat_ids,
            i64::from(request.quantity),
            &request.section,
            &request.user_id,
            &request.reservation_token,
            key,
        )
    }

    fn read(
        show: &str,
        seats: &[String],
        count: i64,
        section: &str,
        person: &str,
        pass: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Self, Refusal> {
        let show = required(ShowId::parse, "event_id", show)?;
        let person = required(PersonId::parse, "user_id", person)?;
        let section = optional(SectionId::parse, "section", section)?;
        let seats = seat_ids(seats)?;
        let quantity = check_request(&seats, quantity(count)?).map_err(Refusal::BadRequest)?;
        // Named seats imply their section, and a hold of named seats is not general admission.
        let section = section.filter(|_| seats.is_empty());
        let pass = Some(pass).filter(|pass| !pass.is_empty()).map(Into::into);
        Ok(Self { show, section, seats, quantity, person, pass, key })
    }
}

#[cfg(test)]
mod tests;
