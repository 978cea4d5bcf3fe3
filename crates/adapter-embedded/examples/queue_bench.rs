//! Whether a queue costs the same when it is short and when it is long: the rate of receive + delete, ten messages at a
//! time, at `short` and at `long` messages queued, and their ratio. Prints one line of JSON.
//!
//! The queue is kept at its length: each round also sends ten. Both lengths are measured in short turns, on queues of their
//! own in one folder, and the medians are compared, so that the machine's mood hits both. `cpu_ratio` compares processor
//! time a message, which other programs on the machine disturb less.
//! `cargo run --release -p adapter-embedded --example queue_bench -- [short=1000] [long=1000000] [seconds=2] [turns=5] [tasks=64] [fifo=1]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first surprise")]

#[path = "shared/machine.rs"]
mod machine;

use adapter_embedded::{EmbeddedQueue, Engine, EngineOptions, QueueOptions};
use core::time::Duration;
use machine::{WallClock, argument, processor_time, quantile};
use ports::queue::{Outgoing, QueueKind, Receive};
use ports::{Clock, Queue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Bench {
    queue: Arc<EmbeddedQueue>,
    clock: Arc<WallClock>,
    sent: AtomicU64,
}

impl Bench {
    fn entries(&self) -> Vec<Outgoing> {
        let first = self.sent.fetch_add(10, Ordering::Relaxed);
        let fifo = self.queue.kind() == QueueKind::Fifo;
        let entry = |number: u64| Outgoing {
            body: format!(
                "{{\"id\":\"evt_{number:016x}\",\"type\":\"reservation.expired\",\"detail\":\"{:0>220}\"}}",
                number
            ),
            group: fifo.then(|| format!("rsv_{number:016x}")),
            dedup_id: fifo.then(|| format!("evt_{number:016x}")),
            ..Outgoing::default()
        };
        (first..first + 10).map(entry).collect()
    }

    async fn send(&self) {
        for result in self.queue.send(self.entries()).await.unwrap() {
            result.unwrap();
        }
    }

    async fn receive_and_delete(&self) -> u64 {
        let request = Receive { max: 10, wait: Duration::ZERO, visibility: None };
        let messages = self.queue.receive(request).await.unwrap();
        if messages.is_empty() {
            return 0;
        }
        let receipts = messages.iter().map(|message| message.receipt.clone()).collect();
        for result in self.queue.delete(receipts).await.unwrap() {
            result.unwrap();
        }
        messages.len() as u64
    }
}

/// Fills the queue up to its length.
async fn fill(bench: &Arc<Bench>, length: u64, tasks: u64) {
    let mut running = tokio::task::JoinSet::new();
    let left = Arc::new(AtomicU64::new(length / 10));
    for _ in 0..tasks {
        let (bench, left) = (bench.clone(), left.clone());
        running.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                bench.send().await;
            }
        });
    }
    running.join_all().await;
}

struct Run {
    /// Messages received, deleted and sent again a second.
    rate: f64,
    /// Of a receive and delete of ten.
    p99_ms: f64,
    cpu_us: f64,
}

async fn measure(bench: &Arc<Bench>, seconds: u64, tasks: u64) -> Run {
    let (from, processor_from) = (bench.clock.elapsed(), processor_time());
    let end = from + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let bench = bench.clone();
        running.spawn(async move {
            let (mut count, mut waits) = (0, Vec::new());
            while bench.clock.elapsed() < end {
                let began = bench.clock.elapsed();
                count += bench.receive_and_delete().await;
                waits.push((bench.clock.elapsed() - began).as_micros() as u64);
                bench.send().await;
            }
            (count, waits)
        });
    }
    let (mut count, mut waits) = (0, Vec::new());
    for (mine, times) in running.join_all().await {
        count += mine;
        waits.extend(times);
    }
    let took = (bench.clock.elapsed() - from).as_secs_f64();
    waits.sort_unstable();
    Run {
        rate: count as f64 / took,
        p99_ms: quantile(&waits, 0.99) as f64 / 1e3,
        cpu_us: (processor_time() - processor_from).as_micros() as f64 / count as f64,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[tokio::main]
async fn main() {
    let (short, long) = (argument("short", 1_000), argument("long", 1_000_000));
    let (seconds, tasks) = (argument("seconds", 2), argument("tasks", 64));
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(WallClock::start());
    let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
    let kind = if argument("fifo", 1) == 1 { QueueKind::Fifo } else { QueueKind::Standard };
    let bench = |name| {
        let queue = engine.queue(name, QueueOptions::new(kind)).unwrap();
        Arc::new(Bench { queue, clock: clock.clone(), sent: AtomicU64::new(0) })
    };
    let (brief, full) = (bench("short"), bench("long"));
    let began = clock.elapsed();
    fill(&full, long, tasks).await;
    let fill_seconds = (clock.elapsed() - began).as_secs_f64();
    fill(&brief, short, tasks).await;
    let mut runs = Vec::new();
    let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for turn in 0..argument("turns", 5) {
        for (place, bench) in [&brief, &full].into_iter().enumerate() {
            let run = measure(bench, seconds, tasks).await;
            rates[place].push(run.rate);
            costs[place].push(run.cpu_us);
            runs.push(serde_json::json!({
                "name": (["short", "long"][place]), "turn": turn, "queued": bench.queue.stats().depth.visible,
                "messages_per_second": run.rate as u64, "p99_ms": run.p99_ms, "cpu_us_per_message": run.cpu_us,
            }));
        }
    }
    let (rates, costs) = (rates.map(median), costs.map(median));
    println!(
        "{}",
        serde_json::json!({
            "command": "queue_bench", "kind": format!("{kind:?}"), "short": short, "long": long, "runs": runs,
            "send_per_second_while_filling": (long as f64 / fill_seconds) as u64,
            "short_per_second": rates[0] as u64, "long_per_second": rates[1] as u64, "ratio": rates[1] / rates[0],
            "cpu_ratio": costs[0] / costs[1],
        })
    );
    drop((brief, full, engine));
    let began = clock.elapsed();
    let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
    let opened = clock.elapsed();
    let queue = engine.queue("long", QueueOptions::new(kind)).unwrap();
    println!(
        "{}",
        serde_json::json!({
            "open_ms": (opened - began).as_millis() as u64, "index_ms": (clock.elapsed() - opened).as_millis() as u64,
            "queued": queue.stats().depth.visible,
        })
    );
}
