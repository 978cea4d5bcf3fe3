//! The world of the waiting room: its promises hold, and the same seed gives the same run.

use sim::line_world::fault::Trouble;
use sim::line_world::{LinePlan, run};
use sim::sweep::{Sweep, sweep};
use sim::trace::Trace;
use sim::world::Outcome;

fn traced(seed: u64) -> Outcome<LinePlan> {
    run(LinePlan::draw(seed), Trace::all())
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    // In the last one many wait for one answer of the inventory.
    for seed in [2, 5, 11, 17, 3349] {
        let (first, second) = (traced(seed), traced(seed));
        assert!(first.lines.len() > 500, "seed {seed} has {} lines", first.lines.len());
        assert_eq!(first.lines.join("\n"), second.lines.join("\n"), "seed {seed}");
        assert_eq!((first.steps, first.micros, &first.faults), (second.steps, second.micros, &second.faults));
        let silent = run(LinePlan::draw(seed), Trace::off());
        assert_eq!((first.steps, first.micros, &first.faults), (silent.steps, silent.micros, &silent.faults));
    }
    assert_ne!(traced(3).lines, traced(4).lines);
}

#[test]
fn the_line_keeps_its_promises_whatever_fails() {
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let seeds = Sweep { from: 0, to: 60, threads };
    let summary = sweep::<LinePlan>(seeds, || {}, |_| {}, |plan| plan);
    let found: Vec<_> =
        summary.violations.iter().map(|(seed, outcome)| (seed, outcome.violation.clone())).collect();
    assert!(found.is_empty(), "{found:#?}");
    for kind in Trouble::ALL {
        assert!(summary.faults[*kind as usize] > 0, "{} never happened", kind.name());
    }
    for promise in
        ["W1", "W2", "W3", "W4", "W5", "W6", "W10", "ready", "position", "rest", "resume", "forged"]
    {
        assert!(summary.checks.get(promise).is_some_and(|count| *count > 0), "{promise} was never checked");
    }
}
