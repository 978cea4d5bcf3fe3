//! A run ended: records what it learnt of the downstreams, asks for the verdict, and begins the
//! settlement.

use super::deliveries::{Action, Cut, DeliveryId, DeliveryState, Then};
use super::{FailedLane, Limit, Pipeline, Step};
use crate::attempts::Tried;
use crate::metrics::Outcome;
use crate::service::{Done, Downstream, Handled, Stop};
use crate::status::Ended;
use crate::work::{Content, Work};
use core::time::Duration;
use domain::retry::{self, Others, Reason, Settlement, peer_failed, verdict};
use ports::plant::{Plant, planted};
use ports::probe;
use std::sync::Arc;

/// How often, and since when, the peer of a message was not reached.
#[derive(Clone, Copy)]
struct NotReached {
    times: u32,
    since: Duration,
    /// Its peer answers all others, so the message is the reason.
    peer_failed: bool,
}

/// The facts of an ended run.
struct EndedRun {
    work: Arc<Work>,
    attempt: u32,
    took: Duration,
    cut: Option<Cut>,
}

impl Pipeline {
    pub(super) fn ended(&mut self, id: DeliveryId, mut handled: Handled, now: Duration) {
        let Some(delivery) = self.deliveries.get(id) else { return };
        let (DeliveryState::Running(run), Content::Event(work)) = (&delivery.state, &delivery.content) else {
            return;
        };
        let (work, probes) = (work.clone(), run.probes);
        let run = EndedRun { work, attempt: run.attempt, took: now.saturating_sub(run.since), cut: run.cut };
        let (lane, lease_until) = (delivery.lane.clone(), delivery.lease_until);
        self.starts.running -= 1;
        self.records.observer.ended(&lane);
        if run.cut == Some(Cut::TookTooLong) && handled.ending == Err(Stop::Interrupted) {
            handled.ending = Err(Stop::Transient {
                error: format!("the run did not end within {} s", run.took.as_secs()),
            });
        }
        if let Limit::Auto(found) = &mut self.starts.limit {
            found.finished(now, handled.touched.any_silent());
        }
        self.starts.peer_calls.record(handled.touched, now);
        if handled.unverified {
            self.deps.metrics.unverified_payment();
        }
        for (downstream, open) in self.starts.breakers.record(handled.touched, probes, now) {
            self.breaker_changed(downstream, open);
        }
        if run.cut == Some(Cut::LeaseLost) || lease_until <= now {
            return self.lease_lost(id, &run, &handled, now);
        }
        let outage = Self::blocked_on(&handled).is_some_and(|on| self.starts.breakers.is_open(on));
        let not_reached = self.not_reached(id, &handled, now);
        let outcome = match not_reached {
            Some(NotReached { peer_failed: true, .. }) => retry::Outcome::Hopeless(Reason::PeerFailed),
            _ => handled.outcome(),
        };
        let times = not_reached.map_or(run.attempt, |not_reached| not_reached.times);
        let verdict = verdict(outcome, times, outage, &self.options.retry, &mut self.dice);
        probe::hit_variant("outcome", &outcome);
        probe::hit_variant("settlement", &verdict.settlement);
        self.record_run(id, &run, &handled, verdict.settlement);
        let counted = run.attempt - u32::from(!verdict.counted);
        match verdict.settlement {
            Settlement::Ack => {
                self.forget(id);
                self.lanes.finish(&lane);
                self.settle(id, Action::Delete, Then::Nothing, now);
            }
            Settlement::RetryAfter(delay) => {
                self.remember(id, counted, &handled, now);
                self.retry(id, delay, now);
            }
            Settlement::HandBack => {
                self.remember(id, counted, &handled, now);
                self.fail_lane(id, Duration::ZERO, now);
            }
            Settlement::Bury(reason) => {
                let error = handled.ending.err().map(|stop| stop.to_string()).unwrap_or_default();
                self.remember_count(id, counted, None, None);
                self.bury(id, reason, error, run.attempt, now);
            }
        }
    }

    /// The lease ended under the run: its newer receive settles the message. The attempt does not
    /// count (trap T-T5), and the lane is handed back with its head (trap T-T6).
    fn lease_lost(&mut self, id: DeliveryId, run: &EndedRun, handled: &Handled, now: Duration) {
        self.deps.metrics.leases_lost.inc();
        self.remember(id, run.attempt - 1, handled, now);
        self.record_run(id, run, &Handled::stopped(Stop::Interrupted), Settlement::HandBack);
        self.record(id, Step::LeaseLost);
        self.remove_head_and_hand_back_followers(id, now);
    }

    /// The head is retried later, and its followers are handed back behind it.
    pub(super) fn retry(&mut self, id: DeliveryId, delay: Duration, now: Duration) {
        self.record(id, Step::Retrying { after_ms: delay.as_millis() as u64 });
        if let Some(delivery) = self.deliveries.get(id) {
            self.records.observer.put_off(&delivery.lane, &delivery.message.id, now + delay);
        }
        self.fail_lane(id, delay, now);
    }

    /// A lane fails as a unit (trap T-T3): the head is hidden, and when that is confirmed the
    /// followers become visible. On a FIFO queue the group stays blocked behind the head. A
    /// standard queue blocks nothing, so there the followers stay hidden as long as their head.
    pub(super) fn fail_lane(&mut self, id: DeliveryId, delay: Duration, now: Duration) {
        if planted(Plant::FollowersOvertake)
            && let Some(lane) = self.deliveries.get(id).map(|delivery| delivery.lane.clone())
        {
            self.lanes.finish(&lane);
            return self.settle(id, Action::Hide(delay), Then::Nothing, now);
        }
        self.stop_lane(id, if self.fifo { Duration::ZERO } else { delay });
        self.settle(id, Action::Hide(delay), Then::FollowersGoBack, now);
    }

    /// Takes head and followers out of their lane, which stays blocked until they are settled.
    pub(super) fn stop_lane(&mut self, head: DeliveryId, delay: Duration) {
        let Some(lane) = self.deliveries.get(head).map(|delivery| delivery.lane.clone()) else { return };
        self.mark_overtaken(&lane);
        let Some(failed) = self.lanes.fail(&lane) else { return };
        for follower in &failed.followers {
            if let Some(delivery) = self.deliveries.get_mut(*follower) {
                delivery.state = DeliveryState::Following;
            }
        }
        self.failed_lanes.insert(lane, FailedLane { followers: failed.followers, pending: 0, delay });
    }

    /// How often the peer of this message was not reached, and whether the message is the reason
    /// (rules R8); `None` if it was reached.
    fn not_reached(&self, id: DeliveryId, handled: &Handled, now: Duration) -> Option<NotReached> {
        let Err(Stop::NotReached { on, .. }) = &handled.ending else { return None };
        let tried = self.deliveries.get(id).and_then(|delivery| self.attempts.get(&delivery.message.id));
        let times = tried.map_or(0, |tried| tried.not_reached) + 1;
        let since = tried.and_then(|tried| tried.not_reached_since).unwrap_or(now);
        let others = Others {
            is_healthy: handled.is_healthy,
            ..self.starts.peer_calls.others(*on, times, since, now)
        };
        let peer_failed = peer_failed(times, now.saturating_sub(since), others);
        Some(NotReached { times, since, peer_failed })
    }

    fn remember(&mut self, id: DeliveryId, count: u32, handled: &Handled, now: Duration) {
        self.remember_count(id, count, Self::blocked_on(handled), self.not_reached(id, handled, now));
    }

    fn remember_count(
        &mut self,
        id: DeliveryId,
        count: u32,
        blocked_on: Option<Downstream>,
        not_reached: Option<NotReached>,
    ) {
        let Some(delivery) = self.deliveries.get(id) else { return };
        let before = self.attempts.get(&delivery.message.id);
        let (times, since) = match not_reached {
            Some(now) => (now.times, Some(now.since)),
            None => before.map_or((0, None), |tried| (tried.not_reached, tried.not_reached_since)),
        };
        let tried = Tried {
            count,
            not_reached: times,
            not_reached_since: since,
            first_seen: self.first_seen(id),
            blocked_on,
        };
        self.attempts.remember(&delivery.message.id, tried);
    }

    pub(super) fn forget(&mut self, id: DeliveryId) {
        if let Some(delivery) = self.deliveries.get(id) {
            self.attempts.forget(&delivery.message.id);
        }
    }

    /// The metrics, the journal and the one log line of a run.
    fn record_run(&mut self, id: DeliveryId, run: &EndedRun, handled: &Handled, settlement: Settlement) {
        let event = &run.work.event;
        let kind = event.fact.kind();
        let outcome = match (&handled.ending, settlement) {
            (Ok(_), _) => Outcome::Success,
            (Err(Stop::Interrupted), _) => Outcome::Dropped,
            (Err(_), Settlement::Bury(_)) => Outcome::Failed,
            (Err(Stop::Silent { .. } | Stop::NotReached { .. }), _) => Outcome::DownstreamError,
            (Err(_), _) => Outcome::Retried,
        };
        self.deps.metrics.event(kind.into(), outcome);
        self.deps.metrics.processed(kind, outcome, run.took);
        let ended = if outcome == Outcome::Success { Ended::Succeeded } else { Ended::Retried };
        if outcome != Outcome::Failed {
            self.deps.status.ended(ended, run.took.as_micros() as u64, self.deps.clock.now());
        }
        let error = handled.ending.as_ref().err().map(ToString::to_string);
        let effect = handled.ending.as_ref().map(Done::as_str).unwrap_or_default();
        let detail = error.as_deref().unwrap_or(effect);
        self.record(id, Step::Ended { outcome: outcome.label(), detail: detail.into() });
        tracing::info!(
            event_type = kind.label(),
            event_id = event.id.as_str(),
            reservation_id = event.reservation.as_str(),
            show_id = event.seats.show.as_ref().map(|show| show.as_str()),
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
