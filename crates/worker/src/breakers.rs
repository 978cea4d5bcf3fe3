//! The breakers of the downstreams, as admission uses them (trap T-T10).
//!
//! Every event needs the inventory and the reservations. If one of them does not answer, nothing
//! starts, polling stops, and one message probes. The payment provider is asked about approved
//! payments only, so its breaker holds back those, and the messages whose own last run it did not
//! answer; expired and failed events continue at their rate (rules R1.6).

use crate::service::{Downstream, Touch, Touched};
use core::time::Duration;
use domain::breaker::{Admission, Breaker, Policy};

/// The breakers that a run probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Probes([bool; 3]);

pub(crate) struct Breakers([Breaker; 3]);

impl Breakers {
    pub(crate) fn new(policy: Policy, now: Duration) -> Self {
        Self(core::array::from_fn(|_| Breaker::new(policy, now)))
    }

    /// Whether any event may start.
    pub(crate) fn admission(&self, now: Duration) -> Admission {
        stricter(
            self.breaker(Downstream::Inventory).admission(now),
            self.breaker(Downstream::Reservation).admission(now),
        )
    }

    /// Whether a message may start that needs the payment provider or not.
    pub(crate) fn admission_of(&self, needs_payments: bool, now: Duration) -> Admission {
        match needs_payments {
            true => stricter(self.admission(now), self.breaker(Downstream::Payments).admission(now)),
            false => self.admission(now),
        }
    }

    /// Takes the due probes for a message that starts now.
    pub(crate) fn take_probes(&mut self, needs_payments: bool, now: Duration) -> Probes {
        let mut probes = Probes::default();
        for downstream in Downstream::ALL {
            if downstream != Downstream::Payments || needs_payments {
                probes.0[downstream.index()] = self.0[downstream.index()].probe(now);
            }
        }
        probes
    }

    /// Records what a run learnt. Returns the downstreams whose breaker opened (`true`) or closed
    /// by it.
    pub(crate) fn record(
        &mut self,
        touched: Touched,
        probes: Probes,
        now: Duration,
    ) -> Vec<(Downstream, bool)> {
        let mut changed = Vec::new();
        for downstream in Downstream::ALL {
            let breaker = &mut self.0[downstream.index()];
            let was_open = breaker.is_open();
            match (probes.0[downstream.index()], touched.get(downstream)) {
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
                changed.push((downstream, !was_open));
            }
        }
        changed
    }

    pub(crate) fn is_open(&self, downstream: Downstream) -> bool {
        self.breaker(downstream).is_open()
    }

    fn breaker(&self, downstream: Downstream) -> &Breaker {
        &self.0[downstream.index()]
    }
}

/// Shut is stricter than probe, probe than free; of two shut breakers the later time counts.
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
