//! The shutdown: trap T-T2, and the shutdown half of traps T-T1, T-T5 and T-T6.

use crate::bench::{Bench, assert_invariants, expired, rsv};
use crate::queue::Asked;
use ports::Clock;
use std::time::Duration;

/// Trap T-T2: the shutdown waits for the poll in the air, and hands its messages back at once.
#[tokio::test(start_paused = true)]
async fn the_shutdown_waits_for_a_poll_in_the_air_and_hands_its_messages_back() {
    let bench = Bench::fifo();
    let handle = bench.start();
    bench.until("a long poll is in the air", || bench.queue.receives_running() == 1).await;
    bench.begin_shutdown();
    bench.until("it drains", || handle.status().draining).await;
    assert!(!bench.process.health.is_ready());
    bench.put(&expired("rsv_1"));
    bench.until("the worker ends", || bench.has_ended()).await;
    assert_eq!(bench.queue.receives_dropped(), 0);
    assert_eq!(bench.peers.run_count(), 0, "nothing starts any more");
    assert_eq!(bench.queue.visible(), 1, "handed back, not left under its lease");
    assert_eq!(bench.queue.receive_count(0), 1);
    assert_invariants(&handle);
}

/// Runs finish and are acknowledged; unstarted messages are handed back without an attempt.
#[tokio::test(start_paused = true)]
async fn runs_finish_and_the_rest_is_handed_back() {
    let bench = Bench::fifo().with(|o| o.in_flight = worker::InFlight::Fixed(3));
    bench.peers.slow(Duration::from_secs(5));
    for n in 0..30 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench.until("three run and others wait", || bench.peers.busy() == 3 && handle.status().waiting > 0).await;
    bench.shut_down().await;
    assert_eq!(bench.peers.run_count(), 3);
    assert_eq!(bench.peers.ended_count(), 3);
    assert_eq!(bench.queue.len(), 27);
    assert_eq!(bench.queue.visible(), 27, "nothing stays under a lease");
    assert_eq!(bench.queue.receives_dropped(), 0);
    assert_invariants(&handle);

    let next = bench.next();
    next.peers.slow(Duration::ZERO);
    let handle = next.start();
    next.until("another worker does the rest", || next.queue.len() == 0).await;
    assert_eq!(next.peers.ended_count(), 30);
    assert_invariants(&handle);
}

/// A run that does not finish in time is cancelled; its message is handed back and no attempt
/// counts.
#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_end_in_time_is_cut_off_and_its_message_handed_back() {
    let mut bench = Bench::fifo().with(|o| o.wait = Duration::from_secs(1));
    bench.config.downstream_timeout = Duration::from_secs(3_600);
    bench.peers.slow(Duration::from_secs(3_600));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("it runs", || bench.peers.busy() == 1).await;
    let begun = bench.clock.elapsed();
    bench.shut_down().await;
    assert!(bench.clock.elapsed() - begun <= Duration::from_secs(30));
    assert_eq!(bench.queue.visible(), 1);
    assert_eq!(bench.peers.busy(), 0);
    assert_invariants(&handle);
}

/// Trap T-T6: leases are renewed while runs end during the shutdown.
#[tokio::test(start_paused = true)]
async fn leases_are_renewed_during_the_shutdown() {
    let mut bench = Bench::fifo().with(|o| {
        o.visibility = Duration::from_secs(10);
        o.wait = Duration::from_secs(1);
    });
    bench.config.downstream_timeout = Duration::from_secs(60);
    bench.peers.slow(Duration::from_secs(22));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("it runs", || bench.peers.busy() == 1).await;
    bench.shut_down().await;
    assert_eq!(bench.queue.len(), 0, "it ended and was acknowledged");
    assert_eq!(bench.peers.run_count(), 1);
    let renewed = bench.queue.asked().iter().filter(|(_, a)| matches!(a, Asked::Hidden { .. })).count();
    assert!(renewed >= 3);
    assert_invariants(&handle);
}

/// The whole sequence keeps its limit, even if a poll never ends.
#[tokio::test(start_paused = true)]
async fn a_poll_that_never_ends_does_not_hold_the_process() {
    let bench = Bench::fifo();
    bench.queue.hang();
    bench.start();
    bench.until("a poll is in the air", || bench.queue.receives_running() == 1).await;
    let begun = bench.clock.elapsed();
    bench.shut_down().await;
    assert!(bench.clock.elapsed() - begun <= Duration::from_secs(31));
}

/// Trap T-T1: a crash at any moment loses nothing: the next process finishes the begun work.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_loses_nothing() {
    for crash_after in (0..400).step_by(7) {
        let bench = Bench::fifo();
        bench.peers.slow(Duration::from_millis(20));
        for n in 0..60 {
            bench.put(&expired(&rsv(n)));
        }
        bench.start();
        bench.pass(Duration::from_millis(crash_after)).await;
        bench.tasks.abort_all();
        let next = bench.next();
        let handle = next.start();
        next.until("the queue is empty", || next.queue.len() == 0).await;
        assert_eq!(next.peers.ended_count(), 60, "crashed after {crash_after} ms");
        assert_eq!(next.letters.len(), 0);
        assert_invariants(&handle);
    }
}
