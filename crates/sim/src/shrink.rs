//! The shrinker: finds a smaller world, or fewer faults, with the same violation.
//!
//! It tries to leave out whole kinds of faults, then the operators, then buyers from the end, and keeps what still
//! violates the same invariant. Every try is a whole run, so it is bounded.

use crate::fault::Kind;
use crate::plan::Plan;
use crate::run::run;
use crate::trace::Trace;

/// Runs that shrinking may take.
const TRIES_MAX: u32 = 400;

/// A plan with the same violation, from which no kind of fault and no buyer can be left out alone.
pub fn shrink(plan: &Plan, invariant: &str) -> Plan {
    let mut tries = 0;
    let mut still = |plan: &Plan| {
        tries += 1;
        tries <= TRIES_MAX
            && run(plan.clone(), Trace::off()).violation.is_some_and(|found| found.invariant == invariant)
    };
    let mut best = plan.clone();
    loop {
        let before = best.clone();
        for kind in Kind::ALL {
            if best.rates[*kind as usize] > 0 {
                let fewer = best.clone().without(*kind);
                if still(&fewer) {
                    best = fewer;
                }
            }
        }
        let alone = Plan { operators: false, ..best.clone() };
        if best.operators && still(&alone) {
            best = alone;
        }
        let mut step = best.buyers / 2;
        while step > 0 {
            let fewer = Plan { buyers: best.buyers - step, ..best.clone() };
            if best.buyers > step && still(&fewer) {
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
