//! How fast the line moves, and how long that leaves somebody to wait.
//!
//! The pace is what was let in over the last minute, five and fifteen minutes, weighted 0.5, 0.3 and 0.2 over the windows that
//! have data (design part 6). What is told to people is a pace that holds still: it follows the measured one upwards at
//! once, for a shorter wait disappoints nobody, and downwards only when it has fallen by more than a tenth. As a place
//! only falls, so does the wait that is told, unless the line has really become slower.

use crate::time::Timestamp;
use core::time::Duration;
use std::collections::VecDeque;

/// The windows, longest last, and their weights.
const WINDOWS: [(Duration, f64); 3] =
    [(Duration::from_secs(60), 0.5), (Duration::from_secs(300), 0.3), (Duration::from_secs(900), 0.2)];
/// Samples are so far apart at least; 900 of them cover the longest window.
const EVERY: Duration = Duration::from_secs(1);
/// A window with less than this in it says nothing yet.
const SPAN_MIN: Duration = Duration::from_secs(2);
/// By how much the measured pace has to fall below the told one before that follows.
const FALL: f64 = 0.9;
/// The longest wait that is told: beyond it a number would be a pretence.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The pace of one line.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Totals of people let in, oldest first.
    samples: VecDeque<(Timestamp, u64)>,
    told: Option<f64>,
}

impl Pace {
    /// Notes how many were let in up to now, in all. A clock that goes back, or a total that falls (the store was emptied),
    /// begins anew.
    pub fn note(&mut self, now: Timestamp, total: u64) {
        if let Some((at, before)) = self.samples.back().copied() {
            if now < at || total < before {
                *self = Self::default();
            } else if now.since(at) < EVERY {
                return;
            }
        }
        self.samples.push_back((now, total));
        let longest = WINDOWS[WINDOWS.len() - 1].0;
        // One sample older than the window is kept, to measure from.
        while self.samples.get(1).is_some_and(|(at, _)| now.since(*at) >= longest) {
            self.samples.pop_front();
        }
        let Some(measured) = self.measured(now) else { return };
        self.told = match self.told {
            Some(told) if measured <= told && measured >= told * FALL => Some(told),
            _ => Some(measured),
        };
    }

    /// People a second, as it is told; `None` before anything was measured.
    pub const fn told(&self) -> Option<f64> {
        self.told
    }

    /// How long `ahead` people take. `rate` is what the room is set to let in, for as long as nothing was measured; a pace of
    /// zero (the line is paused, or nobody moves) gives `None`: nobody knows.
    pub fn wait(&self, ahead: u64, rate: u32) -> Option<Duration> {
        let pace = self.told.unwrap_or_else(|| f64::from(rate));
        if ahead == 0 {
            return Some(Duration::ZERO);
        }
        let seconds = ahead as f64 / pace;
        (pace > 0.0).then(|| Duration::from_secs_f64(seconds.min(WAIT_MAX.as_secs_f64())))
    }

    fn measured(&self, now: Timestamp) -> Option<f64> {
        let (_, newest) = self.samples.back()?;
        let (mut sum, mut weights) = (0.0, 0.0);
        for (window, weight) in WINDOWS {
            // The newest sample that is at least as old as the window, or the oldest there is.
            let from = self.samples.iter().rev().find(|(at, _)| now.since(*at) >= window);
            let (at, total) = from.or_else(|| self.samples.front())?;
            let span = now.since(*at);
            if span >= SPAN_MIN {
                sum += weight * (newest - total) as f64 / span.as_secs_f64();
                weights += weight;
            }
        }
        (weights > 0.0).then(|| sum / weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, SplitMix64};
    use proptest::prelude::*;

    /// A line that lets `rate(second)` people in each second.
    fn walk(
        pace: &mut Pace,
        seconds: core::ops::Range<u64>,
        total: &mut f64,
        mut rate: impl FnMut(u64) -> f64,
    ) {
        for second in seconds {
            *total += rate(second);
            pace.note(Timestamp::from_millis(second * 1_000), *total as u64);
        }
    }

    #[test]
    fn before_anything_was_measured_the_rooms_rate_is_told() {
        let pace = Pace::default();
        assert_eq!(pace.wait(5_000, 1_000), Some(Duration::from_secs(5)));
        assert_eq!(pace.wait(0, 0), Some(Duration::ZERO));
        assert_eq!(pace.wait(1, 0), None);
    }

    #[test]
    fn a_steady_line_is_told_as_it_is_from_the_first_seconds_on() {
        let (mut pace, mut total, mut from) = (Pace::default(), 0.0, 0);
        for until in [4, 60, 1_200] {
            walk(&mut pace, from..until, &mut total, |_| 700.0);
            from = until;
            let told = pace.told().expect("measured");
            assert!((told - 700.0).abs() < 1.0, "{told} after {until} s");
        }
    }

    /// The weights of the design over windows that differ: 100 a second for the last minute, 200 before that.
    #[test]
    fn three_windows_are_weighed() {
        let (mut pace, mut total) = (Pace::default(), 0.0);
        walk(&mut pace, 0..3_000, &mut total, |second| if second >= 2_940 { 100.0 } else { 200.0 });
        let five = (60.0 * 100.0 + 240.0 * 200.0) / 300.0;
        let fifteen = (60.0 * 100.0 + 840.0 * 200.0) / 900.0;
        let measured = 0.5 * 100.0 + 0.3 * five + 0.2 * fifteen;
        assert!((pace.measured(Timestamp::from_millis(2_999_000)).unwrap() - measured).abs() < 1.0);
    }

    #[test]
    fn a_line_that_stops_says_so_in_the_end_and_one_that_speeds_up_at_once() {
        let (mut pace, mut total) = (Pace::default(), 0.0);
        walk(&mut pace, 0..600, &mut total, |_| 100.0);
        walk(&mut pace, 600..660, &mut total, |_| 400.0);
        assert!(pace.told().unwrap() > 240.0, "{:?}", pace.told());
        walk(&mut pace, 660..1_700, &mut total, |_| 0.0);
        assert_eq!(pace.told(), Some(0.0));
        assert_eq!(pace.wait(10, 100), None);
    }

    #[test]
    fn an_emptied_store_and_a_clock_that_goes_back_begin_anew() {
        for (millis, total) in [(100_000, 5), (5_000, 20_000)] {
            let (mut pace, mut before) = (Pace::default(), 0.0);
            walk(&mut pace, 0..90, &mut before, |_| 100.0);
            pace.note(Timestamp::from_millis(millis), total);
            assert_eq!(pace.told(), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        /// Nobody is told a longer wait than before while the line moves as it did, give or take a few in a hundred.
        #[test]
        fn the_wait_that_is_told_only_falls_in_a_line_that_moves_as_before(seed: u64, rate in 50u32..2_000) {
            let mut dice = SplitMix64::new(seed);
            let (mut pace, mut total) = (Pace::default(), 0.0);
            let rate = f64::from(rate);
            walk(&mut pace, 0..120, &mut total, |_| rate);
            let ahead = rate * 2_000.0;
            let (began, mut told) = (total, f64::INFINITY);
            for second in 120..1_500 {
                total += rate * (0.97 + 0.06 * dice.unit());
                pace.note(Timestamp::from_millis(second * 1_000), total as u64);
                let left = (ahead - (total - began)) as u64;
                let wait = pace.wait(left, 1).unwrap().as_secs_f64();
                prop_assert!(wait <= told, "{told} s, then {wait} s, in second {second}");
                told = wait;
            }
        }

        #[test]
        fn memory_is_bounded_however_often_it_is_told(gaps in prop::collection::vec(1u64..700, 100..400)) {
            let mut pace = Pace::default();
            let mut now = 0;
            for _ in 0..20 {
                for gap in &gaps {
                    now += gap;
                    pace.note(Timestamp::from_millis(now), now);
                }
            }
            prop_assert!(pace.samples.len() <= 902, "{} samples", pace.samples.len());
        }
    }
}
