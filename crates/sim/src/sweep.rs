//! Many seeds of a world: run side by side, one thread each, and summed up.

use crate::fault::FaultKind;
use crate::trace::Trace;
use crate::world::{Outcome, World};
use core::sync::atomic::{AtomicU64, Ordering};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The outcome of many runs.
#[derive(Debug, Clone)]
pub struct Summary<W: World> {
    /// Runs.
    pub seeds: u64,
    /// Polls of tasks.
    pub steps: u64,
    /// Virtual microseconds.
    pub micros: u64,
    /// The runs that violated something, by seed.
    pub violations: BTreeMap<u64, Outcome<W>>,
    /// How often each kind of fault happened, by its index.
    pub faults: Vec<u64>,
    /// How often each code probe was hit.
    pub variants: BTreeMap<String, u64>,
    /// How often each check was made.
    pub checks: BTreeMap<W::Check, u64>,
}

/// The report of `sim --seeds --json` (docs/contracts.md#commands).
#[derive(Debug, Serialize)]
pub struct Report<'s> {
    seeds: u64,
    steps: u64,
    violations: usize,
    violating_seeds: Vec<u64>,
    faults: BTreeMap<&'static str, u64>,
    /// Absent in the waiting room, whose code has no probes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variants: &'s BTreeMap<String, u64>,
    checks: BTreeMap<String, u64>,
    virtual_hours: f64,
    seeds_per_second: f64,
    wall_seconds: f64,
}

impl<W: World> Default for Summary<W> {
    fn default() -> Self {
        Self {
            seeds: 0,
            steps: 0,
            micros: 0,
            violations: BTreeMap::new(),
            faults: vec![0; W::Kind::ALL.len()],
            variants: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }
}

impl<W: World> Summary<W> {
    fn add(&mut self, outcome: Outcome<W>) {
        let mut one = Self {
            seeds: 1,
            steps: outcome.steps,
            micros: outcome.micros,
            faults: outcome.faults.clone(),
            variants: outcome.variants.clone(),
            checks: outcome.checks.clone(),
            violations: BTreeMap::new(),
        };
        if outcome.violation.is_some() {
            one.violations.insert(outcome.plan.seed(), outcome);
        }
        self.join(one);
    }

    /// Adds the summary of other runs.
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

    /// Each kind of fault by its name, with how often it happened.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        W::Kind::ALL.iter().map(|kind| (kind.name(), self.faults[kind.index()]))
    }

    /// The report, for runs that took `wall_seconds`.
    pub fn report(&self, wall_seconds: f64) -> Report<'_> {
        Report {
            seeds: self.seeds,
            steps: self.steps,
            violations: self.violations.len(),
            violating_seeds: self.violations.keys().copied().collect(),
            faults: self.faults().collect(),
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
    /// The seed behind the last one.
    pub to: u64,
    /// How many run side by side.
    pub threads: usize,
}

/// Runs seeds. `prepare` is called on each thread, `done` with the number of seeds that are run so
/// far, and `plan` may narrow the seed's plan.
pub fn sweep<W: World>(
    sweep: Sweep,
    prepare: impl Fn() + Sync,
    done: impl Fn(u64) + Sync,
    plan: impl Fn(W) -> W + Sync,
) -> Summary<W> {
    let next = AtomicU64::new(sweep.from);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..sweep.threads.max(1) {
            scope.spawn(|| {
                prepare();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= sweep.to {
                        return;
                    }
                    let outcome = plan(W::plan(seed)).run(Trace::off());
                    let mut summary = crate::exec::lock(&summary);
                    summary.add(outcome);
                    done(summary.seeds);
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
