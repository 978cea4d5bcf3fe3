//! Two workers on one FIFO queue: the runs of a group stay in order and never overlap, on either
//! worker.
//!
//! `TACOS_RIVALS_EVENTS` sets the number of events (default 5,000; `cargo xtask soak` sets
//! 100,000).

use super::process::Worker;
use super::stand_ins::{Kind, Runs, Setting, StandIns, number, seed};
use anyhow::{Result, ensure};
use standin::Latency;
use std::time::Duration;

const PER_RESERVATION: u64 = 20;

/// Invariants Q2 and Q3, over two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_keep_the_order_of_every_group() -> Result<()> {
    let events = number("TACOS_RIVALS_EVENTS").unwrap_or(5_000);
    let seed = seed("two workers");
    let latency = Latency::Exponential(Duration::from_millis(5));
    let setting = Setting { latency, per_reservation: PER_RESERVATION, ..Setting::of(Kind::Fifo, seed) };
    let mut stand_ins = StandIns::new(setting).await?;
    stand_ins.push(events)?;
    let began = stand_ins.journal.now();
    let mut one = Worker::start(&stand_ins, &[]).await?;
    let other = Worker::start(&stand_ins, &[]).await?;
    stand_ins.emptied(&mut one).await?;
    let took = stand_ins.journal.now() - began;
    let mut handled = Vec::new();
    for worker in [one, other] {
        let numbers = worker.ask(&stand_ins, "/admin/status").await?;
        handled.push(numbers["worker"]["succeeded"].as_u64().unwrap_or_default());
        worker.stop(&stand_ins).await?;
    }
    ensure!(handled.iter().all(|handled| *handled > 0), "one did all the work: {handled:?}");
    stand_ins.all_is_well(Runs::Once)?;
    println!(
        "summary: two workers, FIFO: {} events in {:.1} s, {handled:?} by each; no inversion, no overlap",
        stand_ins.sent(),
        took.as_secs_f64()
    );
    Ok(())
}
