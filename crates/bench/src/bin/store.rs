//! What the embedded store alone can do: the rows of a two-seat hold in one durable commit,
//! many tasks at once, without a service or a socket in between. Beside `bench hold` it tells
//! which part of a hold is the engine's.
//!
//! Each run writes every seat of a show once, in pairs drawn without repetition in random
//! order: two seats, the hold, and the hold's entry in the index of due times. No row was there
//! before.

use adapter_embedded::{EmbeddedStore, Engine, EngineOptions};
use anyhow::{Context, Result};
use bench::{Load, cpu_of, now, pairs, print, say, summary};
use clap::Parser;
use domain::time::Timestamp;
use hdrhistogram::Histogram;
use ports::store::{Attributes, Expect, IndexEntry, Key, Write};
use ports::{Clock, Store};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const SEATS: u32 = 200_000;

#[derive(Debug, Parser)]
#[command(about = "Durable commits of the rows of a two-seat hold, in process")]
struct Options {
    #[command(flatten)]
    load: Load,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let Options { load } = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let runs = runtime.block_on(measure(&load))?;
    print(&format!("bench store, {} in flight", load.in_flight), &runs, load.json);
    Ok(())
}

async fn measure(load: &Load) -> Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
    let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone())?;
    let store = engine.store("inventory")?;
    let mut runs = Vec::new();
    for number in 1..=load.runs {
        let name = format!("run-{number}");
        say(&format!("{name} …"));
        runs.push(sell_out(&store, &clock, &name, load).await?);
    }
    Ok(runs)
}

async fn sell_out(
    store: &Arc<EmbeddedStore>,
    clock: &Arc<dyn Clock>,
    show: &str,
    load: &Load,
) -> Result<Value> {
    let pairs = Arc::new(pairs(SEATS, load.seed));
    let next = Arc::new(AtomicUsize::new(0));
    let (cpu, started) = (cpu_of(std::process::id())?, now());
    let mut callers = JoinSet::new();
    for _ in 0..load.in_flight {
        let (store, clock, show) = (store.clone(), clock.clone(), show.to_owned());
        let (pairs, next) = (pairs.clone(), next.clone());
        callers.spawn(async move {
            let mut latency = Histogram::<u64>::new(3)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((one, other)) = pairs.get(number) else { return anyhow::Ok(latency) };
                let until = clock.now().plus(Duration::from_secs(600));
                let writes = hold(&show, number, [*one, *other], until);
                let started = now();
                store.commit(writes).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
                latency.record((now() - started).as_micros() as u64)?;
            }
        });
    }
    let mut latency = Histogram::<u64>::new(3)?;
    while let Some(done) = callers.join_next().await {
        latency.add(done.context("a task panicked")??)?;
    }
    Ok(summary(show, &latency, now() - started, cpu_of(std::process::id())? - cpu))
}

/// The rows of a hold, of the size that inventory-api writes.
fn hold(show: &str, number: usize, seats: [u32; 2], until: Timestamp) -> Vec<Write> {
    let id = format!("rsv_{show}_{number:016x}");
    let attributes = |status: &'static str| {
        Attributes::new()
            .with("show", show)
            .with("section", "floor")
            .with("status", status)
            .with("reservation_id", id.as_str())
            .with("hold_expires_at", until)
    };
    let mut writes = vec![Write::Put {
        key: Key::new(format!("hold#{id}"), "hold"),
        expect: Expect::Absent,
        attributes: attributes("LIVE").with("person", "person-123456").with("seats", "floor-12-7,floor-9-1"),
        indexes: vec![IndexEntry { index: "due", shard: (number % 16).to_string().into(), at: until }],
    }];
    writes.extend(seats.map(|seat| Write::Put {
        key: Key::new(format!("seats#{show}#floor#{:05}", seat / 64), format!("{seat:07}")),
        expect: Expect::Absent,
        attributes: attributes("HELD").with("seat_id", "floor-12-7"),
        indexes: Vec::new(),
    }));
    writes
}
