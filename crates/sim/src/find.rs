//! How many seeds it takes to find each planted bug.
//!
//! The feature `plants` builds the planted bugs in, and each is switched on for the thread that
//! runs the seeds. A simulator that does not find one does not look where it should.

use crate::fault::Kind;
use crate::line_world::LinePlan;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::World;
use core::sync::atomic::{AtomicUsize, Ordering};
use ports::plant::{self, Plant, plant};
use std::sync::Mutex;

/// A planted bug and the number of seeds that found it, from one base.
#[derive(Debug, Clone)]
pub struct Find {
    /// The bug.
    pub plant: Plant,
    /// The first seed that was tried.
    pub base: u64,
    /// Seeds up to and including the one that found it; `None`: not found within the limit.
    pub seeds: Option<u64>,
    /// The invariant that it violated.
    pub invariant: String,
}

/// The world in which to look for a bug: any, or a narrow one for the bug that needs messages of a
/// group to meet in the middle of slow calls.
pub fn world(bug: Plant, seed: u64) -> Plan {
    match bug {
        Plant::ComesAgainAlone => {
            let kinds = [Kind::QueueSlow, Kind::ReceiveLate, Kind::PeerFailing, Kind::LeaseLost];
            Plan::draw(seed).narrow().only(&kinds)
        }
        _ => Plan::draw(seed),
    }
}

/// The invariant that a run with a planted bug violates, if any.
fn violated(bug: Plant, seed: u64) -> Option<String> {
    let violation = match bug.world() {
        plant::World::WaitingRoom => LinePlan::draw(seed).run(Trace::off()).violation,
        plant::World::Services => world(bug, seed).run(Trace::off()).violation,
    };
    violation.map(|found| found.invariant)
}

/// Looks for each plant from each base, over at most `seeds_max` seeds.
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

/// The median of the seeds of a bug; not found counts as more than any number.
pub fn median(finds: &[Find]) -> Option<u64> {
    let mut seeds: Vec<u64> = finds.iter().map(|find| find.seeds.unwrap_or(u64::MAX)).collect();
    seeds.sort_unstable();
    let middle = seeds.get(seeds.len().checked_sub(1)? / 2).copied()?;
    (middle != u64::MAX).then_some(middle)
}
