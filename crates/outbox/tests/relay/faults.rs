//! Outages and lost answers.

use crate::fixture::{Fixture, event};
use core::time::Duration;
use testkit::{Call, Fate, SendFate, until};

const STEP: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_queue_outage_loses_nothing_and_is_reported() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.queue.always(SendFate::Unavailable);
    for n in 0..40 {
        fixture.put(&relay, &event(&format!("rsv_{n}"), &format!("evt_{n:02}")), fixture.at(0)).await;
    }
    until(&fixture.clock, STEP, "the outage is reported", || async {
        relay.handle.state().borrow().ready().is_err_and(|why| why.contains("the queue does not answer"))
    })
    .await;
    let calls = fixture.queue.calls().len();
    until(&fixture.clock, STEP, "it keeps trying", || async { fixture.queue.calls().len() > calls + 3 })
        .await;
    assert_eq!(relay.handle.pending(), 40);
    fixture.queue.heal();
    fixture.until_empty(STEP).await;
    until(&fixture.clock, STEP, "ready again", || async { relay.handle.state().borrow().ready().is_ok() })
        .await;
    assert_eq!(fixture.drain_queue().await.len(), 40);
    relay.stop().await;
}

/// Trap T-S9, at the queue: the send was carried out and reported as failed.
#[tokio::test]
async fn a_send_whose_answer_was_lost_is_repeated_under_the_same_id() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.queue.plan([SendFate::AnswerLost]);
    fixture.put(&relay, &event("rsv_1", "evt_1"), fixture.at(0)).await;
    fixture.put(&relay, &event("rsv_1", "evt_2"), fixture.at(0)).await;
    fixture.until_empty(STEP).await;
    assert!(fixture.taken().iter().filter(|id| *id == "evt_1").count() == 2, "{:?}", fixture.taken());
    assert_eq!(fixture.drain_queue().await, ["evt_1", "evt_2"], "once each, in order");
    relay.stop().await;
}

/// Trap T-S9, at the store: the delete was carried out and reported as failed.
#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_repeated_and_done() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.store.on_commit(|_| Some(Fate::AnswerLost));
    fixture.put(&relay, &event("rsv_1", "evt_1"), fixture.at(0)).await;
    fixture.until_empty(STEP).await;
    fixture.store.heal();
    until(&fixture.clock, STEP, "nothing pending", || async { relay.handle.pending() == 0 }).await;
    assert_eq!(fixture.taken(), ["evt_1"], "a row is not sent again because its deletion is unclear");
    relay.stop().await;
}

#[tokio::test]
async fn the_relay_starts_once_the_store_answers() {
    let fixture = Fixture::new();
    fixture.commit(&event("rsv_1", "evt_1"), fixture.at(0)).await;
    fixture.store.plan(Call::Due, [Fate::Failed; 7]);
    let relay = fixture.relay();
    assert!(relay.handle.state().borrow().ready().is_err());
    fixture.until_taken(1, STEP).await;
    fixture.until_empty(STEP).await;
    until(&fixture.clock, STEP, "ready", || async { relay.handle.state().borrow().ready().is_ok() }).await;
    relay.stop().await;
}

#[tokio::test]
async fn due_rows_are_sent_once_the_store_answers() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    for n in 0..3 {
        fixture.put(&relay, &event("rsv_1", &format!("evt_{n}")), fixture.at(10 + n)).await;
    }
    fixture.until_known(&relay, 3).await;
    fixture.store.plan(Call::Get, [Fate::Failed; 3]);
    fixture.clock.advance(Duration::from_millis(20));
    fixture.until_taken(3, STEP).await;
    assert_eq!(fixture.taken(), ["evt_0", "evt_1", "evt_2"]);
    fixture.until_empty(STEP).await;
    relay.stop().await;
}

#[tokio::test]
async fn the_trace_of_the_request_goes_with_the_message() {
    use ports::Queue;
    let fixture = Fixture::new();
    let parent = "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01";
    let trace = ports::Trace { trace_id: None, traceparent: Some(parent.into()) };
    let write =
        outbox::row_write_traced(&event("rsv_1", "evt_1"), fixture.at(0), crate::fixture::SHARDS, &trace);
    fixture.commit_all(vec![write]).await;
    let relay = fixture.relay();
    fixture.until_taken(1, Duration::ZERO).await;
    let request = ports::queue::Receive { max: 1, wait: Duration::ZERO, visibility: None };
    let messages = fixture.queue.receive(request).await.unwrap();
    assert_eq!(messages[0].group.as_deref(), Some("rsv_1"));
    assert!(messages[0].attributes.contains(&("traceparent".to_owned(), parent.to_owned())), "{messages:?}");
    relay.stop().await;
}
