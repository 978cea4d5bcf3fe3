//! Undecodable messages are buried at once, with their reason, and counted under a closed set of
//! labels: trap T-T12.

use crate::bench::{Bench, assert_invariants, expired, raw};
use ports::Clock;
use std::time::Duration;

async fn buried(body: String) -> (Bench, Vec<(String, String)>) {
    let bench = Bench::fifo();
    bench.queue.put(raw(body, "rsv_1", "dedup"));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.letters.len(), 1);
    assert_eq!(bench.peers.run_count(), 1, "its follower ran");
    assert!(bench.clock.elapsed() < Duration::from_secs(1), "it was not retried");
    assert_invariants(&handle);
    let attributes = bench.letters.bodies().remove(0).attributes;
    (bench, attributes)
}

fn of<'a>(attributes: &'a [(String, String)], name: &str) -> &'a str {
    attributes.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

/// Trap T-T12: bad payloads are buried at once, whatever is wrong with them.
#[tokio::test(start_paused = true)]
async fn an_undecodable_message_is_buried_at_once_with_its_reason() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_detail = format!("{{\"type\":\"payment.approved\",\"detail\":{deep}}}");
    let cases = [
        ("not json", "not JSON"),
        ("", ""),
        ("null", ""),
        ("{\"type\":\"show.opened\",\"detail\":{\"reservation_id\":\"rsv_1\"}}", "unknown type"),
        ("{\"type\":\"reservation.expired\",\"detail\":{}}", "reservation_id"),
        ("{\"type\":\"reservation.expired\",\"detail\":{\"reservation_id\":\"\"}}", "reservation_id"),
        ("{\"type\":\"reservation.expired\",\"detail\":{\"reservation_id\":7}}", ""),
        ("{\"type\":\"payment.approved\",\"detail\":{\"reservation_id\":\"rsv_1\"}}", "payment_intent_id"),
        (&deep, ""),
        (&deep_detail, ""),
    ];
    for (body, part) in cases {
        let (_, attributes) = buried(body.to_owned()).await;
        assert_eq!(of(&attributes, "reason"), "undecodable");
        assert!(of(&attributes, "error").contains(part), "{}", of(&attributes, "error"));
        assert_eq!(of(&attributes, "attempts"), "0");
        assert_eq!(of(&attributes, "original_message_id"), "msg-0");
        assert_eq!(of(&attributes, "original_group"), "rsv_1");
    }
}

/// A body of ten megabytes is buried; the part that fits is kept.
#[tokio::test(start_paused = true)]
async fn a_body_of_ten_megabytes_is_buried_cut_to_size() {
    let (bench, attributes) = buried(format!("{{\"type\":\"{}\"}}", "é".repeat(5 * 1024 * 1024))).await;
    assert!(of(&attributes, "error").contains("bytes"));
    let letter = bench.letters.bodies().remove(0);
    let size = letter.body.len() + letter.attributes.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
    assert!((200 * 1024..=256 * 1024).contains(&size), "{size}");
}

/// Trap T-T12: an unknown type counts as `unknown`, and never becomes a label of its own.
#[tokio::test(start_paused = true)]
async fn an_unknown_type_never_becomes_a_label() {
    let (bench, _) =
        buried("{\"type\":\"evil\\\"} 1\",\"detail\":{\"reservation_id\":\"r\"}}".to_owned()).await;
    assert_eq!(bench.metric("worker_events_total{type=\"unknown\",outcome=\"invalid_payload\"} "), 1);
    assert!(!bench.process.metrics.render().contains("evil"));
}

/// A known type counts under its own label.
#[tokio::test(start_paused = true)]
async fn a_bad_payload_of_a_known_type_counts_under_that_type() {
    let (bench, _) =
        buried("{\"type\":\"payment.failed\",\"detail\":{\"reservation_id\":\"\"}}".to_owned()).await;
    assert_eq!(bench.metric("worker_events_total{type=\"failed\",outcome=\"invalid_payload\"} "), 1);
}

/// Without a dead-letter queue of ours the message is left to the queue's redrive policy: hidden,
/// not deleted, not spun.
#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_queue_it_is_left_to_the_redrive_policy() {
    let mut bench = Bench::fifo();
    bench.with_letters = false;
    bench.queue.put(raw("not json", "rsv_1", "dedup"));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.pass(Duration::from_secs(600)).await;
    assert_eq!(bench.queue.len(), 2, "nothing is deleted, and the follower stays behind");
    assert!((20..60).contains(&bench.queue.receive_count(0)), "{}", bench.queue.receive_count(0));
    assert_eq!(bench.peers.run_count(), 0);
    assert_invariants(&handle);
}
