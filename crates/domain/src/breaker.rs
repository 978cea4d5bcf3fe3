//! A circuit breaker for one downstream: closed, open, half-open with one probe.
//!
//! It opens on silence, not on answers: only unanswered calls count. Two signs open it: three
//! unanswered calls in a row and no answer for a second (a dead downstream, at any traffic), or
//! half of at least twenty calls unanswered within ten seconds (a dying one). While it is open, it
//! lets one call at a time through as a probe: first after a second, then after twice the interval
//! up to three seconds. An outage that has lasted two minutes is probed every thirty seconds. The
//! probe alone decides: its answer closes the breaker, its silence opens it for the next interval.
//! Results of calls that started before it opened change nothing.
//!
//! Time is an argument and comes from a monotonic clock.

use core::time::Duration;

/// When a breaker opens, and how it probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Unanswered calls in a row that open it.
    pub silent_in_a_row: u32,
    /// The breaker also needs this long without any answer to open.
    pub silent_for: Duration,
    /// The window of the second sign, kept in two halves.
    pub window: Duration,
    /// The second sign needs at least this many calls in the window …
    pub calls_min: u32,
    /// … and at least this percentage of them unanswered.
    pub silent_percent: u32,
    /// The first interval between opening and the probe.
    pub probe_after: Duration,
    /// The longest interval while the outage is young. The end of an outage stays unnoticed for up
    /// to this long.
    pub probe_after_young_max: Duration,
    /// How long an outage is young. A probe receives its message once more, and a message may be
    /// received only so often.
    pub young_for: Duration,
    /// The longest interval after that.
    pub probe_after_max: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            silent_in_a_row: 3,
            silent_for: Duration::from_secs(1),
            window: Duration::from_secs(10),
            calls_min: 20,
            silent_percent: 50,
            probe_after: Duration::from_secs(1),
            probe_after_young_max: Duration::from_secs(3),
            young_for: Duration::from_secs(120),
            probe_after_max: Duration::from_secs(30),
        }
    }
}

/// Whether a call may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Free,
    /// One call may, as the probe: claim it with [`Breaker::probe`].
    Probe,
    /// No call may start until then; `None` = until the running probe has its result.
    Shut(Option<Duration>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { probe_at: Duration, interval: Duration },
    Probing { interval: Duration },
}

#[derive(Debug, Clone, Copy, Default)]
struct Half {
    calls: u32,
    silent: u32,
}

/// The breaker of one downstream.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: Policy,
    state: State,
    silent_in_a_row: u32,
    answered_at: Option<Duration>,
    /// When it last opened.
    opened_at: Duration,
    half_since: Duration,
    halves: [Half; 2],
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: Policy, now: Duration) -> Self {
        Self {
            policy,
            state: State::Closed,
            silent_in_a_row: 0,
            answered_at: None,
            opened_at: now,
            half_since: now,
            halves: [Half::default(); 2],
        }
    }

    /// Whether a call may start now.
    pub fn admission(&self, now: Duration) -> Admission {
        match self.state {
            State::Closed => Admission::Free,
            State::Open { probe_at, .. } if probe_at <= now => Admission::Probe,
            State::Open { probe_at, .. } => Admission::Shut(Some(probe_at)),
            State::Probing { .. } => Admission::Shut(None),
        }
    }

    /// Claims the probe. `false` if no probe is available.
    pub fn probe(&mut self, now: Duration) -> bool {
        match self.state {
            State::Open { probe_at, interval } if probe_at <= now => {
                self.state = State::Probing { interval };
                true
            }
            _ => false,
        }
    }

    /// The probe was answered: the breaker closes and forgets what it counted.
    pub fn probe_answered(&mut self, now: Duration) {
        if matches!(self.state, State::Probing { .. }) {
            *self = Self::new(self.policy, now);
            self.answered_at = Some(now);
        }
    }

    /// The probe was not answered: the breaker stays open for twice the interval.
    pub fn probe_silent(&mut self, now: Duration) {
        if let State::Probing { interval } = self.state {
            let is_young = now.saturating_sub(self.opened_at) < self.policy.young_for;
            let max = if is_young { self.policy.probe_after_young_max } else { self.policy.probe_after_max };
            let interval = (interval * 2).min(max);
            self.state = State::Open { probe_at: now + interval, interval };
        }
    }

    /// The probe ended without a call: another may start at once.
    pub fn probe_unused(&mut self, now: Duration) {
        if let State::Probing { interval } = self.state {
            self.state = State::Open { probe_at: now, interval };
        }
    }

    /// A call other than the probe was answered.
    pub fn answered(&mut self, now: Duration) {
        if self.state == State::Closed {
            self.turn(now);
            self.halves[0].calls += 1;
            self.silent_in_a_row = 0;
            self.answered_at = Some(now);
        }
    }

    /// A call other than the probe was not answered. `true` if this opened the breaker.
    pub fn silent(&mut self, now: Duration) -> bool {
        if self.state != State::Closed {
            return false;
        }
        self.turn(now);
        self.halves[0].calls += 1;
        self.halves[0].silent += 1;
        self.silent_in_a_row += 1;
        let dead = self.silent_in_a_row >= self.policy.silent_in_a_row
            && self.answered_at.is_none_or(|at| now.saturating_sub(at) >= self.policy.silent_for);
        let calls = self.halves[0].calls + self.halves[1].calls;
        let silent = self.halves[0].silent + self.halves[1].silent;
        let dying = calls >= self.policy.calls_min
            && u64::from(silent) * 100 >= u64::from(calls) * u64::from(self.policy.silent_percent);
        if dead || dying {
            let interval = self.policy.probe_after;
            self.opened_at = now;
            self.state = State::Open { probe_at: now + interval, interval };
        }
        dead || dying
    }

    /// Whether it refuses calls, apart from the probe.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    fn turn(&mut self, now: Duration) {
        let half = self.policy.window / 2;
        let age = now.saturating_sub(self.half_since);
        if age >= half {
            self.halves[1] = if age >= half * 2 { Half::default() } else { self.halves[0] };
            self.halves[0] = Half::default();
            self.half_since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn opened(at: Duration) -> Breaker {
        let mut breaker = Breaker::new(Policy::default(), Duration::ZERO);
        while !breaker.silent(at) {}
        breaker
    }

    #[test]
    fn three_unanswered_calls_in_a_row_open_it() {
        let mut breaker = Breaker::new(Policy::default(), Duration::ZERO);
        assert!(!breaker.silent(secs(1)));
        assert!(!breaker.silent(secs(1)));
        assert!(breaker.silent(secs(1)));
        assert_eq!(breaker.admission(secs(1)), Admission::Shut(Some(secs(2))));
        assert_eq!(breaker.admission(secs(2)), Admission::Probe);
    }

    #[test]
    fn three_in_a_row_among_many_answers_do_not_open_it() {
        let mut breaker = Breaker::new(Policy::default(), Duration::ZERO);
        for n in 0..10_000u64 {
            let now = Duration::from_millis(n);
            if n % 10 >= 7 { assert!(!breaker.silent(now)) } else { breaker.answered(now) }
        }
    }

    #[test]
    fn half_of_the_calls_unanswered_open_it() {
        let mut breaker = Breaker::new(Policy::default(), Duration::ZERO);
        let opened = (0..100u64).any(|n| {
            let now = Duration::from_millis(n);
            breaker.answered(now);
            breaker.silent(now)
        });
        assert!(opened);
    }

    #[test]
    fn there_is_one_probe_and_its_answer_closes() {
        let mut breaker = opened(secs(1));
        assert!(breaker.probe(secs(2)));
        assert!(!breaker.probe(secs(2)));
        assert_eq!(breaker.admission(secs(100)), Admission::Shut(None));
        breaker.probe_answered(secs(3));
        assert_eq!(breaker.admission(secs(3)), Admission::Free);
    }

    #[test]
    fn the_probe_interval_doubles_up_to_three_seconds_and_after_two_minutes_up_to_thirty() {
        let mut breaker = opened(Duration::ZERO);
        let mut now = secs(1);
        let mut wait = |wait: u64| {
            assert!(breaker.probe(now));
            breaker.probe_silent(now);
            assert_eq!(breaker.admission(now), Admission::Shut(Some(now + secs(wait))));
            now += secs(wait);
            now
        };
        wait(2);
        while wait(3) < secs(120) {}
        for later in [6, 12, 24, 30, 30] {
            wait(later);
        }
    }

    #[test]
    fn a_probe_that_did_not_call_leaves_the_next_one_free() {
        let mut breaker = opened(Duration::ZERO);
        assert!(breaker.probe(secs(1)));
        breaker.probe_unused(secs(5));
        assert_eq!(breaker.admission(secs(5)), Admission::Probe);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Answered,
        Silent,
        Probe,
        ProbeAnswered,
        ProbeSilent,
        ProbeUnused,
    }

    fn step() -> impl Strategy<Value = Step> {
        use Step::{Answered, Probe, ProbeAnswered, ProbeSilent, ProbeUnused, Silent};
        prop::sample::select(vec![Answered, Silent, Silent, Probe, ProbeAnswered, ProbeSilent, ProbeUnused])
    }

    proptest! {
        #[test]
        fn there_is_never_a_second_probe_and_it_always_comes_back(steps in prop::collection::vec((step(), 0u64..5_000), 1..300)) {
            let mut breaker = Breaker::new(Policy::default(), Duration::ZERO);
            let (mut now, mut probing) = (Duration::ZERO, false);
            for (step, gap) in steps {
                now += Duration::from_millis(gap);
                match step {
                    Step::Answered => breaker.answered(now),
                    Step::Silent => { breaker.silent(now); }
                    Step::Probe => {
                        let taken = breaker.probe(now);
                        prop_assert!(!(taken && probing));
                        probing |= taken;
                    }
                    Step::ProbeAnswered if probing => { breaker.probe_answered(now); probing = false; prop_assert!(!breaker.is_open()); }
                    Step::ProbeSilent if probing => { breaker.probe_silent(now); probing = false; prop_assert!(breaker.is_open()); }
                    Step::ProbeUnused if probing => { breaker.probe_unused(now); probing = false; }
                    _ => {}
                }
                match breaker.admission(now) {
                    Admission::Shut(None) => prop_assert!(probing),
                    Admission::Shut(Some(at)) => prop_assert!(at > now && at <= now + Policy::default().probe_after_max),
                    Admission::Free => prop_assert!(!breaker.is_open()),
                    Admission::Probe => prop_assert!(breaker.is_open() && !probing),
                }
            }
        }
    }
}
