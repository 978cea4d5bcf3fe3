//! The queue fails in every possible way: it disappears and returns, throttles, fails, breaks
//! connections, loses answers, has a wrong clock, refuses entries of batches. The worker continues
//! each time, and everything is settled in the end.

use super::process::Worker;
use super::stage::{Kind, LEASE, Runs, Setting, Stage, seed};
use anyhow::{Result, ensure};
use standin::{Action, Failure, SqsFaults};

const EVENTS: u64 = 60;
/// Failed polls after which the next fault begins.
const FAILURES: usize = 2;
const POLL_FAILED: &str = "poll failed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_that_fail_are_survived() -> Result<()> {
    let mut stage = Stage::new(Setting::of(Kind::Fifo, seed("polls that fail"))).await?;
    let mut worker = Worker::start(&stage, &[]).await?;
    let failing = |failure| SqsFaults { failing: 1.0, failure, ..SqsFaults::default() };
    let storms = [
        ("the queue is gone", SqsFaults { vanished: true, ..SqsFaults::default() }),
        ("throttled by SQS", failing(Failure::Throttled)),
        ("throttled in front of it", failing(Failure::Throttling)),
        ("500", failing(Failure::Internal)),
        ("503", failing(Failure::Unavailable)),
        ("connections break", failing(Failure::Reset)),
        ("the credentials expire", SqsFaults { credentials_expired: true, ..SqsFaults::default() }),
    ];
    for (name, storm) in storms {
        // Half of the events are in progress when the fault begins, and half are sent during it.
        stage.push(EVENTS / 2)?;
        stage.sqs.misbehave(|faults| *faults = storm);
        stage.push(EVENTS / 2)?;
        let log = worker.log();
        let before = log.count(POLL_FAILED);
        worker.until(&stage, name, || log.count(POLL_FAILED) >= before + FAILURES).await?;
        stage.sqs.misbehave(|faults| *faults = SqsFaults::default());
        stage.emptied(&mut worker).await?;
    }
    ensure!(worker.metric("worker_acks_lost_total").await? == 0.0, "no delete was given up");
    worker.stop(&stage).await?;
    stage.all_is_well(Runs::Once)
}

/// The client adopts the time in a refusal and continues with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_by_minutes_is_followed() -> Result<()> {
    let mut stage = Stage::new(Setting::of(Kind::Standard, seed("clocks apart"))).await?;
    let mut worker = Worker::start(&stage, &[]).await?;
    for ahead in [900, -900, 0] {
        stage.sqs.misbehave(|faults| faults.clock_ahead_secs = ahead);
        stage.push(EVENTS)?;
        stage.emptied(&mut worker).await?;
    }
    ensure!(worker.metric("worker_acks_lost_total").await? == 0.0, "no delete was given up");
    worker.stop(&stage).await?;
    stage.all_is_well(Runs::Once)
}

/// Trap T-T8: the result of every entry is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_fail_are_deleted_again() -> Result<()> {
    let mut stage = Stage::new(Setting::of(Kind::Fifo, seed("entries that fail"))).await?;
    stage.sqs.misbehave(|faults| faults.failing_entries = 0.4);
    stage.push(EVENTS * 4)?;
    let mut worker = Worker::start(&stage, &[]).await?;
    stage.emptied(&mut worker).await?;
    ensure!(worker.metric("worker_acks_lost_total").await? == 0.0, "no delete was given up");
    worker.stop(&stage).await?;
    ensure!(stage.sqs.deleted() == stage.sent(), "{} of {}", stage.sqs.deleted(), stage.sent());
    stage.all_is_well(Runs::Once)
}

/// Calls that were done and not answered: messages whose receive was lost, and deletes that are
/// repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_lose_nothing() -> Result<()> {
    let mut stage = Stage::new(Setting::of(Kind::Standard, seed("lost answers"))).await?;
    stage.sqs.misbehave(|faults| {
        (faults.failing, faults.failure) = (0.3, Failure::AnswerLost);
        faults.only = vec![Action::ReceiveMessage, Action::DeleteMessageBatch];
    });
    stage.push(EVENTS * 4)?;
    let mut worker = Worker::start(&stage, &[]).await?;
    let log = worker.log();
    let nothing_left = || log.count(POLL_FAILED) > 0 && stage.depth().visible == 0;
    worker.until(&stage, "everything was handed out", nothing_left).await?;
    stage.sqs.misbehave(|faults| *faults = SqsFaults::default());
    // A message whose receive was lost is redelivered when its lease ends.
    stage.sqs.advance(LEASE);
    stage.emptied(&mut worker).await?;
    worker.stop(&stage).await?;
    stage.all_is_well(Runs::Once)
}
