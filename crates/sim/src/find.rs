//! How many seeds it takes to find each planted bug.
//!
//! A plant is built into the production code by the feature `plants` and switched on for the thread that runs the seeds. A
//! simulator that does not find it does not look where it should.

use crate::fault::Kind;
use crate::line_world::{self, LinePlan};
use crate::plan::Plan;
use crate::run::run;
use crate::trace::Trace;
use core::sync::atomic::{AtomicUsize, Ordering};
use ports::plant::{Plant, World, plant};
use std::sync::Mutex;

/// A planted bug and the seeds that it took, from one base.
#[derive(Debug, Clone)]
pub struct Find {
    /// The bug.
    pub plant: Plant,
    /// The first seed that was tried.
    pub base: u64,
    /// How many seeds were run, the finding one included; `None`: not found within the limit.
    pub seeds: Option<u64>,
    /// The invariant that it violated.
    pub invariant: String,
}

/// The world in which a bug is looked for: any, or for the one that needs messages of a group to meet in the middle of
/// slow calls, a narrow one.
pub fn world(bug: Plant, seed: u64) -> Plan {
    match bug {
        Plant::ComesAgainAlone => {
            let kinds = [Kind::QueueSlow, Kind::ReceiveLate, Kind::PeerFailing, Kind::LeaseLost];
            Plan::draw(seed).narrow().only(&kinds)
        }
        _ => Plan::draw(seed),
    }
}

/// What a run with a planted bug violates, if it finds it.
fn violated(bug: Plant, seed: u64) -> Option<String> {
    let violation = match bug.world() {
        World::WaitingRoom => line_world::run(LinePlan::draw(seed), Trace::off()).violation,
        World::Services => run(world(bug, seed), Trace::off()).violation,
    };
    violation.map(|found| found.invariant)
}

/// Looks for each plant from each base, so many seeds at most, on so many threads.
pub fn find(plants: &[Plant], bases: &[u64], seeds_max: u64, threads: usize) -> Vec<Find> {
    let jobs: Vec<(Plant, u64)> =
        plants.iter().flat_map(|plant| bases.iter().map(move |base| (*plant, *base))).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((bug, base)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    plant(Some(*bug));
                    let first =
                        (*base..base + seeds_max).find_map(|seed| Some((seed, violated(*bug, seed)?)));
                    plant(None);
                    let (seeds, invariant) = match first {
                        Some((seed, invariant)) => (Some(seed - base + 1), invariant),
                        None => (None, String::new()),
                    };
                    crate::exec::lock(&found).push(Find { plant: *bug, base: *base, seeds, invariant });
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|find| (find.plant, find.base));
    found
}

/// The median of the seeds that a bug took; where it was not found it took more than any.
pub fn median(finds: &[Find]) -> Option<u64> {
    let mut seeds: Vec<u64> = finds.iter().map(|find| find.seeds.unwrap_or(u64::MAX)).collect();
    seeds.sort_unstable();
    let middle = seeds.get(seeds.len().checked_sub(1)? / 2).copied()?;
    (middle != u64::MAX).then_some(middle)
}
