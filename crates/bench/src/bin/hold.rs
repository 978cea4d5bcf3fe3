//! Durable two-seat holds on one hot show of 200,000 seats, through gRPC, the client on the
//! same machine.
//!
//! Each run sells out a fresh show in holds of two seats, drawn without repetition in random
//! order, with a fixed number of calls in the air. Printed are holds a second, latency as the
//! client sees it, and the CPU time of the server a hold.

use anyhow::{Context, Result, ensure};
use bench::calls::{Calls, Path};
use bench::{Load, Platform, now, pairs, print, say, summary};
use clap::Parser;
use contracts::reservation::v1::{ReserveSeatRequest, ReserveSeatResponse};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const SEATS: usize = 200_000;
const ROW: usize = 100;
const RESERVE_SEAT: &str = "/reservation.v1.InventoryService/ReserveSeat";

#[derive(Debug, Parser)]
#[command(about = "Durable two-seat holds a second on one hot show of 200,000 seats")]
struct Options {
    #[command(flatten)]
    load: Load,
    /// gRPC connections.
    #[arg(long, default_value_t = 4)]
    connections: usize,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse();
    // The generator needs one core's worth at most; the server gets the rest.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runs = runtime.block_on(measure(&options))?;
    print(&format!("bench hold, {} in flight", options.load.in_flight), &runs, options.load.json);
    Ok(())
}

async fn measure(options: &Options) -> Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let platform = Platform::start(folder.path(), "60s")?;
    let mut connections = Vec::new();
    for _ in 0..options.connections {
        connections.push(Calls::connect(platform.address("inventory_grpc")).await?);
    }
    let mut runs = vec![empty(&platform, &connections, options).await?];
    for number in 0..=options.load.runs {
        let show = format!("hot-{number}");
        open(&platform, &show).await?;
        let name = if number == 0 { "warm-up".to_owned() } else { format!("run-{number}") };
        say(&format!("{name} …"));
        let run = sell_out(&platform, &connections, &show, &name, options).await?;
        if number > 0 {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// As many calls that do nothing (`grpc.health.v1`), the same way: what a hold costs before it
/// is one.
async fn empty(platform: &Platform, connections: &[Calls], options: &Options) -> Result<Value> {
    let left = Arc::new(AtomicUsize::new(SEATS / 2));
    let (cpu, started) = (platform.cpu()?, now());
    let mut callers = JoinSet::new();
    for caller in 0..options.load.in_flight {
        let mut calls = connections[caller % connections.len()].clone();
        let path = Path::new(platform.address("inventory_grpc"), "/grpc.health.v1.Health/Check")?;
        let left = left.clone();
        callers.spawn(async move {
            let mut latency = Histogram::<u64>::new(3)?;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let started = now();
                calls.unary::<_, HealthCheckResponse>(&path, &HealthCheckRequest::default()).await?;
                latency.record((now() - started).as_micros() as u64)?;
            }
            anyhow::Ok(latency)
        });
    }
    report("empty calls", callers, platform, (cpu, started)).await
}

async fn open(platform: &Platform, show: &str) -> Result<()> {
    let rows: Vec<Value> =
        (1..=SEATS / ROW).map(|row| json!({"row": row.to_string(), "from": 1, "to": ROW})).collect();
    let show =
        json!({"event_id": show, "name": "Hot", "sections": [{"id": "S", "price": 1_000, "rows": rows}]});
    let clock = Arc::new(runtime::SystemClock::new());
    let url = format!("http://{}/admin/shows", platform.address("inventory_http"));
    let answer = app::client::Http::new(clock).post(&url, &[], &show).await?;
    ensure!(answer.status.is_success(), "{}", answer.message());
    Ok(())
}

fn seat(index: u32) -> String {
    let index = index as usize;
    format!("S-{}-{}", index / ROW + 1, index % ROW + 1)
}

async fn sell_out(
    platform: &Platform,
    connections: &[Calls],
    show: &str,
    name: &str,
    options: &Options,
) -> Result<Value> {
    let pairs = Arc::new(pairs(SEATS as u32, options.load.seed));
    let next = Arc::new(AtomicUsize::new(0));
    let (cpu, started) = (platform.cpu()?, now());
    let mut callers = JoinSet::new();
    for caller in 0..options.load.in_flight {
        let calls = connections[caller % connections.len()].clone();
        let path = Path::new(platform.address("inventory_grpc"), RESERVE_SEAT)?;
        let (pairs, next, show) = (pairs.clone(), next.clone(), show.to_owned());
        callers.spawn(async move { call(calls, &path, &show, &pairs, &next).await });
    }
    report(name, callers, platform, (cpu, started)).await
}

/// Waits for the callers and prints what they saw and what it cost the server.
async fn report(
    name: &str,
    mut callers: JoinSet<Result<Histogram<u64>>>,
    platform: &Platform,
    (cpu, started): (Duration, Duration),
) -> Result<Value> {
    let mut latency = Histogram::<u64>::new(3)?;
    while let Some(done) = callers.join_next().await {
        latency.add(done.context("a caller panicked")??)?;
    }
    let (took, cpu) = (now() - started, platform.cpu()? - cpu);
    let calls = latency.len() as usize;
    ensure!(calls == SEATS / 2, "{calls} of {} calls were made", SEATS / 2);
    Ok(summary(name, &latency, took, cpu))
}

/// Places holds one after another until the show is sold out; latencies in microseconds.
async fn call(
    mut calls: Calls,
    path: &Path,
    show: &str,
    pairs: &[(u32, u32)],
    next: &AtomicUsize,
) -> Result<Histogram<u64>> {
    let mut latency = Histogram::new(3)?;
    let until = runtime::SystemClock::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some((one, other)) = pairs.get(number) else { return Ok(latency) };
        let due = ports::Clock::now(&until).plus(Duration::from_secs(600));
        let request = ReserveSeatRequest {
            reservation_id: format!("{show}-{number}"),
            event_id: show.to_owned(),
            seat_ids: vec![seat(*one), seat(*other)],
            quantity: 2,
            user_id: format!("u-{number}"),
            hold_expires_at: Some(contracts::time::to_proto(due)),
            ..Default::default()
        };
        let started = now();
        let answer: ReserveSeatResponse = calls.unary(path, &request).await?;
        latency.record((now() - started).as_micros() as u64)?;
        ensure!(answer.error.is_none(), "{:?}", answer.error);
    }
}
