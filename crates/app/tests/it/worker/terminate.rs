//! Repeated SIGTERM in the middle of a backlog: started runs end, waiting messages are returned,
//! and no attempt is wasted.
//!
//! `TACOS_SIGTERM_ROUNDS` sets the number of stops for each kind of queue (default 5; `cargo xtask
//! soak` sets 100).

use super::process::{Log, Worker};
use super::stand_ins::{Kind, Runs, Setting, StandIns, number, seed};
use anyhow::{Result, ensure};
use domain::random::{Random, SplitMix64};
use standin::{Entry, Latency, Step};
use std::time::Duration;

const EVENTS_PER_ROUND: u64 = 300;
/// One call in twenty takes far longer than the others, so that the stop always waits for a run.
const LATENCY: Latency =
    Latency::Bimodal { fast: Duration::from_millis(4), slow: Duration::from_millis(400), slow_share: 0.05 };

/// The times of one stop, for the summary.
#[derive(Debug, Clone, Copy, Default)]
struct Stop {
    /// From the signal to the exit.
    exit: Duration,
    /// From the signal to the end of the last call downstream.
    runs: Duration,
    /// From the signal to the last returned message.
    handed_back: Duration,
    /// Returned messages.
    messages: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_burns_no_attempt_on_a_standard_queue() -> Result<()> {
    under_load(Kind::Standard).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_burns_no_attempt_on_a_fifo_queue() -> Result<()> {
    under_load(Kind::Fifo).await
}

/// Traps T-T2, T-T5 and T-T6: a stopped worker keeps no received message.
async fn under_load(kind: Kind) -> Result<()> {
    let rounds = number("TACOS_SIGTERM_ROUNDS").unwrap_or(5);
    let seed = seed("sigterm");
    let mut dice = SplitMix64::new(seed);
    let mut stand_ins = StandIns::new(Setting { latency: LATENCY, ..Setting::of(kind, seed) }).await?;
    // The poll has the real wait: a running poll must not keep messages whose run has not started.
    let env = [("SQS_WAIT_TIME", "20")];
    let mut stops = Vec::new();
    for round in 0..rounds {
        stand_ins.push(EVENTS_PER_ROUND)?;
        let mut worker = Worker::start(&stand_ins, &env).await?;
        let enough = stand_ins.sqs.deleted() + dice.below(EVENTS_PER_ROUND * 3 / 4);
        worker.until(&stand_ins, "enough is settled", || stand_ins.sqs.deleted() >= enough).await?;
        stand_ins.clock.sleep(Duration::from_micros(dice.below(20_000))).await;
        let (from, at) = (stand_ins.journal.len(), stand_ins.journal.now());
        let log = worker.stop(&stand_ins).await?;
        let exit = stand_ins.journal.now() - at;
        nothing_is_kept(&stand_ins, &log, round)?;
        stops.push(stand_ins.journal.read(|entries| Stop { exit, ..stop_of(&entries[from..], at) }));
    }
    let mut worker = Worker::start(&stand_ins, &env).await?;
    stand_ins.emptied(&mut worker).await?;
    worker.kill().await?;
    stand_ins.all_is_well(Runs::Once)?;
    println!("{}", summary(kind, &stops));
    Ok(())
}

/// Every received message is deleted or visible again; none was delayed, and no run was cut off or
/// failed.
fn nothing_is_kept(stand_ins: &StandIns, log: &Log, round: u64) -> Result<()> {
    let depth = stand_ins.depth();
    ensure!(depth.in_flight == 0 && depth.delayed == 0, "round {round}: {depth:?}");
    let put_off = |entry: &&Entry| matches!(entry.step, Step::Hidden { seconds, .. } if seconds > 0);
    let put_off = stand_ins.journal.read(|entries| entries.iter().find(put_off).copied());
    ensure!(put_off.is_none(), "round {round}: put off: {put_off:?}");
    let handled = log.lines(r#""msg":"handled""#);
    ensure!(handled.is_empty(), "round {round}: runs that did not succeed: {handled:#?}");
    ensure!(log.count(r#""msg":"drained""#) == 1, "round {round}: {:#?}", log.lines("drain"));
    Ok(())
}

fn stop_of(entries: &[Entry], at: Duration) -> Stop {
    let after = |wanted: fn(&Step) -> bool| {
        entries.iter().filter(move |entry| wanted(&entry.step)).map(move |entry| entry.at.saturating_sub(at))
    };
    let went_back = |step: &Step| matches!(step, Step::Hidden { .. });
    Stop {
        exit: Duration::ZERO,
        runs: after(|step| matches!(step, Step::Ended(..))).max().unwrap_or_default(),
        handed_back: after(went_back).max().unwrap_or_default(),
        messages: after(went_back).count(),
    }
}

fn summary(kind: Kind, stops: &[Stop]) -> String {
    let longest = |of: fn(&Stop) -> Duration| stops.iter().map(of).max().unwrap_or_default().as_millis();
    let messages: usize = stops.iter().map(|stop| stop.messages).sum();
    format!(
        "summary: {} SIGTERMs under load, {kind:?}: {messages} messages went back, the last of a stop at most {} ms after \
         the signal; exit at most {} ms after the signal, {} ms after the last run",
        stops.len(),
        longest(|stop| stop.handed_back),
        longest(|stop| stop.exit),
        longest(|stop| stop.exit.saturating_sub(stop.runs)),
    )
}

/// The stop waits for a running poll, and no longer than the poll does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_while_idle_ends_with_the_long_poll() -> Result<()> {
    idle(&[("SQS_WAIT_TIME", "2")], "drained").await
}

/// A poll that waits longer than SHUTDOWN_TIMEOUT does not delay the stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_while_idle_ends_within_the_shutdown_timeout() -> Result<()> {
    idle(&[("SQS_WAIT_TIME", "20"), ("SHUTDOWN_TIMEOUT", "1s")], "drained in part").await
}

async fn idle(env: &[(&str, &str)], says: &str) -> Result<()> {
    let stand_ins = StandIns::new(Setting::of(Kind::Standard, 1)).await?;
    let mut worker = Worker::start(&stand_ins, env).await?;
    let polls = || stand_ins.sqs.calls(standin::Action::ReceiveMessage) > 0;
    worker.until(&stand_ins, "a poll is running", polls).await?;
    let at = stand_ins.journal.now();
    let log = worker.stop(&stand_ins).await?;
    println!("summary: idle SIGTERM, {env:?}: exit after {} ms", (stand_ins.journal.now() - at).as_millis());
    ensure!(log.count(&format!("\"msg\":\"{says}")) == 1, "{:#?}", log.lines("drain"));
    Ok(())
}
