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
//! The stages live in the files below: [`polls`](crate::polls) and `receive` bring messages in,
//! `admit` starts runs, `verdict` ends them, `settle` and `bury` talk to the queue, `lease` watches
//! the time, `shutdown` drains.

use crate::attempts::Attempts;
use crate::gates::Gates;
use crate::handlers::{Downstream, Handlers};
use crate::journal::{Entry, Journal, What};
use crate::observer::{Observations, Observer};
use crate::options::{InFlight, PipelineOptions};
use crate::polls::Polls;
use crate::status::Status;
use crate::telemetry::{Telemetry, type_label};
use batch::Batch;
use core::pin::Pin;
use core::time::Duration;
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
use table::{Table, Ticket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

mod admit;
mod batch;
mod bury;
mod housekeeping;
mod lease;
mod receive;
mod settle;
mod shutdown;
mod signal;
mod table;
mod verdict;

/// The most signals of one turn, so that a flood does not starve timers.
const SIGNALS_PER_TURN: usize = 512;

/// The ports and shared handles of the pipeline.
pub(crate) struct Parts {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) dead_letters: Option<Arc<dyn Queue>>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: Tasks,
    pub(crate) process: Process,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) status: Status,
    pub(crate) journal: Journal,
    pub(crate) observations: Observations,
}

/// The event loop and everything it owns.
pub(crate) struct Pipeline {
    options: PipelineOptions,
    parts: Parts,
    dice: Dice,
    fifo: bool,
    signals: UnboundedSender<Signal>,
    inbox: UnboundedReceiver<Signal>,
    table: Table,
    lanes: Lanes<Ticket>,
    failed: BTreeMap<ReservationId, FailedLane>,
    /// Lanes in which arrivals wait for the end of a delivery.
    came_again: BTreeMap<ReservationId, Ticket>,
    /// Those of them from which an earlier message was handed back since: the waiting arrivals are
    /// handed back behind it.
    overtaken: BTreeSet<ReservationId>,
    attempts: Attempts,
    gates: Gates,
    valve: Option<Valve>,
    valve_at: Option<Duration>,
    limit: Limit,
    running: usize,
    polls: Polls,
    deletes: Batch,
    hides: Batch,
    copies: Batch,
    observer: Observer,
    entries: Vec<Entry>,
    timer: Option<Timer>,
    housekeeping_at: Duration,
    depth_at: Duration,
    phase: Phase,
    visible: u64,
    denied_told: BTreeSet<&'static str>,
    redrive_asked: bool,
}

/// A lane whose head failed, until all its messages are handed back.
struct FailedLane {
    /// In order; they are handed back when the head's settlement has finished.
    followers: Vec<Ticket>,
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
    pub(crate) fn new(options: PipelineOptions, parts: Parts) -> Self {
        let now = parts.clock.elapsed();
        let (signals, inbox) = unbounded_channel();
        let fifo = parts.queue.kind() == QueueKind::Fifo;
        Self {
            dice: Dice(parts.entropy.clone()),
            fifo,
            signals,
            inbox,
            table: Table::default(),
            lanes: Lanes::new(options.lane_depth_max),
            failed: BTreeMap::new(),
            came_again: BTreeMap::new(),
            overtaken: BTreeSet::new(),
            attempts: Attempts::default(),
            gates: Gates::new(options.breaker, now),
            valve: options.write_rps.map(|rate| Valve::new(rate, now)),
            valve_at: None,
            limit: match options.in_flight {
                InFlight::Fixed(limit) => Limit::Fixed(limit.max(1)),
                InFlight::Auto => Limit::Auto(Concurrency::new(now)),
            },
            running: 0,
            polls: Polls::new(now),
            deletes: Batch::default(),
            hides: Batch::default(),
            copies: Batch::default(),
            observer: Observer::new(fifo, parts.observations.clone()),
            entries: Vec::new(),
            timer: None,
            housekeeping_at: now,
            depth_at: now,
            phase: Phase::Working,
            visible: 0,
            denied_told: BTreeSet::new(),
            redrive_asked: false,
            options,
            parts,
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
        let timer = timer.as_mut().expect("it was just set");
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
            Signal::Ended { ticket, handled } => self.ended(ticket, handled, now),
            Signal::Settled { operation, entries, results } => self.settled(operation, entries, results, now),
            Signal::Renewed { sent_at, entries, results } => self.renewed(sent_at, entries, results, now),
            Signal::Copied { tickets, results } => self.copied(tickets, results, now),
            Signal::Depth(depth) => self.measured(depth),
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
        self.keep_house(now);
        self.report();
    }

    /// When the loop must turn even without a signal.
    fn wake(&self, now: Duration) -> Duration {
        let mut wake = self.housekeeping_at;
        let batches =
            [&self.deletes, &self.hides, &self.copies].into_iter().filter_map(|batch| batch.due_at());
        for at in batches.chain(self.table.next_look()) {
            wake = wake.min(at);
        }
        if self.phase != Phase::Working {
            return wake;
        }
        if let Some(at) = self.valve_at {
            wake = wake.min(at);
        }
        if self.polls.rest_until() > now {
            wake = wake.min(self.polls.rest_until());
        }
        if let Admission::Shut(Some(at)) = self.gates.admission(now) {
            wake = wake.min(at);
        }
        wake
    }

    /// Keeps the running timer if it rings early enough: a needless ring is cheaper than a new
    /// timer each turn.
    fn set_timer(&mut self, at: Duration, now: Duration) {
        if self.timer.as_ref().is_none_or(|timer| timer.at > at) {
            let clock = self.parts.clock.clone();
            let wait = at.saturating_sub(now);
            self.timer = Some(Timer { at, rings: Box::pin(async move { clock.sleep(wait).await }) });
        }
    }

    fn now(&self) -> Duration {
        self.parts.clock.elapsed()
    }

    fn limit(&self) -> usize {
        match &self.limit {
            Limit::Fixed(limit) => *limit,
            Limit::Auto(found) => found.limit(),
        }
    }

    fn note(&mut self, ticket: Ticket, what: What) {
        if let Some(delivery) = self.table.get(ticket) {
            self.entries.push(Entry {
                at: self.parts.clock.now(),
                reservation: delivery.lane.clone(),
                message: delivery.message.id.clone(),
                kind: type_label(delivery.kind()),
                what,
            });
        }
    }

    fn breaker_turned(&self, downstream: Downstream, open: bool) {
        self.parts.telemetry.breaker(downstream, open);
        self.parts.status.breaker(downstream.index(), open);
        let name = downstream.as_str();
        let state = if open { Err("does not answer; one message probes it".to_owned()) } else { Ok(()) };
        self.parts.process.health.ready_set(name, state);
        if open {
            tracing::warn!(downstream = name, "the breaker opened: polling stops, one message probes");
        } else {
            tracing::info!(downstream = name, "the breaker closed");
        }
    }
}
