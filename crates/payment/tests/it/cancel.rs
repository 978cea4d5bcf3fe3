//! Giving money back.

use crate::fixture::{Fixture, Running, STEP};
use core::time::Duration;
use domain::id::PaymentIntentId;
use domain::invariant::{Name, Phase, Refund, World as Snapshot, check};
use domain::money::{Currency, Money};
use domain::payment::{Rejection, Scenario, Status};
use payment::{Cancellation, Refusal};
use ports::payments::CancelPayment;
use ports::store::Write;
use ports::{CallContext, Payments, Trace};
use testkit::Fate;
use testkit::until;

fn command(intent: &PaymentIntentId, key: &str) -> CancelPayment {
    CancelPayment { intent: intent.clone(), reason: "no seat".into(), idempotency_key: key.into() }
}

async fn cancel(running: &Running, intent: &PaymentIntentId, key: &str) -> Result<Cancellation, Refusal> {
    running.service.cancel_payment(&command(intent, key), None).await
}

/// Checks the invariants of the money on the rows.
async fn holds(fixture: &Fixture) {
    let refunds = fixture.refunds().await.into_iter();
    let snapshot = Snapshot {
        payments: fixture.payments().await.into_iter().map(|row| row.payment).collect(),
        refunds: refunds
            .map(|row| Refund { intent: row.intent, amount: row.amount.amount, key: row.idempotency_key })
            .collect(),
        ..Snapshot::default()
    };
    let report = check(&snapshot, Phase::Running);
    for name in [Name::M2, Name::M3] {
        let verdict = report.get(name).unwrap();
        assert!(verdict.checked > 0 && verdict.violations == 0, "{verdict:?}");
    }
}

/// Invariants M2 and M3, trap T-M2.
#[tokio::test]
async fn cancelling_again_and_at_once_refunds_once() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let intent = running.pay(Scenario::Approve).await.payment.intent;
    let calls = (0..8).map(|n| {
        let (service, command) = (running.service.clone(), command(&intent, &format!("k{n}")));
        async move { service.cancel_payment(&command, None).await.unwrap() }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].cancelled.status, Status::Refunded);
    assert_eq!(answers[0].cancelled.refunded, 120_000);
    fixture.clock.advance(Duration::from_secs(3_600));
    assert_eq!(cancel(&running, &intent, "much later").await.unwrap(), answers[0]);
    assert_eq!(fixture.refunds().await.len(), 1);
    holds(&fixture).await;
    running.stop().await;
}

/// The buyer's first answer was lost and the money was given back meanwhile. An error would mean
/// that nothing was taken.
#[tokio::test]
async fn a_repetition_after_a_refund_answers_refunded() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let intent = running.pay(Scenario::Approve).await.payment.intent;
    cancel(&running, &intent, "k").await.unwrap();
    let again = running.service.process(&intent, &Trace::default()).await.unwrap();
    assert_eq!((again.payment.status, again.payment.refunded), (Status::Refunded, 120_000));
    assert_eq!(fixture.refunds().await.len(), 1);
    holds(&fixture).await;
    running.stop().await;
}

/// Trap T-S9: the refund was stored and the answer lost.
#[tokio::test]
async fn a_refund_whose_answer_was_lost_runs_once() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let intent = running.pay(Scenario::Approve).await.payment.intent;
    fixture.store.on_commit(|writes| {
        writes.iter().any(|write| write.key().sort.starts_with("refund")).then_some(Fate::AnswerLost)
    });
    let answer = cancel(&running, &intent, "k").await.unwrap();
    assert_eq!(answer.cancelled.refunded, 120_000);
    assert_eq!(fixture.refunds().await.len(), 1);
    holds(&fixture).await;
    running.stop().await;
}

/// Trap T-M2: the refund and the payment that records it are one commit.
#[tokio::test]
async fn a_refund_that_was_not_stored_did_not_happen() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let intent = running.pay(Scenario::Approve).await.payment.intent;
    fixture.store.on_commit(|writes| {
        let is_refund = writes
            .iter()
            .any(|write| matches!(write, Write::Put { key, .. } if key.sort.starts_with("refund")));
        is_refund.then_some(Fate::Failed)
    });
    assert!(matches!(cancel(&running, &intent, "k").await, Err(Refusal::Failed(_))));
    fixture.store.heal();
    assert_eq!(running.service.get(&intent).await.unwrap().payment.status, Status::Captured);
    assert!(fixture.refunds().await.is_empty());
    holds(&fixture).await;
    running.stop().await;
}

#[tokio::test]
async fn partial_refunds_never_exceed_the_price() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let intent = running.pay(Scenario::Approve).await.payment.intent;
    let krw = |amount| Money { amount, currency: Currency::krw() };
    for bad in [krw(0), krw(120_001)] {
        let refused = running.service.cancel_payment(&command(&intent, "k"), Some(&bad)).await;
        assert!(
            matches!(refused, Err(Refusal::Rejected(_, Rejection::RefundOutOfRange { .. }))),
            "{refused:?}"
        );
    }
    let dollars = Money { amount: 5, currency: Currency::parse("USD").unwrap() };
    let refused = running.service.cancel_payment(&command(&intent, "k"), Some(&dollars)).await;
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    let part = running.service.cancel_payment(&command(&intent, "k"), Some(&krw(20_000))).await.unwrap();
    assert_eq!((part.cancelled.status, part.cancelled.refunded), (Status::Captured, 20_000));
    let again = running.service.cancel_payment(&command(&intent, "k"), Some(&krw(20_000))).await.unwrap();
    assert_eq!(again, part, "one refund a key");
    let other = running.service.cancel_payment(&command(&intent, "k"), Some(&krw(1))).await;
    assert!(matches!(other, Err(Refusal::OtherRequest)), "{other:?}");
    let more = running.service.cancel_payment(&command(&intent, "more"), Some(&krw(100_001))).await;
    assert!(matches!(more, Err(Refusal::Rejected(_, Rejection::RefundOutOfRange { .. }))), "{more:?}");
    let rest = cancel(&running, &intent, "the rest").await.unwrap();
    assert_eq!((rest.cancelled.status, rest.cancelled.refunded), (Status::Refunded, 100_000));
    assert_eq!(fixture.refunds().await.len(), 2);
    holds(&fixture).await;
    running.stop().await;
}

#[tokio::test]
async fn an_uncaptured_payment_is_voided_for_good() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let trace = Trace::default();
    for scenario in [Scenario::Timeout, Scenario::Delay] {
        let intent = running.pay(scenario).await.payment.intent;
        let answer = cancel(&running, &intent, "k").await.unwrap();
        assert_eq!((answer.cancelled.status, answer.cancelled.refunded), (Status::Voided, 0));
        let refused = running.service.process(&intent, &trace).await;
        assert!(
            matches!(refused, Err(Refusal::Rejected(_, Rejection::Decided(Status::Voided)))),
            "{refused:?}"
        );
        fixture.clock.advance(Duration::from_secs(10));
        fixture.settle(&running).await;
        assert_eq!(running.service.get(&intent).await.unwrap().payment.status, Status::Voided);
    }
    until(&fixture.clock, STEP, "nothing scheduled", || async {
        fixture.payments().await.iter().all(|row| row.scheduled.is_none())
    })
    .await;
    assert!(fixture.events().await.is_empty());
    assert!(fixture.refunds().await.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_failed_payment_has_nothing_to_give_back() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let intent = running.pay(Scenario::Fail).await.payment.intent;
    let answer =
        Payments::cancel(&running.service, &CallContext::default(), command(&intent, "k")).await.unwrap();
    assert_eq!((answer.status, answer.refunded), (Status::Failed, 0));
    assert!(fixture.refunds().await.is_empty());
    running.stop().await;
}
