//! What the simulated provider says beside its codes.

/// The code of a failure that nobody named.
pub(crate) const UNKNOWN_ERROR: &str = "PAYMENT_DECLINED";

/// The provider's words for one of its codes.
pub(crate) fn of_error(code: &str) -> &'static str {
    match code {
        "CARD_DECLINED" => "the card was declined",
        "INSUFFICIENT_FUNDS" => "there is not enough money on the account",
        _ => "the payment was declined",
    }
}
