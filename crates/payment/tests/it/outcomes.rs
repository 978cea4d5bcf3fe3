//! Payments reach their outcome once, and status, event and webhook agree.

use crate::fixture::{Fixture, STEP, intent};
use core::time::Duration;
use domain::event::{Fact, Kind};
use domain::payment::{Outcome, Rejection, Scenario, Status};
use payment::rows::Delivery;
use payment::{Refusal, SimulateWebhook};
use ports::Trace;
use ports::store::Write;
use testkit::Fate;
use testkit::until;

/// Trap T-M4.
#[tokio::test]
async fn status_event_and_webhook_agree() {
    for (scenario, status, kind) in [
        (Scenario::Approve, Status::Captured, Kind::Approved),
        (Scenario::Fail, Status::Failed, Kind::Failed),
    ] {
        let fixture = Fixture::new().await;
        let running = fixture.start();
        let row = running.pay(scenario).await;
        assert_eq!(row.payment.status, status);
        fixture.until_events(1).await;
        fixture.until_webhooks(1).await;
        let events = fixture.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].fact.kind(), kind);
        assert_eq!(events[0].id, outbox::payment_event_id(&row.payment.intent, kind));
        assert_eq!(events[0].reservation, row.payment.reservation);
        assert_eq!(events[0].person, row.payment.person);
        if let Fact::PaymentFailed { error_code, .. } = &events[0].fact {
            assert_eq!(error_code, &row.payment.error_code);
        }
        let webhook = &fixture.receiver.seen()[0];
        assert_eq!(webhook.body.kind, kind.wire());
        assert_eq!(webhook.body.payment_intent_id, row.payment.intent.as_str());
        assert_eq!(webhook.body.error_code.as_deref(), row.payment.error_code.as_deref());
        assert_eq!(webhook.body.ts.read(), Some(events[0].at));
        assert_eq!(row.decided_at, Some(events[0].at));
        running.stop().await;
    }
}

/// Trap T-M4: at no instant is one of the three written without the others.
#[tokio::test]
async fn an_outcome_is_one_commit() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let (row, _) =
        running.service.create(intent("rsv_1", Scenario::Approve), &Trace::default()).await.unwrap();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let commits = seen.clone();
    fixture.store.on_commit(move |writes| {
        let keys = |write: &Write| write.key().sort.split('#').next().unwrap().to_owned();
        commits.lock().unwrap().push(writes.iter().map(keys).collect::<Vec<_>>());
        Some(Fate::Failed)
    });
    running.service.process(&row.payment.intent, &Trace::default()).await.unwrap_err();
    let mut together = seen.lock().unwrap()[0].clone();
    together.sort();
    assert_eq!(together, ["event", "payment", "webhook"]);
    running.crash().await;
}

#[tokio::test]
async fn paying_twice_is_paying_once() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Approve).await;
    let again = running.service.process(&row.payment.intent, &Trace::default()).await.unwrap();
    assert_eq!(again.payment, row.payment);
    let (a, b) = (running.service.clone(), running.service.clone());
    let (other, _) =
        running.service.create(intent("rsv_2", Scenario::Approve), &Trace::default()).await.unwrap();
    let (intent, trace) = (&other.payment.intent, Trace::default());
    let (a, b) = tokio::join!(a.process(intent, &trace), b.process(intent, &trace));
    assert_eq!(a.unwrap().payment, b.unwrap().payment);
    fixture.until_events(2).await;
    fixture.until_webhooks(2).await;
    fixture.settle(&running).await;
    assert_eq!(fixture.events().await.len(), 2);
    assert_eq!(fixture.receiver.seen().len(), 3, "one each, and the one of settling");
    running.stop().await;
}

/// Trap T-S9: the outcome was stored and the answer lost; it is not decided a second time.
#[tokio::test]
async fn an_outcome_whose_answer_was_lost_is_not_decided_again() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let (row, _) =
        running.service.create(intent("rsv_1", Scenario::Approve), &Trace::default()).await.unwrap();
    fixture.store.on_commit(|_| Some(Fate::AnswerLost));
    let row = running.service.process(&row.payment.intent, &Trace::default()).await.unwrap();
    assert_eq!(row.payment.status, Status::Captured);
    fixture.store.heal();
    fixture.settle(&running).await;
    assert_eq!(fixture.events().await.len(), 1);
    assert_eq!(row.webhooks, 1);
    running.stop().await;
}

/// Trap T-M3.
#[tokio::test]
async fn a_failure_after_an_approval_changes_nothing() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Approve).await;
    for force in [false, true] {
        let late = SimulateWebhook {
            intent: row.payment.intent.clone(),
            outcome: Outcome::Failed { error_code: "CARD_DECLINED".into() },
            delay: Duration::ZERO,
            force,
        };
        let refused = running.service.simulate(&late, &Trace::default()).await;
        assert!(
            matches!(refused, Err(Refusal::Rejected(_, Rejection::Decided(Status::Captured)))),
            "{refused:?}"
        );
    }
    fixture.settle(&running).await;
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment, row.payment);
    assert!(fixture.events().await.iter().all(|event| event.fact.kind() == Kind::Approved));
    running.stop().await;
}

#[tokio::test]
async fn random_decides_an_intent_the_same_way_under_the_same_seed() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let fixture = Fixture::new().await;
        let running = fixture.start();
        let mut statuses = Vec::new();
        for n in 0..20 {
            let key = contracts::IdempotencyKey::parse(&format!("k{n}")).unwrap();
            let command =
                payment::CreateIntent { idempotency_key: Some(key), ..intent("rsv_1", Scenario::Random) };
            let (row, _) = running.service.create(command, &Trace::default()).await.unwrap();
            let row = running.service.process(&row.payment.intent, &Trace::default()).await.unwrap();
            statuses.push(row.payment.status);
        }
        assert!(statuses.contains(&Status::Captured) && statuses.contains(&Status::Failed), "{statuses:?}");
        seen.push(statuses);
        running.stop().await;
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn timeout_never_answers_until_it_is_decided_from_outside() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Timeout).await;
    assert_eq!(row.payment.status, Status::Pending);
    let again = running.service.process(&row.payment.intent, &Trace::default()).await.unwrap();
    assert_eq!(again.payment.status, Status::Pending);
    fixture.settle(&running).await;
    assert!(fixture.events().await.is_empty());
    let decide = SimulateWebhook {
        intent: row.payment.intent.clone(),
        outcome: Outcome::Approved,
        delay: Duration::ZERO,
        force: false,
    };
    let done = running.service.simulate(&decide, &Trace::default()).await.unwrap();
    assert!(done.effect && done.webhook.is_some(), "{done:?}");
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Captured);
    fixture.settle(&running).await;
    assert_eq!(fixture.events().await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn delay_sets_the_money_aside_and_approves_when_its_time_comes() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Delay).await;
    assert_eq!(row.payment.status, Status::Authorized);
    fixture.settle(&running).await;
    assert!(fixture.events().await.is_empty());
    until(&fixture.clock, STEP, "captured", || async {
        running.service.get(&row.payment.intent).await.unwrap().payment.status == Status::Captured
    })
    .await;
    let decided_at = running.service.get(&row.payment.intent).await.unwrap().decided_at.unwrap();
    assert!(decided_at.since(row.payment.updated_at) >= Duration::from_secs(5));
    fixture.settle(&running).await;
    assert_eq!(fixture.events().await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_delay_loses_nothing() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let row = running.pay(Scenario::Delay).await;
    fixture.clock.advance(Duration::from_secs(2));
    running.crash().await;
    fixture.clock.advance(Duration::from_secs(60));
    let running = fixture.start();
    fixture.until_events(1).await;
    fixture.until_webhooks(1).await;
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Captured);
    assert_eq!(fixture.events().await[0].fact.kind(), Kind::Approved);
    running.stop().await;
}

/// The handler was dropped between its commit and its announcement: no memory holds the outcome.
#[tokio::test]
async fn an_unannounced_outcome_is_found() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let (row, _) =
        running.service.create(intent("rsv_1", Scenario::Approve), &Trace::default()).await.unwrap();
    // A service without a background announces to nobody.
    let tasks = ports::Tasks::new();
    let (silent, background) = payment::assemble(fixture.options(), &fixture.deps(&tasks));
    silent.process(&row.payment.intent, &Trace::default()).await.unwrap();
    drop(background);
    fixture.until_events(1).await;
    fixture.until_webhooks(1).await;
    until(&fixture.clock, STEP, "delivered", || async {
        fixture.webhooks().await[0].delivery == Delivery::Delivered
    })
    .await;
    running.stop().await;
}
