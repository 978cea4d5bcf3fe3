//! Same seed, same run: every line of the trace, every step, every microsecond.

use sim::plan::Plan;
use sim::run::{Outcome, run};
use sim::trace::Trace;

fn told(seed: u64) -> Outcome {
    run(Plan::draw(seed), Trace::all())
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in [3, 17, 42, 99] {
        let (first, second) = (told(seed), told(seed));
        assert!(first.lines.len() > 500, "seed {seed} has {} lines", first.lines.len());
        assert_eq!(first.lines.join("\n"), second.lines.join("\n"), "seed {seed}");
        assert_eq!((first.steps, first.micros), (second.steps, second.micros));
        assert_eq!(first.variants, second.variants);
        assert_eq!(first.faults, second.faults);
    }
}

/// Whether somebody reads the trace must change nothing: a finding is run again with its trace.
#[test]
fn a_run_is_the_same_whether_it_is_traced_or_not() {
    for seed in [5, 23] {
        let (told, untold) = (told(seed), run(Plan::draw(seed), Trace::off()));
        assert_eq!((told.steps, told.micros, told.faults), (untold.steps, untold.micros, untold.faults));
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(told(3).lines, told(4).lines);
}
