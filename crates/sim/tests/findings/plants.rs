//! Every planted bug is found, and within how many seeds. One that is not found is a failure of the simulator.

use ports::plant::Plant;
use sim::find::find;
use std::fmt::Write;

/// From where the seeds are counted.
const BASE: u64 = 50_000_000;

/// Seeds within which a bug must be found: ten times the median of `sim --plants` (docs/simulation.md), and some for the
/// easy ones.
const fn limit(plant: Plant) -> u64 {
    match plant {
        _ => 20_000,
    }
}

#[test]
fn every_planted_bug_is_found() {
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let mut missed = String::new();
    for plant in Plant::ALL {
        let finds = find(&[plant], &[BASE], limit(plant), threads);
        for found in finds {
            match found.seeds {
                Some(seeds) => {
                    println!("{} ({}): {} after {seeds} seeds", plant.name(), plant.trap(), found.invariant)
                }
                None => writeln!(missed, "{}: not within {} seeds", plant.name(), limit(plant)).unwrap(),
            }
        }
    }
    assert!(missed.is_empty(), "planted bugs that nobody found:\n{missed}");
}
