//! Why the service refuses a request, and the one table that encodes each refusal.

use contracts::error::{Code, WireError};
use domain::id::PaymentIntentId;
use domain::payment::Rejection;
use ports::payments::PaymentRejection;
use ports::{Fault, FaultClass, PortError};

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
    /// An internal failure.
    Failed(Fault),
}

/// The form of a refusal over gRPC.
#[derive(Debug)]
pub enum Told {
    /// Status OK with `error` set.
    InBand(WireError),
    /// A gRPC status: malformed input and outages.
    Status(WireError),
}

impl Refusal {
    /// A request with an invalid field.
    pub fn invalid(field: &str, words: impl Into<String>) -> Self {
        Self::Invalid(WireError::invalid(field, words))
    }

    /// The answer to the caller. Its message never carries the internal cause; that goes to the
    /// log.
    pub fn told(self) -> Told {
        match self {
            Self::Invalid(error) => Told::Status(error),
            Self::NoSuchPayment(intent) => {
                let rejection = PaymentRejection::NoSuchPayment;
                Told::InBand(contracts::payment_wire::rejection_to_error(&intent, &rejection))
            }
            Self::Rejected(intent, rejection) => {
                let rejection = PaymentRejection::Refused(rejection.to_string());
                Told::InBand(contracts::payment_wire::rejection_to_error(&intent, &rejection))
            }
            Self::OtherRequest => Told::InBand(
                WireError::new(Code::IdempotencyConflict, "the idempotency_key was used for another request")
                    .detail("idempotency_key", "OTHER_REQUEST", ""),
            ),
            Self::Failed(fault) => {
                tracing::error!(error = fault.chain(), "a payment request failed");
                Told::Status(match fault.class {
                    FaultClass::Unavailable | FaultClass::Transient => {
                        WireError::new(Code::Unavailable, "payments cannot be stored now; try again")
                    }
                    FaultClass::Conflict => WireError::new(
                        Code::ConcurrentModification,
                        "the payment is being changed; try again",
                    ),
                    FaultClass::Permanent => WireError::new(Code::Internal, "an internal error"),
                })
            }
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
        match refusal {
            Refusal::NoSuchPayment(_) => Self::Rejected(PaymentRejection::NoSuchPayment),
            Refusal::Rejected(_, rejection) => {
                Self::Rejected(PaymentRejection::Refused(rejection.to_string()))
            }
            Refusal::Invalid(error) => Self::Rejected(PaymentRejection::Refused(error.message)),
            Refusal::OtherRequest => Self::Rejected(PaymentRejection::Refused(
                "the idempotency_key was used for another request".to_owned(),
            )),
            Refusal::Failed(fault) => Self::Failed(fault),
        }
    }
}
