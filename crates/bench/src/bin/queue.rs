//! Whether a queue costs the same when it is short and when it is long: the rate of receive and
//! delete, ten messages at a time, at `--short` and at `--long` messages queued, and their
//! ratio.
//!
//! The queue is kept at its length: each round also sends ten. Both lengths are measured in
//! short turns, on queues of their own in one folder, and the medians are compared, so that the
//! machine's mood hits both. `cpu_ratio` compares processor time a message, which other
//! programs on the machine disturb less. At the end the folder is opened again,
//! to measure how long the index of the long queue takes to build.

use adapter_embedded::{EmbeddedQueue, Engine, EngineOptions, QueueOptions};
use anyhow::{Context, Result};
use bench::{cpu_of, now, print, say};
use clap::Parser;
use hdrhistogram::Histogram;
use ports::Queue;
use ports::queue::{Outgoing, QueueKind, Receive};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

#[derive(Debug, Parser)]
#[command(about = "Receive and delete on a short and on a long queue, and their ratio")]
struct Options {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Messages in the short queue.
    #[arg(long, default_value_t = 1_000)]
    short: u64,
    /// Messages in the long queue.
    #[arg(long, default_value_t = 1_000_000)]
    long: u64,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Turns on each queue.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    turns: u64,
    /// Callers at a time.
    #[arg(long, default_value_t = 64)]
    tasks: usize,
    /// A standard queue instead of FIFO.
    #[arg(long)]
    standard: bool,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let runs = runtime.block_on(run(&options))?;
    print("bench queue", &runs, options.json);
    Ok(())
}

async fn run(options: &Options) -> Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(runtime::SystemClock::new());
    let open = || Engine::open(folder.path(), EngineOptions::default(), clock.clone());
    let engine = open()?;
    let kind = if options.standard { QueueKind::Standard } else { QueueKind::Fifo };
    let generator = |name| -> Result<Arc<Generator>> {
        let queue = engine.queue(name, QueueOptions::new(kind))?;
        Ok(Arc::new(Generator { queue, sent: AtomicU64::new(0) }))
    };
    let queues = [generator("short")?, generator("long")?];
    say("filling …");
    queues[0].fill(options.short, options.tasks).await?;
    queues[1].fill(options.long, options.tasks).await?;
    let mut turns = [Vec::new(), Vec::new()];
    for turn in 1..=options.turns {
        say(&format!("turn {turn} …"));
        for (queue, turns) in queues.iter().zip(&mut turns) {
            turns.push(measure(queue, options).await?);
        }
    }
    let [short, long] = turns.map(|turns| Turn::median(&turns));
    drop((queues, engine));
    let began = now();
    let queued = open()?.queue("long", QueueOptions::new(kind))?.stats().depth.visible;
    let reopened = now() - began;
    Ok(vec![
        short.figures("short", options.short),
        long.figures("long", options.long),
        json!({
            "name": "long to short",
            "ratio": round2(long.rate / short.rate),
            "cpu_ratio": round2(short.cpu_us / long.cpu_us),
            "reopened_with": queued,
            "reopen_ms": reopened.as_millis() as u64,
        }),
    ])
}

struct Generator {
    queue: Arc<EmbeddedQueue>,
    sent: AtomicU64,
}

impl Generator {
    /// The next ten events, each of a reservation of its own.
    fn entries(&self) -> Vec<Outgoing> {
        let first = self.sent.fetch_add(10, Ordering::Relaxed);
        let fifo = self.queue.kind() == QueueKind::Fifo;
        let entry = |number: u64| Outgoing {
            body: format!(
                "{{\"id\":\"evt_{number:016x}\",\"type\":\"reservation.expired\",\"detail\":\"{number:0>220}\"}}"
            ),
            group: fifo.then(|| format!("rsv_{number:016x}")),
            dedup_id: fifo.then(|| format!("evt_{number:016x}")),
            ..Outgoing::default()
        };
        (first..first + 10).map(entry).collect()
    }

    async fn send(&self) -> Result<()> {
        for result in self.queue.send(self.entries()).await? {
            result?;
        }
        Ok(())
    }

    async fn receive_and_delete(&self) -> Result<u64> {
        let request = Receive { max: 10, wait: Duration::ZERO, visibility: None };
        let messages = self.queue.receive(request).await?;
        if messages.is_empty() {
            return Ok(0);
        }
        let receipts = messages.iter().map(|message| message.receipt.clone()).collect();
        for result in self.queue.delete(receipts).await? {
            result?;
        }
        Ok(messages.len() as u64)
    }

    /// Fills the queue up to its length.
    async fn fill(self: &Arc<Self>, length: u64, tasks: usize) -> Result<()> {
        let left = Arc::new(AtomicU64::new(length / 10));
        let mut running = JoinSet::new();
        for _ in 0..tasks {
            let (this, left) = (self.clone(), left.clone());
            running.spawn(async move {
                let take = |left: u64| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                    this.send().await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = running.join_next().await {
            done.context("a caller panicked")??;
        }
        Ok(())
    }
}

/// One turn on one queue.
#[derive(Clone, Copy)]
struct Turn {
    /// Messages received, deleted and sent again a second.
    rate: f64,
    /// Of a receive and delete of ten.
    p99_ms: f64,
    /// Of the whole process, a message.
    cpu_us: f64,
}

impl Turn {
    fn median(turns: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| {
            let mut values: Vec<f64> = turns.iter().map(field).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self { rate: of(|turn| turn.rate), p99_ms: of(|turn| turn.p99_ms), cpu_us: of(|turn| turn.cpu_us) }
    }

    fn figures(self, name: &str, queued: u64) -> Value {
        json!({
            "name": name,
            "queued": queued,
            "messages_per_second": self.rate.round(),
            "p99_ms": round2(self.p99_ms),
            "cpu_us_per_message": round2(self.cpu_us),
        })
    }
}

async fn measure(queue: &Arc<Generator>, options: &Options) -> Result<Turn> {
    let (from, cpu_from) = (now(), cpu_of(std::process::id())?);
    let end = from + Duration::from_secs(options.seconds);
    let mut running = JoinSet::new();
    for _ in 0..options.tasks {
        let queue = queue.clone();
        running.spawn(async move {
            let (mut count, mut latency) = (0, Histogram::<u64>::new(3)?);
            while now() < end {
                let began = now();
                count += queue.receive_and_delete().await?;
                latency.record((now() - began).as_micros() as u64)?;
                queue.send().await?;
            }
            anyhow::Ok((count, latency))
        });
    }
    let (mut count, mut latency) = (0, Histogram::<u64>::new(3)?);
    while let Some(done) = running.join_next().await {
        let (mine, times) = done.context("a caller panicked")??;
        count += mine;
        latency.add(times)?;
    }
    Ok(Turn {
        rate: count as f64 / (now() - from).as_secs_f64(),
        p99_ms: latency.value_at_quantile(0.99) as f64 / 1e3,
        cpu_us: (cpu_of(std::process::id())? - cpu_from).as_micros() as f64 / count as f64,
    })
}

fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
