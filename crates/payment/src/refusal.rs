//! Why the service refuses a request, and the one table that encodes each refusal.

use contracts::error::{Code, WireError};
use contracts::payment_wire::rejection_to_error;
use domain::id::{PaymentIntentId, ReservationId};
use domain::payment::Rejection;
use ports::payments::PaymentRejection;
use ports::{Fault, FaultClass, PortError, Trace};
use runtime::Reply;

/// The reason for a request that was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// The request is invalid, whatever the state.
    Invalid(WireError),
    /// No payment has this id, or it belongs to another person.
    NoSuchPayment(PaymentIntentId),
    /// The rules say no.
    Rejected(PaymentIntentId, Rejection),
    /// The idempotency key belongs to another request.
    OtherRequest,
    /// The hold of the reservation has run out, so nothing may be paid for it.
    HoldOver(ReservationId),
    /// An internal failure.
    Failed(Fault),
}

impl Refusal {
    /// A request with an invalid field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(WireError::invalid(field, message))
    }
}

const HOLD_OVER: &str = "the hold of the reservation has run out: it cannot be paid any more";
const OTHER_REQUEST: &str = "the idempotency_key was used for another request";

impl runtime::Refusal for Refusal {
    fn reply(&self) -> Reply {
        let rejected = |intent: &PaymentIntentId, rejection: PaymentRejection| {
            Reply::in_band(rejection_to_error(intent, &rejection))
        };
        match self {
            Self::Invalid(error) => Reply::status(error.clone()),
            Self::NoSuchPayment(intent) => rejected(intent, PaymentRejection::NoSuchPayment),
            Self::Rejected(intent, rejection) => {
                rejected(intent, PaymentRejection::Refused(rejection.to_string()))
            }
            Self::HoldOver(reservation) => {
                Reply::in_band(WireError::new(Code::ReservationExpired, HOLD_OVER).detail(
                    "reservation_id",
                    "EXPIRED",
                    reservation.as_str(),
                ))
            }
            Self::OtherRequest => {
                Reply::in_band(WireError::new(Code::IdempotencyConflict, OTHER_REQUEST).detail(
                    "idempotency_key",
                    "OTHER_REQUEST",
                    "",
                ))
            }
            Self::Failed(fault) => Reply::status(match fault.class {
                FaultClass::Unavailable | FaultClass::NotReached | FaultClass::Transient => {
                    WireError::new(Code::Unavailable, "payments cannot be stored now; try again")
                }
                FaultClass::Conflict => {
                    WireError::new(Code::ConcurrentModification, "the payment is being changed; try again")
                }
                FaultClass::Permanent | FaultClass::Unsupported => {
                    WireError::new(Code::Internal, "an internal error")
                }
            }),
        }
    }

    fn log(&self, operation: &'static str, trace: &Trace) {
        if let Self::Failed(fault) = self {
            let trace_id = trace.trace_id.as_deref();
            tracing::error!(operation, trace_id, error = fault.chain(), "payment request failed");
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Invalid(error)
    }
}

impl From<Refusal> for PortError<PaymentRejection> {
    fn from(refusal: Refusal) -> Self {
        let refused = |message: String| Self::Rejected(PaymentRejection::Refused(message));
        match refusal {
            Refusal::NoSuchPayment(_) => Self::Rejected(PaymentRejection::NoSuchPayment),
            Refusal::Rejected(_, rejection) => refused(rejection.to_string()),
            Refusal::Invalid(error) => refused(error.message),
            Refusal::OtherRequest => refused(OTHER_REQUEST.to_owned()),
            Refusal::HoldOver(_) => refused(HOLD_OVER.to_owned()),
            Refusal::Failed(fault) => Self::Failed(fault),
        }
    }
}
