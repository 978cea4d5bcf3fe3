//! Every planted bug is found, and within how many seeds. One that is not found is a failure of the
//! simulator.

use ports::plant::Plant;
use sim::find::find;
use std::fmt::Write;

/// From where the seeds are counted.
const BASE: u64 = 50_000_000;

/// Seeds within which each bug must be found. The table in docs/simulation.md has what they took;
/// most take fewer than ten.
const fn limit(bug: Plant) -> u64 {
    match bug {
        Plant::LeaseAssumed | Plant::OutageCounts | Plant::LateAnswerWins => 4_000,
        Plant::ComesAgainAlone | Plant::ConfirmedMeanwhile | Plant::RedriveSameDedup => 2_000,
        Plant::BeatsForgotten | Plant::LossUnnoticed => 2_000,
        _ => 500,
    }
}

#[test]
fn every_planted_bug_is_found() {
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let mut missed = String::new();
    for plant in Plant::ALL.iter().copied() {
        for found in find(&[plant], &[BASE, 2 * BASE], limit(plant), threads) {
            match found.seeds {
                Some(seeds) => {
                    println!("{} ({}): {} after {seeds} seeds", plant.name(), plant.trap(), found.invariant)
                }
                None => writeln!(missed, "{}: not within {} seeds", plant.name(), limit(plant))
                    .expect("writing to a String"),
            }
        }
    }
    assert!(missed.is_empty(), "planted bugs that nobody found:\n{missed}");
}
