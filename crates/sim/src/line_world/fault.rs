//! What can go wrong between people, gateways and the store, how often in this run, and how often it did.

use crate::exec::lock;
use crate::trace::Trace;
use core::time::Duration;
use domain::random::{Random, SplitMix64};
use std::sync::{Arc, Mutex};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $scale:literal;)*) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Trouble { $($(#[$doc])* $kind),* }

        impl Trouble {
            /// All of them, in the order of their index.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The word in reports and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// Opportunities in a million that are taken in a storm; for episodes, times in a thousand virtual seconds.
            const fn scale(self) -> u32 {
                match self { $(Self::$kind => $scale),* }
            }
        }
    };
}

kinds! {
    /// A gateway dies at whatever awaits its tasks stand; another is started later.
    Crash = "crash", 60;
    /// All gateways die at once.
    Outage = "outage", 10;
    /// The store loses everything.
    LoseAll = "lose_all", 25;
    /// The store goes on with what it held up to a second ago.
    LoseLast = "lose_last", 40;
    /// The clock of the store that goes on after a loss is another one, behind or ahead.
    OtherClock = "other_clock", 500_000;
    /// The store stands still for up to 20 s, and then does what it was asked meanwhile.
    Freeze = "freeze", 25;
    /// A call of the store is refused.
    StoreRefused = "store_refused", 60_000;
    /// A call of the store never arrives.
    StoreCallLost = "store_call_lost", 60_000;
    /// The store does what it is asked, and its answer is lost.
    StoreAnswerLost = "store_answer_lost", 80_000;
    /// The store does what it is asked up to 20 s later.
    StoreLate = "store_late", 60_000;
    /// The store does what it is asked at once and answers up to 20 s later.
    StoreAnswerLate = "store_answer_late", 60_000;
    /// A request never reaches its gateway.
    RequestLost = "request_lost", 60_000;
    /// A request is answered, and the answer is lost.
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

/// The rate of each kind, in the unit of `Trouble::scale`.
pub type TroubleRates = [u32; TROUBLES];

/// Draws rates. Of seven seeds one is calm, one mild and two are storms, in which about half of the kinds happen; in the
/// other three one to three kinds happen as often as they can and no others.
pub fn draw_rates(dice: &mut impl Random) -> TroubleRates {
    let strength = match dice.below(7) {
        0 => return [0; TROUBLES],
        1..4 => {
            let count = 1 + dice.below(3);
            let kinds = (0..count).map(|_| Trouble::ALL[dice.below(TROUBLES as u64) as usize]);
            return only(&kinds.collect::<Vec<_>>());
        }
        4 => 0.25,
        _ => 1.0,
    };
    let mut rates = [0; TROUBLES];
    for (rate, kind) in rates.iter_mut().zip(Trouble::ALL) {
        if dice.below(2) == 0 {
            let share = 0.02_f64.powf(dice.unit());
            *rate = (f64::from(kind.scale()) * strength * share).ceil() as u32;
        }
    }
    rates
}

/// These kinds and no others, each as often as it can.
pub fn only(kinds: &[Trouble]) -> TroubleRates {
    let mut rates = [0; TROUBLES];
    for kind in kinds {
        rates[*kind as usize] = kind.scale().saturating_mul(2).min(500_000);
    }
    rates
}

/// The troubles of one run.
pub struct Troubles {
    inner: Mutex<Inner>,
    trace: Arc<Trace>,
}

struct Inner {
    dice: SplitMix64,
    rates: TroubleRates,
    fired: [u64; TROUBLES],
    active: bool,
    /// Calls in a thousand that take no time at all.
    instant: u64,
    /// The mean of those that take some, in microseconds.
    latency: u64,
}

impl Troubles {
    /// Troubles with these rates, whose choices follow from a seed.
    pub fn new(seed: u64, rates: TroubleRates, (instant, latency): (u64, u64), trace: Arc<Trace>) -> Self {
        let dice = SplitMix64::new(seed);
        let inner = Inner { dice, rates, fired: [0; TROUBLES], active: true, instant, latency };
        Self { inner: Mutex::new(inner), trace }
    }

    /// Whether this opportunity is taken; counted if so.
    pub fn strikes(&self, kind: Trouble) -> bool {
        let mut inner = lock(&self.inner);
        let rate = inner.rates[kind as usize];
        if rate == 0 || !inner.active || inner.dice.below(1_000_000) >= u64::from(rate) {
            return false;
        }
        inner.fired[kind as usize] += 1;
        self.trace.note(|| format!("fault {}", kind.name()));
        true
    }

    /// Counts an episode.
    pub fn count(&self, kind: Trouble) {
        lock(&self.inner).fired[kind as usize] += 1;
        self.trace.note(|| format!("fault {}", kind.name()));
    }

    /// The time to the next episode of a kind; `None` if it does not happen.
    pub fn interval(&self, kind: Trouble) -> Option<Duration> {
        let mut inner = lock(&self.inner);
        let rate = inner.rates[kind as usize];
        if rate == 0 || !inner.active {
            return None;
        }
        let mean_ms = 1_000_000.0 / f64::from(rate);
        let unit = inner.dice.unit().max(1e-9);
        Some(Duration::from_millis((-unit.ln() * mean_ms) as u64))
    }

    /// Ends all troubles.
    pub fn stop(&self) {
        lock(&self.inner).active = false;
    }

    /// Whether troubles may still come.
    pub fn active(&self) -> bool {
        lock(&self.inner).active
    }

    /// How often each kind happened.
    pub fn fired(&self) -> [u64; TROUBLES] {
        lock(&self.inner).fired
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        lock(&self.inner).dice.below(bound)
    }

    /// A length of time between the two.
    pub fn between(&self, from: Duration, to: Duration) -> Duration {
        let span = to.saturating_sub(from).as_micros() as u64;
        from + Duration::from_micros(self.below(span.max(1)))
    }

    /// How long one way of a call takes when nothing is wrong; often no time at all.
    pub fn way(&self) -> Duration {
        let mut inner = lock(&self.inner);
        if inner.dice.below(1_000) < inner.instant {
            return Duration::ZERO;
        }
        let unit = inner.dice.unit().max(1e-3);
        let mean = inner.latency as f64;
        Duration::from_micros((-unit.ln() * mean) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_seeds_are_calm_and_each_kind_happens_in_some() {
        let drawn: Vec<TroubleRates> = (0..200).map(|seed| draw_rates(&mut SplitMix64::new(seed))).collect();
        assert!(drawn.iter().any(|rates| rates.iter().all(|rate| *rate == 0)));
        for kind in Trouble::ALL {
            assert!(drawn.iter().any(|rates| rates[*kind as usize] > 0), "{kind:?}");
        }
    }
}
