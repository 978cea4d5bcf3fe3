//! Leases, duplicates and attempts: traps T-T5, T-T6, T-T7.

use crate::bench::{Bench, assert_invariants, expired, failed, rsv};
use crate::queue::Asked;
use ports::Clock;
use std::time::Duration;

fn renewals(bench: &Bench) -> Vec<(Duration, usize)> {
    let renewal = |asked| match asked {
        Asked::Hidden { entries } => {
            Some(entries.iter().filter(|(_, delay)| *delay == Duration::from_secs(60)).count())
        }
        _ => None,
    };
    bench
        .queue
        .asked()
        .into_iter()
        .filter_map(|(at, asked)| Some((at, renewal(asked)?)))
        .filter(|(_, n)| *n > 0)
        .collect()
}

/// Trap T-T6: a run that takes longer than its visibility keeps its message.
#[tokio::test(start_paused = true)]
async fn a_long_run_keeps_its_lease_and_runs_once() {
    let mut bench = Bench::fifo();
    bench.config.downstream_timeout = Duration::from_secs(300);
    bench.peers.slow(Duration::from_secs(200));
    for n in 0..20 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 20);
    let renewals = renewals(&bench);
    assert!(renewals.iter().any(|(_, entries)| *entries == 10), "renewals go in batches: {renewals:?}");
    assert!(renewals.len() <= 2 * 8, "no more calls than needed: {renewals:?}");
    assert_invariants(&handle);
}

/// Trap T-T6: a lease under settlement is never renewed, and no run is renewed for ever.
#[tokio::test(start_paused = true)]
async fn a_settling_lease_is_never_renewed() {
    let bench = Bench::fifo();
    bench.queue.on_delete(|_| Some(ports::Fault::transient("internal error")));
    bench.put(&expired("rsv_1"));
    bench.start();
    bench.until("the lease of the first receive ends", || bench.queue.receive_count(0) > 1).await;
    assert!(renewals(&bench).is_empty());
}

/// Trap T-T6: a handler that never ends is cut off at its limit, counted as an attempt, and tried
/// again.
#[tokio::test(start_paused = true)]
async fn a_run_has_a_limit() {
    let mut bench = Bench::fifo();
    bench.config.downstream_timeout = Duration::from_secs(1);
    bench.peers.slow(Duration::from_secs(86_400));
    bench.put(&expired("rsv_1"));
    bench.start();
    bench.until("it is run again", || bench.peers.run_count() >= 2).await;
    assert_eq!(bench.peers.overlaps(), 0);
}

/// Trap T-T6: a waiting message is handed back while there is time, and is not started with a lease
/// that is about to end.
#[tokio::test(start_paused = true)]
async fn a_waiting_message_is_handed_back_before_its_lease_ends() {
    let mut bench = Bench::fifo().with(|o| o.in_flight = worker::InFlight::Fixed(1));
    bench.config.downstream_timeout = Duration::from_secs(300);
    bench.peers.slow(Duration::from_secs(57));
    for n in 0..3 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench.until("one waits", || handle.status().waiting > 0).await;
    let received = bench.clock.elapsed();
    let given_back = |asked: &Asked| matches!(asked, Asked::Hidden { entries } if entries.iter().any(|(_, delay)| delay.is_zero()));
    bench.until("it goes back", || bench.queue.asked().iter().any(|(_, asked)| given_back(asked))).await;
    let waited = bench.clock.elapsed() - received;
    assert!(waited < Duration::from_secs(55), "it waited {waited:?} of a lease of 60 s");
    assert_eq!(bench.peers.run_count(), 1, "it was not started");
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 3);
    assert_eq!(bench.metric("worker_leases_lost_total "), 0);
    assert_invariants(&handle);
}

/// Trap T-T6: a lost lease cancels its run and its lane; the message runs again under its new
/// lease, in order.
#[tokio::test(start_paused = true)]
async fn a_lost_lease_cancels_its_run_and_its_lane() {
    let mut bench = Bench::fifo();
    bench.config.downstream_timeout = Duration::from_secs(300);
    bench.peers.slow(Duration::from_secs(100));
    bench.put(&failed("rsv_1", "pay_1"));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the head runs", || bench.peers.busy() == 1).await;
    bench.queue.steal(Duration::from_secs(60));
    bench.until("the run was cancelled", || bench.metric("worker_leases_lost_total ") == 1).await;
    bench.peers.slow(Duration::from_millis(10));
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let runs: Vec<String> = bench.peers.runs().into_iter().map(|(_, run)| run).collect();
    assert_eq!(runs, ["failed rsv_1", "failed rsv_1", "expired rsv_1"]);
    assert_eq!(bench.metric("worker_events_total{type=\"failed\",outcome=\"dropped\"} "), 1);
    assert_eq!(bench.peers.overlaps(), 0);
    assert_invariants(&handle);
}

/// Trap T-T7: the same message received again while it runs is not run twice, and is deleted under
/// its newest receipt.
#[tokio::test(start_paused = true)]
async fn a_message_received_again_while_it_runs_is_run_once() {
    let bench = Bench::fifo();
    bench.peers.slow(Duration::from_secs(5));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("it runs", || bench.peers.busy() == 1).await;
    bench.queue.end_leases();
    bench.until("it was received again", || bench.queue.receive_count(0) == 2).await;
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 1);
    assert_eq!(bench.metric("worker_acks_lost_total "), 0, "the newest receipt deletes");
    assert_invariants(&handle);
}

/// Trap T-T7: a message that is received again while its hand-back is being sent is a new delivery,
/// not a lost one.
#[tokio::test(start_paused = true)]
async fn a_message_received_again_before_its_hand_back_is_confirmed_is_handled() {
    let bench = Bench::fifo().with(|o| o.retry.base = Duration::from_millis(1));
    bench.queue.slow_answers(Duration::from_millis(50));
    bench.peers.fail("rsv_1", 3);
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 4);
    assert!(bench.clock.elapsed() < Duration::from_secs(30), "no lease had to run out");
    assert_invariants(&handle);
}

/// Trap T-T6, found by simulation: an unanswered renewal would arrive behind the wait of a retry
/// and hide the message for a whole lease instead.
#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_the_renewal_that_is_on_its_way() {
    let mut bench = Bench::fifo().with(|o| o.retry.base = Duration::from_secs(10));
    bench.config.downstream_timeout = Duration::from_secs(300);
    bench.queue.slow_renewals(Duration::from_secs(5));
    bench.peers.slow(Duration::from_secs(31));
    bench.peers.fail("rsv_1", 1);
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("it is run again", || bench.peers.run_count() == 2).await;
    let runs = bench.peers.runs();
    let rested = runs[1].0 - runs[0].0 - Duration::from_secs(31);
    assert!(rested < Duration::from_secs(20), "it rested {rested:?} of a retry after 8 to 12 s");
    assert_invariants(&handle);
}

/// Trap T-T5: followers that are handed back again and again are not buried by their receive count.
#[tokio::test(start_paused = true)]
async fn followers_are_not_dead_lettered_for_receives() {
    let bench = Bench::fifo();
    bench.peers.fail("rsv_1", 5);
    bench.put(&failed("rsv_1", "pay_a"));
    for n in 0..5 {
        bench.put(&failed("rsv_1", &format!("pay_{n}")));
    }
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.letters.len(), 0, "five retries are allowed, and receives are none");
    assert_eq!(bench.peers.run_count(), 5 + 6);
    assert_invariants(&handle);
}

/// Trap T-T5: a lost lease counts as no attempt.
#[tokio::test(start_paused = true)]
async fn a_lost_lease_counts_as_no_attempt() {
    let mut bench = Bench::fifo().with(|o| o.retry.max_retries = 1);
    bench.config.downstream_timeout = Duration::from_secs(300);
    bench.peers.slow(Duration::from_secs(100));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    for n in 1..=5u64 {
        bench.until("it runs", || bench.peers.busy() == 1 && bench.peers.run_count() as u64 == n).await;
        bench.queue.steal(Duration::from_secs(60));
        bench.until("the lease is lost", || bench.metric("worker_leases_lost_total ") == n).await;
    }
    bench.peers.slow(Duration::ZERO);
    bench.peers.fail("rsv_1", 1);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.letters.len(), 0, "its one retry is still there");
    assert_eq!(bench.peers.run_count(), 5 + 2);
    assert_invariants(&handle);
}

/// A panic in a handler is a failed run, not a lost slot.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_handler_is_retried() {
    let bench = Bench::fifo().with(|o| o.in_flight = worker::InFlight::Fixed(1));
    bench.peers.panic(2);
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.run_count(), 3);
    assert_eq!(bench.metric("worker_events_total{type=\"expired\",outcome=\"retried\"} "), 2);
    assert_invariants(&handle);
}
