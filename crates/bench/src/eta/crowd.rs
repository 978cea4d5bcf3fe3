//! The people: when they join, when they fall silent, whether they use their turn, and the
//! estimates that each got.

use super::{OPENING, Sale};
use domain::random::{Random, SplitMix64};
use domain::waiting_room::Ticket;
use std::time::Duration;

/// Those who fall silent do so within this.
const VANISH_WITHIN_MS: u64 = 120_000;
/// People return after a time between these two.
const AWAY_MS: (u64, u64) = (20_000, 150_000);

/// One of them. Times are in milliseconds.
pub(super) struct Person {
    /// Their ticket, once they have joined.
    pub(super) ticket: Option<Ticket>,
    /// When they fall silent, and whether they return.
    pub(super) silent_at: Option<(u64, bool)>,
    /// Whether they leave their turn unused, and whether they return then.
    pub(super) unused: Option<bool>,
    /// Estimates with their times, until the real wait is known.
    pub(super) estimates: Vec<(u32, u32)>,
    /// The last estimate.
    pub(super) last: Option<u32>,
    /// Whether the first estimate is from the join.
    pub(super) is_fresh: bool,
}

impl Person {
    fn arrives(at: u64, sale: &Sale, dice: &mut SplitMix64) -> Self {
        let silent = dice.unit() < sale.vanish;
        let unused = dice.unit() < sale.no_show;
        Self {
            ticket: None,
            silent_at: silent.then(|| (at + dice.below(VANISH_WITHIN_MS), dice.below(2) == 0)),
            unused: unused.then(|| dice.below(3) == 0),
            estimates: Vec::new(),
            last: None,
            is_fresh: true,
        }
    }
}

/// How long a returning person was away.
pub(super) fn away(dice: &mut SplitMix64) -> u64 {
    AWAY_MS.0 + dice.below(AWAY_MS.1 - AWAY_MS.0)
}

/// Everybody, and when they come, in that order; the sale opens at `open`.
pub(super) fn crowd(sale: &Sale, open: u64, dice: &mut SplitMix64) -> (Vec<Person>, Vec<u64>) {
    let millis = |time: Duration| time.as_millis() as u64;
    let (opening, tail) = (millis(OPENING), millis(sale.tail.1));
    // Most press the button at once: the second half of the opening brings a quarter of them.
    let mut times: Vec<u64> =
        (0..sale.burst).map(|_| (opening as f64 * dice.unit() * dice.unit()) as u64).collect();
    times.extend((0..u64::from(sale.tail.0) * tail / 1_000).map(|_| opening + dice.below(tail)));
    times.iter_mut().for_each(|at| *at += open);
    times.sort_unstable();
    let people = times.iter().map(|at| Person::arrives(*at, sale, dice)).collect();
    (people, times)
}
