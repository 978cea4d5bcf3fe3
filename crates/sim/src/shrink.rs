//! The shrinker: finds a smaller world, or fewer faults, with the same violation.
//!
//! It tries to leave out whole kinds of faults, then the operators, then people from the end, and
//! keeps each change after which the run still violates the same invariant. Every try is a whole
//! run, so their number is bounded.

use crate::fault::FaultKind;
use crate::trace::Trace;
use crate::world::World;

/// Runs that shrinking may take.
const TRIES_MAX: u32 = 400;

/// A plan with the same violation, from which no kind of fault and no person can be left out alone.
pub fn shrink<W: World>(plan: &W, invariant: &str) -> W {
    let mut tries = 0;
    let mut still = |plan: &W| {
        tries += 1;
        tries <= TRIES_MAX
            && plan.clone().run(Trace::off()).violation.is_some_and(|found| found.invariant == invariant)
    };
    let mut best = plan.clone();
    loop {
        let before = best.clone();
        for kind in W::Kind::ALL {
            let fewer = best.clone().without(*kind);
            if fewer != best && still(&fewer) {
                best = fewer;
            }
        }
        let mut knobs = best.knobs();
        knobs.operators = false;
        let alone = best.clone().with(knobs);
        if alone != best && still(&alone) {
            best = alone;
        }
        let mut step = best.knobs().people / 2;
        while step > 0 {
            let mut knobs = best.knobs();
            let is_possible = knobs.people > step;
            knobs.people = knobs.people.saturating_sub(step);
            let fewer = best.clone().with(knobs);
            if is_possible && still(&fewer) {
                best = fewer;
            } else {
                step /= 2;
            }
        }
        if best == before {
            return best;
        }
    }
}
