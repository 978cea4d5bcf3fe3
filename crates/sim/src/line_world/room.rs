//! The shared parts of this world.

use super::fault::{Trouble, Troubles};
use super::gateways::Gateway;
use super::plan::LinePlan;
use super::storage::StoredLine;
use crate::checker::Violation;
use crate::core::{SimClock, stream};
use crate::exec::{Executor, Group, lock};
use crate::trace::Trace;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use domain::id::ShowId;
use domain::random::Random;
use domain::waiting_room::Patience;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// How far clocks may be off the true time, in milliseconds.
pub const SKEW_MAX_MS: i64 = 3_000;
/// The secret that signs tickets and passes.
pub const ROOM_SECRET: &str = "the waiting room of this world";
/// The secret that signs the tokens of people.
pub const JWT_SECRET: &str = "who the people of this world are, signed";

/// One world.
pub struct Room {
    /// The plan of the run.
    pub plan: LinePlan,
    /// Time and tasks.
    pub exec: Executor,
    /// The faults.
    pub faults: Troubles,
    /// The trace of the run.
    pub trace: Arc<Trace>,
    /// The group of the store, chaos and all else that cannot crash.
    pub base: Group,
    /// The people's group.
    pub people: Group,
    /// The clock of the store.
    pub clock: Arc<SimClock>,
    /// The line's time limits.
    pub patience: Patience,
    pub(super) gateways: Mutex<Vec<Gateway>>,
    pub(super) stored_lines: Mutex<BTreeMap<ShowId, StoredLine>>,
    /// People before their end, by name and behaviour.
    pub(super) there: Mutex<BTreeSet<String>>,
    pub(super) next: AtomicU32,
    /// Until when the store is frozen.
    pub(super) frozen_until: AtomicU64,
    /// When the last fault happened that is not a loss.
    trouble_at: AtomicU64,
    violation: Mutex<Option<Violation>>,
}

impl Room {
    /// A world in which nothing has happened yet.
    pub fn new(plan: LinePlan, trace: Trace) -> Arc<Self> {
        let trace = Arc::new(trace);
        let exec = Executor::new(stream(plan.seed, 53).next_u64());
        let (base, people) = (exec.group(), exec.group());
        let faults = Troubles::new(
            stream(plan.seed, 54).next_u64(),
            plan.rates,
            (plan.instant, plan.latency),
            trace.clone(),
        );
        let patience = Patience { memory: plan.memory, ..Patience::default() };
        let clock = SimClock::new(exec.clone(), 0);
        let world = Self {
            plan,
            exec,
            faults,
            trace,
            base,
            people,
            clock,
            patience,
            gateways: Mutex::default(),
            stored_lines: Mutex::default(),
            there: Mutex::default(),
            next: AtomicU32::new(1),
            frozen_until: AtomicU64::new(0),
            trouble_at: AtomicU64::new(0),
            violation: Mutex::default(),
        };
        if world.faults.strikes(Trouble::ClockSkew) {
            world.clock.set_skew(world.skew());
        }
        Arc::new(world)
    }

    /// The shows.
    pub fn shows(&self) -> Vec<ShowId> {
        (0..self.plan.shows).map(show_of).collect()
    }

    /// Virtual microseconds.
    pub fn micros(&self) -> u64 {
        self.exec.micros()
    }

    /// Adds an event to the trace of this step. The text is only built if the trace is kept.
    pub fn record(&self, text: impl FnOnce() -> String) {
        self.trace.record(text);
    }

    /// Records that an invariant does not hold. The first violation ends the run.
    pub fn violated(&self, invariant: &str, text: impl Into<String>) {
        let mut violation = lock(&self.violation);
        if violation.is_none() {
            let found =
                Violation { invariant: invariant.to_owned(), text: text.into(), step: self.exec.steps() };
            self.record(|| format!("VIOLATION {}: {}", found.invariant, found.text));
            *violation = Some(found);
        }
    }

    /// The first violation.
    pub fn violation(&self) -> Option<Violation> {
        lock(&self.violation).clone()
    }

    /// How far a clock is off.
    pub fn skew(&self) -> i64 {
        self.faults.below(2 * SKEW_MAX_MS as u64 + 1) as i64 - SKEW_MAX_MS
    }

    /// Waits for as long as one way of a call takes.
    pub async fn way(&self) {
        let way = self.faults.way();
        if !way.is_zero() {
            self.exec.sleep(way).await;
        }
    }

    /// As [`Troubles::strikes`], for faults between gateways and store: it also records when the
    /// last one happened.
    pub fn strikes(&self, kind: Trouble) -> bool {
        let strikes = self.faults.strikes(kind);
        if strikes {
            self.trouble();
        }
        strikes
    }

    /// Records a fault that is not a loss.
    pub fn trouble(&self) {
        self.trouble_until(self.micros());
    }

    /// Records a fault that lasts until then.
    pub fn trouble_until(&self, micros: u64) {
        self.trouble_at.fetch_max(micros, Ordering::Relaxed);
    }

    /// When the last fault happened that is not a loss.
    pub fn trouble_at(&self) -> u64 {
        self.trouble_at.load(Ordering::Relaxed)
    }

    pub(super) fn stored_lines(&self) -> MutexGuard<'_, BTreeMap<ShowId, StoredLine>> {
        lock(&self.stored_lines)
    }
}

/// The name of a show.
pub fn show_of(number: u32) -> ShowId {
    ShowId::parse(&format!("show-{number}")).expect("letters and a number")
}

/// Seconds of virtual time, for texts.
pub fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}
