//! A thousand events at once on an idle worker: how long until all are settled.

use super::process::{Program, Worker};
use super::rig::Rig;
use super::{Conditions, Kind};
use crate::{now, round};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

const EVENTS: usize = 1_000;
const BURST_MAX: Duration = Duration::from_secs(60);

/// Measures it twice: on a worker that has just started and has no connection yet, and again on
/// the same one.
pub async fn run(kind: Kind, program: &Program, concurrency: &str, conditions: &Conditions) -> Result<Value> {
    let mut rig = Rig::start(kind, conditions).await?;
    let worker = Worker::start(&rig, program, concurrency).await?;
    let cold = burst(&mut rig, &worker).await?;
    let warm = burst(&mut rig, &worker).await?;
    drop(worker);
    let ms = |took: Duration| round(took.as_secs_f64() * 1e3);
    Ok(json!({
        "name": format!("burst-{EVENTS}-{}", kind.name()),
        "events": EVENTS,
        "cold_ms": ms(cold),
        "warm_ms": ms(warm),
        "in_flight_max": rig.in_flight_max(),
    }))
}

async fn burst(rig: &mut Rig, worker: &Worker) -> Result<Duration> {
    let before = rig.sqs.deleted();
    let began = now();
    rig.push(EVENTS)?;
    let all = || rig.sqs.deleted() == before + EVENTS as u64;
    let done = rig.journal.until(BURST_MAX, all).await;
    let took = now() - began;
    ensure!(
        done,
        "{} of {EVENTS} events were settled within {BURST_MAX:?}\n{}",
        rig.sqs.deleted() - before,
        worker.log_tail()
    );
    Ok(took)
}
