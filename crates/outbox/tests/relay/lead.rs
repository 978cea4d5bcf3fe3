//! The queue as the timer: rows are sent ahead of their time, delayed by the remaining time.

use crate::world::{Running, World, event};
use adapter_embedded::QueueOptions;
use core::time::Duration;
use outbox::RelayOptions;
use ports::Queue;
use ports::queue::QueueKind;
use testkit::{SendFate, until};

const MINUTE: Duration = Duration::from_secs(60);

fn standard() -> World {
    World::with_queue("events", QueueOptions::new(QueueKind::Standard))
}

fn ahead(world: &World, lead: Duration) -> Running {
    world.relay_with(RelayOptions { lead, ..World::options() })
}

/// Layer 3 of expiry: no instance is left when the hold runs out.
#[tokio::test]
async fn an_event_arrives_when_it_is_due_even_if_every_relay_is_dead() {
    let world = standard();
    let relay = ahead(&world, RelayOptions::LEAD_MAX);
    world.until_known(&relay, 0).await;
    world.put(&relay, &event("rsv_1", "evt_1"), world.at(60_000)).await;
    world.until_taken(1, Duration::ZERO).await;
    world.until_empty(Duration::ZERO).await;
    relay.crash().await;
    assert_eq!(world.queue.depth().await.unwrap().delayed, 1);
    world.clock.advance(MINUTE - Duration::from_millis(1));
    assert!(world.drain_queue().await.is_empty(), "it is not due yet");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.drain_queue().await, ["evt_1"]);
}

/// A queue delays a message by at most a quarter of an hour, so a later row waits here first.
#[tokio::test]
async fn a_row_is_sent_as_early_as_the_queue_can_keep_it_and_no_earlier() {
    let world = standard();
    // A lead beyond what a queue can do is cut down.
    let relay = ahead(&world, 10 * RelayOptions::LEAD_MAX);
    world.until_known(&relay, 0).await;
    world.put(&relay, &event("rsv_1", "evt_later"), world.at(20 * 60_000)).await;
    world.until_known(&relay, 1).await;
    world.clock.advance(5 * MINUTE - Duration::from_millis(1));
    // A row that is due now goes through the whole relay: earlier rows have gone too by then.
    world.put(&relay, &event("rsv_2", "evt_now"), world.at(0)).await;
    world.until_taken(1, Duration::ZERO).await;
    assert_eq!(world.taken(), ["evt_now"]);
    world.clock.advance(Duration::from_millis(1));
    world.until_taken(2, Duration::ZERO).await;
    world.until_empty(Duration::ZERO).await;
    assert_eq!(world.drain_queue().await, ["evt_now"]);
    world.clock.advance(15 * MINUTE);
    assert_eq!(world.drain_queue().await, ["evt_later"]);
    relay.stop().await;
}

#[tokio::test]
async fn the_lag_of_a_message_sent_ahead_is_zero_and_not_the_lead() {
    let world = standard();
    let relay = ahead(&world, RelayOptions::LEAD_MAX);
    world.until_known(&relay, 0).await;
    world.put(&relay, &event("rsv_1", "evt_1"), world.at(600_000)).await;
    world.until_taken(1, Duration::ZERO).await;
    until(&world.clock, Duration::ZERO, "it is counted", || async { relay.metrics.published.get() == 1 })
        .await;
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register("lag", "", relay.metrics.lag.clone());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("lag_sum 0.0"), "{text}");
    assert!(text.contains("lag_bucket{le=\"0.001\"} 1"), "{text}");
    relay.stop().await;
}

/// After an outage of the queue a row may be due already: it is sent at once, and the others with
/// their remaining time.
#[tokio::test]
async fn the_delay_is_the_remaining_time_at_each_try() {
    let world = standard();
    let relay = ahead(&world, RelayOptions::LEAD_MAX);
    world.until_known(&relay, 0).await;
    world.queue.always(SendFate::Unavailable);
    world.put(&relay, &event("rsv_1", "evt_soon"), world.at(60_000)).await;
    world.put(&relay, &event("rsv_2", "evt_later"), world.at(600_000)).await;
    until(&world.clock, Duration::ZERO, "a try", || async { !world.queue.calls().is_empty() }).await;
    world.clock.advance(2 * MINUTE);
    world.queue.heal();
    world.until_empty(Duration::from_millis(100)).await;
    assert_eq!(world.drain_queue().await, ["evt_soon"]);
    world.clock.advance(8 * MINUTE);
    assert_eq!(world.drain_queue().await, ["evt_later"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_row_that_a_dead_instance_left_is_sent_ahead_too() {
    let world = standard();
    world.commit(&event("rsv_1", "evt_1"), world.at(60_000)).await;
    let relay = ahead(&world, RelayOptions::LEAD_MAX);
    world.until_taken(1, Duration::ZERO).await;
    world.until_empty(Duration::ZERO).await;
    assert_eq!(world.queue.depth().await.unwrap().delayed, 1);
    relay.stop().await;
}
