//! From poll to settlement: one task owns all state and acts on the signals of polls, handlers and
//! the queue.
//!
//! ```text
//! poll ─▶ decode ─▶ lane ─▶ admit ─▶ handle ─▶ verdict ─▶ settle
//! ```
//!
//! - A delivery ends in exactly one settlement, decided here: it is deleted, hidden for a while, or
//!   copied to the dead-letter queue and then deleted. Whatever else happens to it (a crash, a lost
//!   lease), the queue redelivers it (trap T-T1).
//! - Nothing here waits: polls, handlers and calls to the queue are tasks that send a [`Signal`]. A
//!   turn of the loop applies the received signals and then does everything that has become
//!   possible.
//! - Time comes from the clock port, tasks are spawned through the tasks port, all tables are
//!   ordered: the same inputs give the same run.
//!
//! The functions that end the stay of a message, each in the file of that name:
//!
//! | function | in | what it does |
//! |---|---|---|
//! | `settle` | settle | deletes the message or hides it for a while: its last word |
//! | `bury` | bury | copies it to the dead-letter queue, then deletes it |
//! | `retry` | verdict | hides a failed head until its retry, its followers behind it |
//! | `hand_back` | receive | hides an unstarted message, mostly for no time at all |
//! | `hand_back_lane` | admit | hands back all unstarted messages of one lane |
//! | `hand_back_unstarted` | admit | hands back all unstarted messages |
//! | `hand_back_followers` | settle | hands back the followers of a failed head, after the head |
//! | `hand_back_arrival` | receive | hands back an arrival that would overtake an earlier message |
//! | `lease_lost` | verdict | drops a run whose message belongs to a newer receive |
//! | `settlement_finished` | settle | after the last answer: removes it, continues its lane |
//! | `remove` | settle | forgets the delivery and takes up the arrivals that waited for it |
//!
//! The stages live in the files below: [`polls`](crate::polls) and `receive` bring messages in,
//! `admit` starts runs, `verdict` ends them, `settle` and `bury` talk to the queue, `lease` watches
//! the time, `shutdown` drains.

use crate::attempts::Attempts;
use crate::breakers::Breakers;
use crate::journal::{Entry, Journal, Step};
use crate::metrics::{WorkerMetrics, type_label};
use crate::observer::{Observations, Observer};
use crate::options::{InFlight, PipelineOptions};
use crate::peer_calls::PeerCalls;
use crate::polls::Polls;
use crate::service::{Downstream, Handlers};
use crate::status::Status;
use batch::Batch;
use core::pin::Pin;
use core::time::Duration;
use deliveries::{Deliveries, DeliveryId};
use domain::breaker::Admission;
use domain::concurrency::Concurrency;
use domain::id::ReservationId;
use domain::lanes::Lanes;
use domain::valve::Valve;
use ports::queue::QueueKind;
use ports::{Clock, Dice, Entropy, Queue, Tasks};
use runtime::Process;
use signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

mod admit;
mod batch;
mod bury;
mod deliveries;
mod housekeeping;
mod lease;
mod receive;
mod settle;
mod shutdown;
mod signal;
mod verdict;

/// The most signals of one turn, so that a flood does not starve timers.
const SIGNALS_PER_TURN: usize = 512;

/// The ports and shared handles of the pipeline.
pub(crate) struct PipelineDeps {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) dead_letters: Option<Arc<dyn Queue>>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: Tasks,
    pub(crate) process: Process,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) status: Status,
    pub(crate) journal: Journal,
    pub(crate) observations: Observations,
}

/// The event loop and everything it owns. The groups say which file needs which part.
pub(crate) struct Pipeline {
    options: PipelineOptions,
    deps: PipelineDeps,
    dice: Dice,
    fifo: bool,
    phase: Phase,
    signals: UnboundedSender<Signal>,
    inbox: UnboundedReceiver<Signal>,
    timer: Option<Timer>,
    polls: Polls,
    deliveries: Deliveries,
    lanes: Lanes<DeliveryId>,
    failed_lanes: BTreeMap<ReservationId, FailedLane>,
    reordered: Reordered,
    attempts: Attempts,
    starts: Starts,
    batches: Batches,
    records: Records,
    housekeeping: Housekeeping,
}

/// What `admit` needs to start a run, and `verdict` to end one.
struct Starts {
    breakers: Breakers,
    peer_calls: PeerCalls,
    valve: Option<Valve>,
    valve_at: Option<Duration>,
    limit: Limit,
    running: usize,
}

/// The arrivals that `receive` holds back until `settle` removes the delivery before them.
#[derive(Default)]
struct Reordered {
    /// Lanes in which arrivals wait for the end of a delivery.
    came_again: BTreeMap<ReservationId, DeliveryId>,
    /// Those of them from which an earlier message was handed back since: the waiting arrivals are
    /// handed back behind it.
    overtaken: BTreeSet<ReservationId>,
}

/// The calls that `settle`, `bury` and `lease` collect and `settle` sends.
#[derive(Default)]
struct Batches {
    deletes: Batch,
    hides: Batch,
    copies: Batch,
}

/// The records of every step: the invariants' observer, the turn's journal, the denied calls.
struct Records {
    observer: Observer,
    entries: Vec<Entry>,
    denied_logged: BTreeSet<&'static str>,
}

/// The state of `housekeeping`.
struct Housekeeping {
    next_at: Duration,
    depth_at: Duration,
    visible: u64,
    redrive_asked: bool,
}

/// A lane whose head failed, until all its messages are handed back.
struct FailedLane {
    /// In order; they are handed back when the head's settlement has finished.
    followers: Vec<DeliveryId>,
    /// Followers whose settlement has not finished.
    pending: usize,
    /// How long followers stay hidden.
    delay: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Working,
    /// No new polls and no new runs; polls in the air may still bring messages.
    Draining,
    /// Unstarted messages are handed back, and so is every further arrival.
    HandingBack,
}

enum Limit {
    Fixed(usize),
    Auto(Concurrency),
}

struct Timer {
    at: Duration,
    rings: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Pipeline {
    pub(crate) fn new(options: PipelineOptions, deps: PipelineDeps) -> Self {
        let now = deps.clock.elapsed();
        let (signals, inbox) = unbounded_channel();
        let fifo = deps.queue.kind() == QueueKind::Fifo;
        Self {
            dice: Dice(deps.entropy.clone()),
            fifo,
            phase: Phase::Working,
            signals,
            inbox,
            timer: None,
            polls: Polls::new(now),
            deliveries: Deliveries::default(),
            lanes: Lanes::new(options.lane_depth_max),
            failed_lanes: BTreeMap::new(),
            reordered: Reordered::default(),
            attempts: Attempts::default(),
            starts: Starts {
                breakers: Breakers::new(options.breaker, now),
                peer_calls: PeerCalls::default(),
                valve: options.write_rps.map(|rate| Valve::new(rate, now)),
                valve_at: None,
                limit: match options.in_flight {
                    InFlight::Fixed(limit) => Limit::Fixed(limit.max(1)),
                    InFlight::Auto => Limit::Auto(Concurrency::new(now)),
                },
                running: 0,
            },
            batches: Batches::default(),
            records: Records {
                observer: Observer::new(fifo, deps.observations.clone()),
                entries: Vec::new(),
                denied_logged: BTreeSet::new(),
            },
            housekeeping: Housekeeping { next_at: now, depth_at: now, visible: 0, redrive_asked: false },
            options,
            deps,
        }
    }

    /// Works until `shutdown`, then drains.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            self.advance();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = self.wait_and_apply(None) => {}
            }
        }
        self.shut_down().await;
    }

    /// Waits for signals, for the next thing that is due, or until `limit`, and applies the
    /// signals. Dropping this future while it waits loses nothing: a signal is taken and applied
    /// without an await in between.
    async fn wait_and_apply(&mut self, limit: Option<Duration>) {
        let now = self.now();
        let wake = limit.map_or_else(|| self.wake(now), |limit| self.wake(now).min(limit));
        self.set_timer(wake, now);
        let mut taken = Vec::new();
        let Self { inbox, timer, .. } = self;
        let timer = timer.as_mut().expect("set_timer sets it");
        tokio::select! {
            biased;
            _ = inbox.recv_many(&mut taken, SIGNALS_PER_TURN) => {}
            () = timer.rings.as_mut() => self.timer = None,
        }
        let now = self.now();
        for signal in taken {
            self.apply(signal, now);
        }
    }

    fn apply(&mut self, signal: Signal, now: Duration) {
        match signal {
            Signal::Polled { poll, result } => self.polled(poll, result, now),
            Signal::Ended { id, handled } => self.ended(id, handled, now),
            Signal::Settled { operation, entries, results } => self.settled(operation, entries, results, now),
            Signal::Renewed { sent_at, entries, results } => self.renewed(sent_at, entries, results, now),
            Signal::Copied { ids, results } => self.copied(ids, results, now),
            Signal::Depth(depth) => self.depth_answered(depth),
            Signal::Redrive(policy) => self.judge_redrive(policy),
        }
    }

    /// Does everything that is possible now.
    fn advance(&mut self) {
        let now = self.now();
        self.look_at_due(now);
        self.admit(now);
        self.send_batches(now);
        self.poll(now);
        self.housekeep(now);
        self.report();
    }

    /// When the loop must turn even without a signal.
    fn wake(&self, now: Duration) -> Duration {
        let mut wake = self.housekeeping.next_at;
        let batches = [&self.batches.deletes, &self.batches.hides, &self.batches.copies]
            .into_iter()
            .filter_map(|batch| batch.due_at());
        for at in batches.chain(self.deliveries.next_look()) {
            wake = wake.min(at);
        }
        if self.phase != Phase::Working {
            return wake;
        }
        if let Some(at) = self.starts.valve_at {
            wake = wake.min(at);
        }
        if self.polls.rest_until() > now {
            wake = wake.min(self.polls.rest_until());
        }
        if let Admission::Shut(Some(at)) = self.starts.breakers.admission(now) {
            wake = wake.min(at);
        }
        wake
    }

    /// Keeps the running timer if it rings early enough: a needless ring is cheaper than a new
    /// timer each turn.
    fn set_timer(&mut self, at: Duration, now: Duration) {
        if self.timer.as_ref().is_none_or(|timer| timer.at > at) {
            let clock = self.deps.clock.clone();
            let wait = at.saturating_sub(now);
            self.timer = Some(Timer { at, rings: Box::pin(async move { clock.sleep(wait).await }) });
        }
    }

    fn now(&self) -> Duration {
        self.deps.clock.elapsed()
    }

    fn limit(&self) -> usize {
        match &self.starts.limit {
            Limit::Fixed(limit) => *limit,
            Limit::Auto(found) => found.limit(),
        }
    }

    fn record(&mut self, id: DeliveryId, step: Step) {
        if let Some(delivery) = self.deliveries.get(id) {
            self.records.entries.push(Entry {
                at: self.deps.clock.now(),
                reservation: delivery.lane.clone(),
                message: delivery.message.id.clone(),
                kind: type_label(delivery.kind()),
                step,
            });
        }
    }

    fn breaker_changed(&self, downstream: Downstream, open: bool) {
        self.deps.metrics.breaker(downstream, open);
        self.deps.status.breaker(downstream.index(), open);
        let name = downstream.as_str();
        let state = if open { Err("no answer; one message at a time probes it".to_owned()) } else { Ok(()) };
        self.deps.process.health.peer_set(name, state);
        if open {
            let setting = downstream.setting();
            tracing::warn!(
                downstream = name,
                setting,
                "breaker opened; check that the downstream runs and that the setting names it"
            );
        } else {
            tracing::info!(downstream = name, "breaker closed");
        }
    }
}
