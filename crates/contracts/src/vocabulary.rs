//! Values that several services share, from domain to protobuf and back: money, seats, statuses,
//! identifiers, counts.
//!
//! Reading turns text from outside into a checked value: a bad identifier or count is a
//! [`WireError`] that names its field. Answers of earlier peers are read more leniently than
//! requests: a missing value is `None`.

use crate::common::v1 as common;
use crate::error::{Code, WireError};
use crate::reservation::v1 as proto;
use domain::id::{InvalidId, SeatId, SectionId};
use domain::money::{Currency, Money};
use domain::reservation::Status;
use domain::seat::{SeatStatus, SeatView};

/// Reads a required identifier of a request: `required(ReservationId::parse, "reservation_id",
/// &text)`.
pub fn required<T>(
    parse: impl Fn(&str) -> Result<T, InvalidId>,
    field: &'static str,
    text: &str,
) -> Result<T, WireError> {
    parse(text).map_err(|why| {
        let reason = match why {
            InvalidId::Empty => "MISSING",
            InvalidId::TooLong(_) => "TOO_LONG",
            InvalidId::ControlCharacter => "CONTROL_CHARACTER",
        };
        WireError::new(Code::InvalidArgument, format!("{field} {why}")).detail(field, reason, "")
    })
}

/// Reads an identifier of a request where "" means none.
pub fn optional<T>(
    parse: impl Fn(&str) -> Result<T, InvalidId>,
    field: &'static str,
    text: &str,
) -> Result<Option<T>, WireError> {
    if text.is_empty() { Ok(None) } else { required(parse, field, text).map(Some) }
}

/// Reads the seats of a request. The rules limit their number and have the message for it.
pub fn seat_ids(texts: &[impl AsRef<str>]) -> Result<Vec<SeatId>, WireError> {
    texts.iter().map(|text| required(SeatId::parse, "seat_ids", text.as_ref())).collect()
}

/// Reads a count of a request; 0 means that the caller gives none.
pub fn quantity(given: i64) -> Result<u32, WireError> {
    u32::try_from(given).map_err(|_| {
        let max = domain::limits::SEATS_PER_RESERVATION_MAX;
        WireError::new(Code::InvalidArgument, format!("quantity is {given}, it must be 1 to {max}")).detail(
            "quantity",
            "OUT_OF_RANGE",
            given.to_string(),
        )
    })
}

/// A count for an answer, capped at `i32::MAX`.
pub fn count(n: u64) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Money as a message.
pub fn money_to_proto(money: &Money) -> common::Money {
    common::Money {
        amount: i64::try_from(money.amount).unwrap_or(i64::MAX),
        currency: money.currency.as_str().to_owned(),
    }
}

/// Reads money; "" is the Korean won. `None` for a negative amount or an impossible currency.
pub fn money_from_proto(money: &common::Money) -> Option<Money> {
    let currency = match money.currency.as_str() {
        "" => Currency::krw(),
        text => Currency::parse(text)?,
    };
    Some(Money { amount: u64::try_from(money.amount).ok()?, currency })
}

/// A seat as a message.
pub fn seat_to_proto(seat: &SeatView) -> common::Seat {
    common::Seat {
        id: seat.id.as_str().to_owned(),
        section: seat.section.as_str().to_owned(),
        row: seat.row.clone(),
        number: seat.number.clone(),
        price: Some(money_to_proto(&seat.price)),
        status: seat_status_to_proto(seat.status) as i32,
    }
}

/// A seat of which only its identifier is known.
pub fn seat_id_to_proto(seat: &SeatId) -> common::Seat {
    common::Seat { id: seat.as_str().to_owned(), ..common::Seat::default() }
}

/// Reads a seat of an answer; `status` is the default if the answer has none that we know. A
/// missing section is taken from the form of our own seat names (`<section>-<row>-<number>`), a
/// missing price is 0. `None` for a seat without a usable identifier.
pub fn seat_from_proto(seat: common::Seat, status: SeatStatus) -> Option<SeatView> {
    let id = SeatId::parse(&seat.id).ok()?;
    let section = SectionId::parse(&seat.section)
        .or_else(|_| SectionId::parse(seat.id.split('-').next().unwrap_or_default()))
        .or_else(|_| SectionId::parse(&seat.id))
        .ok()?;
    let price = match &seat.price {
        Some(price) => money_from_proto(price)?,
        None => Money { amount: 0, currency: Currency::krw() },
    };
    let status = seat_status_from_proto(seat.status).unwrap_or(status);
    Some(SeatView { id, section, row: seat.row, number: seat.number, price, status })
}

/// The status of a seat; on the wire HELD is called RESERVED.
pub const fn seat_status_to_proto(status: SeatStatus) -> common::SeatStatus {
    match status {
        SeatStatus::Available => common::SeatStatus::Available,
        SeatStatus::Held => common::SeatStatus::Reserved,
        SeatStatus::Sold => common::SeatStatus::Sold,
        SeatStatus::Blocked => common::SeatStatus::Blocked,
    }
}

/// Reads [`seat_status_to_proto`]; `None` for UNSPECIFIED and for unknown numbers.
pub fn seat_status_from_proto(number: i32) -> Option<SeatStatus> {
    match common::SeatStatus::try_from(number).ok()? {
        common::SeatStatus::Unspecified => None,
        common::SeatStatus::Available => Some(SeatStatus::Available),
        common::SeatStatus::Reserved => Some(SeatStatus::Held),
        common::SeatStatus::Sold => Some(SeatStatus::Sold),
        common::SeatStatus::Blocked => Some(SeatStatus::Blocked),
    }
}

/// The status of a reservation as a message.
pub const fn reservation_status_to_proto(status: Status) -> proto::ReservationStatus {
    match status {
        Status::Hold => proto::ReservationStatus::Hold,
        Status::Confirmed => proto::ReservationStatus::Confirmed,
        Status::Cancelled => proto::ReservationStatus::Cancelled,
        Status::Expired => proto::ReservationStatus::Expired,
    }
}

/// Reads the status of a reservation; PENDING of earlier services is a hold in progress. `None` for
/// statuses that our rules do not have (FAILED, REFUNDED, UNSPECIFIED, unknown numbers).
pub fn reservation_status_from_proto(number: i32) -> Option<Status> {
    match proto::ReservationStatus::try_from(number).ok()? {
        proto::ReservationStatus::Pending | proto::ReservationStatus::Hold => Some(Status::Hold),
        proto::ReservationStatus::Confirmed => Some(Status::Confirmed),
        proto::ReservationStatus::Cancelled => Some(Status::Cancelled),
        proto::ReservationStatus::Expired => Some(Status::Expired),
        proto::ReservationStatus::Unspecified
        | proto::ReservationStatus::Failed
        | proto::ReservationStatus::Refunded => None,
    }
}

#[cfg(test)]
mod tests;
