//! The payment provider's answers on the wire, both directions: payment-sim-api writes with this
//! module, its clients read with it.
//!
//! On the wire AUTHORIZED is PROCESSING, CAPTURED is COMPLETED and VOIDED is CANCELLED
//! (`docs/contracts.md#payment-sim-api`). Refusals are in-band: status OK with `error` set. Earlier
//! services may send the same refusals as gRPC statuses; these are read too.

use crate::answer::{Refusal, is_set};
use crate::error::{Code, WireError};
use crate::payment::v1 as proto;
use crate::time;
use crate::vocabulary::{money_from_proto, money_to_proto, optional, required};
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Payment, Status};
use domain::time::Timestamp;
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};

/// The status on the wire.
pub const fn status_to_proto(status: Status) -> proto::PaymentStatus {
    match status {
        Status::Pending => proto::PaymentStatus::Pending,
        Status::Authorized => proto::PaymentStatus::Processing,
        Status::Captured => proto::PaymentStatus::Completed,
        Status::Failed => proto::PaymentStatus::Failed,
        Status::Voided => proto::PaymentStatus::Cancelled,
        Status::Refunded => proto::PaymentStatus::Refunded,
    }
}

/// Reads [`status_to_proto`]. An EXPIRED intent of earlier services was never captured, so it
/// counts as voided. `None` for UNSPECIFIED and for unknown numbers.
pub fn status_from_proto(number: i32) -> Option<Status> {
    match proto::PaymentStatus::try_from(number).ok()? {
        proto::PaymentStatus::Unspecified => None,
        proto::PaymentStatus::Pending => Some(Status::Pending),
        proto::PaymentStatus::Processing => Some(Status::Authorized),
        proto::PaymentStatus::Completed => Some(Status::Captured),
        proto::PaymentStatus::Failed => Some(Status::Failed),
        proto::PaymentStatus::Cancelled | proto::PaymentStatus::Expired => Some(Status::Voided),
        proto::PaymentStatus::Refunded => Some(Status::Refunded),
    }
}

/// The status in JSON bodies, named as in the messages.
pub const fn status_text(status: Status) -> &'static str {
    match status {
        Status::Pending => "PENDING",
        Status::Authorized => "PROCESSING",
        Status::Captured => "COMPLETED",
        Status::Failed => "FAILED",
        Status::Voided => "CANCELLED",
        Status::Refunded => "REFUNDED",
    }
}

/// A refusal with its code and particulars; the same for gRPC and REST.
pub fn rejection_to_error(intent: &PaymentIntentId, rejection: &PaymentRejection) -> WireError {
    match rejection {
        PaymentRejection::NoSuchPayment => WireError::new(Code::NotFound, format!("no payment {intent}"))
            .detail("payment_intent_id", "NO_SUCH_PAYMENT", intent.as_str()),
        PaymentRejection::Refused(words) => WireError::new(Code::FailedPrecondition, words.clone()).detail(
            "payment_intent_id",
            "REFUSED",
            intent.as_str(),
        ),
    }
}

/// Reads [`rejection_to_error`], and the same refusals without particulars. `None` if the error is
/// not a refusal.
pub fn rejection_from_error(error: &WireError) -> Option<PaymentRejection> {
    match error.code {
        Code::NotFound => Some(PaymentRejection::NoSuchPayment),
        Code::FailedPrecondition | Code::AlreadyExists | Code::PaymentNotApproved => {
            Some(PaymentRejection::Refused(error.message.clone()))
        }
        _ => None,
    }
}

/// A payment as its service shows it.
pub fn payment_to_proto(payment: &Payment) -> proto::Payment {
    let decided = !matches!(payment.status, Status::Pending);
    let failure = payment.error_code.as_deref().unwrap_or_default();
    let result = decided.then(|| proto::PaymentResult {
        success: matches!(payment.status, Status::Authorized | Status::Captured | Status::Refunded),
        failure_reason: failure.to_owned(),
        gateway_response: status_text(payment.status).to_owned(),
        response_code: i32::from(payment.status == Status::Failed),
        processed_at: Some(time::to_proto(payment.updated_at)),
    });
    proto::Payment {
        payment_intent_id: payment.intent.as_str().to_owned(),
        payment_id: payment.intent.as_str().to_owned(),
        reservation_id: payment.reservation.as_str().to_owned(),
        user_id: payment.person.as_ref().map(|p| p.as_str().to_owned()).unwrap_or_default(),
        status: status_to_proto(payment.status) as i32,
        amount: Some(money_to_proto(&payment.amount)),
        created_at: Some(time::to_proto(payment.created_at)),
        updated_at: Some(time::to_proto(payment.updated_at)),
        processed_at: decided.then(|| time::to_proto(payment.updated_at)),
        result,
        refunded_amount: Some(money_to_proto(&Money {
            amount: payment.refunded,
            currency: payment.amount.currency.clone(),
        })),
        ..proto::Payment::default()
    }
}

/// Reads the answer to GetPaymentStatus.
pub fn view_from_proto(
    response: proto::GetPaymentStatusResponse,
) -> Result<PaymentView, Refusal<PaymentRejection>> {
    if let Some(error) = response.error.filter(is_set) {
        return Err(Refusal::from_in_band(error, rejection_from_error));
    }
    let payment =
        response.payment.ok_or(Refusal::Unreadable("the answer has neither payment nor error".to_owned()))?;
    let odd = |what: &str| Refusal::Unreadable(format!("the payment has no usable {what}"));
    let status = status_from_proto(payment.status).ok_or_else(|| odd("status"))?;
    let amount = payment.amount.as_ref().and_then(money_from_proto);
    let refunded = match &payment.refunded_amount {
        Some(money) => u64::try_from(money.amount).map_err(|_| odd("refunded_amount"))?,
        None if status == Status::Refunded => amount.as_ref().map_or(0, |money| money.amount),
        None => 0,
    };
    Ok(PaymentView {
        intent: PaymentIntentId::parse(&payment.payment_intent_id).map_err(|_| odd("payment_intent_id"))?,
        reservation: ReservationId::parse(&payment.reservation_id).map_err(|_| odd("reservation_id"))?,
        person: PersonId::parse(&payment.user_id).ok(),
        status,
        amount,
        refunded,
    })
}

/// The request to give money back, in full.
pub fn cancel_to_proto(command: &CancelPayment) -> proto::CancelPaymentRequest {
    proto::CancelPaymentRequest {
        payment_intent_id: command.intent.as_str().to_owned(),
        reason: command.reason.to_string(),
        refund_amount: None,
        idempotency_key: command.idempotency_key.to_string(),
    }
}

/// Reads [`cancel_to_proto`]. A caller without a key gets the one key that every full cancel of
/// this intent has, or that every refund of this amount has (rules R3). The amount is returned
/// beside the command, for the service to check against the price.
pub fn cancel_from_proto(
    request: &proto::CancelPaymentRequest,
) -> Result<(CancelPayment, Option<Money>), WireError> {
    let intent = required(PaymentIntentId::parse, "payment_intent_id", &request.payment_intent_id)?;
    let amount = match &request.refund_amount {
        None => None,
        Some(money) => Some(
            money_from_proto(money)
                .ok_or_else(|| WireError::invalid("refund_amount", "refund_amount is not an amount"))?,
        ),
    };
    let key = match request.idempotency_key.as_str() {
        "" => match &amount {
            None => format!("cancel:{intent}"),
            Some(part) => format!("cancel:{intent}:{}", part.amount),
        },
        key => key.to_owned(),
    };
    Ok((
        CancelPayment { intent, reason: request.reason.as_str().into(), idempotency_key: key.into() },
        amount,
    ))
}

/// The answer to CancelPayment. `at` is when the money was first given back.
pub fn cancel_response(
    intent: &PaymentIntentId,
    answer: Result<(&Cancelled, &Currency, Timestamp), &PaymentRejection>,
) -> proto::CancelPaymentResponse {
    match answer {
        Ok((cancelled, currency, at)) => proto::CancelPaymentResponse {
            status: status_to_proto(cancelled.status) as i32,
            cancelled_at: Some(time::to_proto(at)),
            refunded_amount: Some(money_to_proto(&Money {
                amount: cancelled.refunded,
                currency: currency.clone(),
            })),
            refund_id: if cancelled.refunded > 0 { format!("ref_{intent}") } else { String::new() },
            error: None,
        },
        Err(rejection) => proto::CancelPaymentResponse {
            error: Some(rejection_to_error(intent, rejection).to_proto()),
            ..proto::CancelPaymentResponse::default()
        },
    }
}

/// Reads [`cancel_response`].
pub fn cancelled_from_proto(
    response: proto::CancelPaymentResponse,
) -> Result<Cancelled, Refusal<PaymentRejection>> {
    if let Some(error) = response.error.filter(is_set) {
        return Err(Refusal::from_in_band(error, rejection_from_error));
    }
    let status = status_from_proto(response.status)
        .ok_or_else(|| Refusal::Unreadable(format!("unknown payment status {}", response.status)))?;
    let refunded = match &response.refunded_amount {
        None => 0,
        Some(money) => u64::try_from(money.amount)
            .map_err(|_| Refusal::Unreadable("a negative amount was given back".to_owned()))?,
    };
    Ok(Cancelled { status, refunded })
}

/// Reads a question about a payment: its id, and the person if the caller names one.
pub fn get_from_proto(
    request: &proto::GetPaymentStatusRequest,
) -> Result<(PaymentIntentId, Option<PersonId>), WireError> {
    Ok((
        required(PaymentIntentId::parse, "payment_intent_id", &request.payment_intent_id)?,
        optional(PersonId::parse, "user_id", &request.user_id)?,
    ))
}

#[cfg(test)]
mod tests;
