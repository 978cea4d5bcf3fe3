//! Why the service refuses a request, and the one table that encodes each refusal for REST and
//! gRPC.
//!
//! Messages are for the caller and never carry a source; that goes to the log, once, where the
//! refusal is answered ([`Refusal::log`]).

use contracts::error::{Code, WireError};
use contracts::inventory_wire::{Subject, rejection_to_error};
use contracts::pass;
use contracts::reservation_wire::{illegal_move, no_such_reservation};
use contracts::webhook_signature::Rejected;
use domain::hold::{BadRequest, Rejection};
use domain::id::{PaymentIntentId, ReservationId, ShowId};
use domain::payment;
use domain::payment::price::Check;
use domain::reservation::Status;
use http::StatusCode;
use ports::reservations::EndRejection;
use ports::{Fault, FaultClass, PortError, Trace};
use runtime::Reply;

/// A request that was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// The request is malformed, whatever the state.
    Malformed(WireError),
    /// The requested seats contradict each other.
    BadRequest(BadRequest),
    /// The show requires a pass of the waiting room, and the request has no valid one.
    NoAdmission(ShowId, NoPass),
    /// The inventory does not hold the seats; its error.
    NotHeld(WireError),
    /// The Idempotency-Key was used for another request.
    OtherRequest,
    /// The hold under this key ended before it became a reservation.
    KeyIsOver,
    /// No reservation has this id.
    NoSuchReservation(ReservationId),
    /// The reservation belongs to another person.
    NotTheOwner(ReservationId),
    /// The reservation's status does not allow it.
    Illegal {
        /// The present status.
        current: Status,
        /// The payment that confirmed it.
        intent: Option<PaymentIntentId>,
    },
    /// The hold ran out.
    Expired {
        /// The present status: EXPIRED, or HOLD while the record is late.
        current: Status,
    },
    /// The inventory does not bring the seats to that end.
    NotMoved {
        /// The present status.
        current: Status,
        /// The payment that confirmed it.
        intent: Option<PaymentIntentId>,
        /// The inventory's error.
        error: Box<WireError>,
    },
    /// The payment does not pay for this reservation.
    NotPaid(NotPaid),
    /// The webhook is not authentic.
    NotAuthentic(Rejected),
    /// The webhook's id was used for another payment.
    OtherWebhook,
    /// A hold cannot be extended: it is as long as the inventory made it.
    NoExtension {
        /// The present status.
        current: Status,
    },
    /// A peer failed or did not answer.
    Peer(Peer, Fault),
    /// The store failed or did not answer.
    Store(Fault),
    /// Other writers changed the same reservation at each try.
    Contended(ReservationId),
}

/// A service that this one calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The seats.
    Inventory,
    /// The payment provider.
    Payments,
    /// The waiting room.
    Admissions,
}

/// Why a payment is not enough to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPaid {
    /// The provider does not know it.
    NoSuchPayment,
    /// The provider has not decided it.
    Undecided(payment::Status),
    /// It pays for another reservation.
    OtherReservation,
    /// It failed, was voided or was wholly refunded.
    Returned,
    /// A part of it was refunded.
    PartlyRefunded,
    /// Its amount is not the total of the reservation.
    AmountMismatch,
    /// Its currency is not that of the reservation.
    CurrencyMismatch,
    /// The provider refused, with this message.
    Refused(String),
}

impl Peer {
    /// The name in messages and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Payments => "payments",
            Self::Admissions => "waiting room",
        }
    }
}

/// Why a pass does not admit the buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPass {
    /// The request has no pass.
    Missing,
    /// It is malformed, not authentic, or expired.
    Rejected(pass::Rejected),
    /// It is for another show.
    OtherShow,
    /// It belongs to another person.
    OtherPerson,
    /// It was redeemed for another reservation.
    Spent,
}

impl NoPass {
    /// The value of a metric's label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Rejected(pass::Rejected::Malformed) => "malformed",
            Self::Rejected(pass::Rejected::WrongSignature) => "wrong_signature",
            Self::Rejected(pass::Rejected::Expired) => "expired",
            Self::OtherShow => "other_show",
            Self::OtherPerson => "other_person",
            Self::Spent => "spent",
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Missing => "and the request has none",
            Self::Rejected(pass::Rejected::Malformed) => "and this is not one",
            Self::Rejected(pass::Rejected::WrongSignature) => "and this one has a wrong signature",
            Self::Rejected(pass::Rejected::Expired) => "and this one has expired",
            Self::OtherShow => "and this one is for another show",
            Self::OtherPerson => "and this one belongs to another person",
            Self::Spent => "and this one was used for another reservation",
        }
    }
}

impl Refusal {
    /// The inventory's refusal to hold the seats.
    pub(crate) fn not_held(wanted: Subject<'_>, no: &Rejection) -> Self {
        Self::NotHeld(rejection_to_error(wanted, no))
    }

    /// The inventory's refusal to bring a reservation to an end.
    pub(crate) fn not_moved(
        id: &ReservationId,
        (current, intent): (Status, Option<PaymentIntentId>),
        no: &Rejection,
    ) -> Self {
        let subject = Subject { reservation: Some(id), ..Subject::default() };
        let error = Box::new(rejection_to_error(subject, no));
        Self::NotMoved { current, intent, error }
    }
}

impl runtime::Refusal for Refusal {
    fn reply(&self) -> Reply {
        match self {
            Self::Malformed(error) => Reply::status(error.clone()),
            Self::BadRequest(bad) => {
                Reply::status(rejection_to_error(Subject::default(), &Rejection::BadRequest(bad.clone())))
            }
            Self::NoAdmission(show, why) => {
                let why = why.describe();
                let message = format!("no admission: {show} requires a pass of its waiting room, {why}");
                Reply::in_band(WireError::new(Code::Forbidden, message).detail(
                    "reservation_token",
                    "NO_ADMISSION",
                    "",
                ))
            }
            Self::NotHeld(error) if error.code == Code::InvalidArgument => Reply::status(error.clone()),
            Self::NotHeld(error) => Reply::in_band(error.clone()),
            Self::OtherRequest => {
                key_conflict("the Idempotency-Key was used for another request", "OTHER_REQUEST")
            }
            Self::KeyIsOver => Reply::in_band(
                WireError::new(
                    Code::ReservationExpired,
                    "the seats under this Idempotency-Key are no longer held; use a new Idempotency-Key",
                )
                .detail("idempotency_key", "OVER", ""),
            ),
            Self::NoSuchReservation(id) => Reply::in_band(no_such_reservation(id)),
            Self::NotTheOwner(id) => Reply::in_band(
                WireError::new(Code::Forbidden, format!("{id} belongs to another person")).detail(
                    "user_id",
                    "NOT_OWNER",
                    "",
                ),
            ),
            Self::Illegal { current, intent } => {
                conflict(illegal_move(*current, intent.as_ref()), *current, intent.as_ref())
            }
            Self::Expired { current } => {
                let error = WireError::new(
                    Code::ReservationExpired,
                    "the hold ran out and its seats cannot be taken again",
                )
                .detail("status", "CURRENT_STATUS", current.as_str());
                conflict(error, *current, None)
            }
            Self::NotMoved { current, intent, error } => {
                let error = (**error).clone().detail("status", "CURRENT_STATUS", current.as_str());
                conflict(error, *current, intent.as_ref())
            }
            Self::NotPaid(why) => Reply::in_band(why.error()),
            Self::NotAuthentic(why) => Reply::status(WireError::new(Code::Unauthenticated, why.to_string())),
            Self::OtherWebhook => {
                key_conflict("the X-Webhook-Id was used for another payment", "OTHER_WEBHOOK")
            }
            Self::NoExtension { current } => Reply::in_band(
                WireError::new(
                    Code::FailedPrecondition,
                    "a hold cannot be extended; reserve again when it has run out",
                )
                .detail("status", "CURRENT_STATUS", current.as_str()),
            ),
            Self::Peer(peer, fault) => peer_failed(*peer, fault),
            Self::Store(fault) => store_failed(fault),
            Self::Contended(id) => Reply::status(WireError::new(
                Code::ConcurrentModification,
                format!("{id} is being changed by others; try again"),
            )),
        }
    }

    fn log(&self, operation: &'static str, trace: &Trace) {
        let trace_id = trace.trace_id.as_deref();
        match self {
            Self::Peer(peer, fault) => {
                tracing::warn!(
                    operation,
                    trace_id,
                    peer = peer.as_str(),
                    error = fault.chain(),
                    "peer call failed"
                );
            }
            Self::Store(fault) => {
                tracing::error!(operation, trace_id, error = fault.chain(), "store call failed");
            }
            Self::Contended(id) => {
                tracing::warn!(operation, trace_id, reservation_id = %id, "gave up after many conflicts");
            }
            Self::NotAuthentic(why) => {
                tracing::warn!(operation, trace_id, why = %why, "webhook rejected")
            }
            _ => {}
        }
    }
}

impl NotPaid {
    fn error(&self) -> WireError {
        let (why, reason) = match self {
            Self::NoSuchPayment => ("no payment has that id; pay first", "NO_SUCH_PAYMENT"),
            Self::Undecided(status) => {
                let status = status.as_str();
                let message = format!("payment not approved: it is {status}; try again when it is CAPTURED");
                return not_approved(message, "STATUS", status);
            }
            Self::OtherReservation => {
                ("it pays for another reservation; pay for this one", Check::OtherReservation.code())
            }
            Self::Returned => {
                ("it failed, was voided or was refunded; make a new payment", Check::Returned.code())
            }
            Self::PartlyRefunded => {
                ("a part of it was refunded; make a new payment", Check::PartlyRefunded.code())
            }
            Self::AmountMismatch => (
                "its amount is not the total of the reservation and is refunded; pay exactly the total",
                Check::AmountMismatch.code(),
            ),
            Self::CurrencyMismatch => (
                "its currency is not that of the reservation and it is refunded; pay in the reservation's \
                 currency",
                Check::CurrencyMismatch.code(),
            ),
            Self::Refused(message) => return not_approved(message.clone(), "REFUSED", ""),
        };
        not_approved(format!("payment not approved: {why}"), reason, "")
    }
}

fn not_approved(message: String, reason: &'static str, value: &str) -> WireError {
    WireError::new(Code::PaymentNotApproved, message).detail("payment_intent_id", reason, value)
}

/// A refusal because of the reservation's state: 409 over REST, whatever the code's own status,
/// with the state beside the error.
fn conflict(error: WireError, current: Status, intent: Option<&PaymentIntentId>) -> Reply {
    let reply =
        Reply::in_band(error).with_status(StatusCode::CONFLICT).with_field("status", current.as_str());
    match intent {
        Some(intent) => reply.with_field("payment_intent_id", intent.as_str()),
        None => reply,
    }
}

fn key_conflict(message: &str, reason: &str) -> Reply {
    let error = WireError::new(Code::IdempotencyConflict, message);
    Reply::in_band(error.detail("idempotency_key", reason, ""))
}

fn peer_failed(peer: Peer, fault: &Fault) -> Reply {
    let peer = peer.as_str();
    Reply::status(match fault.class {
        FaultClass::Unavailable | FaultClass::NotReached => {
            WireError::new(Code::UpstreamTimeout, format!("the {peer} did not answer in time; try again"))
        }
        FaultClass::Transient | FaultClass::Conflict => {
            WireError::new(Code::UpstreamError, format!("the {peer} could not do it; try again"))
        }
        FaultClass::Permanent | FaultClass::Unsupported => {
            WireError::new(Code::UpstreamError, format!("the {peer} failed"))
        }
    })
}

fn store_failed(fault: &Fault) -> Reply {
    Reply::status(match fault.class {
        FaultClass::Unavailable | FaultClass::NotReached | FaultClass::Transient | FaultClass::Conflict => {
            WireError::new(Code::Unavailable, "reservations cannot be stored now; try again")
        }
        FaultClass::Permanent | FaultClass::Unsupported => WireError::new(Code::Internal, "internal error"),
    })
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Refusal> for PortError<EndRejection> {
    /// The answer to the worker when it calls this service without sockets, the same as over them.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchReservation(_) => Self::Rejected(EndRejection::NoSuchReservation),
            Refusal::Illegal { current, intent } | Refusal::NotMoved { current, intent, .. } => {
                Self::Rejected(EndRejection::Illegal { current: Some(current), intent })
            }
            Refusal::Expired { current } => {
                Self::Rejected(EndRejection::Illegal { current: Some(current), intent: None })
            }
            other => Self::Failed(other.into_fault()),
        }
    }
}

impl Refusal {
    /// The failure behind a refusal, for callers that know only failures.
    pub(crate) fn into_fault(self) -> Fault {
        let message = runtime::Refusal::reply(&self).error().to_string();
        match self {
            Self::Peer(_, fault) | Self::Store(fault) => fault,
            Self::Contended(_) => Fault::transient(message),
            _ => Fault::permanent(message),
        }
    }
}
