//! The simulated provider's message for each of its error codes.

/// The code of a failure without one.
pub(crate) const UNKNOWN_ERROR: &str = "PAYMENT_DECLINED";

/// The provider's message for one of its codes.
pub(crate) fn message(code: &str) -> &'static str {
    match code {
        "CARD_DECLINED" => "the card was declined",
        "INSUFFICIENT_FUNDS" => "there is not enough money on the account",
        _ => "the payment was declined",
    }
}
