//! Giving a payment back: CancelPayment voids an uncaptured payment and refunds a captured one.
//!
//! The key is derived from the intent alone, so however often an event is handled, and for whatever
//! reason, the money goes back once (invariant M3). If it cannot go back, the event is buried as
//! `paid_without_seat`: an operator must look, because a buyer paid for nothing.

use super::Stop;
use super::call::Calls;
use domain::id::PaymentIntentId;
use domain::retry::Reason;
use ports::payments::{CancelPayment, PaymentRejection};

/// Why a payment is given back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Why {
    /// The code that the reservation records.
    pub(super) code: &'static str,
    /// The text for people.
    text: &'static str,
}

pub(super) const PAID_TOO_LATE: Why =
    Why { code: "PAID_TOO_LATE", text: "paid after the hold ran out, and no seats were left" };
pub(super) const SECOND_PAYMENT: Why =
    Why { code: "SECOND_PAYMENT", text: "the reservation was paid before by another payment" };
pub(super) const UNKNOWN_RESERVATION: Why =
    Why { code: "UNKNOWN_RESERVATION", text: "paid for a reservation that does not exist" };
pub(super) const UNKNOWN_HOLD: Why =
    Why { code: "UNKNOWN_HOLD", text: "paid for seats that were never held for the payer" };

pub(super) const BY_OPERATOR: Why = Why { code: "BY_OPERATOR", text: "given back by an operator" };

/// Returns when the provider has accepted to give the money back.
pub(super) async fn refund(calls: &mut Calls<'_>, intent: &PaymentIntentId, why: Why) -> Result<(), Stop> {
    let stuck = |what: &str| Stop::Hopeless {
        reason: Reason::PaidWithoutSeat,
        error: format!("{} ({}), and payment {intent} cannot be given back: {what}", why.text, why.code),
    };
    let command = CancelPayment {
        intent: intent.clone(),
        reason: why.text.into(),
        idempotency_key: format!("cancel:{intent}").into(),
    };
    match calls.cancel(command).await? {
        Some(Ok(_)) => Ok(()),
        Some(Err(PaymentRejection::NoSuchPayment)) => Err(stuck("the provider does not know it")),
        Some(Err(PaymentRejection::Refused(text))) => Err(stuck(&format!("the provider refuses: {text}"))),
        None => Err(stuck("no payment provider is configured (PAYMENT_GRPC_ADDR)")),
    }
}
