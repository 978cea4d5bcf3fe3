//! Same seed, same run: every line of the trace, every step, every microsecond.

use sim::plan::Plan;
use sim::run::run;
use sim::trace::Trace;
use sim::world::Outcome;

fn traced(seed: u64) -> Outcome<Plan> {
    run(Plan::draw(seed), Trace::all())
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in [3, 17, 42, 99] {
        let (first, second) = (traced(seed), traced(seed));
        assert!(first.lines.len() > 500, "seed {seed} has {} lines", first.lines.len());
        assert_eq!(first.lines.join("\n"), second.lines.join("\n"), "seed {seed}");
        assert_eq!((first.steps, first.micros), (second.steps, second.micros));
        assert_eq!(first.variants, second.variants);
        assert_eq!(first.faults, second.faults);
    }
}

/// Tracing must change nothing: a finding is run again with its trace.
#[test]
fn a_run_is_the_same_whether_it_is_traced_or_not() {
    for seed in [5, 23] {
        let (traced, silent) = (traced(seed), run(Plan::draw(seed), Trace::off()));
        assert_eq!(
            (traced.steps, traced.micros, traced.faults),
            (silent.steps, silent.micros, silent.faults)
        );
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(traced(3).lines, traced(4).lines);
}
