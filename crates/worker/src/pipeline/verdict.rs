//! A run ended: records what it learnt of the downstreams, asks for the verdict, and begins the
//! settlement.

use super::table::{Action, Cut, Stage, Then, Ticket};
use super::{FailedLane, Limit, Pipeline, What};
use crate::attempts::Tried;
use crate::handlers::{Done, Handled, Stop};
use crate::status::Ended;
use crate::telemetry::Outcome;
use crate::work::{Content, Work};
use core::time::Duration;
use domain::retry::{self, Settlement, verdict};
use ports::plant::{Plant, planted};
use ports::probe;
use std::sync::Arc;

/// The facts of an ended run.
struct EndedRun {
    work: Arc<Work>,
    attempt: u32,
    took: Duration,
    cut: Option<Cut>,
}

impl Pipeline {
    pub(super) fn ended(&mut self, ticket: Ticket, mut handled: Handled, now: Duration) {
        let Some(delivery) = self.table.get(ticket) else { return };
        let (Stage::Running(run), Content::Event(work)) = (&delivery.stage, &delivery.content) else {
            return;
        };
        let (work, probes) = (work.clone(), run.probes);
        let run = EndedRun { work, attempt: run.attempt, took: now.saturating_sub(run.since), cut: run.cut };
        let (lane, lease_until) = (delivery.lane.clone(), delivery.lease_until);
        self.running -= 1;
        self.observer.ended(&lane);
        if run.cut == Some(Cut::TookTooLong) && handled.ending == Err(Stop::Interrupted) {
            handled.ending = Err(Stop::Transient { error: format!("no end after {} s", run.took.as_secs()) });
        }
        if let Limit::Auto(found) = &mut self.limit {
            found.finished(now, handled.touched.any_silent());
        }
        for (downstream, open) in self.gates.note(handled.touched, probes, now) {
            self.breaker_turned(downstream, open);
        }
        if run.cut == Some(Cut::LeaseLost) || lease_until <= now {
            return self.lost(ticket, &run, &handled, now);
        }
        let outage = Self::blocked_on(&handled).is_some_and(|on| self.gates.is_open(on));
        let outcome = handled.outcome();
        let verdict = verdict(outcome, run.attempt, outage, &self.options.retry, &mut self.dice);
        probe::hit(outcome_point(outcome));
        probe::hit(settlement_point(verdict.settlement));
        self.tell(ticket, &run, &handled, verdict.settlement);
        let counted = run.attempt - u32::from(!verdict.counted);
        match verdict.settlement {
            Settlement::Ack => {
                self.forget(ticket);
                self.lanes.finish(&lane);
                self.settle(ticket, Action::Delete, Then::Nothing, now);
            }
            Settlement::RetryAfter(delay) => {
                self.remember(ticket, counted, &handled);
                self.retry(ticket, delay, now);
            }
            Settlement::HandBack => {
                self.remember(ticket, counted, &handled);
                self.fail_lane(ticket, Duration::ZERO, now);
            }
            Settlement::Bury(reason) => {
                let error = handled.ending.err().map(|stop| stop.to_string()).unwrap_or_default();
                self.remember_count(ticket, counted, None);
                self.bury(ticket, reason, error, run.attempt, now);
            }
        }
    }

    /// The lease ended under the run: its newer receive settles the message. The attempt does not
    /// count (trap T-T5), and the lane is handed back with its head (trap T-T6).
    fn lost(&mut self, ticket: Ticket, run: &EndedRun, handled: &Handled, now: Duration) {
        self.parts.telemetry.leases_lost.inc();
        self.remember(ticket, run.attempt - 1, handled);
        self.tell(ticket, run, &Handled::stopped(Stop::Interrupted), Settlement::HandBack);
        self.note(ticket, What::LeaseLost);
        self.leave_with_lane(ticket, now);
    }

    /// The head is retried later, and its followers are handed back behind it.
    pub(super) fn retry(&mut self, ticket: Ticket, delay: Duration, now: Duration) {
        self.note(ticket, What::Retrying { after_ms: delay.as_millis() as u64 });
        if let Some(delivery) = self.table.get(ticket) {
            self.observer.put_off(&delivery.lane, &delivery.message.id, now + delay);
        }
        self.fail_lane(ticket, delay, now);
    }

    /// A lane fails as a unit (trap T-T3): the head is hidden, and when that is confirmed the
    /// followers become visible. On a FIFO queue the group stays blocked behind the head. A
    /// standard queue blocks nothing, so there the followers stay hidden as long as their head.
    pub(super) fn fail_lane(&mut self, ticket: Ticket, delay: Duration, now: Duration) {
        if planted(Plant::FollowersOvertake)
            && let Some(lane) = self.table.get(ticket).map(|delivery| delivery.lane.clone())
        {
            self.lanes.finish(&lane);
            return self.settle(ticket, Action::Hide(delay), Then::Nothing, now);
        }
        self.stop_lane(ticket, if self.fifo { Duration::ZERO } else { delay });
        self.settle(ticket, Action::Hide(delay), Then::FollowersGoBack, now);
    }

    /// Takes head and followers out of their lane, which stays blocked until they are settled.
    pub(super) fn stop_lane(&mut self, head: Ticket, delay: Duration) {
        let Some(lane) = self.table.get(head).map(|delivery| delivery.lane.clone()) else { return };
        self.goes_back(&lane);
        let Some(failed) = self.lanes.fail(&lane) else { return };
        for follower in &failed.followers {
            if let Some(delivery) = self.table.get_mut(*follower) {
                delivery.stage = Stage::Following;
            }
        }
        self.failed.insert(lane, FailedLane { followers: failed.followers, pending: 0, delay });
    }

    fn remember(&mut self, ticket: Ticket, count: u32, handled: &Handled) {
        self.remember_count(ticket, count, Self::blocked_on(handled));
    }

    fn remember_count(
        &mut self,
        ticket: Ticket,
        count: u32,
        blocked_on: Option<crate::handlers::Downstream>,
    ) {
        if let Some(delivery) = self.table.get(ticket) {
            let first_seen = self.first_seen(ticket);
            self.attempts.remember(&delivery.message.id, Tried { count, first_seen, blocked_on });
        }
    }

    pub(super) fn forget(&mut self, ticket: Ticket) {
        if let Some(delivery) = self.table.get(ticket) {
            self.attempts.forget(&delivery.message.id);
        }
    }

    /// The metrics, the journal and the one log line of a run.
    fn tell(&mut self, ticket: Ticket, run: &EndedRun, handled: &Handled, settlement: Settlement) {
        let event = &run.work.event;
        let kind = event.fact.kind();
        let outcome = match (&handled.ending, settlement) {
            (Ok(_), _) => Outcome::Success,
            (Err(Stop::Interrupted), _) => Outcome::Dropped,
            (Err(_), Settlement::Bury(_)) => Outcome::Failed,
            (Err(Stop::Silent { .. }), _) => Outcome::DownstreamError,
            (Err(_), _) => Outcome::Retried,
        };
        self.parts.telemetry.event(kind.into(), outcome);
        self.parts.telemetry.processed(kind, outcome, run.took);
        let ended = if outcome == Outcome::Success { Ended::Succeeded } else { Ended::Retried };
        if outcome != Outcome::Failed {
            self.parts.status.ended(ended, run.took.as_micros() as u64, self.parts.clock.now());
        }
        let error = handled.ending.as_ref().err().map(ToString::to_string);
        let effect = handled.ending.as_ref().map(Done::as_str).unwrap_or_default();
        let detail = error.as_deref().unwrap_or(effect);
        self.note(ticket, What::Ended { outcome: outcome.label(), detail: detail.into() });
        tracing::info!(
            event_type = kind.label(),
            reservation_id = event.reservation.as_str(),
            event_id = event.seats.show.as_ref().map(|show| show.as_str()),
            trace_id = run.work.trace.trace_id.as_deref(),
            duration_ms = run.took.as_secs_f64() * 1e3,
            outcome = outcome.label(),
            attempt = run.attempt,
            effect = handled.ending.as_ref().ok().map(Done::as_str),
            error,
            "handled"
        );
    }
}

const fn outcome_point(outcome: retry::Outcome) -> &'static str {
    match outcome {
        retry::Outcome::Done => "outcome.Done",
        retry::Outcome::NotYet(_) => "outcome.NotYet",
        retry::Outcome::Infrastructure => "outcome.Infrastructure",
        retry::Outcome::Transient => "outcome.Transient",
        retry::Outcome::Hopeless(_) => "outcome.Hopeless",
        retry::Outcome::Interrupted => "outcome.Interrupted",
    }
}

const fn settlement_point(settlement: Settlement) -> &'static str {
    match settlement {
        Settlement::Ack => "settlement.Ack",
        Settlement::RetryAfter(_) => "settlement.RetryAfter",
        Settlement::Bury(_) => "settlement.Bury",
        Settlement::HandBack => "settlement.HandBack",
    }
}
