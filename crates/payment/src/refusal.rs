//! Why the service does not do what it is asked, and the one table that says how each is told.

use contracts::error::{Code, WireError};
use domain::id::PaymentIntentId;
use domain::payment::Rejection;
use ports::payments::PaymentRejection;
use ports::{Fault, FaultClass, PortError};

/// A request that was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// The request makes no sense, whatever the state.
    Invalid(WireError),
    /// No payment of that id, or not of that person.
    NoSuchPayment(PaymentIntentId),
    /// The rules say no.
    Rejected(PaymentIntentId, Rejection),
    /// The idempotency key belongs to another request.
    OtherRequest,
    /// A failure inside.
    Failed(Fault),
}

/// How a refusal is told over gRPC.
#[derive(Debug)]
pub enum Told {
    /// Status OK with `error` set.
    InBand(WireError),
    /// A gRPC status: malformed input and outages.
    Status(WireError),
}

impl Refusal {
    /// A request with a field that makes no sense.
    pub fn invalid(field: &str, words: impl Into<String>) -> Self {
        Self::Invalid(WireError::invalid(field, words))
    }

    /// How the caller is told. The words never carry what went wrong inside; that is for the log.
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
