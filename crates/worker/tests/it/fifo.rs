//! Order: lanes of a FIFO queue under success, failure and burial, and lanes of a standard queue.

use crate::bench::{Bench, approved, assert_invariants, expired, failed, raw, rsv};
use crate::queue::Asked;
use domain::reservation::Status;
use ports::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

fn hidden(bench: &Bench) -> Vec<(String, Duration)> {
    let asked = bench.queue.asked().into_iter();
    asked
        .filter_map(|(_, asked)| if let Asked::Hidden { entries } = asked { Some(entries) } else { None })
        .flatten()
        .collect()
}

fn runs_of(bench: &Bench, reservation: &str) -> Vec<String> {
    let ends = format!(" {reservation}");
    bench.peers.runs().into_iter().map(|(_, run)| run).filter(|run| run.ends_with(&ends)).collect()
}

/// Trap T-T1: the delete follows the effect; nothing is lost and nothing is left over.
#[tokio::test(start_paused = true)]
async fn every_event_has_its_effect_and_is_deleted_after_it() {
    let bench = Bench::fifo();
    bench.peers.slow(Duration::from_millis(20));
    let handle = bench.start();
    for n in 0..300 {
        bench.put(&expired(&rsv(n)));
    }
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.ended_count(), 300);
    assert_eq!(bench.letters.len(), 0);
    assert!(bench.peers.busy_max() <= 20);
    bench.shut_down().await;
    assert_invariants(&handle);
    assert_eq!(bench.metric("worker_events_total{type=\"expired\",outcome=\"success\"} "), 300);
    assert_eq!(bench.metric("worker_acks_lost_total "), 0);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_reservation_run_in_order_and_one_at_a_time() {
    let bench = Bench::fifo();
    bench.peers.slow(Duration::from_millis(20));
    for n in 0..20 {
        bench.put(&failed(&rsv(n), &format!("pay_a{n}")));
        bench.put(&approved(&rsv(n), &format!("pay_b{n}")));
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    for n in 0..20 {
        let id = rsv(n);
        assert_eq!(
            runs_of(&bench, &id),
            [format!("failed {id}"), format!("approved {id}"), format!("expired {id}")]
        );
        assert_eq!(bench.peers.ended(&id), Some(Status::Confirmed));
    }
    assert_eq!(bench.peers.overlaps(), 0);
    assert_invariants(&handle);
}

/// Trap T-T3: the head's wait is confirmed before its followers become visible, and they never run
/// before it.
#[tokio::test(start_paused = true)]
async fn a_failed_head_keeps_its_followers_behind_it() {
    let bench = Bench::fifo();
    bench.peers.fail("rsv_1", 2);
    bench.put(&failed("rsv_1", "pay_a"));
    bench.put(&approved("rsv_1", "pay_b"));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let (f, a, e) = ("failed rsv_1", "approved rsv_1", "expired rsv_1");
    assert_eq!(runs_of(&bench, "rsv_1"), [f, f, f, a, e]);
    let hidden = hidden(&bench);
    let first: Vec<&str> = hidden.iter().take(3).map(|(id, _)| id.as_str()).collect();
    assert_eq!(first, ["msg-0", "msg-1", "msg-2"], "the head first, then the followers");
    assert!(hidden[0].1 >= Duration::from_millis(800));
    assert_eq!((hidden[1].1, hidden[2].1), (Duration::ZERO, Duration::ZERO));
    assert_invariants(&handle);
    assert!(handle.observations()[&domain::invariant::Name::Q3].checks >= 5);
}

/// Trap T-T3: the followers wait for the confirmation of the head's settlement, however long it
/// takes.
#[tokio::test(start_paused = true)]
async fn followers_go_back_only_after_the_head_is_settled() {
    let bench = Bench::fifo();
    bench.peers.fail("rsv_1", 1);
    let mut refusals = 3;
    bench.queue.on_hide(move |id| {
        let refused = id == "msg-0" && refusals > 0;
        refusals -= i32::from(refused);
        refused.then(|| ports::Fault::transient("internal error"))
    });
    bench.put(&failed("rsv_1", "pay_a"));
    bench.put(&expired("rsv_1"));
    bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let ids: Vec<String> = hidden(&bench).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["msg-0", "msg-0", "msg-0", "msg-0", "msg-1"]);
    assert_eq!(runs_of(&bench, "rsv_1"), ["failed rsv_1", "failed rsv_1", "expired rsv_1"]);
}

/// Trap T-T3, found by simulation: the head's lease is lost, and both are received again before the
/// follower's hand-back is confirmed. The head finds its lane closed, so the follower must find it
/// closed too.
#[tokio::test(start_paused = true)]
async fn a_redelivered_follower_does_not_overtake_a_refused_head() {
    let bench = Bench::fifo();
    bench.peers.slow(Duration::from_secs(5));
    bench.peers.fail("rsv_1", 1);
    bench.put(&failed("rsv_1", "pay_a"));
    bench.put(&expired("rsv_1"));
    let handle = bench.start();
    bench.until("the head runs and its follower waits", || handle.status().waiting == 1).await;
    // Until the run ends nothing is received, or the head's newer lease would be recognised.
    let closed = Arc::new(AtomicBool::new(true));
    let gate = closed.clone();
    bench.queue.on_receive(move |_| gate.load(Relaxed).then(|| ports::Fault::unavailable("no route")));
    bench.queue.end_lease(0);
    bench.queue.slow_answers(Duration::from_secs(4));
    bench.until("the head's wait was refused", || !hidden(&bench).is_empty()).await;
    closed.store(false, Relaxed);
    bench.until("both came again", || bench.queue.receive_count(1) == 2).await;
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(runs_of(&bench, "rsv_1"), ["failed rsv_1", "failed rsv_1", "expired rsv_1"]);
    assert_invariants(&handle);
}

/// Trap T-T4: an undecodable head is copied, then deleted, and only then do its followers run.
#[tokio::test(start_paused = true)]
async fn an_undecodable_head_is_buried_before_its_followers_run() {
    let bench = Bench::fifo();
    bench.queue.put(raw("{ not json", "rsv_1", "broken"));
    bench.put(&expired("rsv_1"));
    let mut refusals = 3;
    bench.letters.on_send(move |_| {
        refusals -= 1;
        (refusals >= 0).then(|| ports::Fault::unavailable("no route"))
    });
    let handle = bench.start();
    bench
        .until("the first copy was tried", || {
            bench.metric("worker_queue_calls_total{operation=\"send_dead_letter\"} ") > 0
        })
        .await;
    assert_eq!(bench.peers.run_count(), 0);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let letters = bench.letters.bodies();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].body, "{ not json");
    assert_eq!(bench.peers.ended("rsv_1"), Some(Status::Expired));
    assert_invariants(&handle);
}

/// Trap T-T9: an outage does not fill the pool with sleepers: other events start at once.
#[tokio::test(start_paused = true)]
async fn a_retry_waits_in_the_queue_and_not_in_a_slot() {
    let bench = Bench::fifo().with(|o| o.in_flight = worker::InFlight::Fixed(1));
    bench.peers.fail("rsv_1", 3);
    bench.put(&expired("rsv_1"));
    for n in 10..30 {
        bench.put(&expired(&rsv(n)));
    }
    bench.start();
    bench.until("the others are done", || bench.peers.ended_count() == 20).await;
    assert!(bench.clock.elapsed() < Duration::from_secs(1), "they waited for the retry");
    bench.until("the retried one too", || bench.peers.ended("rsv_1").is_some()).await;
    assert_eq!(runs_of(&bench, "rsv_1").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn on_a_standard_queue_no_two_events_of_a_reservation_race() {
    let bench = Bench::standard();
    bench.peers.slow(Duration::from_millis(50));
    for n in 0..40 {
        bench.put(&approved(&rsv(n % 4), &format!("pay_{n}")));
        bench.put(&expired(&rsv(n % 4)));
    }
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.peers.overlaps(), 0);
    assert_eq!(bench.peers.run_count(), 80);
    assert_invariants(&handle);
}

/// The lane of a hot reservation is bounded; messages beyond it are handed back and redelivered, in
/// order.
#[tokio::test(start_paused = true)]
async fn a_lane_that_is_full_hands_back_in_order() {
    let bench = Bench::fifo().with(|o| o.lane_depth_max = 2);
    bench.peers.slow(Duration::from_millis(10));
    for n in 0..30 {
        bench.put(&approved("rsv_hot", &format!("pay_{n:02}")));
    }
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let order: Vec<String> = bench
        .peers
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("end "))
        .map(|call| call[call.len() - 3..].to_owned())
        .collect();
    let expected: Vec<String> = (0..30).map(|n| format!("{n:02})")).collect();
    assert_eq!(order, expected);
    assert_invariants(&handle);
}

/// `MAX_WRITE_RPS` bounds the starts of any second.
#[tokio::test(start_paused = true)]
async fn no_second_starts_more_than_the_write_rate() {
    let bench = Bench::standard().with(|o| o.write_rps = Some(30));
    for n in 0..200 {
        bench.put(&expired(&rsv(n)));
    }
    bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let starts: Vec<Duration> = bench.peers.runs().into_iter().map(|(at, _)| at).collect();
    for (n, from) in starts.iter().enumerate() {
        let in_second = starts[n..].iter().take_while(|at| **at - *from < Duration::from_secs(1)).count();
        assert!(in_second <= 31, "{in_second} starts within a second");
    }
    let took = starts[199] - starts[0];
    assert!(took <= Duration::from_millis(6_900), "the rate was not used: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn auto_finds_a_concurrency_that_empties_the_queue_faster() {
    let took = |in_flight| async move {
        let bench = Bench::standard().with(|o| o.in_flight = in_flight);
        bench.peers.slow(Duration::from_millis(100));
        for n in 0..5_000 {
            bench.put(&expired(&rsv(n)));
        }
        let handle = bench.start();
        bench.until("the queue is empty", || bench.queue.len() == 0).await;
        assert_invariants(&handle);
        bench.clock.elapsed()
    };
    let fixed = took(worker::InFlight::Fixed(20)).await;
    let auto = took(worker::InFlight::Auto).await;
    assert!(auto * 4 < fixed, "{auto:?} with auto, {fixed:?} with 20");
}
