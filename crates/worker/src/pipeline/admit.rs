//! Starts every message that may start: a place is free, the downstreams answer, the write rate
//! allows it. `lease` runs before this in a turn and hands back messages with too little lease.

use super::deliveries::{DeliveryId, DeliveryState, Run};
use super::signal::RunGuard;
use super::{Limit, Phase, Pipeline, Step};
use crate::breakers::Probes;
use crate::service::{Downstream, Handled, Stop};
use crate::work::{Content, Work};
use core::time::Duration;
use domain::breaker::Admission;
use domain::id::ReservationId;
use domain::retry::{NOT_REACHED_MAX, Reason};
use futures_util::future::abortable;
use ports::plant::{Plant, planted};
use ports::probe;
use std::sync::Arc;

/// How long a message that only the payment provider holds up stays hidden, while a probe is out.
const HELD_UP_DELAY: Duration = Duration::from_secs(1);

/// How a run starts.
struct Start {
    attempt: u32,
    probes: Probes,
    /// Its peer was not reached so often that this run may be the last one.
    last_chance: bool,
}

/// Whether the next head started.
enum Next {
    Started,
    /// It was handed back without a run.
    HandedBack,
    /// Nothing can start until something changes.
    Nothing,
}

impl Pipeline {
    /// Starts heads of lanes until nothing more may start.
    pub(super) fn admit(&mut self, now: Duration) {
        self.starts.valve_at = None;
        match self.phase {
            Phase::Working => {}
            Phase::Draining => return,
            Phase::HandingBack => return self.hand_back_unstarted("shutdown", now),
        }
        while let Some((lane, id)) = self.lanes.next_ready().map(|(lane, id)| (lane.clone(), *id)) {
            match self.admit_next(&lane, id, now) {
                Next::Started | Next::HandedBack => {}
                Next::Nothing => break,
            }
        }
    }

    fn admit_next(&mut self, lane: &ReservationId, id: DeliveryId, now: Duration) -> Next {
        let Some(delivery) = self.deliveries.get(id) else {
            // Unreachable: an id always has a delivery. Empty the lane, so that the loop ends.
            self.hand_back_lane(lane, Duration::ZERO, "unknown", now);
            return Next::HandedBack;
        };
        let work = match &delivery.content {
            Content::Event(work) => work.clone(),
            Content::Undecodable(_, why) => {
                let why = why.to_string();
                self.lanes.start(lane);
                self.bury(id, Reason::Undecodable, why, 0, now);
                return Next::Started;
            }
        };
        let tried = self.attempts.get(&delivery.message.id).copied();
        let needs_payments = self.deps.handlers.asks_provider(work.event.fact.kind())
            || tried.is_some_and(|tried| tried.blocked_on == Some(Downstream::Payments));
        let admission = self.starts.breakers.admission_of(needs_payments, now);
        probe::hit_variant("admission", &admission);
        if let Admission::Shut(until) = admission {
            return self.shut(lane, until, now);
        }
        if self.starts.running >= self.limit() {
            return Next::Nothing;
        }
        if let Some(valve) = &mut self.starts.valve
            && let Err(wait) = valve.pass(now)
        {
            self.starts.valve_at = Some(now + wait);
            return Next::Nothing;
        }
        let probes = match admission {
            Admission::Probe => self.starts.breakers.take_probes(needs_payments, now),
            Admission::Free | Admission::Shut(_) => Probes::default(),
        };
        let attempt = if planted(Plant::AttemptsByReceives) {
            delivery.message.receive_count
        } else {
            tried.map_or(0, |tried| tried.count) + 1
        };
        let last_chance = tried.is_some_and(|tried| tried.not_reached + 1 >= NOT_REACHED_MAX);
        self.start(lane, id, work, Start { attempt, probes, last_chance }, now);
        Next::Started
    }

    /// A breaker is open. If every event needs its downstream, all unstarted messages are handed
    /// back (trap T-T10); otherwise only this lane waits.
    fn shut(&mut self, lane: &ReservationId, until: Option<Duration>, now: Duration) -> Next {
        if let Admission::Shut(_) = self.starts.breakers.admission(now) {
            self.hand_back_unstarted("a downstream does not answer", now);
        } else {
            let delay = until.map_or(HELD_UP_DELAY, |until| until.saturating_sub(now));
            self.hand_back_lane(lane, delay, "the payment provider does not answer", now);
        }
        Next::HandedBack
    }

    fn hand_back_lane(&mut self, lane: &ReservationId, delay: Duration, why: &'static str, now: Duration) {
        for id in self.lanes.take_waiting(lane) {
            self.hand_back(id, delay, why, now);
        }
    }

    /// Hands back all unstarted messages; none of them counts as an attempt (trap T-T5).
    pub(super) fn hand_back_unstarted(&mut self, why: &'static str, now: Duration) {
        for id in self.lanes.take_all_waiting() {
            self.hand_back(id, Duration::ZERO, why, now);
        }
    }

    fn start(
        &mut self,
        lane: &ReservationId,
        id: DeliveryId,
        work: Arc<Work>,
        Start { attempt, probes, last_chance }: Start,
        now: Duration,
    ) {
        self.lanes.start(lane);
        self.starts.running += 1;
        self.polls.run_started(now);
        if let Limit::Auto(found) = &mut self.starts.limit {
            found.started(self.starts.running);
        }
        let (limit, to_renew) = (self.limit(), self.options.lease_to_renew());
        let handlers = self.deps.handlers.clone();
        let (run, abort) =
            abortable(async move { handlers.run(&work.event, &work.trace, last_chance).await });
        if let Some(delivery) = self.deliveries.get_mut(id) {
            self.records.observer.started(lane, id.0, &delivery.message.id, limit, now);
            let run = Run { attempt, since: now, abort, probes, renewing: false, cut: None };
            delivery.state = DeliveryState::Running(run);
            if planted(Plant::DeleteBeforeEffect) {
                let (queue, receipt) = (self.deps.queue.clone(), delivery.message.receipt.clone());
                self.deps.tasks.spawn(async move {
                    let _ = queue.delete(vec![receipt]).await;
                });
            }
        }
        if let Some(delivery) = self.deliveries.get(id) {
            // While it waited, its next look was for another reason; a run's lease is renewed at
            // half of it.
            let renew_at = delivery.lease_until.saturating_sub(to_renew).max(now);
            self.deliveries.look_at(id, renew_at);
        }
        self.record(id, Step::Started { attempt });
        let guard = RunGuard::new(self.signals.clone(), id);
        self.deps.tasks.spawn(async move {
            let handled = run.await.unwrap_or_else(|_| Handled::stopped(Stop::Interrupted));
            guard.report(handled);
        });
    }

    /// The downstream that a failed run waits for, remembered with its attempts.
    pub(super) fn blocked_on(handled: &Handled) -> Option<Downstream> {
        match &handled.ending {
            Err(Stop::Silent { on, .. } | Stop::NotReached { on, .. }) => Some(*on),
            _ => None,
        }
    }
}
