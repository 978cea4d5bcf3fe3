//! Webhooks are signed, retried, and recorded on their rows.

use crate::fixture::{Fixture, STEP};
use core::time::Duration;
use domain::payment::{Outcome, Scenario, Status};
use http::StatusCode;
use payment::SimulateWebhook;
use payment::rows::Delivery;
use ports::Trace;
use testkit::until;

async fn until_delivery(fixture: &Fixture, delivery: Delivery) {
    let what = format!("a webhook is {}", delivery.as_str());
    until(&fixture.clock, STEP, &what, || async {
        fixture.webhooks().await.iter().any(|row| row.delivery == delivery)
    })
    .await;
}

/// Trap T-M5. The receiver checks the signature and the age of each attempt before it counts it.
#[tokio::test]
async fn a_webhook_is_retried_after_1_2_4_and_8_seconds_and_then_given_up() {
    let fixture = Fixture::new().await;
    fixture.receiver.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let running = fixture.start();
    let row = running.pay(Scenario::Approve).await;
    until_delivery(&fixture, Delivery::GivenUp).await;
    let seen = fixture.receiver.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|webhook| webhook.id == seen[0].id && webhook.body == seen[0].body));
    for (pair, rest) in seen.windows(2).zip([1, 2, 4, 8]) {
        assert!(pair[1].at.since(pair[0].at) >= Duration::from_secs(rest), "{:?}", seen);
    }
    let stored = &fixture.webhooks().await[0];
    assert_eq!(stored.attempts, 5);
    assert!(stored.last_error.as_ref().unwrap().contains("500"));
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Captured);
    fixture.until_events(1).await;
    running.stop().await;
}

#[tokio::test]
async fn an_accepted_webhook_is_not_sent_again() {
    let fixture = Fixture::new().await;
    fixture.receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
    let running = fixture.start();
    running.pay(Scenario::Fail).await;
    fixture.until_webhooks(2).await;
    fixture.receiver.answer(StatusCode::NO_CONTENT);
    until_delivery(&fixture, Delivery::Delivered).await;
    let count = fixture.receiver.seen().len();
    fixture.clock.advance(Duration::from_secs(60));
    fixture.settle(&running).await;
    assert_eq!(fixture.receiver.seen().len(), count + 1, "only the one of settling");
    running.stop().await;
}

#[tokio::test]
async fn a_crash_between_attempts_does_not_lose_a_webhook() {
    let fixture = Fixture::new().await;
    fixture.receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
    let running = fixture.start();
    running.pay(Scenario::Approve).await;
    until(&fixture.clock, STEP, "one attempt is recorded", || async {
        fixture.webhooks().await.first().is_some_and(|row| row.attempts == 1)
    })
    .await;
    running.crash().await;
    fixture.receiver.answer(StatusCode::OK);
    let running = fixture.start();
    until_delivery(&fixture, Delivery::Delivered).await;
    let seen = fixture.receiver.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].id, seen[1].id);
    running.stop().await;
}

/// The crash falls between the receiver's answer and its record: the webhook is sent again under
/// the same id.
#[tokio::test]
async fn a_crash_after_the_answer_sends_the_webhook_again_under_its_id() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    fixture.store.on_commit(|writes| {
        let is_record = writes.len() == 1 && writes[0].key().sort.starts_with("webhook#");
        is_record.then_some(testkit::Fate::Failed)
    });
    running.pay(Scenario::Approve).await;
    fixture.until_webhooks(1).await;
    running.crash().await;
    fixture.store.heal();
    let running = fixture.start();
    until_delivery(&fixture, Delivery::Delivered).await;
    let ids: std::collections::BTreeSet<_> =
        fixture.receiver.seen().into_iter().map(|webhook| webhook.id).collect();
    assert_eq!(ids.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn webhooks_can_be_late_and_doubled_and_still_agree() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Approve).await;
    fixture.until_webhooks(1).await;
    let again = SimulateWebhook {
        intent: row.payment.intent.clone(),
        outcome: Outcome::Approved,
        delay: Duration::from_secs(3),
        force: true,
    };
    let done = running.service.simulate(&again, &Trace::default()).await.unwrap();
    assert!(done.effect && done.webhook.is_some());
    let unforced = SimulateWebhook { force: false, ..again };
    let nothing = running.service.simulate(&unforced, &Trace::default()).await.unwrap();
    assert!(!nothing.effect && nothing.webhook.is_none());
    fixture.until_webhooks(2).await;
    let seen = fixture.receiver.seen();
    assert!(seen[1].at.since(seen[0].at) >= Duration::from_secs(3));
    assert_ne!(seen[0].id, seen[1].id, "a webhook of its own");
    assert_eq!(seen[0].body, seen[1].body, "of the same outcome");
    fixture.settle(&running).await;
    assert_eq!(fixture.events().await.len(), 1, "and no second event");
    running.stop().await;
}

#[tokio::test]
async fn a_delayed_outcome_comes_at_its_time() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Timeout).await;
    let late = SimulateWebhook {
        intent: row.payment.intent.clone(),
        outcome: Outcome::Failed { error_code: "CARD_DECLINED".into() },
        delay: Duration::from_secs(30),
        force: false,
    };
    let done = running.service.simulate(&late, &Trace::default()).await.unwrap();
    assert!(done.effect && done.webhook.is_none(), "the webhook is made with the outcome: {done:?}");
    fixture.settle(&running).await;
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Pending);
    until(&fixture.clock, STEP, "failed", || async {
        running.service.get(&row.payment.intent).await.unwrap().payment.status == Status::Failed
    })
    .await;
    let decided = running.service.get(&row.payment.intent).await.unwrap();
    assert!(decided.decided_at.unwrap() >= done.at);
    fixture.settle(&running).await;
    assert_eq!(fixture.events().await.len(), 1);
    running.stop().await;
}
