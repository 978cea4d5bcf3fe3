//! In which order rows are published.

use crate::fixture::{Fixture, event};
use core::time::Duration;
use testkit::{EntryFate, SendFate, until};

/// Trap T-T3, from the sender's side; invariant X3.
#[tokio::test]
async fn a_failed_event_blocks_only_later_events_of_its_reservation() {
    let fixture = Fixture::new();
    fixture
        .queue
        .on_entry(|entry| (entry.dedup_id.as_deref() == Some("evt_a1")).then_some(EntryFate::Refused));
    for (reservation, id, due) in
        [("a", "evt_a1", 1), ("a", "evt_a2", 2), ("b", "evt_b1", 2), ("b", "evt_b2", 3)]
    {
        fixture.commit(&event(reservation, id), fixture.at(due)).await;
    }
    let relay = fixture.relay();
    fixture.until_known(&relay, 4).await;
    fixture.clock.advance(Duration::from_millis(3));
    fixture.until_taken(2, Duration::from_millis(20)).await;
    assert_eq!(fixture.taken(), ["evt_b1", "evt_b2"]);
    fixture.queue.heal();
    fixture.until_taken(4, Duration::from_millis(20)).await;
    assert_eq!(fixture.taken(), ["evt_b1", "evt_b2", "evt_a1", "evt_a2"]);
    fixture.until_empty(Duration::from_millis(20)).await;
    assert!(relay.metrics.failures.get() > 0);
    relay.stop().await;
}

#[tokio::test]
async fn each_reservation_keeps_its_order_when_some_sends_fail() {
    let fixture = Fixture::new();
    // Each entry is refused at its first two attempts, or accepted and reported as refused.
    let tries = std::sync::Mutex::new(std::collections::BTreeMap::<String, u32>::new());
    fixture.queue.on_entry(move |entry| {
        let id = entry.dedup_id.clone().unwrap();
        let mut tries = tries.lock().unwrap();
        let tried = tries.entry(id.clone()).or_default();
        *tried += 1;
        match (*tried, id.ends_with('7')) {
            (1, true) => Some(EntryFate::AnswerLost),
            (1 | 2, false) => Some(EntryFate::Refused),
            _ => None,
        }
    });
    let mut writes = Vec::new();
    for n in 0..60_u64 {
        let reservation = format!("rsv_{}", n % 7);
        let event = event(&reservation, &format!("evt_{n:02}"));
        writes.push(outbox::row_write(&event, fixture.at(n / 3), crate::fixture::SHARDS));
    }
    fixture.commit_all(writes).await;
    let relay = fixture.relay();
    fixture.until_known(&relay, 60).await;
    fixture.clock.advance(Duration::from_millis(30));
    fixture.until_empty(Duration::from_millis(20)).await;
    let on_queue = fixture.drain_queue().await;
    assert_eq!(on_queue.len(), 60, "each event once: {on_queue:?}");
    for reservation in 0..7 {
        let of_this = on_queue.iter().filter(|id| id[4..].parse::<u64>().unwrap() % 7 == reservation);
        assert!(of_this.is_sorted(), "{on_queue:?}");
    }
    assert!(fixture.queue.sent_without_row().is_empty());
    relay.stop().await;
}

/// The queue refuses a call as a whole because of one entry: the others go, and only its
/// reservation waits.
#[tokio::test]
async fn a_row_that_fails_its_batch_delays_only_its_own_reservation() {
    let fixture = Fixture::new();
    fixture
        .queue
        .on_entry(|entry| (entry.dedup_id.as_deref() == Some("evt_bad")).then_some(EntryFate::Refused));
    for n in 0..5 {
        fixture.commit(&event(&format!("rsv_{n}"), &format!("evt_{n}")), fixture.at(1)).await;
    }
    fixture.commit(&event("rsv_bad", "evt_bad"), fixture.at(1)).await;
    fixture.queue.plan([SendFate::Refused]);
    let relay = fixture.relay();
    fixture.until_known(&relay, 6).await;
    fixture.clock.advance(Duration::from_millis(1));
    fixture.until_taken(5, Duration::from_millis(20)).await;
    until(&fixture.clock, Duration::from_millis(20), "one row left", || async {
        relay.handle.pending() == 1
    })
    .await;
    let calls = fixture.queue.calls();
    assert!(calls.contains(&1), "after the refusal rows go alone: {calls:?}");
    fixture.queue.heal();
    fixture.until_empty(Duration::from_millis(500)).await;
    relay.stop().await;
}
