//! A buyer's request, checked before anything is done with it.
//!
//! REST and gRPC read their bodies into the same [`Create`], so both refuse the same requests with
//! the same messages. The rules here need no show: what only the show can tell (a seat that does
//! not exist, a section that is full) the inventory decides.

use crate::refusal::Refusal;
use contracts::error::{Code, WireError};
use contracts::reservation::v1 as proto;
use contracts::rest::reservation as rest;
use contracts::vocabulary::{optional, quantity, required, seat_ids};
use domain::hold::check_request;
use domain::id::{PersonId, SeatId, SectionId, ShowId};
use std::sync::Arc;

mod identity;

pub use identity::{Fingerprint, Origin, reservation_id};

/// The longest Idempotency-Key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;

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

/// 1 to 128 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Checks the text; "" is a missing key.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Self::missing());
        }
        if text.len() > KEY_BYTES_MAX || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Self::malformed());
        }
        Ok(Self(text.into()))
    }

    /// The refusal of a request that needs a key and has none.
    pub fn missing() -> Refusal {
        Refusal::Malformed(
            WireError::new(
                Code::IdempotencyRequired,
                "the Idempotency-Key is missing; send one of your choice, the same at every retry",
            )
            .detail("idempotency_key", "MISSING", ""),
        )
    }

    /// The refusal of a malformed key.
    pub fn malformed() -> Refusal {
        let message = format!("the Idempotency-Key must be 1 to {KEY_BYTES_MAX} printable ASCII characters");
        Refusal::Malformed(WireError::new(Code::InvalidArgument, message).detail(
            "idempotency_key",
            "INVALID",
            "",
        ))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Create {
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
