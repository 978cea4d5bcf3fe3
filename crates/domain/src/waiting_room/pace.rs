//! How fast the line moves, and how long people still have to wait.
//!
//! A line lets people through at the operator's rate times a share. The share is above one if
//! people do not use their turns, because each unused turn lets one more through; it is below one
//! if the line cannot follow. The rate is always known, so a change of it shows at once. The share
//! is measured over the last minute, five and fifteen minutes in which people waited and turns were
//! given, weighted 0.5, 0.3 and 0.2 over the windows with data (docs/design.md#the-waiting-room).
//! So neither the hour before the sale nor a pause counts: they say nothing about how fast the line
//! moves.
//!
//! People see a steady share. It follows the measured one upwards at once, because a shorter wait
//! disappoints nobody, and downwards only after a fall of more than a tenth. As a position only
//! falls, so does the shown wait, unless the line has really become slower. `cargo xtask bench eta`
//! measures how right this is.

use super::rules::Rules;
use super::snapshot::Snapshot;
use crate::time::Timestamp;
use core::time::Duration;
use std::collections::VecDeque;

/// The windows, longest last, and their weights.
const WINDOWS: [(Duration, f64); 3] =
    [(Duration::from_secs(60), 0.5), (Duration::from_secs(300), 0.3), (Duration::from_secs(900), 0.2)];
/// Samples are at least this far apart; 900 of them cover the longest window.
const EVERY: Duration = Duration::from_secs(1);
/// A window with less time than this has no data yet, and neither has one in which fewer people
/// were due.
const SPAN_MIN: Duration = Duration::from_secs(2);
const DUE_MIN: f64 = 20.0;
/// The shown share follows the measured one downwards only if the measured one falls below this
/// part of it.
const FALL: f64 = 0.9;
/// The longest wait that is shown: a longer one would be a pretence.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The pace of one line.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    last: Option<Last>,
    /// Up to now.
    sum: Sum,
    /// Earlier sums, oldest first.
    samples: VecDeque<Sum>,
    share: Option<f64>,
}

/// The values of the last snapshot.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: Timestamp,
    rules: Rules,
    waiting: u64,
    turns: u64,
    /// People who joined and do not wait any more, for any reason.
    gone: u64,
}

impl Last {
    const fn from_snapshot(line: &Snapshot) -> Self {
        let totals = line.totals;
        let gone = totals.joined.saturating_sub(totals.waiting);
        Self { at: line.at, rules: line.rules, waiting: totals.waiting, turns: totals.turns, gone }
    }

    /// Whether only the rate holds people back.
    const fn is_moving(&self) -> bool {
        self.waiting > 0 && !self.rules.paused
    }
}

/// Sums over the time in which the line moved.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    time: Duration,
    turns: f64,
    gone: f64,
    /// Turns that the rate allowed.
    due: f64,
}

impl Pace {
    /// Records a snapshot; call it with every one, in order. If the clock goes back, or a total
    /// falls because the store was emptied, the measurement starts anew.
    pub fn record(&mut self, line: &Snapshot) {
        let now = Last::from_snapshot(line);
        let Some(last) = self.last.replace(now) else { return };
        if now.at < last.at || now.turns < last.turns {
            *self = Self { last: Some(now), ..Self::default() };
        } else if last.is_moving() && now.is_moving() {
            let time = now.at.since(last.at);
            self.sum.time += time;
            self.sum.turns += (now.turns - last.turns) as f64;
            self.sum.gone += now.gone as f64 - last.gone as f64;
            self.sum.due += f64::from(last.rules.rate) * time.as_secs_f64();
            self.sample();
        }
    }

    /// The shown pace in people a second; `None` before the first snapshot and while the line is
    /// paused.
    pub fn people_per_sec(&self) -> Option<f64> {
        let last = self.last.filter(|last| !last.rules.paused)?;
        Some(f64::from(last.rules.rate) * self.share.unwrap_or(1.0))
    }

    /// How long `ahead` people take; `None` if that is unknown, because the line is paused or does
    /// not move.
    pub fn wait(&self, ahead: u64) -> Option<Duration> {
        let pace = self.people_per_sec()?;
        if ahead == 0 {
            return Some(Duration::ZERO);
        }
        let seconds = ahead as f64 / pace;
        (pace > 0.0).then(|| Duration::from_secs_f64(seconds.min(WAIT_MAX.as_secs_f64())))
    }

    fn sample(&mut self) {
        if self.samples.back().is_some_and(|newest| self.sum.time - newest.time < EVERY) {
            return;
        }
        self.samples.push_back(self.sum);
        let longest = WINDOWS[WINDOWS.len() - 1].0;
        // One sample older than the window is kept, to measure from.
        while self.samples.get(1).is_some_and(|sample| self.sum.time - sample.time >= longest) {
            self.samples.pop_front();
        }
        let Some(measured) = self.measured() else { return };
        self.share = match self.share {
            Some(shown) if measured <= shown && measured >= shown * FALL => Some(shown),
            _ => Some(measured),
        };
    }

    /// How far the line moved, as a share of the turns that the rate allowed.
    fn measured(&self) -> Option<f64> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (window, weight) in WINDOWS {
            // The newest sample that is at least as old as the window, or the oldest one.
            let from = self.samples.iter().rev().find(|sample| self.sum.time - sample.time >= window);
            let from = from.or_else(|| self.samples.front())?;
            let due = self.sum.due - from.due;
            if self.sum.time - from.time >= SPAN_MIN && due >= DUE_MIN {
                // People who return stand in front of others again, so the line moves by less than
                // its turns. People who fall silent count only up to that: they may have been
                // behind.
                let moved = (self.sum.turns - from.turns).min(self.sum.gone - from.gone);
                sum += weight * moved.max(0.0) / due;
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
    use crate::waiting_room::Totals;
    use proptest::prelude::*;

    /// A line and a gateway's measurements of it, one second at a time.
    struct World {
        pace: Pace,
        second: u64,
        rules: Rules,
        waiting: u64,
        turns: f64,
        returned: f64,
    }

    impl World {
        fn at(rate: u32) -> Self {
            let rules = Rules::at(rate);
            Self { pace: Pace::default(), second: 0, rules, waiting: 1_000_000, turns: 0.0, returned: 0.0 }
        }

        fn look(&mut self) {
            let (turns, waiting) = (self.turns as u64, self.waiting);
            let totals = Totals {
                waiting,
                turns,
                joined: (waiting + turns).saturating_sub(self.returned as u64),
                ..Totals::default()
            };
            self.pace.record(&Snapshot {
                incarnation: 1,
                version: 0,
                at: Timestamp::from_millis(self.second * 1_000),
                head: 0,
                high: 0,
                last: 0,
                rules: self.rules,
                totals,
                blocks: Vec::new(),
                cleared: 0,
                more: false,
            });
        }

        /// Passes this many seconds, each of which gives `turns(second)` turns.
        fn walk(&mut self, seconds: u64, mut turns: impl FnMut(u64) -> f64) {
            for _ in 0..seconds {
                self.second += 1;
                self.turns += turns(self.second);
                self.look();
            }
        }

        fn share(&self) -> f64 {
            self.pace.share.expect("measured")
        }
    }

    #[test]
    fn before_any_measurement_the_pace_is_the_rate() {
        assert_eq!(Pace::default().wait(5_000), None);
        let mut world = World::at(1_000);
        world.look();
        assert_eq!(world.pace.wait(5_000), Some(Duration::from_secs(5)));
        assert_eq!(world.pace.wait(0), Some(Duration::ZERO));
    }

    #[test]
    fn a_steady_line_shows_its_pace_from_the_first_seconds_on() {
        let mut world = World::at(500);
        for seconds in [4, 56, 1_140] {
            world.walk(seconds, |_| 700.0);
            let shown = world.pace.people_per_sec().expect("measured");
            assert!((shown - 700.0).abs() < 1.0, "{shown} after {} s", world.second);
        }
    }

    /// The weights over windows that differ: half the rate in the last minute, all of it before
    /// that.
    #[test]
    fn three_windows_are_weighted() {
        let mut world = World::at(200);
        world.walk(3_000, |second| if second > 2_940 { 100.0 } else { 200.0 });
        let five = (60.0 * 0.5 + 240.0) / 300.0;
        let fifteen = (60.0 * 0.5 + 840.0) / 900.0;
        let measured = 0.5 * 0.5 + 0.3 * five + 0.2 * fifteen;
        assert!((world.pace.measured().unwrap() - measured).abs() < 0.005);
    }

    #[test]
    fn a_line_that_stops_shows_it_in_the_end_and_one_that_speeds_up_at_once() {
        let mut world = World::at(400);
        world.walk(600, |_| 100.0);
        world.walk(60, |_| 400.0);
        assert!(world.pace.people_per_sec().unwrap() > 240.0, "{:?}", world.pace.people_per_sec());
        world.walk(1_040, |_| 0.0);
        assert_eq!((world.pace.people_per_sec(), world.pace.wait(10)), (Some(0.0), None));
    }

    #[test]
    fn a_changed_rate_shows_at_once() {
        let mut world = World::at(400);
        world.walk(600, |_| 560.0);
        for (rate, pace) in [(200, 280.0), (1_000, 1_400.0)] {
            world.rules = Rules::at(rate);
            world.look();
            assert!(
                (world.pace.people_per_sec().unwrap() - pace).abs() < 1.0,
                "{:?}",
                world.pace.people_per_sec()
            );
        }
    }

    #[test]
    fn neither_a_pause_nor_an_empty_line_says_how_fast_it_moves() {
        let mut world = World::at(100);
        world.waiting = 0;
        world.walk(600, |_| 1.0);
        world.waiting = 1_000_000;
        world.look();
        assert_eq!(world.pace.people_per_sec(), Some(100.0));
        world.walk(120, |_| 140.0);
        let before = world.share();
        world.rules.paused = true;
        world.walk(300, |_| 0.0);
        assert_eq!((world.pace.people_per_sec(), world.pace.wait(0)), (None, None));
        world.rules.paused = false;
        world.walk(60, |_| 140.0);
        assert!((world.share() - before).abs() < 0.01, "{before}, then {}", world.share());
    }

    #[test]
    fn returning_people_slow_the_line_and_silent_people_do_not_speed_it_up() {
        let mut world = World::at(100);
        for _ in 0..60 {
            world.returned += 40.0;
            world.walk(1, |_| 140.0);
        }
        assert!((world.share() - 1.0).abs() < 0.01, "{}", world.share());
        for _ in 0..1_200 {
            world.returned -= 40.0;
            world.walk(1, |_| 140.0);
        }
        assert!((world.share() - 1.4).abs() < 0.01, "{}", world.share());
    }

    #[test]
    fn an_emptied_store_or_a_clock_that_goes_back_restarts_the_measurement() {
        for (second, turns) in [(100, 5.0), (5, 20_000.0)] {
            let mut world = World::at(50);
            world.walk(90, |_| 100.0);
            (world.second, world.turns) = (second, turns);
            world.look();
            assert_eq!(world.pace.people_per_sec(), Some(50.0));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        /// Nobody sees a longer wait than before while the line moves as it did, give or take a few
        /// per cent.
        #[test]
        fn the_shown_wait_only_falls_in_a_line_that_moves_as_before(seed: u64, rate in 50u32..2_000) {
            let mut dice = SplitMix64::new(seed);
            let mut world = World::at(rate);
            let rate = f64::from(rate);
            world.walk(120, |_| rate);
            let ahead = rate * 2_000.0;
            let (began, mut shown) = (world.turns, f64::INFINITY);
            for _ in 120..1_500 {
                world.walk(1, |_| rate * (0.97 + 0.06 * dice.unit()));
                let left = (ahead - (world.turns - began)) as u64;
                let wait = world.pace.wait(left).unwrap().as_secs_f64();
                prop_assert!(wait <= shown, "{shown} s, then {wait} s, in second {}", world.second);
                shown = wait;
            }
        }

        #[test]
        fn memory_is_bounded_however_many_snapshots_come(gaps in prop::collection::vec(1u64..4, 100..400)) {
            let mut world = World::at(100);
            for _ in 0..20 {
                for gap in &gaps {
                    world.second += gap;
                    world.look();
                }
            }
            prop_assert!(world.pace.samples.len() <= 902, "{} samples", world.pace.samples.len());
        }
    }
}
