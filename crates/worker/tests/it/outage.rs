//! A downstream that does not answer: trap T-T10.

use crate::bench::{Bench, approved, assert_invariants, expired, rsv};
use domain::hold::Rejection;
use domain::reservation::Status;
use ports::PortError;
use std::time::Duration;

/// Trap T-T10: an outage of an hour buries nothing, loses nothing, and the queue is worked off when
/// it ends.
#[tokio::test(start_paused = true)]
async fn an_outage_buries_nothing_and_stops_polling() {
    let bench = Bench::fifo();
    bench.peers.inventory_silent(true);
    for n in 0..200 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench
        .until("the breaker opens", || bench.metric("worker_breaker_open{downstream=\"inventory\"} ") == 1)
        .await;
    assert!(bench.process.health.is_ready(), "a peer is not what this process can repair (rules R8)");
    assert_ne!(bench.process.health.ready().checks["inventory"], "ok");
    let runs_at_opening = bench.peers.run_count();
    bench.pass(Duration::from_secs(3_600)).await;
    assert_eq!(bench.letters.len(), 0);
    assert_eq!(bench.queue.len(), 200);
    let probes = bench.peers.run_count() - runs_at_opening;
    assert!((60..=240).contains(&probes), "{probes} probes in an hour, one each 30 s at the end");
    assert_eq!(handle.status().waiting, 0, "what had not started went back");
    bench.peers.inventory_silent(false);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.process.health.ready().checks["inventory"], "ok");
    assert_eq!(bench.letters.len(), 0);
    assert_eq!(bench.peers.ended_count(), 200);
    assert_invariants(&handle);
}

/// Cases P1 and P2, rules R8: something that is not the peer answers. Nothing is buried, no money
/// moves, and no seat.
#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_reached_for_an_hour_buries_nothing() {
    let bench = Bench::fifo();
    bench.peers.everything_elsewhere(true);
    for n in 0..100 {
        bench.put(&expired(&rsv(n)));
        bench.put(&approved(&rsv(n + 100), &format!("pay_{n}")));
    }
    let handle = bench.start();
    bench.pass(Duration::from_secs(3_600)).await;
    assert_eq!((bench.letters.len(), bench.queue.len()), (0, 200));
    assert!(!bench.peers.calls().iter().any(|call| call.starts_with("cancel") || call.starts_with("end")));
    bench.peers.everything_elsewhere(false);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!((bench.letters.len(), bench.peers.ended_count()), (0, 200));
    assert_invariants(&handle);
}

/// Case N16, rules R8: a message that always breaks its peer is buried after its own 20 runs, once
/// the peer has answered its health check and another message.
#[tokio::test(start_paused = true)]
async fn one_poison_event_on_an_idle_queue_is_buried_after_its_own_attempts() {
    let bench = Bench::fifo();
    bench.peers.poison("rsv_poison");
    bench.put(&expired("rsv_poison"));
    let handle = bench.start();
    bench.pass(Duration::from_secs(1_200)).await;
    assert!(bench.peers.run_count() >= 20);
    assert_eq!(bench.letters.len(), 0, "nobody else says that the peer answers");
    bench.put(&expired("rsv_1"));
    bench.pass(Duration::from_secs(1_200)).await;
    assert_eq!(bench.peers.ended("rsv_1"), Some(Status::Expired));
    assert_eq!(bench.letters.len(), 1, "the poison is buried");
    let letter = bench.letters.bodies().remove(0);
    assert!(letter.attributes.iter().any(|(_, value)| value == "peer_failed"), "{letter:?}");
    assert_eq!(bench.queue.len(), 0);
    assert_invariants(&handle);
}

/// Rules R8: among much other traffic no health check is needed, and 20 runs are enough.
#[tokio::test(start_paused = true)]
async fn one_poison_event_among_many_is_buried_after_twenty_runs() {
    let bench = Bench::fifo();
    bench.peers.poison("rsv_poison");
    bench.put(&expired("rsv_poison"));
    let handle = bench.start();
    for n in 0..400 {
        bench.put(&expired(&rsv(n)));
        bench.pass(Duration::from_secs(1)).await;
    }
    bench.until("the poison is buried", || bench.letters.len() == 1).await;
    let runs = bench.peers.runs().iter().filter(|(_, run)| run.ends_with("rsv_poison")).count();
    assert_eq!(runs, 20);
    assert_invariants(&handle);
}

/// Rules R8: alone, it stays queued for a day.
#[tokio::test(start_paused = true)]
async fn a_poison_event_that_stays_alone_is_buried_after_a_day() {
    let bench = Bench::fifo();
    bench.peers.poison("rsv_poison");
    bench.put(&expired("rsv_poison"));
    bench.start();
    bench.pass(Duration::from_secs(23 * 3_600)).await;
    assert_eq!(bench.letters.len(), 0);
    bench.pass(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(bench.letters.len(), 1);
}

/// Trap T-T10: one message probes at a time.
#[tokio::test(start_paused = true)]
async fn while_the_breaker_is_open_one_message_runs_at_a_time() {
    let bench = Bench::standard();
    bench.peers.inventory_silent(true);
    bench.peers.slow(Duration::from_millis(500));
    for n in 0..100 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench
        .until("the breaker opens", || bench.metric("worker_breaker_open{downstream=\"inventory\"} ") == 1)
        .await;
    bench.until("the runs of before have ended", || bench.peers.busy() == 0).await;
    let before = bench.peers.run_count();
    for _ in 0..600 {
        assert!(bench.peers.busy() <= 1);
        bench.pass(Duration::from_millis(100)).await;
    }
    assert!(bench.peers.run_count() > before);
    assert_invariants(&handle);
}

/// Failures that a downstream answers with are attempts; they bury, and open no breaker.
#[tokio::test(start_paused = true)]
async fn a_message_that_keeps_failing_is_buried_after_its_own_attempts() {
    let bench = Bench::fifo();
    bench.peers.fail("rsv_1", 1_000);
    bench.put(&expired("rsv_1"));
    bench.put(&approved("rsv_1", "pay_1"));
    for n in 10..20 {
        bench.put(&expired(&rsv(n)));
    }
    let handle = bench.start();
    bench.until("both are buried", || bench.letters.len() == 2).await;
    assert_eq!(bench.metric("worker_breaker_open{downstream=\"inventory\"} "), 0);
    assert_eq!(bench.peers.run_count(), 10 + 6 + 6, "each had its own first run and five retries");
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let letters = bench.letters.bodies();
    let attempts =
        letters.iter().map(|l| l.attributes.iter().find(|(n, _)| n == "attempts").map(|(_, v)| v.as_str()));
    assert!(attempts.eq([Some("6"), Some("6")]));
    assert_invariants(&handle);
    assert_eq!(handle.observations()[&domain::invariant::Name::Q6].checks, 2);
}

/// An outage of the payment provider holds back only the messages that need it.
#[tokio::test(start_paused = true)]
async fn an_outage_of_payments_holds_back_only_the_messages_that_need_them() {
    let bench = Bench::fifo();
    bench.peers.payments_silent(true);
    bench.peers.script(|s| {
        for _ in 0..10_000 {
            s.commit.push_back(Err(PortError::Rejected(Rejection::Expired)));
        }
    });
    for n in 0..5 {
        bench.put(&approved(&rsv(n), &format!("pay_{n}")));
    }
    let handle = bench.start();
    bench
        .until("the breaker opens", || bench.metric("worker_breaker_open{downstream=\"payments\"} ") == 1)
        .await;
    for n in 100..150 {
        bench.put(&expired(&rsv(n)));
    }
    bench.until("the others are done", || bench.peers.ended_count() == 50).await;
    bench.pass(Duration::from_secs(1_800)).await;
    assert_eq!(bench.letters.len(), 0);
    assert_eq!(bench.queue.len(), 5);
    let receives: u32 = (0..5).map(|n| bench.queue.receive_count(n)).sum();
    assert!(receives < 5 * 400, "{receives} receives in half an hour is a hot loop");
    bench.peers.payments_silent(false);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    for n in 0..5 {
        assert_eq!(bench.peers.refunds(&format!("pay_{n}")), 1);
    }
    assert_invariants(&handle);
}
