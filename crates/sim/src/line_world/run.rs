//! One run, from the first person to the last.

use super::fault::Trouble;
use super::plan::LinePlan;
use super::room::{Room, seconds};
use super::{gateways, operator, people, storage, watch};
use crate::exec::{Turn, lock};
use crate::trace::Trace;
use crate::world::Outcome;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Steps after which a run counts as endless.
const STEPS_MAX: u64 = 5_000_000;
/// How often the run checks that people keep entering.
const LOOK_EVERY_US: u64 = 250_000;
/// Everybody has a pass or a final answer this long after the faults have stopped, and some more
/// for each person.
const END_MAX: Duration = Duration::from_secs(240);

/// Runs a plan.
pub fn run(plan: LinePlan, trace: Trace) -> Outcome<LinePlan> {
    // Reading a body needs tokio's timers. Bodies are complete at once here, so nothing ever waits
    // for one.
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it opens nothing");
    let _entered = tokio.enter();
    let world = Room::new(plan, trace);
    let over = Arc::new(AtomicBool::new(false));
    world.exec.spawn(world.base, conduct(Arc::clone(&world), Arc::clone(&over)));
    let mut look_at = LOOK_EVERY_US;
    while !over.load(Ordering::Relaxed) && world.violation().is_none() {
        match world.exec.turn() {
            Turn::Polled(group) => {
                let steps = world.exec.steps();
                world.trace.step(steps, world.micros(), || gateways::owner(&world, group));
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
            Turn::Panicked(_, text) => world.violated("panic", text),
        }
    }
    world.trace.step(world.exec.steps(), world.micros(), || "end".to_owned());
    let mut checks = BTreeMap::new();
    for stored in world.stored_lines().values() {
        for (name, count) in &stored.oracle.checks {
            *checks.entry(*name).or_default() += count;
        }
    }
    let outcome = Outcome {
        plan: world.plan.clone(),
        violation: world.violation(),
        steps: world.exec.steps(),
        micros: world.micros(),
        faults: world.faults.fired().to_vec(),
        variants: BTreeMap::new(),
        checks,
        lines: world.trace.lines(),
    };
    // This breaks the circle of handles between the tasks.
    gateways::end_all(&world);
    world.exec.kill(world.people);
    world.exec.kill(world.base);
    outcome
}

/// Conducts the run, from outside of everything that can fail.
async fn conduct(world: Arc<Room>, over: Arc<AtomicBool>) {
    gateways::start_all(&world);
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
    world.record(|| "the faults stop".to_owned());
    world.faults.stop();
    world.frozen_until.store(0, Ordering::Relaxed);
    world.trouble();
    gateways::start_all(&world);
    // Late commands may still be on their way, and an operator in the middle of a change.
    world.exec.sleep(storage::LATE_MAX).await;
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
        gateways::start_all(&world);
        world.exec.sleep(Duration::from_secs(1)).await;
    }
    over.store(true, Ordering::Relaxed);
}

async fn episode(world: &Arc<Room>, kind: Trouble) {
    match kind {
        Trouble::Crash => {
            let there = gateways::there(world);
            let luck = world.faults.below(64) as usize;
            if let Some(id) = there.get(luck % there.len().max(1)) {
                gateways::crash(world, *id);
            }
        }
        Trouble::Outage => gateways::there(world).into_iter().for_each(|id| gateways::crash(world, id)),
        Trouble::LoseAll => storage::lose_all(world),
        Trouble::LoseLast => storage::lose_last(world),
        Trouble::Freeze => {
            let long = world.faults.between(Duration::from_millis(200), storage::LATE_MAX);
            let until = world.micros() + long.as_micros() as u64;
            world.record(|| format!("the store stands still until {:.3} s", seconds(until)));
            world.frozen_until.store(until, Ordering::Relaxed);
            world.trouble_until(until);
            world.exec.sleep(long).await;
        }
        Trouble::ClockJump => gateways::jump(world),
        _ => {}
    }
}
