//! When rows are published.

use crate::fixture::{Fixture, SHARDS, event};
use core::time::Duration;
use outbox::expired_event_id;
use testkit::until;

/// Trap T-S7: the timer is a row and a clock, not a log line or a job of minute precision.
#[tokio::test]
async fn an_event_is_published_when_it_is_due_and_never_before() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    let expired = event("rsv_1", "evt_1");
    fixture.put(&relay, &expired, fixture.at(60_000)).await;
    fixture.until_known(&relay, 1).await;
    fixture.clock.advance(Duration::from_millis(59_999));
    // A second event that is due now goes through the whole relay: earlier rows have gone too by
    // then.
    fixture.put(&relay, &event("rsv_2", "evt_now"), fixture.at(59_999)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    assert_eq!(fixture.taken(), ["evt_now"]);
    fixture.clock.advance(Duration::from_millis(1));
    fixture.until_taken(2, Duration::ZERO).await;
    assert_eq!(fixture.taken(), ["evt_now", "evt_1"]);
    fixture.until_empty(Duration::ZERO).await;
    until(&fixture.clock, Duration::ZERO, "nothing pending", || async { relay.handle.pending() == 0 }).await;
    assert_eq!(relay.metrics.published.get(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn a_wall_clock_that_is_set_forward_is_noticed_within_a_second() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    fixture.put(&relay, &event("rsv_1", "evt_1"), fixture.at(60_000)).await;
    fixture.until_known(&relay, 1).await;
    fixture.clock.jump(Duration::from_secs(60));
    fixture.clock.advance(Duration::from_secs(1));
    fixture.until_taken(1, Duration::ZERO).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_row_that_its_owner_withdrew_is_not_published() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    let (kept, withdrawn) = (event("rsv_1", "evt_kept"), event("rsv_2", "evt_withdrawn"));
    fixture.put(&relay, &withdrawn, fixture.at(1_000)).await;
    fixture.put(&relay, &kept, fixture.at(1_001)).await;
    fixture.commit_all(vec![outbox::delete_write(&withdrawn.id)]).await;
    fixture.clock.advance(Duration::from_millis(1_001));
    fixture.until_taken(1, Duration::ZERO).await;
    fixture.until_empty(Duration::ZERO).await;
    assert_eq!(fixture.taken(), ["evt_kept"]);
    until(&fixture.clock, Duration::ZERO, "nothing pending", || async { relay.handle.pending() == 0 }).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_postponed_row_is_published_at_its_new_time_only() {
    let fixture = Fixture::new();
    let relay = fixture.relay();
    fixture.until_known(&relay, 0).await;
    let expired = event("rsv_1", "evt_1");
    fixture.put(&relay, &expired, fixture.at(1_000)).await;
    // The owner moves it: a new row under the same id, announced again.
    fixture.commit_all(vec![outbox::delete_write(&expired.id)]).await;
    fixture.put(&relay, &expired, fixture.at(2_000)).await;
    fixture.put(&relay, &event("rsv_2", "evt_between"), fixture.at(1_500)).await;
    fixture.clock.advance(Duration::from_millis(1_500));
    fixture.until_taken(1, Duration::ZERO).await;
    assert_eq!(fixture.taken(), ["evt_between"]);
    fixture.clock.advance(Duration::from_millis(500));
    fixture.until_taken(2, Duration::ZERO).await;
    fixture.until_empty(Duration::ZERO).await;
    assert_eq!(fixture.taken(), ["evt_between", "evt_1"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_hundred_thousand_waiting_rows_are_known_again_after_a_restart() {
    const ROWS: u64 = 100_000;
    let fixture = Fixture::new();
    for from in (0..ROWS).step_by(100) {
        let writes = (from..from + 100).map(|n| {
            let event = event(&format!("rsv_{n}"), "evt_x");
            let event = domain::event::Event { id: expired_event_id(&event.reservation), ..event };
            outbox::row_write(&event, fixture.at(60_000 + n), SHARDS)
        });
        fixture.commit_all(writes.collect()).await;
    }
    let relay = fixture.relay();
    fixture.until_known(&relay, ROWS).await;
    // The first five hundred fall due: they and no others are published.
    fixture.clock.advance(Duration::from_millis(60_000 + 499));
    fixture.until_taken(500, Duration::ZERO).await;
    until(&fixture.clock, Duration::ZERO, "five hundred rows fewer", || async {
        relay.handle.pending() == ROWS - 500
    })
    .await;
    assert_eq!(fixture.taken().len(), 500);
    relay.stop().await;
}
