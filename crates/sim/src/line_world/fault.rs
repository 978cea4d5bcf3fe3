//! The faults between people, gateways and the store.

use crate::fault::{Faults, draw, kinds};
use domain::random::Random;

kinds! {
    /// What can go wrong.
    Trouble:
    /// A gateway dies wherever its tasks stand; another is started later.
    Crash = "crash", 60;
    /// All gateways die at once.
    Outage = "outage", 10;
    /// The store loses everything.
    LoseAll = "lose_all", 25;
    /// The store loses up to its last second, and continues from there.
    LoseLast = "lose_last", 40;
    /// After a loss the store has another clock, behind or ahead.
    OtherClock = "other_clock", 500_000;
    /// The store freezes for up to 20 s, and then carries out all calls that waited.
    Freeze = "freeze", 25;
    /// A call of the store is refused.
    StoreRefused = "store_refused", 60_000;
    /// A call of the store never arrives.
    StoreCallLost = "store_call_lost", 60_000;
    /// The store carries a call out, and its answer is lost.
    StoreAnswerLost = "store_answer_lost", 80_000;
    /// The store carries a call out up to 20 s later.
    StoreLate = "store_late", 60_000;
    /// The store carries a call out at once and answers up to 20 s later.
    StoreAnswerLate = "store_answer_late", 60_000;
    /// A request never reaches its gateway.
    RequestLost = "request_lost", 60_000;
    /// A request is carried out, and the answer is lost.
    AnswerLost = "answer_lost", 80_000;
    /// A request or its answer takes seconds.
    RequestSlow = "request_slow", 80_000;
    /// A person gives up on a request, and the gateway drops it where it stands.
    RequestCut = "request_cut", 60_000;
    /// The clocks of gateways and store are apart.
    ClockSkew = "clock_skew", 700_000;
    /// The clock of a gateway jumps.
    ClockJump = "clock_jump", 60;
}

/// How many kinds there are.
pub const TROUBLES: usize = Trouble::ALL.len();

/// The rate of each kind.
pub type TroubleRates = [u32; TROUBLES];

/// The troubles of one run.
pub type Troubles = Faults<Trouble, TROUBLES>;

/// Draws rates as the other world does, with one to three kinds in the seeds that have few.
pub fn draw_rates(dice: &mut impl Random) -> TroubleRates {
    draw::<Trouble, TROUBLES>(dice, 1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::random::SplitMix64;

    #[test]
    fn some_seeds_are_calm_and_each_kind_happens_in_some() {
        let drawn: Vec<TroubleRates> = (0..200).map(|seed| draw_rates(&mut SplitMix64::new(seed))).collect();
        assert!(drawn.iter().any(|rates| rates.iter().all(|rate| *rate == 0)));
        for kind in Trouble::ALL {
            assert!(drawn.iter().any(|rates| rates[*kind as usize] > 0), "{kind:?}");
        }
    }
}
