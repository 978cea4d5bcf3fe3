use super::*;
use crate::money::Currency;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(70_000);

fn hold() -> Reservation {
    Reservation {
        id: ReservationId::parse("rsv_1").expect("valid"),
        show: ShowId::parse("show").expect("valid"),
        section: None,
        person: PersonId::parse("kim").expect("valid"),
        status: Status::Hold,
        seats: vec![SeatId::parse("A-1").expect("valid"), SeatId::parse("A-2").expect("valid")],
        total: Money { amount: 240_000, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(61_000),
        created_at: Timestamp::from_millis(1_000),
        updated_at: Timestamp::from_millis(1_000),
        order: None,
        intent: None,
        cancel_reason: None,
        error_code: None,
    }
}

fn confirmed(intent: &str) -> End {
    let order = OrderId::parse(&format!("ord_{intent}")).expect("valid");
    End::Confirmed { order: Some(order), intent: Some(PaymentIntentId::parse(intent).expect("valid")) }
}

fn cancelled(reason: Option<&str>, code: Option<&str>) -> End {
    End::Cancelled { reason: reason.map(Into::into), error_code: code.map(Into::into) }
}

fn expired(code: Option<&str>) -> End {
    End::Expired { error_code: code.map(Into::into) }
}

fn after(reservation: &Reservation, end: End) -> Reservation {
    match apply(reservation, end, NOW) {
        Decision::Changed(next) => next,
        other => panic!("{other:?}"),
    }
}

fn after_cancel(reservation: &Reservation) -> Reservation {
    match cancel(reservation, ReleaseCause::ByBuyer, NOW) {
        Decision::Changed(next) => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_table_of_statuses_and_ends_is_that_of_the_design() {
    let by_buyer = after(&hold(), cancelled(Some("user"), None));
    let by_payment = after(&hold(), cancelled(None, None));
    let ends = [confirmed("pay_1"), cancelled(None, None), expired(None)];
    let verdict = |decision| match decision {
        Decision::Changed(next) => next.status.as_str(),
        Decision::Same => "same",
        Decision::Refused { .. } => "refused",
    };
    let table = [
        (hold(), ["CONFIRMED", "CANCELLED", "EXPIRED"]),
        (after(&hold(), confirmed("pay_1")), ["same", "refused", "refused"]),
        (by_payment, ["CONFIRMED", "same", "refused"]),
        (by_buyer, ["refused", "same", "refused"]),
        (after(&hold(), expired(None)), ["CONFIRMED", "refused", "same"]),
        (after_cancel(&after(&hold(), expired(None))), ["refused", "refused", "same"]),
    ];
    for (from, expected) in table {
        for (end, expected) in ends.iter().zip(expected) {
            let decision = apply(&from, end.clone(), NOW);
            if let Decision::Refused { current } = decision {
                assert_eq!(current, from.status);
            }
            assert_eq!(verdict(decision), expected, "{} to {}", from.status.as_str(), end.status().as_str());
        }
    }
}

#[test]
fn the_first_payment_that_confirms_stays_the_one() {
    let first = after(&hold(), confirmed("pay_1"));
    assert_eq!(apply(&first, confirmed("pay_2"), NOW), Decision::Same);
    assert_eq!(first.intent.as_ref().map(PaymentIntentId::as_str), Some("pay_1"));
}

/// Case P6: an earlier worker confirms without naming the payment.
#[test]
fn a_confirmed_reservation_gains_the_payment_that_nobody_named_once() {
    let unnamed = after(&hold(), End::Confirmed { order: None, intent: None });
    let named = after(&unnamed, confirmed("pay_1"));
    assert_eq!((named.status, named.intent), (Status::Confirmed, PaymentIntentId::parse("pay_1").ok()));
    let named = after(&unnamed, confirmed("pay_1"));
    assert_eq!(apply(&named, confirmed("pay_2"), NOW), Decision::Same);
}

#[test]
fn an_end_without_a_reason_may_gain_one_once() {
    for end in [expired as fn(Option<&str>) -> End, |code| cancelled(None, code)] {
        let ended = after(&hold(), end(None));
        let late = after(&ended, end(Some("PAID_TOO_LATE")));
        assert_eq!(late.error_code.as_deref(), Some("PAID_TOO_LATE"));
        assert_eq!(late.status, ended.status);
        assert_eq!(apply(&late, end(Some("OTHER")), NOW), Decision::Same);
        assert_eq!(apply(&late, end(None), NOW), Decision::Same);
    }
}

#[test]
fn a_late_approval_leaves_no_reason_of_the_end_it_undid() {
    let failed = after(&hold(), cancelled(None, Some("CARD_DECLINED")));
    assert_eq!(failed.cancel_reason.as_deref(), Some("payment_failed"));
    let retaken = after(&failed, confirmed("pay_2"));
    assert_eq!((retaken.cancel_reason, retaken.error_code), (None, None));
}

#[test]
fn only_words_that_mean_the_buyer_make_a_cancellation_final() {
    for buyer in ["user", "USER_CANCELLED", "cancelled_by_user"] {
        assert_eq!(CancelCause::from_reason(Some(buyer)), CancelCause::ByBuyer, "{buyer}");
    }
    for other in [None, Some("payment_failed"), Some("card declined"), Some(""), Some("timeout")] {
        assert_eq!(CancelCause::from_reason(other), CancelCause::PaymentFailed, "{other:?}");
    }
    for cause in [CancelCause::PaymentFailed, CancelCause::ByBuyer] {
        assert_eq!(CancelCause::from_reason(Some(cause.as_str())), cause);
        assert_eq!(CancelCause::from_reason(Some(cause.release_cause().as_str())), cause);
    }
}

/// A reservation can become CONFIRMED exactly if the inventory allows a re-take.
#[test]
fn a_release_and_its_end_agree_on_what_may_be_confirmed() {
    for cause in [ReleaseCause::Expired, ReleaseCause::PaymentFailed, ReleaseCause::ByBuyer] {
        let ended = after(&hold(), End::after_release(cause, None));
        assert_eq!(ended.may_be_confirmed(), cause != ReleaseCause::ByBuyer, "{cause:?}");
    }
}

/// Rules R6: a buyer's cancel is final, whatever ended the reservation before.
#[test]
fn the_buyers_cancel_closes_every_end_without_seats() {
    for (released, status) in [
        (ReleaseCause::Expired, Status::Expired),
        (ReleaseCause::PaymentFailed, Status::Cancelled),
        (ReleaseCause::ByBuyer, Status::Cancelled),
    ] {
        // The record was late, or it was not.
        let recorded = after(&hold(), End::after_release(released, Some("CARD_DECLINED".into())));
        for from in [hold(), recorded.clone()] {
            let next = match cancel(&from, released, NOW) {
                Decision::Changed(next) => next,
                Decision::Same if released == ReleaseCause::ByBuyer => from.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!((next.status, next.cancel_reason.as_deref()), (status, Some("user")), "{released:?}");
            assert_eq!(next.error_code, from.error_code);
            assert!(!next.may_be_confirmed() && next.is_cancelled_by_buyer());
            assert_eq!(cancel(&next, released, NOW), Decision::Same);
            let refused = Decision::Refused { current: status };
            assert_eq!(apply(&next, confirmed("pay_1"), NOW), refused);
        }
    }
    let sold = after(&hold(), confirmed("pay_1"));
    assert_eq!(cancel(&sold, ReleaseCause::ByBuyer, NOW), Decision::Refused { current: Status::Confirmed });
}

#[test]
fn an_error_code_is_recorded_once_and_only_while_the_seats_are_held() {
    let recorded = match record_error_code(&hold(), "AMOUNT_MISMATCH".into(), NOW) {
        Decision::Changed(next) => next,
        other => panic!("{other:?}"),
    };
    assert_eq!((recorded.status, recorded.error_code.as_deref()), (Status::Hold, Some("AMOUNT_MISMATCH")));
    assert_eq!(record_error_code(&recorded, "CURRENCY_MISMATCH".into(), NOW), Decision::Same);
    for end in [confirmed("pay_1"), cancelled(None, None), expired(None)] {
        let ended = after(&hold(), end);
        assert_eq!(record_error_code(&ended, "AMOUNT_MISMATCH".into(), NOW), Decision::Same);
    }
    // An end's own code wins, an end without one keeps the recorded one, an order has none.
    for (end, code) in [
        (cancelled(None, Some("CARD_DECLINED")), Some("CARD_DECLINED")),
        (cancelled(None, None), Some("AMOUNT_MISMATCH")),
        (expired(None), Some("AMOUNT_MISMATCH")),
        (confirmed("pay_1"), None),
    ] {
        assert_eq!(after(&recorded, end).error_code.as_deref(), code);
    }
}

#[test]
fn a_clock_that_goes_back_does_not_make_a_record_older() {
    let next = match apply(&hold(), expired(None), Timestamp::EPOCH) {
        Decision::Changed(next) => next,
        other => panic!("{other:?}"),
    };
    assert_eq!(next.updated_at, hold().updated_at);
}

fn any_end() -> impl Strategy<Value = End> {
    let code = || proptest::option::of(prop_oneof![Just("CARD_DECLINED"), Just("PAID_TOO_LATE")]);
    let reason = proptest::option::of(prop_oneof![Just("user"), Just("payment_failed"), Just("fraud")]);
    prop_oneof![
        prop_oneof![Just("pay_1"), Just("pay_2")].prop_map(confirmed),
        (reason, code()).prop_map(|(reason, code)| cancelled(reason, code)),
        code().prop_map(expired),
    ]
}

/// Anything that changes a reservation.
#[derive(Debug, Clone)]
enum Step {
    End(End),
    Cancel(ReleaseCause),
    ErrorCode(&'static str),
}

impl Step {
    fn take(&self, reservation: &Reservation, at: u64) -> Decision {
        let at = Timestamp::from_millis(at);
        match self {
            Self::End(end) => apply(reservation, end.clone(), at),
            Self::Cancel(released) => cancel(reservation, *released, at),
            Self::ErrorCode(code) => record_error_code(reservation, (*code).into(), at),
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let cause = prop_oneof![
        Just(ReleaseCause::Expired),
        Just(ReleaseCause::PaymentFailed),
        Just(ReleaseCause::ByBuyer)
    ];
    prop_oneof![
        4 => any_end().prop_map(Step::End),
        1 => cause.prop_map(Step::Cancel),
        1 => prop_oneof![Just("AMOUNT_MISMATCH"), Just("CURRENCY_MISMATCH")].prop_map(Step::ErrorCode),
    ]
}

proptest! {
    /// Whatever arrives, in any order and any number of times: CONFIRMED and the buyer's own
    /// cancellation are final, an end is recorded once, and the seats, price and buyer never
    /// change.
    #[test]
    fn no_sequence_of_steps_breaks_a_record(steps in proptest::collection::vec((any_step(), 0..200_000_u64), 0..12)) {
        let mut now_on = hold();
        for (step, at) in steps {
            let before = now_on.clone();
            match (step.take(&before, at), &step) {
                (Decision::Changed(next), _) => now_on = next,
                (Decision::Same, Step::End(end)) => prop_assert_eq!(before.status, end.status()),
                (Decision::Same, Step::Cancel(_)) => prop_assert!(before.is_cancelled_by_buyer()),
                (Decision::Same, Step::ErrorCode(_)) => {
                    prop_assert!(before.status != Status::Hold || before.error_code.is_some());
                }
                (Decision::Refused { current }, step) => {
                    prop_assert_eq!(current, before.status);
                    if let Step::End(end) = step {
                        prop_assert_ne!(current, end.status());
                    } else {
                        prop_assert_eq!(current, Status::Confirmed);
                    }
                }
            }
            // The same step again changes nothing, if it was accepted at all.
            let again = step.take(&now_on, at + 1);
            prop_assert!(!matches!(again, Decision::Changed(_)), "{:?} again", step);
            if let Step::End(end) = &step {
                prop_assert_eq!(again == Decision::Same, now_on.status == end.status());
            }

            let same_subject = (&now_on.id, &now_on.show, &now_on.person, &now_on.seats, &now_on.total)
                == (&before.id, &before.show, &before.person, &before.seats, &before.total);
            prop_assert!(same_subject && now_on.created_at == before.created_at);
            prop_assert!(now_on.hold_expires_at == before.hold_expires_at && now_on.updated_at >= before.updated_at);
            let confirmed = now_on.status == Status::Confirmed;
            prop_assert_eq!(now_on.order.is_some() && now_on.intent.is_some(), confirmed);
            // An EXPIRED reservation has a reason only if the buyer cancelled it.
            let reasoned = now_on.status == Status::Cancelled
                || now_on.status == Status::Expired && now_on.is_cancelled_by_buyer();
            prop_assert_eq!(now_on.cancel_reason.is_some(), reasoned);
            if before.status == Status::Confirmed {
                prop_assert_eq!(&now_on, &before);
            }
            if before.is_cancelled_by_buyer() {
                prop_assert_eq!((now_on.status, &now_on.cancel_reason), (before.status, &before.cancel_reason));
            }
            if before.status != Status::Hold && before.error_code.is_some() && now_on.status == before.status {
                prop_assert_eq!(&now_on.error_code, &before.error_code);
            }
        }
    }
}
