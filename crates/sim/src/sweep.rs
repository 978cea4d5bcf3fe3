//! Many seeds: run side by side, one thread each, and summed up.

use crate::fault::{KINDS, Kind};
use crate::plan::Plan;
use crate::run::{Outcome, run};
use crate::trace::Trace;
use core::sync::atomic::{AtomicU64, Ordering};
use domain::invariant::Name;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What many runs came to.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Runs.
    pub seeds: u64,
    /// Polls of tasks.
    pub steps: u64,
    /// Virtual microseconds.
    pub micros: u64,
    /// The runs that violated something, by seed.
    pub violations: BTreeMap<u64, Outcome>,
    /// How often each fault happened.
    pub faults: [u64; KINDS],
    /// How often each code probe was hit.
    pub variants: BTreeMap<String, u64>,
    /// How often each invariant was checked.
    pub checks: BTreeMap<Name, u64>,
}

/// The report of `sim --seeds --json` (contracts section 8).
#[derive(Debug, Serialize)]
pub struct Report<'s> {
    seeds: u64,
    steps: u64,
    violations: usize,
    violating_seeds: Vec<u64>,
    faults: BTreeMap<&'static str, u64>,
    variants: &'s BTreeMap<String, u64>,
    checks: BTreeMap<String, u64>,
    virtual_hours: f64,
    seeds_per_second: f64,
    wall_seconds: f64,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            seeds: 0,
            steps: 0,
            micros: 0,
            violations: BTreeMap::new(),
            faults: [0; KINDS],
            variants: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        let mut one = Self {
            seeds: 1,
            steps: outcome.steps,
            micros: outcome.micros,
            faults: outcome.faults,
            variants: outcome.variants.clone(),
            checks: outcome.checks.clone(),
            violations: BTreeMap::new(),
        };
        if outcome.violation.is_some() {
            one.violations.insert(outcome.plan.seed, outcome);
        }
        self.join(one);
    }

    /// Takes in what other runs came to.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.micros += other.micros;
        self.violations.extend(other.violations);
        self.faults.iter_mut().zip(other.faults).for_each(|(sum, count)| *sum += count);
        for (name, count) in other.variants {
            *self.variants.entry(name).or_default() += count;
        }
        for (name, count) in other.checks {
            *self.checks.entry(name).or_default() += count;
        }
    }

    /// Virtual time that was simulated, in hours.
    pub fn virtual_hours(&self) -> f64 {
        self.micros as f64 / 3.6e9
    }

    /// The report, for runs that took so long.
    pub fn report(&self, wall_seconds: f64) -> Report<'_> {
        Report {
            seeds: self.seeds,
            steps: self.steps,
            violations: self.violations.len(),
            violating_seeds: self.violations.keys().copied().collect(),
            faults: Kind::ALL.iter().map(|kind| (kind.name(), self.faults[*kind as usize])).collect(),
            variants: &self.variants,
            checks: self.checks.iter().map(|(name, count)| (name.to_string(), *count)).collect(),
            virtual_hours: self.virtual_hours(),
            seeds_per_second: self.seeds as f64 / wall_seconds,
            wall_seconds,
        }
    }
}

/// How to run many seeds.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// The first seed.
    pub from: u64,
    /// The one behind the last.
    pub to: u64,
    /// How many run side by side.
    pub threads: usize,
}

/// Runs seeds. `prepare` is called on each thread, `done` with the number of seeds that are run so far, and `plan` may
/// narrow what the seed draws.
pub fn sweep(
    sweep: Sweep,
    prepare: impl Fn() + Sync,
    done: impl Fn(u64) + Sync,
    plan: impl Fn(Plan) -> Plan + Sync,
) -> Summary {
    over_seeds(
        sweep,
        prepare,
        done,
        |seed| run(plan(Plan::draw(seed)), Trace::off()),
        |summary: &mut Summary, outcome| {
            summary.add(outcome);
            summary.seeds
        },
    )
}

/// Runs seeds of any world side by side and adds up what comes out; `add` says how many that are so far.
pub(crate) fn over_seeds<S: Default + Send, O>(
    sweep: Sweep,
    prepare: impl Fn() + Sync,
    done: impl Fn(u64) + Sync,
    run: impl Fn(u64) -> O + Sync,
    add: impl Fn(&mut S, O) -> u64 + Sync,
) -> S {
    let next = AtomicU64::new(sweep.from);
    let summary = Mutex::new(S::default());
    std::thread::scope(|scope| {
        for _ in 0..sweep.threads.max(1) {
            scope.spawn(|| {
                prepare();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= sweep.to {
                        return;
                    }
                    let outcome = run(seed);
                    let mut summary = crate::exec::lock(&summary);
                    done(add(&mut summary, outcome));
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
