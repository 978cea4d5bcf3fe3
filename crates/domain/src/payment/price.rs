//! Whether a payment equals the price of its reservation (rules R1).
//!
//! The price of a reservation is its total at the time of the hold. Its seats are sold only to a
//! payment that [`check`] accepts. Payments are not added up, and there is no change.

use super::Status;
use crate::id::ReservationId;
use crate::money::Money;

/// What a provider reports of a payment, as far as the price check needs it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Where the payment stands.
    pub status: Status,
    /// What it pays for.
    pub reservation: &'a ReservationId,
    /// Its amount; `None` from an earlier provider, which does not report it.
    pub amount: Option<&'a Money>,
    /// The refunded amount, in minor units.
    pub refunded: u64,
}

/// The verdict on a payment before its seats are sold (rules R1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// It pays for this reservation, in full.
    Pays,
    /// The provider has not decided it.
    Undecided,
    /// It pays for another reservation.
    OtherReservation,
    /// It failed, was voided or was wholly refunded: nothing of it is left.
    Returned,
    /// A part of it was refunded.
    PartlyRefunded,
    /// Its amount is not the total.
    AmountMismatch,
    /// Its currency is not that of the total.
    CurrencyMismatch,
}

/// Compares a payment with the reservation that it is to pay for. `total` is `None` where it is not
/// known; amount and currency are then not compared. They are not compared either where the
/// provider does not report them.
///
/// The first of these that holds is the verdict: another reservation, not decided, nothing left,
/// another currency, another amount, partly refunded.
pub fn check(report: &Report<'_>, reservation: &ReservationId, total: Option<&Money>) -> Check {
    if report.reservation != reservation {
        return Check::OtherReservation;
    }
    match report.status {
        Status::Pending | Status::Authorized => return Check::Undecided,
        Status::Failed | Status::Voided | Status::Refunded => return Check::Returned,
        Status::Captured => {}
    }
    let nothing_left = |paid: &Money| report.refunded >= paid.amount;
    if report.refunded > 0 && report.amount.is_some_and(nothing_left) {
        return Check::Returned;
    }
    if let (Some(paid), Some(total)) = (report.amount, total)
        && let Some(mismatch) = mismatch(paid, total)
    {
        return mismatch;
    }
    if report.refunded > 0 { Check::PartlyRefunded } else { Check::Pays }
}

/// How an amount differs from the total: [`Check::CurrencyMismatch`], [`Check::AmountMismatch`], or
/// `None` if they are equal.
pub fn mismatch(paid: &Money, total: &Money) -> Option<Check> {
    if paid.currency != total.currency {
        Some(Check::CurrencyMismatch)
    } else if paid.amount != total.amount {
        Some(Check::AmountMismatch)
    } else {
        None
    }
}

impl Check {
    /// The name of the verdict, for `error_code` and the details of a refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pays => "PAYS",
            Self::Undecided => "UNDECIDED",
            Self::OtherReservation => "OTHER_RESERVATION",
            Self::Returned => "RETURNED",
            Self::PartlyRefunded => "PARTLY_REFUNDED",
            Self::AmountMismatch => "AMOUNT_MISMATCH",
            Self::CurrencyMismatch => "CURRENCY_MISMATCH",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn id(text: &str) -> ReservationId {
        ReservationId::parse(text).expect("valid")
    }

    fn money(amount: u64, currency: &str) -> Money {
        Money { amount, currency: Currency::parse(currency).expect("valid") }
    }

    fn checked(status: Status, amount: Option<Money>, refunded: u64) -> Check {
        let (mine, total) = (id("rsv_1"), money(120_000, "KRW"));
        let report = Report { status, reservation: &mine, amount: amount.as_ref(), refunded };
        check(&report, &mine, Some(&total))
    }

    #[test]
    fn only_a_captured_payment_of_exactly_the_total_pays() {
        use Status::{Authorized, Captured, Failed, Pending, Refunded, Voided};
        let krw = |amount| Some(money(amount, "KRW"));
        let table = [
            (Captured, krw(120_000), 0, Check::Pays),
            (Pending, krw(120_000), 0, Check::Undecided),
            (Authorized, krw(120_000), 0, Check::Undecided),
            (Failed, krw(120_000), 0, Check::Returned),
            (Voided, krw(120_000), 0, Check::Returned),
            (Refunded, krw(120_000), 120_000, Check::Returned),
            (Captured, krw(120_000), 120_000, Check::Returned),
            (Captured, krw(1), 1, Check::Returned),
            (Captured, krw(120_000), 1_000, Check::PartlyRefunded),
            (Captured, krw(1), 0, Check::AmountMismatch),
            (Captured, krw(0), 0, Check::AmountMismatch),
            (Captured, krw(119_999), 0, Check::AmountMismatch),
            (Captured, krw(120_001), 0, Check::AmountMismatch),
            (Captured, krw(240_000), 120_000, Check::AmountMismatch),
            (Captured, Some(money(120_000, "USD")), 0, Check::CurrencyMismatch),
            (Captured, Some(money(1, "EUR")), 0, Check::CurrencyMismatch),
            // A provider that does not report the amount.
            (Captured, None, 0, Check::Pays),
            (Captured, None, 1_000, Check::PartlyRefunded),
            // What is undecided or returned is not compared.
            (Pending, Some(money(1, "EUR")), 0, Check::Undecided),
            (Voided, Some(money(1, "EUR")), 0, Check::Returned),
        ];
        for (status, amount, refunded, expected) in table {
            let verdict = checked(status, amount.clone(), refunded);
            assert_eq!(verdict, expected, "{status:?} {amount:?} refunded {refunded}");
        }
    }

    #[test]
    fn a_payment_for_another_reservation_is_never_compared_further() {
        let (other, total) = (id("rsv_2"), money(120_000, "KRW"));
        for status in Status::ALL {
            for refunded in [0, 120_000] {
                let report = Report { status, reservation: &other, amount: Some(&total), refunded };
                assert_eq!(check(&report, &id("rsv_1"), Some(&total)), Check::OtherReservation);
            }
        }
    }

    #[test]
    fn without_a_total_the_rest_is_still_checked() {
        let (mine, paid) = (id("rsv_1"), money(1, "EUR"));
        let unknown = |status, refunded| {
            let report = Report { status, reservation: &mine, amount: Some(&paid), refunded };
            check(&report, &mine, None)
        };
        assert_eq!(unknown(Status::Captured, 0), Check::Pays);
        assert_eq!(unknown(Status::Captured, 1), Check::Returned);
        assert_eq!(unknown(Status::Pending, 0), Check::Undecided);
    }

    #[test]
    fn a_total_of_nothing_is_paid_by_nothing() {
        let (mine, nothing) = (id("rsv_1"), money(0, "KRW"));
        let report =
            Report { status: Status::Captured, reservation: &mine, amount: Some(&nothing), refunded: 0 };
        assert_eq!(check(&report, &mine, Some(&nothing)), Check::Pays);
    }
}
