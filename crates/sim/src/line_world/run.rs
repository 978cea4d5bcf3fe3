//! One run, from the first person to the last, and many of them.

use super::fault::{TROUBLES, Trouble};
use super::plan::LinePlan;
use super::world::{World, seconds};
use super::{gates, operator, people, store, watch};
use crate::checker::Violation;
use crate::exec::{Turn, lock};
use crate::sweep::{Sweep, over_seeds};
use crate::trace::Trace;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Steps after which a run is taken for one that never ends.
const STEPS_MAX: u64 = 5_000_000;
/// How often it is looked whether entry goes on.
const LOOK_EVERY_US: u64 = 250_000;
/// Everybody is in, or was told that they are not, so long after the faults have stopped; and so long more for each person
/// that a second of the rate does not let in.
const END_MAX: Duration = Duration::from_secs(240);

/// What a run came to.
#[derive(Debug, Clone)]
pub struct LineOutcome {
    /// What was run.
    pub plan: LinePlan,
    /// The first violation, if there was one.
    pub violation: Option<Violation>,
    /// Polls of tasks.
    pub steps: u64,
    /// Virtual microseconds.
    pub micros: u64,
    /// How often each fault happened.
    pub faults: [u64; TROUBLES],
    /// How often each promise was checked.
    pub checks: BTreeMap<&'static str, u64>,
    /// The lines of the trace, if they were asked for.
    pub lines: Vec<String>,
}

/// Runs a plan.
pub fn run(plan: LinePlan, trace: Trace) -> LineOutcome {
    // The reading of a body asks for tokio's timers. Bodies are there at once here, so nothing ever waits for one.
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it opens nothing");
    let _entered = tokio.enter();
    let world = World::new(plan, trace);
    let over = Arc::new(AtomicBool::new(false));
    world.exec.spawn(world.base, conduct(Arc::clone(&world), Arc::clone(&over)));
    let mut look_at = LOOK_EVERY_US;
    while !over.load(Ordering::Relaxed) && world.violation().is_none() {
        match world.exec.turn() {
            Turn::Polled(group) => {
                let steps = world.exec.steps();
                world.trace.step(steps, world.micros(), || gates::owner(&world, group));
                if steps > STEPS_MAX {
                    world.violated("L1", format!("no end after {steps} steps"));
                }
            }
            Turn::Waited if world.micros() >= look_at => {
                look_at = world.micros() + LOOK_EVERY_US;
                watch::look(&world);
            }
            Turn::Waited => {}
            Turn::Still => world.violated("L1", "no task is ready and no timer runs"),
            Turn::Loops => world.violated("L1", "tasks wake each other and time stands still"),
            Turn::Panicked(_, words) => world.violated("panic", words),
        }
    }
    world.trace.step(world.exec.steps(), world.micros(), || "end".to_owned());
    let mut checks = BTreeMap::new();
    for shelf in world.shelves().values() {
        for (name, count) in &shelf.judge.checks {
            *checks.entry(*name).or_default() += count;
        }
    }
    let outcome = LineOutcome {
        plan: world.plan.clone(),
        violation: world.violation(),
        steps: world.exec.steps(),
        micros: world.micros(),
        faults: world.faults.fired(),
        checks,
        lines: world.trace.lines(),
    };
    // So that the circle of handles between the tasks is broken.
    gates::end_all(&world);
    world.exec.kill(world.people);
    world.exec.kill(world.base);
    outcome
}

/// Leads through the run, from outside of everything that can fail.
async fn conduct(world: Arc<World>, over: Arc<AtomicBool>) {
    gates::start_all(&world);
    people::come(&world);
    for kind in [
        Trouble::Crash,
        Trouble::Outage,
        Trouble::LoseAll,
        Trouble::LoseLast,
        Trouble::Freeze,
        Trouble::ClockJump,
    ] {
        let episodes = Arc::clone(&world);
        world.exec.spawn(world.base, async move {
            while let Some(interval) = episodes.faults.interval(kind) {
                episodes.exec.sleep(interval).await;
                if !episodes.faults.active() {
                    return;
                }
                episodes.faults.count(kind);
                episode(&episodes, kind).await;
            }
        });
    }
    if world.plan.operator {
        operator::begin(&world);
    }
    world.exec.sleep(world.plan.storm).await;
    world.tell(|| "the faults stop".to_owned());
    world.faults.stop();
    world.frozen_until.store(0, Ordering::Relaxed);
    world.trouble();
    gates::start_all(&world);
    // What is late may still be on its way, and an operator in the middle of a change.
    world.exec.sleep(store::LATE_MAX).await;
    operator::resume_all(&world).await;
    let limit = END_MAX + Duration::from_secs(u64::from(world.plan.people) * 20);
    let end = world.micros() + limit.as_micros() as u64;
    while !lock(&world.there).is_empty() {
        if world.micros() > end {
            let there = lock(&world.there).clone();
            return world.violated(
                "L1",
                format!("{:.0} s without faults, and there are {there:?}", limit.as_secs_f64()),
            );
        }
        gates::start_all(&world);
        world.exec.sleep(Duration::from_secs(1)).await;
    }
    over.store(true, Ordering::Relaxed);
}

async fn episode(world: &Arc<World>, kind: Trouble) {
    match kind {
        Trouble::Crash => {
            let there = gates::there(world);
            let luck = world.faults.below(64) as usize;
            if let Some(id) = there.get(luck % there.len().max(1)) {
                gates::crash(world, *id);
            }
        }
        Trouble::Outage => gates::there(world).into_iter().for_each(|id| gates::crash(world, id)),
        Trouble::LoseAll => store::lose_all(world),
        Trouble::LoseLast => store::lose_last(world),
        Trouble::Freeze => {
            let long = world.faults.between(Duration::from_millis(200), store::LATE_MAX);
            let until = world.micros() + long.as_micros() as u64;
            world.tell(|| format!("the store stands still until {:.3} s", seconds(until)));
            world.frozen_until.store(until, Ordering::Relaxed);
            world.trouble_until(until);
            world.exec.sleep(long).await;
        }
        Trouble::ClockJump => gates::jump(world),
        _ => {}
    }
}

/// What many runs came to.
#[derive(Debug, Clone, Default)]
pub struct LineSummary {
    /// Runs.
    pub seeds: u64,
    /// Polls of tasks.
    pub steps: u64,
    /// Virtual microseconds.
    pub micros: u64,
    /// The runs that violated something, by seed.
    pub violations: BTreeMap<u64, LineOutcome>,
    /// How often each fault happened.
    pub faults: [u64; TROUBLES],
    /// How often each promise was checked.
    pub checks: BTreeMap<&'static str, u64>,
}

/// The report of `sim --waiting-room --seeds --json`.
#[derive(Debug, Serialize)]
pub struct LineReport<'s> {
    seeds: u64,
    steps: u64,
    violations: usize,
    violating_seeds: Vec<u64>,
    faults: BTreeMap<&'static str, u64>,
    checks: &'s BTreeMap<&'static str, u64>,
    virtual_hours: f64,
    seeds_per_second: f64,
    wall_seconds: f64,
}

impl LineSummary {
    fn add(&mut self, outcome: LineOutcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.micros += outcome.micros;
        self.faults.iter_mut().zip(outcome.faults).for_each(|(sum, count)| *sum += count);
        for (name, count) in &outcome.checks {
            *self.checks.entry(name).or_default() += count;
        }
        if outcome.violation.is_some() {
            self.violations.insert(outcome.plan.seed, outcome);
        }
    }

    /// Takes in what other runs came to.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.micros += other.micros;
        self.violations.extend(other.violations);
        self.faults.iter_mut().zip(other.faults).for_each(|(sum, count)| *sum += count);
        for (name, count) in other.checks {
            *self.checks.entry(name).or_default() += count;
        }
    }

    /// Virtual time that was simulated, in hours.
    pub fn virtual_hours(&self) -> f64 {
        self.micros as f64 / 3.6e9
    }

    /// The report, for runs that took so long.
    pub fn report(&self, wall_seconds: f64) -> LineReport<'_> {
        LineReport {
            seeds: self.seeds,
            steps: self.steps,
            violations: self.violations.len(),
            violating_seeds: self.violations.keys().copied().collect(),
            faults: Trouble::ALL.iter().map(|kind| (kind.name(), self.faults[*kind as usize])).collect(),
            checks: &self.checks,
            virtual_hours: self.virtual_hours(),
            seeds_per_second: self.seeds as f64 / wall_seconds,
            wall_seconds,
        }
    }
}

/// Runs seeds, many side by side. `prepare` is called on each thread, `done` with the number of seeds that are run so far, and
/// `plan` may narrow what the seed draws.
pub fn sweep(
    sweep: Sweep,
    prepare: impl Fn() + Sync,
    done: impl Fn(u64) + Sync,
    plan: impl Fn(LinePlan) -> LinePlan + Sync,
) -> LineSummary {
    over_seeds(
        sweep,
        prepare,
        done,
        |seed| run(plan(LinePlan::draw(seed)), Trace::off()),
        |summary: &mut LineSummary, outcome| {
            summary.add(outcome);
            summary.seeds
        },
    )
}

/// A plan with the same violation and fewer faults and people.
pub fn shrink(plan: &LinePlan, invariant: &str) -> LinePlan {
    let mut tries = 0;
    let mut still = |plan: &LinePlan| {
        tries += 1;
        tries <= 200
            && run(plan.clone(), Trace::off()).violation.is_some_and(|found| found.invariant == invariant)
    };
    let mut best = plan.clone();
    for kind in Trouble::ALL.iter().filter(|kind| plan.rates[**kind as usize] > 0) {
        let fewer = best.clone().without(*kind);
        if still(&fewer) {
            best = fewer;
        }
    }
    let alone = LinePlan { operator: false, ..best.clone() };
    if best.operator && still(&alone) {
        best = alone;
    }
    let mut step = best.people / 2;
    while step > 0 {
        let fewer = LinePlan { people: best.people.saturating_sub(step).max(1), ..best.clone() };
        if fewer.people < best.people && still(&fewer) {
            best = fewer;
        } else {
            step /= 2;
        }
    }
    best
}
