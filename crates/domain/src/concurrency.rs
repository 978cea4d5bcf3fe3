//! `WORKER_CONCURRENCY=auto`: how many handlers to keep in flight, found from what was measured.
//!
//! Little's law says that a downstream which answers in `l` when it is not pushed, and at most `c` times a second, is fully
//! used by `c · l` calls in flight; more only wait in its queue. Both are measured in windows of at least 100 ms and
//! as many finished runs as may be in flight: `c` is the throughput of the window, `l` the lowest mean latency seen (its
//! floor). The limit follows `1.5 · c · l`:
//!
//! - while more in flight brings more throughput, latency stays at the floor, and each window grows the limit by half
//!   (by double before the first saturation);
//! - once saturated, throughput stands still and the limit settles at half as much again as is needed;
//! - a window in which the limit was never reached says nothing and changes nothing;
//! - a window with a tenth of its runs unanswered halves the limit.
//!
//! Our own headroom raises the latency, so the floor would creep up window by window. Every ten seconds one window
//! runs at three quarters of what is needed, without a queue, and takes the floor anew; if it fell, there was a queue
//! still, and the next window does the same.
//!
//! Time is an argument and comes from a monotonic clock.

use core::time::Duration;

/// Fewest handlers in flight that `auto` goes down to.
pub const IN_FLIGHT_MIN: usize = 4;
/// Most handlers in flight that `auto` goes up to.
pub const IN_FLIGHT_MAX: usize = 2_000;
/// In flight at the start.
const IN_FLIGHT_FIRST: usize = 20;
/// The shortest window.
const WINDOW_MIN: Duration = Duration::from_millis(100);
/// A window ends after this long whatever it saw.
const WINDOW_MAX: Duration = Duration::from_secs(2);
/// How often the floor of the latency is taken anew.
const FLOOR_EVERY: Duration = Duration::from_secs(10);
/// In flight beyond `c · l`, as a factor.
const HEADROOM: f64 = 1.5;

/// Finds the number of handlers in flight.
#[derive(Debug, Clone)]
pub struct Concurrency {
    limit: usize,
    phase: Phase,
    floor: Option<f64>,
    floor_at: Duration,
    last_throughput: f64,
    window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Doubling, until the throughput no longer follows.
    Start,
    /// Following `1.5 · c · l`.
    Steady,
    /// One window without a queue, to take the floor; afterwards back to the limit from before.
    Floor { back_to: usize },
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    since: Duration,
    runs: u32,
    silent: u32,
    latency_sum: f64,
    in_flight_max: usize,
}

impl Concurrency {
    /// Starts at 20.
    pub fn new(now: Duration) -> Self {
        Self {
            limit: IN_FLIGHT_FIRST,
            phase: Phase::Start,
            floor: None,
            floor_at: now,
            last_throughput: 0.0,
            window: Window { since: now, ..Window::default() },
        }
    }

    /// How many may be in flight.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A run started; `in_flight` counts it.
    pub fn started(&mut self, in_flight: usize) {
        self.window.in_flight_max = self.window.in_flight_max.max(in_flight);
    }

    /// A run ended after `latency`; `silent` if a downstream did not answer it.
    pub fn finished(&mut self, now: Duration, latency: Duration, silent: bool) {
        self.window.runs += 1;
        self.window.silent += u32::from(silent);
        self.window.latency_sum += latency.as_secs_f64();
        let age = now.saturating_sub(self.window.since);
        let full = age >= WINDOW_MIN && self.window.runs as usize >= self.limit;
        if full || age >= WINDOW_MAX {
            let window = self.window;
            self.close(now, &window, age.as_secs_f64());
            self.window = Window { since: now, ..Window::default() };
        }
    }

    fn close(&mut self, now: Duration, window: &Window, seconds: f64) {
        if window.silent * 10 >= window.runs {
            self.phase = Phase::Steady;
            self.set(self.limit as f64 / 2.0);
            return;
        }
        let throughput = f64::from(window.runs) / seconds;
        let latency = window.latency_sum / f64::from(window.runs);
        if let Phase::Floor { back_to } = self.phase {
            let falling = self.floor.is_some_and(|floor| latency < floor * 0.9);
            self.floor = Some(latency);
            self.floor_at = now;
            if falling {
                // There still was a queue: the floor is lower than thought, and so is what is needed.
                self.set(throughput * latency * 0.75);
            } else {
                self.phase = Phase::Steady;
                self.set((back_to as f64).min(throughput * latency / 0.75 * HEADROOM + 1.0));
            }
            return;
        }
        let floor = self.floor.map_or(latency, |floor| floor.min(latency));
        self.floor = Some(floor);
        if window.in_flight_max < self.limit {
            self.floor_at = now;
            return;
        }
        let needed = throughput * floor;
        match self.phase {
            Phase::Start if throughput > self.last_throughput * 1.2 => self.set(self.limit as f64 * 2.0),
            Phase::Steady if now.saturating_sub(self.floor_at) >= FLOOR_EVERY => {
                self.phase = Phase::Floor { back_to: self.limit };
                self.set(needed * 0.75);
            }
            _ => {
                self.phase = Phase::Steady;
                self.set((needed * HEADROOM).ceil() + 1.0);
            }
        }
        self.last_throughput = throughput;
    }

    fn set(&mut self, limit: f64) {
        self.limit = (limit as usize).clamp(IN_FLIGHT_MIN, IN_FLIGHT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A downstream that answers in `latency` and at most `capacity` times a second, kept full to the limit: the
    /// closed-loop law `throughput = min(in flight / latency, capacity)`.
    fn drive(found: &mut Concurrency, now: &mut Duration, latency: f64, capacity: f64, seconds: u64) -> f64 {
        let (mut runs, start) = (0u64, *now);
        while *now - start < Duration::from_secs(seconds) {
            let in_flight = found.limit();
            found.started(in_flight);
            let throughput = (in_flight as f64 / latency).min(capacity);
            let seen = in_flight as f64 / throughput;
            *now += Duration::from_secs_f64(1.0 / throughput);
            found.finished(*now, Duration::from_secs_f64(seen), false);
            runs += 1;
        }
        runs as f64 / (*now - start).as_secs_f64()
    }

    #[test]
    fn it_finds_two_thousand_in_flight_within_two_seconds() {
        let mut found = Concurrency::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        drive(&mut found, &mut now, 0.2, 20_000.0, 5);
        assert_eq!(found.limit(), IN_FLIGHT_MAX);
    }

    #[test]
    fn an_idle_worker_keeps_its_limit() {
        let mut found = Concurrency::new(Duration::ZERO);
        for n in 1..1_000u64 {
            found.started(1);
            found.finished(Duration::from_millis(n * 50), Duration::from_millis(2), false);
        }
        assert_eq!(found.limit(), IN_FLIGHT_FIRST);
    }

    #[test]
    fn unanswered_runs_halve_it() {
        let mut found = Concurrency::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        drive(&mut found, &mut now, 0.05, 5_000.0, 5);
        let before = found.limit();
        for _ in 0..before {
            found.finished(now + Duration::from_millis(150), Duration::from_millis(50), true);
        }
        assert!(found.limit() <= before / 2 + 1, "{} of {before}", found.limit());
    }

    #[test]
    fn it_follows_a_downstream_that_becomes_slower_and_faster() {
        let mut found = Concurrency::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        drive(&mut found, &mut now, 0.010, 5_000.0, 20);
        drive(&mut found, &mut now, 0.100, 5_000.0, 20);
        assert!(drive(&mut found, &mut now, 0.100, 5_000.0, 20) > 4_500.0);
        drive(&mut found, &mut now, 0.010, 5_000.0, 30);
        assert!(found.limit() < 200, "{} in flight where 50 are needed", found.limit());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn it_uses_what_there_is_without_piling_up(latency_ms in 1u64..150, capacity in 200u32..10_000) {
            let (latency, capacity) = (latency_ms as f64 / 1e3, f64::from(capacity));
            let mut found = Concurrency::new(Duration::ZERO);
            let mut now = Duration::ZERO;
            drive(&mut found, &mut now, latency, capacity, 30);
            let reached = drive(&mut found, &mut now, latency, capacity, 20);
            let possible = capacity.min(IN_FLIGHT_MAX as f64 / latency);
            prop_assert!(reached >= 0.9 * possible, "{reached} of {possible} a second");
            prop_assert!((IN_FLIGHT_MIN..=IN_FLIGHT_MAX).contains(&found.limit()));
            let needed = capacity * latency;
            prop_assert!((found.limit() as f64) <= 2.5 * needed + 25.0, "{} in flight, {needed} needed", found.limit());
        }
    }
}
