//! What everybody in this world shares.

use super::fault::{Trouble, Troubles};
use super::gates::Gate;
use super::plan::LinePlan;
use super::store::Shelf;
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

/// How far clocks are apart from the true time, at most, in milliseconds.
pub const SKEW_MAX_MS: i64 = 3_000;
/// What tickets and passes are signed with.
pub const ROOM_SECRET: &str = "the waiting room of this world";
/// What the tokens of people are signed with.
pub const JWT_SECRET: &str = "who the people of this world are, signed";

/// One world.
pub struct World {
    /// What is run.
    pub plan: LinePlan,
    /// Time and tasks.
    pub exec: Executor,
    /// What goes wrong.
    pub faults: Troubles,
    /// What happened.
    pub trace: Arc<Trace>,
    /// The group of the store, chaos and everybody who cannot crash.
    pub base: Group,
    /// The people's group.
    pub people: Group,
    /// The clock of the store.
    pub clock: Arc<SimClock>,
    /// How long a line waits for what.
    pub patience: Patience,
    pub(super) gates: Mutex<Vec<Gate>>,
    pub(super) shelves: Mutex<BTreeMap<ShowId, Shelf>>,
    /// People who have not come to an end, by what they are.
    pub(super) there: Mutex<BTreeSet<String>>,
    pub(super) next: AtomicU32,
    /// Until when the store stands still.
    pub(super) frozen_until: AtomicU64,
    /// When something last went wrong that is not a loss.
    trouble_at: AtomicU64,
    violation: Mutex<Option<Violation>>,
}

impl World {
    /// A world in which nothing happened yet.
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
            gates: Mutex::default(),
            shelves: Mutex::default(),
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

    /// Notes what happens in this step; the words are only made if somebody reads them.
    pub fn tell(&self, words: impl FnOnce() -> String) {
        self.trace.note(words);
    }

    /// Notes that an invariant does not hold. The first one ends the run.
    pub fn violated(&self, invariant: &str, words: impl Into<String>) {
        let mut violation = lock(&self.violation);
        if violation.is_none() {
            let found =
                Violation { invariant: invariant.to_owned(), words: words.into(), step: self.exec.steps() };
            self.tell(|| format!("VIOLATION {}: {}", found.invariant, found.words));
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

    /// Waits as long as one way of a call takes.
    pub async fn way(&self) {
        let way = self.faults.way();
        if !way.is_zero() {
            self.exec.sleep(way).await;
        }
    }

    /// As [`Troubles::strikes`], for what keeps gateways and store apart: it is remembered when that last was.
    pub fn strikes(&self, kind: Trouble) -> bool {
        let strikes = self.faults.strikes(kind);
        if strikes {
            self.trouble();
        }
        strikes
    }

    /// Something goes wrong now that is not a loss.
    pub fn trouble(&self) {
        self.trouble_until(self.micros());
    }

    /// Something goes wrong until then.
    pub fn trouble_until(&self, micros: u64) {
        self.trouble_at.fetch_max(micros, Ordering::Relaxed);
    }

    /// When something last went wrong that is not a loss.
    pub fn trouble_at(&self) -> u64 {
        self.trouble_at.load(Ordering::Relaxed)
    }

    pub(super) fn shelves(&self) -> MutexGuard<'_, BTreeMap<ShowId, Shelf>> {
        lock(&self.shelves)
    }
}

/// The name of a show.
pub fn show_of(number: u32) -> ShowId {
    ShowId::parse(&format!("show-{number}")).expect("letters and a number")
}

/// Seconds of virtual time, for words.
pub fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}
