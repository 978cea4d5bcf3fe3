//! Webhooks are signed, retried, and recorded on their rows.

use crate::world::{STEP, World};
use core::time::Duration;
use domain::payment::{Outcome, Scenario, Status};
use http::StatusCode;
use payment::SimulateWebhook;
use payment::rows::Delivery;
use ports::Trace;
use testkit::until;

async fn until_delivery(world: &World, delivery: Delivery) {
    let what = format!("a webhook is {}", delivery.as_str());
    until(&world.clock, STEP, &what, || async {
        world.webhooks().await.iter().any(|row| row.delivery == delivery)
    })
    .await;
}

/// Trap T-M5. The receiver checks the signature and the age of each attempt before it counts it.
#[tokio::test]
async fn a_webhook_is_retried_after_1_2_4_and_8_seconds_and_then_given_up() {
    let world = World::new().await;
    world.receiver.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let running = world.start();
    let row = running.pay(Scenario::Approve).await;
    until_delivery(&world, Delivery::GivenUp).await;
    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|webhook| webhook.id == seen[0].id && webhook.body == seen[0].body));
    for (pair, rest) in seen.windows(2).zip([1, 2, 4, 8]) {
        assert!(pair[1].at.since(pair[0].at) >= Duration::from_secs(rest), "{:?}", seen);
    }
    let stored = &world.webhooks().await[0];
    assert_eq!(stored.attempts, 5);
    assert!(stored.last_error.as_ref().unwrap().contains("500"));
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Captured);
    world.until_events(1).await;
    running.stop().await;
}

#[tokio::test]
async fn an_accepted_webhook_is_not_sent_again() {
    let world = World::new().await;
    world.receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
    let running = world.start();
    running.pay(Scenario::Fail).await;
    world.until_webhooks(2).await;
    world.receiver.answer(StatusCode::NO_CONTENT);
    until_delivery(&world, Delivery::Delivered).await;
    let count = world.receiver.seen().len();
    world.clock.advance(Duration::from_secs(60));
    world.settle(&running).await;
    assert_eq!(world.receiver.seen().len(), count + 1, "only the one of settling");
    running.stop().await;
}

#[tokio::test]
async fn a_crash_between_attempts_does_not_lose_a_webhook() {
    let world = World::new().await;
    world.receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
    let running = world.start();
    running.pay(Scenario::Approve).await;
    until(&world.clock, STEP, "one attempt is recorded", || async {
        world.webhooks().await.first().is_some_and(|row| row.attempts == 1)
    })
    .await;
    running.crash().await;
    world.receiver.answer(StatusCode::OK);
    let running = world.start();
    until_delivery(&world, Delivery::Delivered).await;
    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].id, seen[1].id);
    running.stop().await;
}

/// The crash falls between the receiver's answer and its record: the webhook is sent again under
/// the same id.
#[tokio::test]
async fn a_crash_after_the_answer_sends_the_webhook_again_under_its_id() {
    let world = World::new().await;
    let running = world.start();
    world.store.on_commit(|writes| {
        let is_record = writes.len() == 1 && writes[0].key().sort.starts_with("webhook#");
        is_record.then_some(testkit::Fate::Failed)
    });
    running.pay(Scenario::Approve).await;
    world.until_webhooks(1).await;
    running.crash().await;
    world.store.heal();
    let running = world.start();
    until_delivery(&world, Delivery::Delivered).await;
    let ids: std::collections::BTreeSet<_> =
        world.receiver.seen().into_iter().map(|webhook| webhook.id).collect();
    assert_eq!(ids.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn webhooks_can_be_late_and_doubled_and_still_agree() {
    let world = World::new().await;
    let running = world.start();
    let row = running.pay(Scenario::Approve).await;
    world.until_webhooks(1).await;
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
    world.until_webhooks(2).await;
    let seen = world.receiver.seen();
    assert!(seen[1].at.since(seen[0].at) >= Duration::from_secs(3));
    assert_ne!(seen[0].id, seen[1].id, "a webhook of its own");
    assert_eq!(seen[0].body, seen[1].body, "of the same outcome");
    world.settle(&running).await;
    assert_eq!(world.events().await.len(), 1, "and no second event");
    running.stop().await;
}

#[tokio::test]
async fn a_delayed_outcome_comes_at_its_time() {
    let world = World::new().await;
    let running = world.start();
    let row = running.pay(Scenario::Timeout).await;
    let late = SimulateWebhook {
        intent: row.payment.intent.clone(),
        outcome: Outcome::Failed { error_code: "CARD_DECLINED".into() },
        delay: Duration::from_secs(30),
        force: false,
    };
    let done = running.service.simulate(&late, &Trace::default()).await.unwrap();
    assert!(done.effect && done.webhook.is_none(), "the webhook is made with the outcome: {done:?}");
    world.settle(&running).await;
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Pending);
    until(&world.clock, STEP, "failed", || async {
        running.service.get(&row.payment.intent).await.unwrap().payment.status == Status::Failed
    })
    .await;
    let decided = running.service.get(&row.payment.intent).await.unwrap();
    assert!(decided.decided_at.unwrap() >= done.at);
    world.settle(&running).await;
    assert_eq!(world.events().await.len(), 1);
    running.stop().await;
}
