//! A token bucket that may go into debt: the rate at which a line lets people in.
//!
//! It counts in whole numbers: a millisecond earns `rate` units and a person costs 1,000 of them,
//! so rounding loses no part of a token, however often the bucket is asked (trap T-W9).
//! [`Valve`](crate::valve::Valve) is the counterpart within one process. This bucket runs on the
//! clock of a store, may spend tokens that it does not have yet, and takes unused tokens back.

use crate::time::Timestamp;

/// Units per person: the milliseconds of a second, so that `rate` units a millisecond are `rate`
/// people a second.
pub const COST: i64 = 1_000;

/// The highest rate, in people a second.
pub const RATE_MAX: u32 = 1_000_000;
/// The largest burst, in people.
pub const BURST_MAX: u32 = 1_000_000;

/// A bucket that starts empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    rate: i64,
    burst: i64,
    units: i64,
    at: Timestamp,
}

impl Bucket {
    /// Earns `rate` people a second and keeps at most `burst` of them. Both are clamped to 1 and to
    /// [`RATE_MAX`] and [`BURST_MAX`].
    pub fn new(rate: u32, burst: u32, now: Timestamp) -> Self {
        let (rate, burst) = (rate.clamp(1, RATE_MAX), burst.clamp(1, BURST_MAX));
        Self { rate: rate.into(), burst: burst.into(), units: 0, at: now }
    }

    /// Changes rate and burst from now on. Earned tokens stay, as far as the new burst has room for
    /// them. A debt lasts as long as before: the booked times stay, and nobody gets a time between
    /// them.
    pub fn set(&mut self, rate: u32, burst: u32, now: Timestamp) {
        self.refill(now);
        let (units, owed_for) = (self.units, self.owed_for());
        *self = Self::new(rate, burst, self.at);
        self.units =
            if units < 0 { -owed_for.saturating_mul(self.rate) } else { units.min(self.burst * COST) };
    }

    /// Milliseconds until the debt is earned.
    fn owed_for(&self) -> i64 {
        let owed = (-self.units).max(0) as u64;
        i64::try_from(owed.div_ceil(self.rate as u64)).unwrap_or(i64::MAX)
    }

    /// How many people it has tokens for; 0 while in debt.
    pub fn available(&mut self, now: Timestamp) -> u64 {
        self.refill(now);
        (self.units / COST).max(0) as u64
    }

    /// Takes the tokens of this many people, available or not.
    pub fn take(&mut self, people: u64, now: Timestamp) {
        self.refill(now);
        self.units -= i64::try_from(people).unwrap_or(i64::MAX / COST) * COST;
    }

    /// Returns the tokens of this many people, who did not use them.
    pub fn give_back(&mut self, people: u64, now: Timestamp) {
        self.refill(now);
        let units = i64::try_from(people).unwrap_or(i64::MAX).saturating_mul(COST);
        self.units = self.units.saturating_add(units).min(self.burst * COST);
    }

    /// Takes a token for one person and returns when it is theirs: now, or when all earlier debt is
    /// earned. In the times that it returns, every window of `w` milliseconds has at most `rate · w
    /// + burst` people.
    pub fn book(&mut self, now: Timestamp) -> Timestamp {
        self.take(1, now);
        // `at` is ahead of `now` if the clock went back: the debt is earned from `at` on.
        Timestamp::from_millis(self.at.max(now).as_millis() + self.owed_for() as u64)
    }

    /// Drops what was earned before `now`; a debt stays.
    pub fn empty(&mut self, now: Timestamp) {
        self.units = self.units.min(0);
        self.at = self.at.max(now);
    }

    /// Earns the time that has passed. A clock that goes back earns nothing until it is where it
    /// was.
    fn refill(&mut self, now: Timestamp) {
        let millis = i64::try_from(now.since(self.at).as_millis()).unwrap_or(i64::MAX);
        self.at = self.at.max(now);
        let earned = millis.saturating_mul(self.rate);
        self.units = self.units.saturating_add(earned).min(self.burst * COST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// The most times in any window of this length.
    fn densest(times: &[Timestamp], millis: u64) -> usize {
        let within = |from: usize| {
            times[from..].iter().take_while(|at| at.as_millis() < times[from].as_millis() + millis).count()
        };
        (0..times.len()).map(within).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_the_rate_and_the_burst(
            rate in 1u32..5_000, burst in 1u32..100, gaps in prop::collection::vec(0u64..30, 1..400), window in 1u64..3_000,
        ) {
            let mut bucket = Bucket::new(rate, burst, ms(0));
            let mut now = 0;
            let mut booked = Vec::new();
            for gap in gaps {
                now += gap;
                booked.push(bucket.book(ms(now)));
                prop_assert!(*booked.last().unwrap() >= ms(now));
            }
            prop_assert!(booked.is_sorted(), "the order of the requests");
            let most = u64::from(rate) * window / 1_000 + u64::from(burst);
            prop_assert!(densest(&booked, window) as u64 <= most);
        }

        /// An operator who raises the rate does not crowd the people who already have a time.
        #[test]
        fn no_window_has_more_than_the_highest_rate_and_burst_when_they_change(
            steps in prop::collection::vec((0u64..60, prop::option::weighted(0.1, (1u32..500, 1u32..50))), 1..400), window in 1u64..3_000,
        ) {
            let mut bucket = Bucket::new(100, 10, ms(0));
            let (mut now, mut rate_max, mut burst_max, mut booked) = (0, 100, 10, Vec::new());
            for (gap, change) in steps {
                now += gap;
                if let Some((rate, burst)) = change {
                    bucket.set(rate, burst, ms(now));
                    (rate_max, burst_max) = (rate_max.max(rate), burst_max.max(burst));
                }
                booked.extend([bucket.book(ms(now)), bucket.book(ms(now))]);
            }
            prop_assert!(booked.is_sorted());
            let most = u64::from(rate_max) * window / 1_000 + u64::from(burst_max);
            prop_assert!(densest(&booked, window) as u64 <= most);
        }

        /// The burst has room for the earnings between two looks and a leftover part of a token.
        #[test]
        fn taking_every_token_uses_the_whole_rate(rate in 1u32..5_000, gaps in prop::collection::vec(1u64..200, 10..200)) {
            let mut bucket = Bucket::new(rate, rate + 1, ms(0));
            let (mut now, mut taken) = (0, 0);
            for gap in gaps {
                now += gap;
                let there = bucket.available(ms(now));
                bucket.take(there, ms(now));
                taken += there;
            }
            prop_assert_eq!(taken, now * u64::from(rate) / 1_000);
        }

        #[test]
        fn returned_tokens_are_available_again_up_to_the_burst(rate in 1u32..100, burst in 1u32..100, people in 0u64..200) {
            let mut bucket = Bucket::new(rate, burst, ms(0));
            let now = ms(1_000_000);
            prop_assert_eq!(bucket.available(now), u64::from(burst));
            bucket.take(people, now);
            prop_assert_eq!(bucket.available(now), u64::from(burst).saturating_sub(people));
            bucket.give_back(people, now);
            prop_assert_eq!(bucket.available(now), u64::from(burst));
        }
    }

    #[test]
    fn a_clock_that_goes_back_earns_nothing_twice() {
        let mut bucket = Bucket::new(1_000, 1_000, ms(10_000));
        assert_eq!(bucket.available(ms(10_500)), 500);
        assert_eq!(bucket.available(ms(9_000)), 500);
        assert_eq!(bucket.available(ms(10_500)), 500);
        bucket.take(600, ms(9_000));
        assert_eq!(bucket.book(ms(9_000)), ms(10_601));
    }

    #[test]
    fn another_rate_keeps_what_was_earned_as_far_as_there_is_room() {
        let mut bucket = Bucket::new(1_000, 1_000, ms(0));
        bucket.set(10, 50, ms(400));
        assert_eq!(bucket.available(ms(400)), 50);
        bucket.take(60, ms(400));
        bucket.set(100, 50, ms(400));
        assert_eq!(
            bucket.book(ms(400)),
            ms(1_410),
            "ten are owed already, for a second at the rate of before"
        );
        bucket.empty(ms(1_000));
        assert_eq!(bucket.book(ms(1_000)), ms(2_020), "a debt stays");
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut bucket = Bucket::new(RATE_MAX, BURST_MAX, Timestamp::EPOCH);
        assert_eq!(bucket.available(Timestamp::MAX), u64::from(BURST_MAX));
    }
}
