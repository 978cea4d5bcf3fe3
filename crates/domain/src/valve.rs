//! The write-rate valve: this process starts at most this many events per second (`MAX_WRITE_RPS`).
//!
//! A token bucket in whole numbers: one nanosecond earns `rate` units and one passage costs 10⁹ of
//! them, so rounding loses no part of a token, however often the valve is asked (trap T-W9: a
//! refill that was floored at each call let 15 of 50 allowed events through). Time is an argument
//! and must come from a monotonic clock; a step backwards earns nothing.
//!
//! Guarantees for every window `w`: passages ≤ `rate · w + burst`; and for a caller that always
//! comes when the valve says so: passages ≥ `rate · w − 1`.

use core::time::Duration;

/// Units that one passage costs: the nanoseconds of a second, so that `rate` units a nanosecond are
/// `rate` a second.
const COST: u128 = 1_000_000_000;

/// A token bucket that starts full.
#[derive(Debug, Clone)]
pub struct Valve {
    rate: u32,
    units_max: u128,
    units: u128,
    at: Duration,
}

impl Valve {
    /// A valve of `rate` passages a second. A rate of 0 counts as 1, because a valve that never
    /// opens has no rate.
    ///
    /// The burst is one passage more than 20 ms of the rate: a timer wakes some milliseconds late,
    /// and a bucket of one would lose what it earned meanwhile.
    pub fn new(rate: u32, now: Duration) -> Self {
        let rate = rate.max(1);
        Self::with_burst(rate, 1 + rate / 50, now)
    }

    /// A valve with a given burst of at least 1.
    pub fn with_burst(rate: u32, burst: u32, now: Duration) -> Self {
        let units_max = u128::from(burst.max(1)) * COST;
        Self { rate: rate.max(1), units_max, units: units_max, at: now }
    }

    /// Lets one event through, or returns the time to wait for the next passage.
    pub fn pass(&mut self, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        if self.units >= COST {
            self.units -= COST;
            return Ok(());
        }
        let nanos = (COST - self.units).div_ceil(u128::from(self.rate));
        Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// How many events could pass now, without taking their tokens.
    pub fn ready(&mut self, now: Duration) -> u32 {
        self.refill(now);
        u32::try_from(self.units / COST).unwrap_or(u32::MAX)
    }

    /// Passages a second.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    fn refill(&mut self, now: Duration) {
        let Some(passed) = now.checked_sub(self.at) else { return };
        self.at = now;
        self.units = self.units_max.min(self.units + passed.as_nanos() * u128::from(self.rate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Trap T-W9: 60 a second offered, 50 allowed.
    #[test]
    fn sixty_offered_of_fifty_allowed_lets_fifty_through() {
        let mut valve = Valve::new(50, Duration::ZERO);
        let passed = (0..600u32).filter(|n| valve.pass(Duration::from_secs(1) * *n / 60).is_ok()).count();
        assert!((499..=502).contains(&passed), "{passed} of 500");
    }

    proptest! {
        #[test]
        fn no_window_lets_more_through_than_rate_times_window_plus_burst(
            rate in 1u32..3_000, burst in 1u32..50, gaps in prop::collection::vec(0u64..20_000_000, 1..400),
        ) {
            let mut valve = Valve::with_burst(rate, burst, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut passed = Vec::new();
            for gap in gaps {
                now += Duration::from_nanos(gap);
                if valve.pass(now).is_ok() {
                    passed.push(now);
                }
            }
            for (from, start) in passed.iter().enumerate() {
                for (to, end) in passed.iter().enumerate().skip(from) {
                    let window = (*end - *start).as_nanos() * u128::from(rate);
                    let count = (to - from + 1) as u128;
                    prop_assert!(count * COST <= window + u128::from(burst) * COST);
                }
            }
        }

        #[test]
        fn a_caller_that_always_asks_gets_the_whole_rate(rate in 1u32..5_000, asks in 10u32..2_000) {
            let mut valve = Valve::new(rate, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut passed = 0u128;
            for _ in 0..asks {
                match valve.pass(now) {
                    Ok(()) => passed += 1,
                    Err(wait) => now += wait,
                }
            }
            prop_assert!((passed + 1) * COST >= now.as_nanos() * u128::from(rate));
        }

        #[test]
        fn the_wait_it_names_is_enough_and_not_too_long(rate in 1u32..5_000, gap in 0u64..1_000_000) {
            let mut valve = Valve::with_burst(rate, 1, Duration::ZERO);
            prop_assert!(valve.pass(Duration::ZERO).is_ok());
            let now = Duration::from_nanos(gap);
            if let Err(wait) = valve.pass(now) {
                let early = (now + wait).saturating_sub(Duration::from_nanos(1));
                prop_assert!(valve.clone().pass(early).is_err());
                prop_assert!(valve.pass(now + wait).is_ok());
            }
        }
    }
}
