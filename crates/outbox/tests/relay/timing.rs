//! When rows are published.

use crate::world::{SHARDS, World, event};
use core::time::Duration;
use outbox::expired_event_id;
use testkit::until;

/// Trap T-S7: the timer is a row and a clock, not a log line or a job of minute precision.
#[tokio::test]
async fn an_event_is_published_when_it_is_due_and_never_before() {
    let world = World::new();
    let relay = world.relay();
    world.until_known(&relay, 0).await;
    let expired = event("rsv_1", "evt_1");
    world.put(&relay, &expired, world.at(60_000)).await;
    world.until_known(&relay, 1).await;
    world.clock.advance(Duration::from_millis(59_999));
    // A second event that is due now goes through the whole relay: earlier rows have gone too by
    // then.
    world.put(&relay, &event("rsv_2", "evt_now"), world.at(59_999)).await;
    world.until_taken(1, Duration::ZERO).await;
    assert_eq!(world.taken(), ["evt_now"]);
    world.clock.advance(Duration::from_millis(1));
    world.until_taken(2, Duration::ZERO).await;
    assert_eq!(world.taken(), ["evt_now", "evt_1"]);
    world.until_empty(Duration::ZERO).await;
    until(&world.clock, Duration::ZERO, "nothing pending", || async { relay.handle.pending() == 0 }).await;
    assert_eq!(relay.metrics.published.get(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn a_wall_clock_that_is_set_forward_is_noticed_within_a_second() {
    let world = World::new();
    let relay = world.relay();
    world.until_known(&relay, 0).await;
    world.put(&relay, &event("rsv_1", "evt_1"), world.at(60_000)).await;
    world.until_known(&relay, 1).await;
    world.clock.jump(Duration::from_secs(60));
    world.clock.advance(Duration::from_secs(1));
    world.until_taken(1, Duration::ZERO).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_row_that_its_owner_withdrew_is_not_published() {
    let world = World::new();
    let relay = world.relay();
    world.until_known(&relay, 0).await;
    let (kept, withdrawn) = (event("rsv_1", "evt_kept"), event("rsv_2", "evt_withdrawn"));
    world.put(&relay, &withdrawn, world.at(1_000)).await;
    world.put(&relay, &kept, world.at(1_001)).await;
    world.commit_all(vec![outbox::delete_write(&withdrawn.id)]).await;
    world.clock.advance(Duration::from_millis(1_001));
    world.until_taken(1, Duration::ZERO).await;
    world.until_empty(Duration::ZERO).await;
    assert_eq!(world.taken(), ["evt_kept"]);
    until(&world.clock, Duration::ZERO, "nothing pending", || async { relay.handle.pending() == 0 }).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_row_that_was_put_off_is_published_at_its_new_time_only() {
    let world = World::new();
    let relay = world.relay();
    world.until_known(&relay, 0).await;
    let expired = event("rsv_1", "evt_1");
    world.put(&relay, &expired, world.at(1_000)).await;
    // The owner moves it: a new row under the same id, announced again.
    world.commit_all(vec![outbox::delete_write(&expired.id)]).await;
    world.put(&relay, &expired, world.at(2_000)).await;
    world.put(&relay, &event("rsv_2", "evt_between"), world.at(1_500)).await;
    world.clock.advance(Duration::from_millis(1_500));
    world.until_taken(1, Duration::ZERO).await;
    assert_eq!(world.taken(), ["evt_between"]);
    world.clock.advance(Duration::from_millis(500));
    world.until_taken(2, Duration::ZERO).await;
    world.until_empty(Duration::ZERO).await;
    assert_eq!(world.taken(), ["evt_between", "evt_1"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_hundred_thousand_waiting_rows_are_known_again_after_a_restart() {
    const ROWS: u64 = 100_000;
    let world = World::new();
    for from in (0..ROWS).step_by(100) {
        let writes = (from..from + 100).map(|n| {
            let event = event(&format!("rsv_{n}"), "evt_x");
            let event = domain::event::Event { id: expired_event_id(&event.reservation), ..event };
            outbox::row_write(&event, world.at(60_000 + n), SHARDS)
        });
        world.commit_all(writes.collect()).await;
    }
    let relay = world.relay();
    world.until_known(&relay, ROWS).await;
    // The first five hundred fall due: they and no others are published.
    world.clock.advance(Duration::from_millis(60_000 + 499));
    world.until_taken(500, Duration::ZERO).await;
    until(&world.clock, Duration::ZERO, "five hundred rows fewer", || async {
        relay.handle.pending() == ROWS - 500
    })
    .await;
    assert_eq!(world.taken().len(), 500);
    relay.stop().await;
}
