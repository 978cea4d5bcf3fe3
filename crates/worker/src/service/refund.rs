//! Giving a payment back, in two steps: RefusePayment at the inventory, then CancelPayment, which
//! voids an uncaptured payment and refunds a captured one.
//!
//! A refused payment can no longer buy the seats, so a refund and the event of the same payment
//! give the same result in either order (rules R2). If the inventory answers that this payment has
//! bought the seats, no money moves. The key is derived from the intent alone, so however often an
//! event is handled, and for whatever reason, the money goes back once (invariant M3). If it cannot
//! go back, the event is buried as `paid_without_seat`: an operator must look, because a buyer paid
//! for nothing.

use super::Stop;
use super::call::Calls;
use domain::hold::Rejection;
use domain::id::{OrderId, PaymentIntentId, ReservationId};
use domain::payment::Status;
use domain::payment::price::Check;
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

pub(super) const REFUSED: Why =
    Why { code: "PAYMENT_REFUSED", text: "its refund was announced before its event came" };
pub(super) const AMOUNT_MISMATCH: Why =
    Why { code: Check::AmountMismatch.code(), text: "its amount is not the price of the reservation" };
pub(super) const CURRENCY_MISMATCH: Why =
    Why { code: Check::CurrencyMismatch.code(), text: "its currency is not that of the price" };
pub(super) const PARTLY_REFUNDED: Why =
    Why { code: Check::PartlyRefunded.code(), text: "a part of it was refunded before the seats were sold" };
pub(super) const BY_OPERATOR: Why = Why { code: "BY_OPERATOR", text: "given back by an operator" };

/// Refuses the payment at the inventory, then gives it back; returns when the provider has accepted
/// to give the money back. Nothing is given back if the payment has bought the seats.
pub(super) async fn refund(
    calls: &mut Calls<'_>,
    reservation: &ReservationId,
    intent: &PaymentIntentId,
    why: Why,
) -> Result<(), Stop> {
    match refuse(calls, reservation, intent).await? {
        None => give_back(calls, intent, why).await,
        Some(order) => Err(Stop::contradiction(format!(
            "{} ({}), and payment {intent} has bought order {order}; nothing was given back",
            why.text, why.code
        ))),
    }
}

/// Refuses the payment at the inventory; the order, if the payment has bought the seats.
pub(super) async fn refuse(
    calls: &mut Calls<'_>,
    reservation: &ReservationId,
    intent: &PaymentIntentId,
) -> Result<Option<OrderId>, Stop> {
    match calls.refuse(reservation, intent).await? {
        Ok(_) | Err(Rejection::NoSuchHold) => Ok(None),
        Err(Rejection::AlreadyCommitted { order, .. }) => Ok(Some(order)),
        Err(other) => Err(Stop::contradiction(format!(
            "the inventory does not refuse payment {intent}: {other:?}; nothing was given back"
        ))),
    }
}

/// Gives a payment back in full.
pub(super) async fn give_back(calls: &mut Calls<'_>, intent: &PaymentIntentId, why: Why) -> Result<(), Stop> {
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
        Some(Ok(cancelled)) if cancelled.status == Status::Captured => {
            Err(Stop::Transient { error: format!("the provider still has a part of payment {intent}") })
        }
        Some(Ok(_)) => Ok(()),
        Some(Err(PaymentRejection::NoSuchPayment)) => Err(stuck("the provider does not know it")),
        Some(Err(PaymentRejection::Refused(text))) => Err(stuck(&format!("the provider refuses: {text}"))),
        None if calls.has_provider() => Err(stuck("the provider has no CancelPayment")),
        None => Err(stuck("no payment provider is configured (PAYMENT_GRPC_ADDR)")),
    }
}
