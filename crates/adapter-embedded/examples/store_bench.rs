//! How many durable commits a second the store does: two seats and a hold with its due time in each commit, random seats
//! of one show, many tasks at once. Prints one line of JSON.
//!
//! `cargo run --release -p adapter-embedded --example store_bench -- [seconds=10] [tasks=256] [seats=200000] [read=1]`
//! `read=1` reads the seats before each commit; `read=0` remembers their versions, which is what the writer alone can do.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first surprise")]

#[path = "shared/machine.rs"]
mod machine;

use adapter_embedded::{EmbeddedStore, Engine, EngineOptions};
use core::time::Duration;
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;
use machine::{WallClock, argument, processor_time, quantile};
use ports::store::{Attributes, CommitError, Expect, IndexEntry, Key, Write};
use ports::{Clock, Store};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const BLOCK: u64 = 64;

struct Bench {
    store: Arc<EmbeddedStore>,
    clock: Arc<WallClock>,
    seats: u64,
    reads: bool,
    versions: Vec<AtomicU64>,
    holds: AtomicU64,
    conflicts: AtomicU64,
}

fn seat(number: u64) -> Key {
    Key::new(format!("show-1#floor#{}", number / BLOCK), format!("floor-{}-{}", number / 40, number % 40))
}

fn attributes(status: &str, hold: u64, until: Timestamp) -> Attributes {
    Attributes::new()
        .with("seat_id", "floor-12-7")
        .with("status", status)
        .with("hold_id", format!("rsv_{hold:016x}"))
        .with("hold_expires_at", until)
        .with("price", 120_000u64)
}

impl Bench {
    async fn fill(&self) {
        for start in (0..self.seats).step_by(100) {
            let writes = (start..(start + 100).min(self.seats)).map(|number| Write::Put {
                key: seat(number),
                expect: Expect::Absent,
                attributes: attributes("AVAILABLE", 0, Timestamp::EPOCH),
                indexes: Vec::new(),
            });
            self.store.commit(writes.collect()).await.unwrap();
        }
    }

    async fn hold(&self, dice: &mut SplitMix64) {
        let numbers = [dice.below(self.seats), dice.below(self.seats)];
        if numbers[0] == numbers[1] {
            return;
        }
        let versions = if self.reads {
            let rows = self.store.get(&numbers.map(seat)).await.unwrap();
            [0, 1].map(|n| rows[n].as_ref().unwrap().version)
        } else {
            numbers.map(|n| self.versions[n as usize].load(Ordering::Relaxed))
        };
        let hold = self.holds.fetch_add(1, Ordering::Relaxed);
        let until = self.clock.now().plus(Duration::from_secs(60));
        let mut writes: Vec<Write> = (0..2)
            .map(|n| Write::Put {
                key: seat(numbers[n]),
                expect: Expect::Version(versions[n]),
                attributes: attributes("HELD", hold, until),
                indexes: Vec::new(),
            })
            .collect();
        writes.push(Write::Put {
            key: Key::new(format!("hold#rsv_{hold:016x}"), "hold"),
            expect: Expect::Absent,
            attributes: attributes("LIVE", hold, until)
                .with("person", "person-123456")
                .with("show", "show-1"),
            indexes: vec![IndexEntry { index: "due", shard: (hold % 16).to_string().into(), at: until }],
        });
        match self.store.commit(writes).await {
            Ok(()) => {
                for n in 0..2 {
                    self.versions[numbers[n] as usize].fetch_max(versions[n] + 1, Ordering::Relaxed);
                }
            }
            Err(CommitError::Conflict { .. }) => {
                self.conflicts.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::main]
#[allow(clippy::disallowed_methods, reason = "a benchmark runs its own tasks")]
async fn main() {
    let (seconds, tasks) = (argument("seconds", 10), argument("tasks", 256));
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(WallClock::start());
    let options = EngineOptions {
        background_threads: argument("background", EngineOptions::default().background_threads as u64)
            as usize,
        ..EngineOptions::default()
    };
    let engine = Engine::open(folder.path(), options, clock.clone()).unwrap();
    let seats = argument("seats", 200_000);
    let bench = Arc::new(Bench {
        store: engine.store("inventory").unwrap(),
        clock: clock.clone(),
        seats,
        reads: argument("read", 1) == 1,
        versions: (0..seats).map(|_| AtomicU64::new(1)).collect(),
        holds: AtomicU64::new(0),
        conflicts: AtomicU64::new(0),
    });
    bench.fill().await;

    let waits = Arc::new(Mutex::new(Vec::new()));
    let (from, processor_from) = (clock.elapsed(), processor_time());
    let end = from + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let (bench, clock, waits) = (bench.clone(), clock.clone(), waits.clone());
        running.spawn(async move {
            let mut dice = SplitMix64::new(task);
            let mut mine = Vec::new();
            while clock.elapsed() < end {
                let began = clock.elapsed();
                bench.hold(&mut dice).await;
                mine.push((clock.elapsed() - began).as_micros() as u64);
            }
            waits.lock().unwrap().extend(mine);
        });
    }
    running.join_all().await;
    let took = (clock.elapsed() - from).as_secs_f64();
    let processor = processor_time() - processor_from;
    let mut waits = std::mem::take(&mut *waits.lock().unwrap());
    waits.sort_unstable();
    let conflicts = bench.conflicts.load(Ordering::Relaxed);
    let commits = waits.len() as u64 - conflicts;
    println!(
        "{}",
        serde_json::json!({
            "command": "store_bench", "tasks": tasks, "seats": seats, "reads_seats": bench.reads,
            "commits": commits, "conflicts": conflicts, "commits_per_second": (commits as f64 / took) as u64,
            "p50_ms": quantile(&waits, 0.5) as f64 / 1e3, "p99_ms": quantile(&waits, 0.99) as f64 / 1e3,
            "max_ms": quantile(&waits, 1.0) as f64 / 1e3,
            "cpu_us_per_commit": processor.as_micros() as f64 / commits as f64,
            "disk_mb": engine.disk_bytes() >> 20,
        })
    );
    let began = clock.elapsed();
    drop((bench, engine));
    let closed = clock.elapsed();
    let engine = Engine::open(folder.path(), options, clock.clone()).unwrap();
    engine.store("inventory").unwrap();
    println!(
        "{}",
        serde_json::json!({"close_ms": (closed - began).as_millis() as u64, "open_ms": (clock.elapsed() - closed).as_millis() as u64})
    );
}
