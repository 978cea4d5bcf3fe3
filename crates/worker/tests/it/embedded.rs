//! The same worker on the embedded engine, in real time: it works off a queue on disk, across a
//! crash.

use crate::bench::{approved, assert_invariants, expired, outgoing, raw, rsv};
use crate::peers::ScriptedPeers;
use adapter_embedded::{Engine, EngineOptions, QueueOptions};
use ports::{Clock, Queue, Tasks};
use runtime::{Process, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use testkit::SeededEntropy;
use tokio_util::sync::CancellationToken;
use worker::dead_letter::DeadLetter;
use worker::{Config, Deps, Handle, InFlight, assemble};

struct Instance {
    handle: Handle,
    tasks: Tasks,
    shutdown: CancellationToken,
}

fn start(
    queue: Arc<dyn Queue>,
    letters: Arc<dyn Queue>,
    peers: &Arc<ScriptedPeers>,
    clock: Arc<dyn Clock>,
) -> Instance {
    let mut config = Config::default();
    config.pipeline.in_flight = InFlight::Auto;
    config.pipeline.visibility = Duration::from_secs(2);
    config.pipeline.wait = Duration::from_millis(200);
    config.pipeline.retry.base = Duration::from_millis(20);
    let tasks = Tasks::new();
    let deps = Deps {
        queue,
        dead_letter_queue: Some(letters),
        dead_letters: None,
        peers: peers.as_ports(),
        clock,
        entropy: Arc::new(SeededEntropy::default()),
        tasks: tasks.clone(),
        process: Process::new("reservation-worker"),
    };
    let worker = assemble(config, deps);
    let (handle, shutdown) = (worker.handle(), CancellationToken::new());
    let stop = shutdown.clone();
    tasks.spawn(async move { worker.consume(stop).await });
    Instance { handle, tasks, shutdown }
}

async fn until(clock: &dyn Clock, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = clock.elapsed() + Duration::from_secs(60);
    while !condition() {
        assert!(clock.elapsed() < deadline, "never came true: {what}");
        clock.sleep(Duration::from_millis(5)).await;
    }
}

/// Trap T-T1 on the real engine: a crash in the middle, and every event ends once the next process
/// has run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_queue_is_worked_off_across_a_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(SystemClock::new());
    let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).expect("a new folder");
    let queue = engine.queue("events", QueueOptions::fifo()).expect("a new queue");
    let letters = engine.queue("events-dlq", QueueOptions::fifo()).expect("a new queue");
    let peers = ScriptedPeers::new(clock.clone());
    peers.slow(Duration::from_millis(2));
    for n in 0..40 {
        peers.fail(&rsv(n * 10), 2);
    }
    for n in 0..400 {
        let approved = approved(&rsv(n), &format!("pay_{n}"));
        peers.pay(&approved);
        let entries = vec![outgoing(&approved), outgoing(&expired(&rsv(n)))];
        queue.send(entries).await.expect("it is taken");
    }
    queue.send(vec![raw("not json", "rsv_bad", "bad")]).await.expect("it is taken");

    let first = start(queue.clone(), letters.clone(), &peers, clock.clone());
    until(&*clock, "some are done", || peers.ended_count() >= 100).await;
    first.tasks.abort_all();
    until(&*clock, "its runs are dropped", || peers.busy() == 0).await;
    assert_invariants(&first.handle);

    let second = start(queue.clone(), letters.clone(), &peers, clock.clone());
    until(&*clock, "the queue is empty", || {
        let depth = queue.stats().depth;
        depth.visible + depth.in_flight + depth.delayed == 0
    })
    .await;
    assert_eq!(peers.ended_count(), 400);
    assert_eq!(peers.overlaps(), 0);
    let buried = letters.peek(None, 10).expect("it answers");
    assert_eq!(buried.len(), 1);
    second.shutdown.cancel();
    second.tasks.finished().await;
    assert_invariants(&second.handle);
    let checks = second.handle.observations();
    assert!(checks.values().filter(|seen| seen.checks > 0).count() >= 4, "{checks:?}");

    let letter =
        letters.receive(ports::queue::Receive { max: 1, wait: Duration::ZERO, visibility: None }).await;
    let letter = DeadLetter::read(&letter.expect("it answers")[0]);
    assert_eq!((letter.reason.as_str(), letter.attempts, letter.r#type), ("undecodable", 0, "unknown"));
    assert_eq!(letter.reservation_id, "rsv_bad");
}
