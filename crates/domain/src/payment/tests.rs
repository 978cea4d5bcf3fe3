use super::*;
use crate::money::Currency;
use crate::random::{Random, SplitMix64};
use core::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(5_000);

fn payment(status: Status) -> Payment {
    Payment {
        intent: PaymentIntentId::parse("pay_1").expect("valid"),
        reservation: ReservationId::parse("rsv_1").expect("valid"),
        person: None,
        amount: Money { amount: 120_000, currency: Currency::krw() },
        status,
        refunded: if status == Status::Refunded { 120_000 } else { 0 },
        error_code: (status == Status::Failed).then(|| "CARD_DECLINED".into()),
        created_at: Timestamp::from_millis(1_000),
        updated_at: Timestamp::from_millis(1_000),
    }
}

fn failed() -> Command {
    Command::Resolve(Outcome::Failed { error_code: "CARD_DECLINED".into() })
}

const APPROVED: Command = Command::Resolve(Outcome::Approved);
const CANCEL: Command = Command::Cancel { amount: None };

fn status_after(status: Status, command: &Command) -> Result<Status, Rejection> {
    decide(&payment(status), command, NOW).map(|decision| match decision {
        Decision::Change { payment, .. } => payment.status,
        Decision::Unchanged => status,
    })
}

#[test]
fn the_table_of_states_and_commands_is_that_of_the_design() {
    use Status::{Authorized, Captured, Failed, Pending, Refunded, Voided};
    let no = |status| Err(Rejection::Decided(status));
    let table = [
        (Pending, [Ok(Authorized), Ok(Captured), Ok(Failed), Ok(Voided)]),
        (Authorized, [Ok(Authorized), Ok(Captured), Ok(Failed), Ok(Voided)]),
        (Captured, [no(Captured), Ok(Captured), no(Captured), Ok(Refunded)]),
        (Failed, [no(Failed), no(Failed), Ok(Failed), Ok(Failed)]),
        (Voided, [no(Voided), no(Voided), no(Voided), Ok(Voided)]),
        (Refunded, [no(Refunded), no(Refunded), no(Refunded), Ok(Refunded)]),
    ];
    for (status, expected) in table {
        for (command, expected) in [Command::Authorize, APPROVED, failed(), CANCEL].iter().zip(expected) {
            assert_eq!(status_after(status, command), expected, "{status:?} {command:?}");
        }
    }
}

/// Trap T-M3.
#[test]
fn a_late_failure_does_not_undo_an_approval() {
    let approved = payment(Status::Captured);
    assert_eq!(decide(&approved, &failed(), NOW), Err(Rejection::Decided(Status::Captured)));
    assert_eq!(Status::Captured.merge(Status::Failed), Status::Captured);
    assert_eq!(Status::Failed.merge(Status::Captured), Status::Captured);
}

/// Trap T-M2.
#[test]
fn a_refund_is_at_least_one_and_at_most_what_remains() {
    let captured = payment(Status::Captured);
    for asked in [0, 120_001, u64::MAX] {
        let refused = decide(&captured, &Command::Cancel { amount: Some(asked) }, NOW);
        assert_eq!(refused, Err(Rejection::RefundOutOfRange { asked, max: 120_000 }));
    }
    let all = (120_000, Status::Refunded);
    for (asked, refund) in [(None, all), (Some(1), (1, Status::Captured)), (Some(120_000), all)] {
        match decide(&captured, &Command::Cancel { amount: asked }, NOW) {
            Ok(Decision::Change { payment, refund: Some(given) }) => {
                assert_eq!((given, payment.refunded, payment.status), (refund.0, refund.0, refund.1));
            }
            other => panic!("{asked:?}: {other:?}"),
        }
    }
    // Case M2: a part is given back, then the rest.
    let part = Payment { refunded: 1_000, ..captured };
    match decide(&part, &CANCEL, NOW) {
        Ok(Decision::Change { payment, refund: Some(119_000) }) => {
            assert_eq!((payment.refunded, payment.status), (120_000, Status::Refunded));
        }
        other => panic!("{other:?}"),
    }
    let max = 119_000;
    let refused = decide(&part, &Command::Cancel { amount: Some(119_001) }, NOW);
    assert_eq!(refused, Err(Rejection::RefundOutOfRange { asked: 119_001, max }));
    let nothing_left = decide(&payment(Status::Refunded), &Command::Cancel { amount: Some(50) }, NOW);
    assert_eq!(nothing_left, Err(Rejection::RefundOutOfRange { asked: 50, max: 0 }));
}

#[test]
fn nothing_is_given_back_where_nothing_was_taken() {
    for status in [Status::Pending, Status::Authorized, Status::Failed, Status::Voided] {
        match decide(&payment(status), &Command::Cancel { amount: Some(50) }, NOW) {
            Ok(Decision::Change { refund: None, .. } | Decision::Unchanged) => {}
            other => panic!("{status:?}: {other:?}"),
        }
    }
}

/// Invariants M2 and M3 over random histories: commands repeat, come late, and come in any order.
#[test]
fn whatever_happens_a_payment_moves_forward_and_its_refunds_add_up() {
    for seed in 0..2_000 {
        let mut random = SplitMix64::new(seed);
        let mut at = payment(Status::Pending);
        let (mut refunds, mut outcomes) = (Vec::new(), 0);
        for step in 0..12 {
            let command = match random.below(6) {
                0 => Command::Authorize,
                1 => APPROVED,
                2 => failed(),
                3 => Command::Cancel { amount: Some(random.below(130_000)) },
                4 => CANCEL,
                _ => Command::Cancel { amount: Some(1) },
            };
            // The clock of another instance may be behind.
            let now = Timestamp::from_millis(random.below(10_000));
            let Ok(Decision::Change { payment: next, refund }) = decide(&at, &command, now) else { continue };
            assert!(
                leads_to(at.status, next.status),
                "seed {seed} step {step}: {:?} → {:?}",
                at.status,
                next.status
            );
            assert_eq!(at.status.merge(next.status), next.status, "a report of the later state wins");
            assert!(next.updated_at >= at.updated_at);
            outcomes += u32::from(
                next.status != at.status && matches!(next.status, Status::Captured | Status::Failed),
            );
            refunds.extend(refund);
            // The idempotency key makes a refund of an amount safe to repeat.
            if !matches!(command, Command::Cancel { amount: Some(_) }) {
                assert_eq!(decide(&next, &command, now), Ok(Decision::Unchanged), "{command:?}");
            }
            at = next;
        }
        assert!(outcomes <= 1, "seed {seed}: one outcome, so one event");
        assert_eq!(refunds.iter().sum::<u64>(), at.refunded, "seed {seed}: {refunds:?}");
        assert!(at.refunded <= at.amount.amount);
        assert_eq!(at.status == Status::Refunded, at.refunded == at.amount.amount, "seed {seed}");
    }
}

/// Whether a payment may go from `from` to `to` in one or more steps.
fn leads_to(from: Status, to: Status) -> bool {
    match from {
        Status::Pending => to != Status::Pending,
        Status::Authorized => !matches!(to, Status::Pending | Status::Authorized),
        // A part that is refunded leaves it captured.
        Status::Captured => matches!(to, Status::Captured | Status::Refunded),
        Status::Failed | Status::Voided | Status::Refunded => false,
    }
}

#[test]
fn reports_merge_to_the_same_in_any_order() {
    for a in Status::ALL {
        assert_eq!(a.merge(a), a);
        assert_eq!(Status::parse(a.as_str()), Some(a));
        for b in Status::ALL {
            assert_eq!(a.merge(b), b.merge(a));
            assert!(!leads_to(a, b) || a.merge(b) == b, "{a:?} {b:?}");
            for c in Status::ALL {
                assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
            }
        }
    }
}

#[test]
fn a_scenario_answers_the_same_intent_the_same_way() {
    let rules = ScenarioRules { delay: Duration::from_secs(5), approve_percent: 50 };
    let answer = |scenario: Scenario, seed| scenario.answer(&rules, &mut SplitMix64::new(seed));
    let mut approved = 0;
    for seed in 0..1_000 {
        assert_eq!(answer(Scenario::Random, seed), answer(Scenario::Random, seed));
        approved += u32::from(answer(Scenario::Random, seed) == Answer::Now(Outcome::Approved));
    }
    assert!((400..600).contains(&approved), "{approved} of 1000");
    assert_eq!(answer(Scenario::Delay, 1), Answer::Later(Duration::from_secs(5), Outcome::Approved));
    assert_eq!(answer(Scenario::Timeout, 1), Answer::Silence);
    let never = ScenarioRules { approve_percent: 0, ..rules };
    assert!(matches!(
        Scenario::Random.answer(&never, &mut SplitMix64::new(3)),
        Answer::Now(Outcome::Failed { .. })
    ));
    for scenario in Scenario::ALL {
        assert_eq!(Scenario::parse(scenario.as_str()), Some(scenario));
    }
}
