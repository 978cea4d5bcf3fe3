//! Repeated kill -9 in the middle of a backlog: nothing is lost, each event has its effect once,
//! and groups keep their order.
//!
//! `TACOS_KILL_ROUNDS` sets the number of kills for each kind of queue (default 5; `cargo xtask
//! soak` sets 20).

use super::process::Worker;
use super::stand_ins::{Kind, LEASE, Runs, Setting, StandIns, number, seed};
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
    let mut stand_ins = StandIns::new(Setting::of(kind, seed)).await?;
    let mut left_behind = 0;
    for _ in 0..rounds {
        stand_ins.push(EVENTS_PER_ROUND)?;
        let mut worker = Worker::start(&stand_ins, &[]).await?;
        let enough = stand_ins.sqs.deleted() + dice.below(EVENTS_PER_ROUND * 3 / 4);
        worker.until(&stand_ins, "enough is settled", || stand_ins.sqs.deleted() >= enough).await?;
        stand_ins.clock.sleep(Duration::from_micros(dice.below(20_000))).await;
        worker.kill().await?;
        stand_ins.break_connections().await?;
        left_behind += stand_ins.depth().in_flight;
        stand_ins.sqs.advance(LEASE);
    }
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    stand_ins.emptied(&mut worker).await?;
    worker.stop(&stand_ins).await?;
    stand_ins.all_is_well(Runs::Again)?;
    println!(
        "summary: {rounds} kills under load, {kind:?}: {left_behind} messages left behind, all of {} had their effect once",
        stand_ins.sent()
    );
    Ok(())
}
