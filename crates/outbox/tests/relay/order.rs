//! In which order rows are published.

use crate::world::{World, event};
use core::time::Duration;
use testkit::{EntryFate, SendFate, until};

/// Trap T-T3, from the sender's side; invariant X3.
#[tokio::test]
async fn a_failed_head_holds_the_followers_of_its_reservation_and_nobody_else() {
    let world = World::new();
    world.queue.on_entry(|entry| (entry.dedup_id.as_deref() == Some("evt_a1")).then_some(EntryFate::Refused));
    for (reservation, id, due) in
        [("a", "evt_a1", 1), ("a", "evt_a2", 2), ("b", "evt_b1", 2), ("b", "evt_b2", 3)]
    {
        world.commit(&event(reservation, id), world.at(due)).await;
    }
    let relay = world.relay();
    world.until_known(&relay, 4).await;
    world.clock.advance(Duration::from_millis(3));
    world.until_taken(2, Duration::from_millis(20)).await;
    assert_eq!(world.taken(), ["evt_b1", "evt_b2"]);
    world.queue.heal();
    world.until_taken(4, Duration::from_millis(20)).await;
    assert_eq!(world.taken(), ["evt_b1", "evt_b2", "evt_a1", "evt_a2"]);
    world.until_empty(Duration::from_millis(20)).await;
    assert!(relay.metrics.failures.get() > 0);
    relay.stop().await;
}

#[tokio::test]
async fn every_reservation_has_its_order_though_sends_fail_here_and_there() {
    let world = World::new();
    // Each entry is refused at its first two attempts, or accepted and reported as refused.
    let tries = std::sync::Mutex::new(std::collections::BTreeMap::<String, u32>::new());
    world.queue.on_entry(move |entry| {
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
        writes.push(outbox::row_write(&event, world.at(n / 3), crate::world::SHARDS));
    }
    world.commit_all(writes).await;
    let relay = world.relay();
    world.until_known(&relay, 60).await;
    world.clock.advance(Duration::from_millis(30));
    world.until_empty(Duration::from_millis(20)).await;
    let on_queue = world.drain_queue().await;
    assert_eq!(on_queue.len(), 60, "each event once: {on_queue:?}");
    for reservation in 0..7 {
        let of_this = on_queue.iter().filter(|id| id[4..].parse::<u64>().unwrap() % 7 == reservation);
        assert!(of_this.is_sorted(), "{on_queue:?}");
    }
    assert!(world.queue.sent_without_row().is_empty());
    relay.stop().await;
}

/// The queue refuses a call as a whole because of one entry: the others go, and only its
/// reservation waits.
#[tokio::test]
async fn a_row_that_spoils_its_batch_holds_only_its_own_reservation() {
    let world = World::new();
    world
        .queue
        .on_entry(|entry| (entry.dedup_id.as_deref() == Some("evt_bad")).then_some(EntryFate::Refused));
    for n in 0..5 {
        world.commit(&event(&format!("rsv_{n}"), &format!("evt_{n}")), world.at(1)).await;
    }
    world.commit(&event("rsv_bad", "evt_bad"), world.at(1)).await;
    world.queue.plan([SendFate::Refused]);
    let relay = world.relay();
    world.until_known(&relay, 6).await;
    world.clock.advance(Duration::from_millis(1));
    world.until_taken(5, Duration::from_millis(20)).await;
    until(&world.clock, Duration::from_millis(20), "one row left", || async { relay.handle.pending() == 1 })
        .await;
    let calls = world.queue.calls();
    assert!(calls.contains(&1), "after the refusal rows go alone: {calls:?}");
    world.queue.heal();
    world.until_empty(Duration::from_millis(500)).await;
    relay.stop().await;
}
