//! One run: a worker on a queue that events keep coming to, and the observations.

use super::process::{Program, Worker};
use super::rig::Rig;
use super::{Conditions, Kind};
use crate::{cpu_of, now};
use anyhow::Result;
use standin::{Broken, Ledger};
use std::time::Duration;

/// How often events are added and the throughput is looked at.
const TICK: Duration = Duration::from_millis(5);
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// Events in a queue that is never to be empty: more than every worker takes at once.
const BACKLOG: usize = 10_000;

/// The observations.
pub struct Seen {
    /// `standard-20` and so on.
    pub name: String,
    /// `WORKER_CONCURRENCY`, if it is a number.
    pub slots: Option<f64>,
    /// From the start of the process to its first poll.
    pub first_poll_after: Duration,
    /// Settled events up to a time since the worker's first poll, over the whole run.
    pub settled: Vec<(Duration, u64)>,
    /// The window that was measured.
    pub window: Window,
    /// The most memory the worker had resident, in MB.
    pub rss_max_mb: f64,
    /// The most messages that were out at once.
    pub in_flight_max: usize,
    /// Messages in the dead-letter queue at the end.
    pub buried: usize,
    /// Latencies of the events that were settled within the window.
    pub latencies: Latencies,
    /// Promises that were broken.
    pub broken: Vec<Broken>,
}

/// What happened between two moments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// How long it was.
    pub took: Duration,
    /// Events settled.
    pub settled: u64,
    /// Processor time of the worker.
    pub worker_cpu: Duration,
    /// Processor time of the stand-ins and the generator.
    pub own_cpu: Duration,
    /// Calls to the queue.
    pub calls: u64,
    /// Of them, calls that delete.
    pub deletes: u64,
}

/// Times of single events, in the order of nothing.
#[derive(Default)]
pub struct Latencies {
    /// From the answer of the receive to the delete.
    pub whole: Vec<Duration>,
    /// The same without the time that calls downstream took.
    pub own: Vec<Duration>,
    /// Calls downstream, all of an event together.
    pub downstream: Vec<Duration>,
}

/// Everything that is counted, at one moment.
#[derive(Clone, Copy)]
struct Counters {
    at: Duration,
    totals: Window,
}

impl Counters {
    fn read(rig: &Rig, worker: &Worker) -> Result<Self> {
        let totals = Window {
            took: Duration::ZERO,
            settled: rig.sqs.deleted(),
            worker_cpu: worker.cpu()?,
            own_cpu: cpu_of(std::process::id())?,
            calls: rig.calls(),
            deletes: rig.deletes(),
        };
        Ok(Self { at: now(), totals })
    }

    fn since(&self, before: &Self) -> Window {
        let (this, that) = (self.totals, before.totals);
        Window {
            took: self.at - before.at,
            settled: this.settled - that.settled,
            worker_cpu: this.worker_cpu - that.worker_cpu,
            own_cpu: this.own_cpu - that.own_cpu,
            calls: this.calls - that.calls,
            deletes: this.deletes - that.deletes,
        }
    }
}

/// Runs the program for as long as the conditions say.
pub async fn run(kind: Kind, program: &Program, concurrency: &str, conditions: &Conditions) -> Result<Seen> {
    let mut rig = Rig::start(kind, conditions).await?;
    if conditions.arrivals.is_none() {
        rig.push(BACKLOG)?;
    }
    let worker = Worker::start(&rig, program, concurrency).await?;
    let mut settled = Vec::new();
    feed(&mut rig, conditions, conditions.warm_up, &mut settled).await?;
    let (journal_before, before) = (rig.journal.now(), Counters::read(&rig, &worker)?);
    feed(&mut rig, conditions, conditions.measured, &mut settled).await?;
    let (journal_after, after) = (rig.journal.now(), Counters::read(&rig, &worker)?);
    let rss_max_mb = worker.rss_max_mb()?;
    let first_poll_after = worker.first_poll_after;
    drop(worker);
    let ledger = Ledger::read(&rig.journal);
    Ok(Seen {
        name: format!("{}-{concurrency}", kind.name()),
        slots: concurrency.parse().ok(),
        first_poll_after,
        settled,
        window: after.since(&before),
        rss_max_mb,
        in_flight_max: rig.in_flight_max(),
        buried: rig.buried(),
        latencies: latencies(&ledger, journal_before..journal_after),
        broken: ledger.broken(false),
    })
}

/// Keeps events coming for so long, and notes how many are settled.
async fn feed(
    rig: &mut Rig,
    conditions: &Conditions,
    long: Duration,
    settled: &mut Vec<(Duration, u64)>,
) -> Result<()> {
    let began = now();
    let offset = settled.last().map_or(Duration::ZERO, |(at, _)| *at);
    // The last sample of the feed before this one is the first of this one.
    let (mut pushed, mut sampled) = (0, if settled.is_empty() { Duration::ZERO } else { SAMPLE_EVERY });
    loop {
        let elapsed = now() - began;
        if elapsed >= sampled {
            settled.push((offset + elapsed, rig.sqs.deleted()));
            sampled += SAMPLE_EVERY;
        }
        if elapsed >= long {
            return Ok(());
        }
        let due = match conditions.arrivals {
            // By the clock, whatever became of those before: an open loop.
            Some(rate) => (f64::from(rate) * elapsed.as_secs_f64()) as usize - pushed,
            None => BACKLOG.saturating_sub(rig.waiting()),
        };
        rig.push(due)?;
        pushed += due;
        #[allow(clippy::disallowed_methods, reason = "a load generator lives in real time")]
        tokio::time::sleep(TICK).await;
    }
}

fn latencies(ledger: &Ledger, window: std::ops::Range<Duration>) -> Latencies {
    let mut latencies = Latencies::default();
    for (_, times) in ledger.times() {
        if let (Some(received), Some(settled)) = (times.received, times.settled)
            && window.contains(&settled)
        {
            let whole = settled.saturating_sub(received);
            latencies.whole.push(whole);
            latencies.own.push(whole.saturating_sub(times.downstream));
            latencies.downstream.push(times.downstream);
        }
    }
    for times in [&mut latencies.whole, &mut latencies.own, &mut latencies.downstream] {
        times.sort_unstable();
    }
    latencies
}

impl Latencies {
    /// Below which this share of times lies; the times are sorted.
    pub fn quantile(times: &[Duration], share: f64) -> Duration {
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// The mean time of calls downstream of an event.
    pub fn downstream_mean(&self) -> Duration {
        let count = self.downstream.len().max(1) as u32;
        self.downstream.iter().sum::<Duration>() / count
    }
}
