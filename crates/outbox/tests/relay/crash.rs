//! Rows that a crash leaves behind are published, and the queue counts each once.

use crate::fixture::{Fixture, event};
use core::time::Duration;
use ports::store::Write;
use testkit::{Fate, SendFate, until};

fn is_delete(writes: &[Write]) -> bool {
    writes.iter().all(|write| matches!(write, Write::Delete { .. }))
}

/// Invariant X3: the crash falls between the queue's answer and the deletion of the row.
#[tokio::test]
async fn a_crash_between_send_and_delete_publishes_again_under_the_same_deduplication_id() {
    let fixture = Fixture::new();
    let first = fixture.relay();
    fixture.until_known(&first, 0).await;
    fixture.store.on_commit(|writes| is_delete(writes).then_some(Fate::Failed));
    let expired = event("rsv_1", "evt_1");
    fixture.put(&first, &expired, fixture.at(0)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    assert!(fixture.has_row(&expired.id).await, "the row outlives the send");
    first.crash().await;

    fixture.store.heal();
    let second = fixture.relay();
    fixture.until_taken(2, Duration::ZERO).await;
    fixture.until_empty(Duration::from_millis(20)).await;
    assert_eq!(fixture.taken(), ["evt_1", "evt_1"]);
    assert_eq!(fixture.drain_queue().await, ["evt_1"], "the queue knows the second as the first");
    second.stop().await;
}

/// The guard on the order of the two steps: a row is deleted after the queue accepted it, never
/// before.
#[tokio::test]
async fn no_row_is_deleted_before_the_queue_has_its_event() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.queue.always(SendFate::Unavailable);
    let events: Vec<_> = (0..25).map(|n| event(&format!("rsv_{n}"), &format!("evt_{n:02}"))).collect();
    for event in &events {
        fixture.put(&relay, event, fixture.at(0)).await;
    }
    until(&fixture.clock, Duration::from_millis(20), "several attempts", || async {
        fixture.queue.calls().len() >= 3
    })
    .await;
    for event in &events {
        assert!(fixture.has_row(&event.id).await, "{} is still there", event.id);
    }
    relay.crash().await;
    fixture.queue.heal();
    let relay = fixture.relay();
    fixture.until_empty(Duration::from_millis(20)).await;
    assert!(fixture.queue.sent_without_row().is_empty());
    let mut on_queue = fixture.drain_queue().await;
    on_queue.sort();
    assert_eq!(on_queue, events.iter().map(|event| event.id.to_string()).collect::<Vec<_>>());
    relay.stop().await;
}

/// Trap T-S7: the announcement is lost (the handler was dropped after its commit), the row is not.
#[tokio::test]
async fn the_rescan_finds_an_unannounced_row() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.commit(&event("rsv_1", "evt_1"), fixture.at(1_000)).await;
    fixture.clock.advance(Duration::from_millis(1_000));
    fixture.until_taken(1, Duration::from_millis(100)).await;
    assert!(
        crate::fixture::now(&fixture) >= fixture.at(3_000),
        "its own instance had the grace to publish it"
    );
    fixture.until_empty(Duration::from_millis(100)).await;
    relay.stop().await;
}

/// A slow commit lands behind the cursor of the rescans; the whole rescan finds it.
#[tokio::test]
async fn the_whole_rescan_finds_a_row_committed_late_with_an_early_time() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    until(&fixture.clock, Duration::from_millis(100), "a few rescans", || async {
        crate::fixture::now(&fixture) >= fixture.at(20_000)
    })
    .await;
    fixture.commit(&event("rsv_1", "evt_1"), fixture.at(5)).await;
    fixture.until_taken(1, Duration::from_millis(100)).await;
    relay.stop().await;
}

#[tokio::test]
async fn the_rows_of_a_dead_instance_are_published_by_another() {
    let fixture = Fixture::new();
    let (dying, other) = (fixture.relay(), fixture.relay());
    fixture.until_known(&dying, 0).await;
    fixture.until_known(&other, 0).await;
    fixture.put(&dying, &event("rsv_1", "evt_1"), fixture.at(1_000)).await;
    dying.crash().await;
    fixture.until_taken(1, Duration::from_millis(100)).await;
    fixture.until_empty(Duration::from_millis(100)).await;
    assert_eq!(fixture.drain_queue().await, ["evt_1"]);
    other.stop().await;
}

#[tokio::test]
async fn a_shutdown_finishes_sends_and_deletes_their_rows() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.put(&relay, &event("rsv_1", "evt_now"), fixture.at(0)).await;
    fixture.put(&relay, &event("rsv_2", "evt_later"), fixture.at(60_000)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    relay.begin_stop();
    relay.stop().await;
    assert!(!fixture.has_row(&event("rsv_1", "evt_now").id).await, "sent and deleted");
    assert!(fixture.has_row(&event("rsv_2", "evt_later").id).await, "kept for the next start");
}

#[tokio::test]
async fn a_shutdown_ends_even_with_a_dead_store() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.store.on_commit(|writes| is_delete(writes).then_some(Fate::Failed));
    fixture.put(&relay, &event("rsv_1", "evt_1"), fixture.at(0)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    relay.stop().await;
    assert!(fixture.has_row(&event("rsv_1", "evt_1").id).await, "it will be sent again");
}
