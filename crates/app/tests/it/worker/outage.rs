//! The inventory dies under load and recovers: nothing is buried, nothing is lost, and the work
//! continues.
//!
//! `TACOS_OUTAGE_SECONDS` sets how long it is dead (default 3; `cargo xtask soak` sets 60).

use super::process::Worker;
use super::stand_ins::{Kind, Runs, Setting, StandIns, number, seed};
use anyhow::Result;
use standin::{Entry, Latency, Step};
use std::time::Duration;

const EVENTS: u64 = 6_000;
/// Settled events before the rate is measured, so that connections are open; and those that it is
/// measured over.
const WARM_UP: u64 = 300;
const MEASURED: u64 = 1_200;
/// The window of the rate afterwards.
const WINDOW: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_inventory_buries_nothing_on_a_standard_queue() -> Result<()> {
    dead(Kind::Standard).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_inventory_buries_nothing_on_a_fifo_queue() -> Result<()> {
    dead(Kind::Fifo).await
}

/// Trap T-T10.
async fn dead(kind: Kind) -> Result<()> {
    let outage = Duration::from_secs(number("TACOS_OUTAGE_SECONDS").unwrap_or(3));
    let seed = seed("outage");
    let latency = Latency::Constant(Duration::from_millis(10));
    let mut stand_ins = StandIns::new(Setting { latency, ..Setting::of(kind, seed) }).await?;
    stand_ins.push(EVENTS)?;
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    worker.until(&stand_ins, "it is warm", || stand_ins.sqs.deleted() >= WARM_UP).await?;
    let from = stand_ins.journal.now();
    worker.until(&stand_ins, "the rate is known", || stand_ins.sqs.deleted() >= WARM_UP + MEASURED).await?;
    let died = stand_ins.journal.now();
    let before = stand_ins.journal.read(|entries| deletes(entries, from, died - from)) as f64
        / (died - from).as_secs_f64();

    stand_ins.inventory.set_open(false);
    let log = worker.log();
    worker.until(&stand_ins, "the breaker opens", || log.count("breaker opened") > 0).await?;
    stand_ins.clock.sleep(outage).await;
    stand_ins.inventory.set_open(true);
    let back = stand_ins.journal.now();
    stand_ins.emptied(&mut worker).await?;
    worker.stop(&stand_ins).await?;
    stand_ins.all_is_well(Runs::Once)?;

    let recovered = stand_ins.journal.read(|entries| recovered(entries, back, before * 0.9));
    let recovered = recovered.map_or("not before the end".to_owned(), |at| format!("{} ms", at.as_millis()));
    println!(
        "summary: inventory dead for {} s, {kind:?}: {before:.0} events/s before, 90 % of it back after {recovered}",
        (back - died).as_secs_f64().round()
    );
    Ok(())
}

fn deletes(entries: &[Entry], from: Duration, within: Duration) -> usize {
    let in_time = |entry: &&Entry| (from..from + within).contains(&entry.at);
    let deleted = |entry: &&Entry| matches!(entry.step, Step::Deleted { .. });
    entries.iter().filter(in_time).filter(deleted).count()
}

/// From `back` to the beginning of the first window in which this rate was reached.
fn recovered(entries: &[Entry], back: Duration, rate: f64) -> Option<Duration> {
    let after = entries.iter().filter(|entry| entry.at >= back);
    let at: Vec<Duration> =
        after.filter(|entry| matches!(entry.step, Step::Deleted { .. })).map(|entry| entry.at).collect();
    let wanted = (rate * WINDOW.as_secs_f64()).ceil() as usize;
    let mut pairs = at.iter().zip(at.iter().skip(wanted.max(1) - 1));
    pairs.find(|(first, last)| **last - **first <= WINDOW).map(|(first, _)| *first - back)
}
