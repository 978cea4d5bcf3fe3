//! Repeated kill -9 in the middle of a backlog: nothing is lost, each event has its effect once,
//! and groups keep their order.
//!
//! `TACOS_KILL_ROUNDS` sets the number of kills for each kind of queue (default 5; `cargo xtask
//! soak` sets 20).

use super::process::Worker;
use super::stage::{Kind, LEASE, Runs, Setting, Stage, number, seed};
use anyhow::Result;
use domain::random::{Random, SplitMix64};
use std::time::Duration;

const EVENTS_PER_ROUND: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_a_kill_on_a_standard_queue() -> Result<()> {
    killed(Kind::Standard).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_a_kill_on_a_fifo_queue() -> Result<()> {
    killed(Kind::Fifo).await
}

/// Trap T-T1: the delete follows the effect, so a crash between them repeats the effect and loses
/// nothing.
async fn killed(kind: Kind) -> Result<()> {
    let rounds = number("TACOS_KILL_ROUNDS").unwrap_or(5);
    let seed = seed("kill");
    let mut dice = SplitMix64::new(seed);
    let mut stage = Stage::new(Setting::of(kind, seed)).await?;
    let mut left_behind = 0;
    for _ in 0..rounds {
        stage.push(EVENTS_PER_ROUND)?;
        let mut worker = Worker::start(&stage, &[]).await?;
        let enough = stage.sqs.deleted() + dice.below(EVENTS_PER_ROUND * 3 / 4);
        worker.until(&stage, "enough is settled", || stage.sqs.deleted() >= enough).await?;
        stage.clock.sleep(Duration::from_micros(dice.below(20_000))).await;
        worker.kill().await?;
        stage.break_connections().await?;
        left_behind += stage.depth().in_flight;
        stage.sqs.advance(LEASE);
    }
    let mut worker = Worker::start(&stage, &[]).await?;
    stage.emptied(&mut worker).await?;
    worker.stop(&stage).await?;
    stage.all_is_well(Runs::Again)?;
    println!(
        "summary: {rounds} kills under load, {kind:?}: {left_behind} messages left behind, all of {} had their effect once",
        stage.sent()
    );
    Ok(())
}
