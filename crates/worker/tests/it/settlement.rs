//! Settlements: per-entry results, batches, a queue that refuses, and the polls themselves.

use crate::bench::{Bench, assert_invariants, expired, rsv};
use crate::queue::Asked;
use ports::Fault;
use std::collections::BTreeMap;
use std::time::Duration;

/// Trap T-T8: failed entries of a batch are sent again, the others are not, and no acknowledgement
/// is lost.
#[tokio::test(start_paused = true)]
async fn failed_entries_of_a_batch_are_sent_again() {
    let bench = Bench::fifo();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    bench.queue.on_delete(move |id| {
        let tries = seen.entry(id.to_owned()).or_default();
        *tries += 1;
        let odd = id.ends_with(['1', '3', '5', '7', '9']);
        (odd && *tries <= 4).then(|| Fault::transient("internal error"))
    });
    for n in 0..50 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 50, "nothing ran twice");
    let deleted: usize = bench
        .queue
        .asked()
        .iter()
        .map(|(_, a)| if let Asked::Deleted { ids } = a { ids.len() } else { 0 })
        .sum();
    assert_eq!(deleted, 25 + 25 * 5);
    bench.shut_down().await;
    assert_eq!(bench.metric("worker_acks_lost_total "), 0);
    assert_invariants(&handle);
}

/// Trap T-T8: a delete that is never confirmed is counted, and the redelivered event ends as it did
/// the first time.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_is_lost_is_counted_and_the_event_is_idempotent() {
    let bench = Bench::fifo();
    let until = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let failing = until.clone();
    bench.queue.on_delete(move |_| {
        failing.load(std::sync::atomic::Ordering::SeqCst).then(|| Fault::transient("internal error"))
    });
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the acknowledgement is lost", || bench.metric("worker_acks_lost_total ") == 1).await;
    until.store(false, std::sync::atomic::Ordering::SeqCst);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 2);
    assert_invariants(&handle);
}

#[tokio::test(start_paused = true)]
async fn deletes_go_in_batches_of_ten_and_alone_when_nothing_is_in_flight() {
    let bench = Bench::standard();
    bench.peers.slow(Duration::from_millis(3));
    for n in 0..500 {
        bench.put(&expired(&rsv(n)));
    }
    bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let sizes: Vec<usize> = bench
        .queue
        .asked()
        .iter()
        .filter_map(|(_, a)| if let Asked::Deleted { ids } = a { Some(ids.len()) } else { None })
        .collect();
    assert!(sizes.len() <= 75, "{} calls for 500 deletes", sizes.len());

    let before = bench.queue.asked().len();
    bench.put(&expired("rsv_alone"));
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert!(
        bench.queue.asked()[before..]
            .iter()
            .any(|(_, a)| matches!(a, Asked::Deleted { ids } if ids.len() == 1))
    );
}

/// Receives ask for ten where they can, and an idle queue costs one long poll.
#[tokio::test(start_paused = true)]
async fn receives_are_full_under_load_and_long_when_idle() {
    let bench = Bench::standard();
    bench.peers.slow(Duration::from_millis(5));
    for n in 0..1_000 {
        bench.put(&expired(&rsv(n)));
    }
    bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let receives = bench.queue.asked().iter().filter(|(_, a)| matches!(a, Asked::Received { .. })).count();
    assert!(receives <= 130, "{receives} receives for 1,000 messages");
    bench.pass(Duration::from_secs(600)).await;
    assert!(bench.queue.receives_running() <= 1, "one long poll");
}

/// Trap T-T11: liveness reports a receive that never answers.
#[tokio::test(start_paused = true)]
async fn a_receive_that_hangs_is_not_alive() {
    let bench = Bench::fifo();
    bench.start();
    bench
        .until("a poll has ended well", || {
            bench.metric("worker_queue_calls_total{operation=\"receive\"} ") > 0
        })
        .await;
    assert!(bench.process.health.alive().is_ok());
    bench.queue.hang();
    bench.until("liveness fails", || !bench.process.health.alive().is_ok()).await;
    assert!(bench.process.health.alive().reasons[0].starts_with("polls: "));
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_are_counted_and_make_the_worker_unready_until_one_succeeds() {
    let bench = Bench::fifo();
    let mut failures = 6;
    bench.queue.on_receive(move |_| {
        failures -= 1;
        (failures >= 0).then(|| Fault::unavailable("no route to host"))
    });
    bench.put(&expired("rsv_1"));
    bench.start();
    bench.until("not ready", || !bench.process.health.is_ready()).await;
    assert!(bench.process.health.alive().is_ok());
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    bench.until("ready again", || bench.process.health.is_ready()).await;
    assert_eq!(bench.metric("sqs_poll_errors_total "), 6);
}

/// Without the permission to hide, a message is redelivered by the queue's own timeout: nothing is
/// lost, nothing spins.
#[tokio::test(start_paused = true)]
async fn without_the_permission_to_hide_a_message_is_redelivered_by_its_own_timeout() {
    let bench = Bench::fifo();
    bench.peers.fail("rsv_1", 1);
    bench.queue.on_hide(|_| Some(Fault::permanent("AccessDenied: sqs:ChangeMessageVisibility")));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 2);
    assert!(bench.queue.asked().len() < 20);
    assert_invariants(&handle);
}

/// Work for the autoscaler is visible messages and running handlers, not messages that wait for
/// their retry (trap T-O4).
#[tokio::test(start_paused = true)]
async fn work_is_visible_messages_and_running_handlers() {
    let bench = Bench::fifo().with(|o| o.in_flight = worker::InFlight::Fixed(2));
    bench.peers.slow(Duration::from_secs(8));
    for n in 0..40 {
        bench.put(&expired(&rsv(n)));
    }
    bench.start();
    bench.until("two run", || bench.metric("worker_active_goroutines ") == 2).await;
    bench.until("the depth was asked", || bench.metric("worker_work ") > 2).await;
    assert!(bench.metric("worker_work ") <= 42, "forty visible at the start, and two that run");
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    bench.until("no work is left", || bench.metric("worker_work ") == 0).await;
}
