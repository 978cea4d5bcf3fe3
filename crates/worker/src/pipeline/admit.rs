//! Starts every message that may start: a place is free, the downstreams answer, the write rate
//! allows it. `lease` runs before this in a turn and hands back messages with too little lease.

use super::signal::RunGuard;
use super::table::{Run, Stage, Ticket};
use super::{Limit, Phase, Pipeline, What};
use crate::gates::Probes;
use crate::handlers::{Downstream, Handled, Stop};
use crate::work::{Content, Work};
use core::time::Duration;
use domain::breaker::Admission;
use domain::id::ReservationId;
use domain::retry::Reason;
use futures_util::future::abortable;
use ports::plant::{Plant, planted};
use ports::probe;
use std::sync::Arc;

/// How long a message that only the payment provider holds up stays hidden, while a probe is out.
const HELD_UP_DELAY: Duration = Duration::from_secs(1);

/// Whether the next head started.
enum Next {
    Started,
    /// It was handed back without a run.
    SentAway,
    /// Nothing can start until something changes.
    Nothing,
}

impl Pipeline {
    /// Starts heads of lanes until nothing more may start.
    pub(super) fn admit(&mut self, now: Duration) {
        self.valve_at = None;
        match self.phase {
            Phase::Working => {}
            Phase::Draining => return,
            Phase::HandingBack => return self.hand_back_waiting("shutdown", now),
        }
        while let Some((lane, ticket)) = self.lanes.next_ready().map(|(lane, ticket)| (lane.clone(), *ticket))
        {
            match self.admit_next(&lane, ticket, now) {
                Next::Started | Next::SentAway => {}
                Next::Nothing => break,
            }
        }
    }

    fn admit_next(&mut self, lane: &ReservationId, ticket: Ticket, now: Duration) -> Next {
        let Some(delivery) = self.table.get(ticket) else {
            // Unreachable: a ticket always has a delivery. Empty the lane, so that the loop ends.
            self.send_away(lane, Duration::ZERO, "unknown", now);
            return Next::SentAway;
        };
        let work = match &delivery.content {
            Content::Event(work) => work.clone(),
            Content::Undecodable(_, why) => {
                let why = why.to_string();
                self.lanes.start(lane);
                self.bury(ticket, Reason::Undecodable, why, 0, now);
                return Next::Started;
            }
        };
        let tried = self.attempts.of(&delivery.message.id).copied();
        let blocked_on = tried.and_then(|tried| tried.blocked_on);
        let admission = self.gates.admission_of(blocked_on, now);
        probe::hit(point(admission));
        if let Admission::Shut(until) = admission {
            return self.shut(lane, until, now);
        }
        if self.running >= self.limit() {
            return Next::Nothing;
        }
        if let Some(valve) = &mut self.valve
            && let Err(wait) = valve.pass(now)
        {
            self.valve_at = Some(now + wait);
            return Next::Nothing;
        }
        let probes = match admission {
            Admission::Probe => self.gates.take_probes(blocked_on, now),
            Admission::Free | Admission::Shut(_) => Probes::default(),
        };
        let attempt = if planted(Plant::AttemptsByReceives) {
            delivery.message.receive_count
        } else {
            tried.map_or(0, |tried| tried.count) + 1
        };
        self.start(lane, ticket, work, attempt, probes, now);
        Next::Started
    }

    /// A breaker is open. If every event needs its downstream, all unstarted messages are handed
    /// back (trap T-T10); otherwise only this lane waits.
    fn shut(&mut self, lane: &ReservationId, until: Option<Duration>, now: Duration) -> Next {
        if let Admission::Shut(_) = self.gates.admission(now) {
            self.hand_back_waiting("a downstream does not answer", now);
        } else {
            let delay = until.map_or(HELD_UP_DELAY, |until| until.saturating_sub(now));
            self.send_away(lane, delay, "the payment provider does not answer", now);
        }
        Next::SentAway
    }

    fn send_away(&mut self, lane: &ReservationId, delay: Duration, why: &'static str, now: Duration) {
        for ticket in self.lanes.take_waiting(lane) {
            self.hand_back(ticket, delay, why, now);
        }
    }

    /// Hands back all unstarted messages; none of them counts as an attempt (trap T-T5).
    pub(super) fn hand_back_waiting(&mut self, why: &'static str, now: Duration) {
        for ticket in self.lanes.take_all_waiting() {
            self.hand_back(ticket, Duration::ZERO, why, now);
        }
    }

    fn start(
        &mut self,
        lane: &ReservationId,
        ticket: Ticket,
        work: Arc<Work>,
        attempt: u32,
        probes: Probes,
        now: Duration,
    ) {
        self.lanes.start(lane);
        self.running += 1;
        self.polls.run_started(now);
        if let Limit::Auto(found) = &mut self.limit {
            found.started(self.running);
        }
        let (limit, to_renew) = (self.limit(), self.options.lease_to_renew());
        let handlers = self.parts.handlers.clone();
        let (run, abort) = abortable(async move { handlers.handle(&work.event, &work.trace).await });
        if let Some(delivery) = self.table.get_mut(ticket) {
            self.observer.started(lane, ticket.0, &delivery.message.id, limit, now);
            let run = Run { attempt, since: now, abort, probes, renewing: false, cut: None };
            delivery.stage = Stage::Running(run);
            if planted(Plant::DeleteBeforeEffect) {
                let (queue, receipt) = (self.parts.queue.clone(), delivery.message.receipt.clone());
                self.parts.tasks.spawn(async move {
                    let _ = queue.delete(vec![receipt]).await;
                });
            }
        }
        if let Some(delivery) = self.table.get(ticket) {
            // While it waited, its next look was for another reason; a run's lease is renewed at
            // half of it.
            let renew_at = delivery.lease_until.saturating_sub(to_renew).max(now);
            self.table.look_at(ticket, renew_at);
        }
        self.note(ticket, What::Started { attempt });
        let guard = RunGuard::new(self.signals.clone(), ticket);
        self.parts.tasks.spawn(async move {
            let handled = run.await.unwrap_or_else(|_| Handled::stopped(Stop::Interrupted));
            guard.tell(handled);
        });
    }

    /// The downstream that a failed run waits for, remembered with its attempts.
    pub(super) fn blocked_on(handled: &Handled) -> Option<Downstream> {
        match &handled.ending {
            Err(Stop::Silent { on, .. }) => Some(*on),
            _ => None,
        }
    }
}

const fn point(admission: Admission) -> &'static str {
    match admission {
        Admission::Free => "admission.Free",
        Admission::Probe => "admission.Probe",
        Admission::Shut(_) => "admission.Shut",
    }
}
