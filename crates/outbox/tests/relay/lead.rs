//! The queue as the timer: rows are sent ahead of their time, delayed by the remaining time.

use crate::fixture::{Fixture, Running, event};
use adapter_embedded::QueueOptions;
use core::time::Duration;
use outbox::RelayOptions;
use ports::Queue;
use ports::queue::QueueKind;
use testkit::{SendFate, until};

const MINUTE: Duration = Duration::from_secs(60);

fn standard() -> Fixture {
    Fixture::with_queue("events", QueueOptions::new(QueueKind::Standard))
}

fn ahead(fixture: &Fixture, lead: Duration) -> Running {
    fixture.relay_with(RelayOptions { lead, ..Fixture::options() })
}

/// Layer 3 of expiry: no instance is left when the hold runs out.
#[tokio::test]
async fn an_event_arrives_when_it_is_due_even_if_every_relay_is_dead() {
    let fixture = standard();
    let relay = ahead(&fixture, RelayOptions::LEAD_MAX);
    fixture.until_known(&relay, 0).await;
    fixture.put(&relay, &event("rsv_1", "evt_1"), fixture.at(60_000)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    fixture.until_empty(Duration::ZERO).await;
    relay.crash().await;
    assert_eq!(fixture.queue.depth().await.unwrap().delayed, 1);
    fixture.clock.advance(MINUTE - Duration::from_millis(1));
    assert!(fixture.drain_queue().await.is_empty(), "it is not due yet");
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.drain_queue().await, ["evt_1"]);
}

/// A queue delays a message by at most a quarter of an hour, so a later row waits here first.
#[tokio::test]
async fn a_row_is_sent_when_its_delay_fits_the_queues_limit() {
    let fixture = standard();
    // A lead beyond what a queue can do is cut down.
    let relay = ahead(&fixture, 10 * RelayOptions::LEAD_MAX);
    fixture.until_known(&relay, 0).await;
    fixture.put(&relay, &event("rsv_1", "evt_later"), fixture.at(20 * 60_000)).await;
    fixture.until_known(&relay, 1).await;
    fixture.clock.advance(5 * MINUTE - Duration::from_millis(1));
    // A row that is due now goes through the whole relay: earlier rows have gone too by then.
    fixture.put(&relay, &event("rsv_2", "evt_now"), fixture.at(0)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    assert_eq!(fixture.taken(), ["evt_now"]);
    fixture.clock.advance(Duration::from_millis(1));
    fixture.until_taken(2, Duration::ZERO).await;
    fixture.until_empty(Duration::ZERO).await;
    assert_eq!(fixture.drain_queue().await, ["evt_now"]);
    fixture.clock.advance(15 * MINUTE);
    assert_eq!(fixture.drain_queue().await, ["evt_later"]);
    relay.stop().await;
}

#[tokio::test]
async fn the_lag_of_a_message_sent_ahead_is_zero_and_not_the_lead() {
    let fixture = standard();
    let relay = ahead(&fixture, RelayOptions::LEAD_MAX);
    fixture.until_known(&relay, 0).await;
    fixture.put(&relay, &event("rsv_1", "evt_1"), fixture.at(600_000)).await;
    fixture.until_taken(1, Duration::ZERO).await;
    until(&fixture.clock, Duration::ZERO, "it is counted", || async { relay.metrics.published.get() == 1 })
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
    let fixture = standard();
    let relay = ahead(&fixture, RelayOptions::LEAD_MAX);
    fixture.until_known(&relay, 0).await;
    fixture.queue.always(SendFate::Unavailable);
    fixture.put(&relay, &event("rsv_1", "evt_soon"), fixture.at(60_000)).await;
    fixture.put(&relay, &event("rsv_2", "evt_later"), fixture.at(600_000)).await;
    until(&fixture.clock, Duration::ZERO, "a try", || async { !fixture.queue.calls().is_empty() }).await;
    fixture.clock.advance(2 * MINUTE);
    fixture.queue.heal();
    fixture.until_empty(Duration::from_millis(100)).await;
    assert_eq!(fixture.drain_queue().await, ["evt_soon"]);
    fixture.clock.advance(8 * MINUTE);
    assert_eq!(fixture.drain_queue().await, ["evt_later"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_row_that_a_dead_instance_left_is_sent_ahead_too() {
    let fixture = standard();
    fixture.commit(&event("rsv_1", "evt_1"), fixture.at(60_000)).await;
    let relay = ahead(&fixture, RelayOptions::LEAD_MAX);
    fixture.until_taken(1, Duration::ZERO).await;
    fixture.until_empty(Duration::ZERO).await;
    assert_eq!(fixture.queue.depth().await.unwrap().delayed, 1);
    relay.stop().await;
}
