//! The queue fails in every possible way: it disappears and returns, throttles, fails, breaks
//! connections, loses answers, has a wrong clock, refuses entries of batches. The worker continues
//! each time, and everything is settled in the end.

use super::process::Worker;
use super::stand_ins::{Kind, LEASE, Runs, Setting, StandIns, seed};
use anyhow::{Result, ensure};
use standin::{Action, Failure, SqsFaults};

const EVENTS: u64 = 60;
/// Failed polls after which the next fault begins.
const FAILURES: usize = 2;
const POLL_FAILED: &str = "poll failed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_that_fail_are_survived() -> Result<()> {
    let mut stand_ins = StandIns::new(Setting::of(Kind::Fifo, seed("polls that fail"))).await?;
    let mut worker = Worker::start(&stand_ins, &[]).await?;
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
        stand_ins.push(EVENTS / 2)?;
        stand_ins.sqs.misbehave(|faults| *faults = storm);
        stand_ins.push(EVENTS / 2)?;
        let log = worker.log();
        let before = log.count(POLL_FAILED);
        worker.until(&stand_ins, name, || log.count(POLL_FAILED) >= before + FAILURES).await?;
        stand_ins.sqs.misbehave(|faults| *faults = SqsFaults::default());
        stand_ins.emptied(&mut worker).await?;
    }
    ensure!(worker.metric("worker_acks_lost_total").await? == 0.0, "no delete was given up");
    worker.stop(&stand_ins).await?;
    stand_ins.all_is_well(Runs::Once)
}

/// The client adopts the time in a refusal and continues with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_by_minutes_is_followed() -> Result<()> {
    let mut stand_ins = StandIns::new(Setting::of(Kind::Standard, seed("clocks apart"))).await?;
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    for ahead in [900, -900, 0] {
        stand_ins.sqs.misbehave(|faults| faults.clock_ahead_secs = ahead);
        stand_ins.push(EVENTS)?;
        stand_ins.emptied(&mut worker).await?;
    }
    ensure!(worker.metric("worker_acks_lost_total").await? == 0.0, "no delete was given up");
    worker.stop(&stand_ins).await?;
    stand_ins.all_is_well(Runs::Once)
}

/// Trap T-T8: the result of every entry is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_fail_are_deleted_again() -> Result<()> {
    let mut stand_ins = StandIns::new(Setting::of(Kind::Fifo, seed("entries that fail"))).await?;
    stand_ins.sqs.misbehave(|faults| faults.failing_entries = 0.4);
    stand_ins.push(EVENTS * 4)?;
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    stand_ins.emptied(&mut worker).await?;
    ensure!(worker.metric("worker_acks_lost_total").await? == 0.0, "no delete was given up");
    worker.stop(&stand_ins).await?;
    ensure!(
        stand_ins.sqs.deleted() == stand_ins.sent(),
        "{} of {}",
        stand_ins.sqs.deleted(),
        stand_ins.sent()
    );
    stand_ins.all_is_well(Runs::Once)
}

/// Calls that were done and not answered: messages whose receive was lost, and deletes that are
/// repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_lose_nothing() -> Result<()> {
    let mut stand_ins = StandIns::new(Setting::of(Kind::Standard, seed("lost answers"))).await?;
    stand_ins.sqs.misbehave(|faults| {
        (faults.failing, faults.failure) = (0.3, Failure::AnswerLost);
        faults.only = vec![Action::ReceiveMessage, Action::DeleteMessageBatch];
    });
    stand_ins.push(EVENTS * 4)?;
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    let log = worker.log();
    let nothing_left = || log.count(POLL_FAILED) > 0 && stand_ins.depth().visible == 0;
    worker.until(&stand_ins, "everything was handed out", nothing_left).await?;
    stand_ins.sqs.misbehave(|faults| *faults = SqsFaults::default());
    // A message whose receive was lost is redelivered when its lease ends.
    stand_ins.sqs.advance(LEASE);
    stand_ins.emptied(&mut worker).await?;
    worker.stop(&stand_ins).await?;
    stand_ins.all_is_well(Runs::Once)
}
