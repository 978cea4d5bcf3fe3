//! Every refusal of the inventory, as an error with typed particulars and back.

use crate::error::{Code, Detail, WireError};
use core::time::Duration;
use domain::hold::{BadRequest, Rejection};
use domain::id::{OrderId, PaymentIntentId, ReservationId, SeatId, SectionId, ShowId};
use ports::inventory::{CommitSeats, HoldSeats, RefusePayment, ReleaseSeats};

/// The subject of a refused command. Refusals that name nothing themselves are encoded with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The reservation.
    pub reservation: Option<&'a ReservationId>,
    /// The show, if the command named it.
    pub show: Option<&'a ShowId>,
    /// The section, if the command named it.
    pub section: Option<&'a SectionId>,
    /// The seats, if the command named them.
    pub seats: &'a [SeatId],
}

/// Which command was refused; errors without particulars mean different things for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// ReserveSeat.
    Hold,
    /// CommitReservation.
    Commit,
    /// ReleaseHold.
    Release,
    /// RefusePayment.
    Refuse,
}

impl<'a> From<&'a HoldSeats> for Subject<'a> {
    fn from(command: &'a HoldSeats) -> Self {
        Self {
            reservation: Some(&command.reservation),
            show: Some(&command.show),
            section: command.section.as_ref(),
            seats: &command.seats,
        }
    }
}

impl<'a> From<&'a CommitSeats> for Subject<'a> {
    fn from(command: &'a CommitSeats) -> Self {
        let CommitSeats { reservation, show, seats, .. } = command;
        Self { reservation: Some(reservation), show: show.as_ref(), section: None, seats }
    }
}

impl<'a> From<&'a ReleaseSeats> for Subject<'a> {
    fn from(command: &'a ReleaseSeats) -> Self {
        let ReleaseSeats { reservation, show, seats, .. } = command;
        Self { reservation: Some(reservation), show: show.as_ref(), section: None, seats }
    }
}

impl<'a> From<&'a RefusePayment> for Subject<'a> {
    fn from(command: &'a RefusePayment) -> Self {
        Self { reservation: Some(&command.reservation), ..Self::default() }
    }
}

/// The detail beside ALREADY_COMMITTED that names the payment.
const COMMITTED_BY: &str = "COMMITTED_BY";
const SEATS: &str = "seat_ids";
const UNTIL: &str = "hold_expires_at";

/// A refusal with its code, its message for the caller, and its particulars.
pub fn rejection_to_error(subject: Subject<'_>, rejection: &Rejection) -> WireError {
    let reservation = subject.reservation.map_or("", ReservationId::as_str);
    let show = subject.show.map_or("", ShowId::as_str);
    let section = subject.section.map_or("", SectionId::as_str);
    match rejection {
        Rejection::NoSuchShow => WireError::new(Code::NotFound, format!("no event {show}")).detail(
            "event_id",
            "NO_SUCH_SHOW",
            show,
        ),
        Rejection::NoSuchSection if section.is_empty() => WireError::new(
            Code::NotFound,
            "the event has several sections: name one in section, or name seat_ids",
        )
        .detail("section", "NO_SUCH_SECTION", ""),
        Rejection::NoSuchSection => WireError::new(
            Code::NotFound,
            format!("the event has no section {section}"),
        )
        .detail("section", "NO_SUCH_SECTION", section),
        Rejection::NoSuchSeat(seat) => WireError::new(
            Code::NotFound,
            format!("the event has no seat {seat}"),
        )
        .detail(SEATS, "NO_SUCH_SEAT", seat.as_str()),
        Rejection::SeatTaken(seats) => taken(seats),
        Rejection::SoldOut { remaining } => WireError::new(
            Code::InsufficientInventory,
            format!("only {remaining} seats are left"),
        )
        .detail("section", "REMAINING", remaining.to_string()),
        Rejection::NoSuchHold => WireError::new(
            Code::NotFound,
            format!("no hold for reservation {reservation}"),
        )
        .detail("reservation_id", "NO_SUCH_HOLD", reservation),
        Rejection::NotOwner => {
            WireError::new(Code::InventoryConflict, "the hold belongs to another person or has other seats")
                .detail("reservation_id", "NOT_OWNER", reservation)
        }
        Rejection::AlreadyCommitted { order, intent } => {
            let error =
                WireError::new(Code::AlreadyExists, format!("conflict: the seats are sold to order {order}"))
                    .detail("order_id", "ALREADY_COMMITTED", order.as_str());
            match intent {
                Some(intent) => error.detail("payment_intent_id", COMMITTED_BY, intent.as_str()),
                None => error,
            }
        }
        Rejection::PaymentRefused => WireError::new(
            Code::PaymentNotApproved,
            "payment not approved: it is being given back, so it cannot buy these seats",
        )
        .detail("payment_intent_id", "PAYMENT_REFUSED", ""),
        Rejection::Expired => WireError::new(
            Code::ReservationExpired,
            "the hold was released and its seats cannot be taken again",
        )
        .detail("reservation_id", "EXPIRED", reservation),
        Rejection::NotDue { left } => {
            let millis = left.as_nanos().div_ceil(1_000_000);
            WireError::new(Code::FailedPrecondition, format!("the hold is not due for another {millis} ms"))
                .detail(UNTIL, "NOT_DUE", millis.to_string())
        }
        Rejection::BadRequest(bad) => bad_request(bad),
    }
}

/// Reads [`rejection_to_error`], and the same refusals of earlier peers without particulars. `None`
/// if the error is not a refusal of this command.
pub fn rejection_from_error(call: Call, subject: Subject<'_>, error: &WireError) -> Option<Rejection> {
    let known = error.details.iter().find_map(|detail| by_detail(subject, error, detail));
    known.or_else(|| by_code(call, subject, error.code))
}

fn taken(seats: &[SeatId]) -> WireError {
    let names = seats.iter().map(SeatId::as_str).collect::<Vec<_>>().join(", ");
    seats.iter().fold(WireError::new(Code::InventoryConflict, format!("not free: {names}")), |error, seat| {
        error.detail(SEATS, "TAKEN", seat.as_str())
    })
}

fn bad_request(bad: &BadRequest) -> WireError {
    let (field, reason, value) = match bad {
        BadRequest::NoSeats => ("quantity", "NO_SEATS", String::new()),
        BadRequest::TooManySeats(n) => ("quantity", "TOO_MANY_SEATS", n.to_string()),
        BadRequest::DuplicateSeat(seat) => (SEATS, "DUPLICATE_SEAT", seat.to_string()),
        BadRequest::QuantityMismatch { seats, quantity } => {
            ("quantity", "QUANTITY_MISMATCH", format!("{seats}/{quantity}"))
        }
        BadRequest::UntilInThePast => (UNTIL, "IN_THE_PAST", String::new()),
        BadRequest::DifferentSeats => (SEATS, "DIFFERENT_SEATS", String::new()),
    };
    WireError::new(Code::InvalidArgument, bad.to_string()).detail(field, reason, value)
}

fn by_detail(subject: Subject<'_>, error: &WireError, detail: &Detail) -> Option<Rejection> {
    let value = detail.value.as_str();
    let rejection = match detail.reason.as_str() {
        "NO_SUCH_SHOW" => Rejection::NoSuchShow,
        "NO_SUCH_SECTION" => Rejection::NoSuchSection,
        "NO_SUCH_SEAT" => Rejection::NoSuchSeat(SeatId::parse(value).ok()?),
        "TAKEN" => Rejection::SeatTaken(
            error
                .details
                .iter()
                .filter(|d| d.reason == "TAKEN")
                .filter_map(|d| SeatId::parse(&d.value).ok())
                .collect(),
        ),
        "REMAINING" => Rejection::SoldOut { remaining: value.parse().ok()? },
        "NO_SUCH_HOLD" => Rejection::NoSuchHold,
        "NOT_OWNER" => Rejection::NotOwner,
        "ALREADY_COMMITTED" => {
            let by = error.details.iter().find(|detail| detail.reason == COMMITTED_BY);
            let intent = by.and_then(|detail| PaymentIntentId::parse(&detail.value).ok());
            Rejection::AlreadyCommitted { order: order(value, subject)?, intent }
        }
        "PAYMENT_REFUSED" => Rejection::PaymentRefused,
        "EXPIRED" => Rejection::Expired,
        "NOT_DUE" => Rejection::NotDue { left: Duration::from_millis(value.parse().ok()?) },
        "NO_SEATS" => Rejection::BadRequest(BadRequest::NoSeats),
        "TOO_MANY_SEATS" => Rejection::BadRequest(BadRequest::TooManySeats(value.parse().ok()?)),
        "DUPLICATE_SEAT" => Rejection::BadRequest(BadRequest::DuplicateSeat(SeatId::parse(value).ok()?)),
        "QUANTITY_MISMATCH" => {
            let (seats, quantity) = value.split_once('/')?;
            Rejection::BadRequest(BadRequest::QuantityMismatch {
                seats: seats.parse().ok()?,
                quantity: quantity.parse().ok()?,
            })
        }
        "IN_THE_PAST" => Rejection::BadRequest(BadRequest::UntilInThePast),
        "DIFFERENT_SEATS" => Rejection::BadRequest(BadRequest::DifferentSeats),
        _ => return None,
    };
    Some(rejection)
}

/// How long to wait when an earlier peer says "not due" without a time: one backoff step.
const REST_UNSAID: Duration = Duration::from_secs(1);

fn by_code(call: Call, subject: Subject<'_>, code: Code) -> Option<Rejection> {
    match (code, call) {
        (Code::NotFound, Call::Hold) => Some(Rejection::NoSuchShow),
        (Code::NotFound, Call::Commit | Call::Release | Call::Refuse) => Some(Rejection::NoSuchHold),
        (Code::InventoryConflict, Call::Hold) => Some(Rejection::SeatTaken(subject.seats.to_vec())),
        (Code::InventoryConflict, Call::Commit | Call::Release) => Some(Rejection::NotOwner),
        (Code::InsufficientInventory, Call::Hold) => Some(Rejection::SoldOut { remaining: 0 }),
        (Code::InsufficientInventory, Call::Commit) => Some(Rejection::Expired),
        (Code::ReservationExpired, Call::Hold | Call::Commit) => Some(Rejection::Expired),
        (Code::AlreadyExists, Call::Hold) => Some(Rejection::BadRequest(BadRequest::DifferentSeats)),
        // An earlier peer's "the hold is not active any more".
        (Code::FailedPrecondition, Call::Commit) => Some(Rejection::Expired),
        (Code::AlreadyExists, Call::Commit | Call::Release | Call::Refuse) => {
            order("", subject).map(|order| Rejection::AlreadyCommitted { order, intent: None })
        }
        (Code::FailedPrecondition, Call::Release) => Some(Rejection::NotDue { left: REST_UNSAID }),
        _ => None,
    }
}

/// The named order, or the only order that the reservation can become.
fn order(named: &str, subject: Subject<'_>) -> Option<OrderId> {
    OrderId::parse(named).ok().or_else(|| subject.reservation.map(OrderId::for_reservation))
}
