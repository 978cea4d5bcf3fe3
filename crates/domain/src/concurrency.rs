//! `WORKER_CONCURRENCY=auto`: finds from measurements how many handlers to keep in flight.
//!
//! More handlers in flight bring more throughput until a downstream is fully used; after that they
//! only wait longer. A downstream that writes in batches has no sharp edge there: its latency grows
//! from the start, and its throughput grows with it, less and less. So the latency says nothing.
//! The limit is tested instead: now and then one window runs with half as many in flight, and the
//! lost throughput shows what the other half is worth.
//!
//! - The worker starts at 40 and doubles while that brings a fifth more throughput a window.
//! - A trial at half that loses more than a fifth: all were needed, and the limit grows by half. It
//!   doubles if the throughput halved, because then nothing waits at all.
//! - A trial at half that loses less than a tenth: a quarter only waited, and the limit falls by a
//!   quarter.
//! - In between it stays. At that point a doubling brings 10 to 20 % more throughput for nearly
//!   twice the latency.
//! - The next trial comes after a second while the limit moves in one direction, else after ten.
//! - A window that never reached the limit changes nothing. A window with a tenth of its runs
//!   unanswered halves the limit.
//!
//! Windows last at least 100 ms and at least as many finished runs as may be in flight. Time is an
//! argument and comes from a monotonic clock.

use core::time::Duration;

/// `auto` never goes below this many handlers in flight.
pub const IN_FLIGHT_MIN: usize = 4;
/// `auto` never goes above this many handlers in flight.
pub const IN_FLIGHT_MAX: usize = 2_000;
/// In flight at the start: twice the default of `WORKER_CONCURRENCY`, because each doubling costs a
/// burst another window.
const IN_FLIGHT_FIRST: usize = 40;
/// The shortest window.
const WINDOW_MIN: Duration = Duration::from_millis(100);
/// A window ends after this long, whatever it measured.
const WINDOW_MAX: Duration = Duration::from_secs(2);
/// Time between two trials while the limit moves in one direction.
const TRIAL_SOON: Duration = Duration::from_secs(1);
/// Time between two trials while the limit stands.
const TRIAL_LATER: Duration = Duration::from_secs(10);

/// Finds the number of handlers in flight.
#[derive(Debug, Clone)]
pub struct Concurrency {
    limit: usize,
    phase: Phase,
    /// Throughput of the last full window at the limit, per second.
    throughput: f64,
    next_trial: Duration,
    last_move: Move,
    window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Doubling, until the throughput no longer follows.
    Start,
    /// At the limit.
    Steady,
    /// At half the limit. The runs from before have to end first, so one window is skipped.
    Trial { settling: bool },
}

/// Where a trial moved the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Up,
    Down,
    Stay,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    since: Duration,
    runs: u32,
    silent: u32,
    in_flight_max: usize,
}

impl Concurrency {
    /// Starts at 40.
    pub fn new(now: Duration) -> Self {
        Self {
            limit: IN_FLIGHT_FIRST,
            phase: Phase::Start,
            throughput: 0.0,
            next_trial: now + TRIAL_SOON,
            last_move: Move::Up,
            window: Window { since: now, ..Window::default() },
        }
    }

    /// How many may be in flight.
    pub fn limit(&self) -> usize {
        match self.phase {
            Phase::Start | Phase::Steady => self.limit,
            Phase::Trial { .. } => (self.limit / 2).max(IN_FLIGHT_MIN),
        }
    }

    /// A run started; `in_flight` counts it.
    pub fn started(&mut self, in_flight: usize) {
        self.window.in_flight_max = self.window.in_flight_max.max(in_flight);
    }

    /// A run ended; `silent` if a downstream did not answer it.
    pub fn finished(&mut self, now: Duration, silent: bool) {
        self.window.runs += 1;
        self.window.silent += u32::from(silent);
        let age = now.saturating_sub(self.window.since);
        let full = age >= WINDOW_MIN && self.window.runs as usize >= self.limit();
        if full || age >= WINDOW_MAX {
            let window = self.window;
            self.close(now, &window, age.as_secs_f64());
            self.window = Window { since: now, ..Window::default() };
        }
    }

    fn close(&mut self, now: Duration, window: &Window, seconds: f64) {
        if window.silent * 10 >= window.runs {
            self.phase = Phase::Steady;
            self.next_trial = now + TRIAL_LATER;
            self.set(self.limit as f64 / 2.0);
            return;
        }
        if window.in_flight_max < self.limit() {
            // There is too little work: a trial would measure the arrivals.
            if let Phase::Trial { .. } = self.phase {
                self.phase = Phase::Steady;
                self.next_trial = now + TRIAL_SOON;
            }
            return;
        }
        let throughput = f64::from(window.runs) / seconds;
        match self.phase {
            Phase::Start if throughput > self.throughput * 1.2 => {
                self.throughput = throughput;
                self.set(self.limit as f64 * 2.0);
            }
            Phase::Trial { settling: true } => self.phase = Phase::Trial { settling: false },
            Phase::Trial { settling: false } => self.judge(now, throughput),
            Phase::Start | Phase::Steady => {
                self.throughput = throughput;
                self.phase = Phase::Steady;
                if now >= self.next_trial {
                    self.phase = Phase::Trial { settling: true };
                }
            }
        }
    }

    /// Moves the limit by the share of the throughput that a trial at half the limit kept.
    fn judge(&mut self, now: Duration, throughput: f64) {
        let kept = throughput / self.throughput;
        let (moved, factor) = match kept {
            kept if kept < 0.6 => (Move::Up, 2.0),
            kept if kept < 0.8 => (Move::Up, 1.5),
            kept if kept > 0.9 => (Move::Down, 0.75),
            _ => (Move::Stay, 1.0),
        };
        self.phase = Phase::Steady;
        self.set(self.limit as f64 * factor);
        let onward = moved != Move::Stay && moved == self.last_move;
        self.next_trial = now + if onward { TRIAL_SOON } else { TRIAL_LATER };
        self.last_move = moved;
    }

    fn set(&mut self, limit: f64) {
        self.limit = (limit as usize).clamp(IN_FLIGHT_MIN, IN_FLIGHT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A downstream that answers in `latency` and at most `capacity` times a second, kept full to
    /// the limit: the closed-loop law `throughput = min(in flight / latency, capacity)`.
    fn drive(found: &mut Concurrency, now: &mut Duration, latency: f64, capacity: f64, seconds: u64) -> f64 {
        drive_law(found, now, seconds, |in_flight| (in_flight / latency).min(capacity))
    }

    /// A downstream with this throughput at a given number in flight; returns the runs a second.
    fn drive_law(found: &mut Concurrency, now: &mut Duration, seconds: u64, law: impl Fn(f64) -> f64) -> f64 {
        let (mut runs, start) = (0u64, *now);
        while *now - start < Duration::from_secs(seconds) {
            let in_flight = found.limit();
            found.started(in_flight);
            let throughput = law(in_flight as f64);
            *now += Duration::from_secs_f64(1.0 / throughput);
            found.finished(*now, false);
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
            found.finished(Duration::from_millis(n * 50), false);
        }
        assert_eq!(found.limit(), IN_FLIGHT_FIRST);
    }

    #[test]
    fn unanswered_runs_halve_it() {
        let mut found = Concurrency::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        drive(&mut found, &mut now, 0.05, 5_000.0, 5);
        let before = found.limit();
        for _ in 0..2 * before {
            now += Duration::from_millis(1);
            found.finished(now, true);
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

    /// Writing a batch costs the same for one event as for many: 7 ms and 0.15 ms for each in
    /// flight, at most 6,667 a second.
    #[test]
    fn it_pushes_a_downstream_that_writes_in_batches_to_its_useful_edge() {
        let law = |in_flight: f64| in_flight / (0.007 + 0.000_15 * in_flight);
        let mut found = Concurrency::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        drive_law(&mut found, &mut now, 30, law);
        let reached = drive_law(&mut found, &mut now, 20, law);
        assert!(reached > 0.72 * 6_667.0, "{reached} a second");
        assert!((100..=500).contains(&found.limit()), "{} in flight", found.limit());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn it_uses_the_capacity_without_piling_up(latency_ms in 1u64..150, capacity in 200u32..10_000) {
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
