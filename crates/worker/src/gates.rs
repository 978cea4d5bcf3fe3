//! The breakers of the downstreams, as admission sees them (trap T10).
//!
//! Every event needs the inventory and the reservations: if one of them is silent, nothing starts, polling stops, and
//! one message probes. The payment provider is needed by few events (a payment that came too late, or twice), so its
//! breaker holds back only the messages whose own last run it did not answer.

use crate::handlers::{Downstream, Touch, Touched};
use core::time::Duration;
use domain::breaker::{Admission, Breaker, Policy};

/// The breakers a run is the probe of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Probes([bool; 3]);

pub(crate) struct Gates([Breaker; 3]);

impl Gates {
    pub(crate) fn new(policy: Policy, now: Duration) -> Self {
        Self(core::array::from_fn(|_| Breaker::new(policy, now)))
    }

    /// Whether events may start at all.
    pub(crate) fn admission(&self, now: Duration) -> Admission {
        stricter(
            self.of(Downstream::Inventory).admission(now),
            self.of(Downstream::Reservation).admission(now),
        )
    }

    /// Whether a message may start that was last held up by `blocked_on`.
    pub(crate) fn admission_of(&self, blocked_on: Option<Downstream>, now: Duration) -> Admission {
        match blocked_on {
            Some(Downstream::Payments) => {
                stricter(self.admission(now), self.of(Downstream::Payments).admission(now))
            }
            _ => self.admission(now),
        }
    }

    /// Takes the probes that are due for a message that starts now.
    pub(crate) fn take_probes(&mut self, blocked_on: Option<Downstream>, now: Duration) -> Probes {
        let mut probes = Probes::default();
        for downstream in Downstream::ALL {
            if downstream != Downstream::Payments || blocked_on == Some(Downstream::Payments) {
                probes.0[downstream.index()] = self.0[downstream.index()].probe(now);
            }
        }
        probes
    }

    /// Takes note of what a run learnt. Gives the downstreams whose breaker opened or closed by it.
    pub(crate) fn note(
        &mut self,
        touched: Touched,
        probes: Probes,
        now: Duration,
    ) -> Vec<(Downstream, bool)> {
        let mut turned = Vec::new();
        for downstream in Downstream::ALL {
            let breaker = &mut self.0[downstream.index()];
            let was_open = breaker.is_open();
            match (probes.0[downstream.index()], touched.of(downstream)) {
                (true, Touch::Answered) => breaker.probe_answered(now),
                (true, Touch::Silent) => breaker.probe_silent(now),
                (true, Touch::Not) => breaker.probe_unused(now),
                (false, Touch::Answered) => breaker.answered(now),
                (false, Touch::Silent) => {
                    breaker.silent(now);
                }
                (false, Touch::Not) => {}
            }
            if breaker.is_open() != was_open {
                turned.push((downstream, !was_open));
            }
        }
        turned
    }

    pub(crate) fn is_open(&self, downstream: Downstream) -> bool {
        self.of(downstream).is_open()
    }

    fn of(&self, downstream: Downstream) -> &Breaker {
        &self.0[downstream.index()]
    }
}

/// Shut is stricter than probe, probe than free; of two that are shut the later counts.
fn stricter(a: Admission, b: Admission) -> Admission {
    use Admission::{Free, Probe, Shut};
    match (a, b) {
        (Shut(None), _) | (_, Shut(None)) => Shut(None),
        (Shut(Some(a)), Shut(Some(b))) => Shut(Some(a.max(b))),
        (Shut(at), _) | (_, Shut(at)) => Shut(at),
        (Probe, _) | (_, Probe) => Probe,
        (Free, Free) => Free,
    }
}
