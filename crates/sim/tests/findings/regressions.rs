//! What the simulator has found in the production code, each by its name, with a seed that finds it when it is put back.
//!
//! The bugs are mended, and each can be planted again. A test runs its seed twice: with the bug, which must be found, and
//! without, which must be clean. A change of the simulator may give the seeds other runs; then
//! `cargo run --release -p sim --features plants -- --plant NAME --seeds 0..20000 --no-shrink` names others.
//! docs/found-by-simulation.md tells the stories.

use ports::plant::{Plant, plant};
use sim::plan::Plan;
use sim::run::run;
use sim::trace::Trace;

fn is_found_and_mended(bug: Plant, seed: u64, invariant: &str) {
    plant(Some(bug));
    let with = run(Plan::draw(seed), Trace::off());
    plant(None);
    let without = run(Plan::draw(seed), Trace::off());
    let found = with.violation.map(|violation| violation.invariant);
    assert_eq!(found.as_deref(), Some(invariant), "{} at seed {seed}", bug.name());
    assert_eq!(without.violation, None, "seed {seed} without {}", bug.name());
}
