//! Once a second: liveness, readiness, and the numbers that are not per event. Every fifteen
//! seconds the queue reports its depth, for the gauge that the autoscaler uses: visible messages
//! and running handlers, not messages that are hidden until their retry (trap T-O4).

use super::signal::Signal;
use super::{Phase, Pipeline};
use crate::polls::HANG_AFTER;
use core::time::Duration;
use ports::Fault;
use ports::queue::{Depth, RedrivePolicy};

const EVERY: Duration = Duration::from_secs(1);
const DEPTH_EVERY: Duration = Duration::from_secs(15);
/// A `maxReceiveCount` below this causes a warning.
const MAX_RECEIVE_COUNT_MIN: u32 = 20;
/// Failed polls in a row after which the worker is not ready.
const POLL_FAILURES_MAX: u32 = 3;

impl Pipeline {
    pub(super) fn housekeep(&mut self, now: Duration) {
        if now < self.housekeeping.next_at {
            return;
        }
        self.housekeeping.next_at = now + EVERY;
        self.records.observer.forget_old(now);
        let health = &self.deps.process.health;
        let oldest = self.polls.oldest(now);
        let hangs = oldest > self.options.wait + HANG_AFTER;
        let alive =
            if hangs { Err(format!("a poll has not ended after {} s", oldest.as_secs())) } else { Ok(()) };
        health.alive_set("polls", alive);
        let failures = self.polls.failures();
        let ready = if failures >= POLL_FAILURES_MAX {
            Err(format!("the last {failures} polls failed"))
        } else {
            Ok(())
        };
        health.ready_set("queue", ready);
        if !self.housekeeping.redrive_asked {
            self.housekeeping.redrive_asked = true;
            self.ask_redrive();
        }
        if now >= self.housekeeping.depth_at && self.phase == Phase::Working {
            self.housekeeping.depth_at = now + DEPTH_EVERY;
            self.ask_depth();
        }
    }

    fn ask_depth(&self) {
        let queue = self.deps.queue.clone();
        let call = self.limited(async move { queue.depth().await });
        let signals = self.signals.clone();
        self.deps.tasks.spawn(async move {
            let _ = signals.send(Signal::Depth(call.await));
        });
    }

    fn ask_redrive(&self) {
        let queue = self.deps.queue.clone();
        let call = self.limited(async move { queue.redrive_policy().await });
        let signals = self.signals.clone();
        self.deps.tasks.spawn(async move {
            let _ = signals.send(Signal::Redrive(call.await));
        });
    }

    /// The queue's own count of receives is only a backstop: followers and handed back messages are
    /// often received without being tried (trap T-T5), so a low limit would bury them.
    pub(super) fn judge_redrive(&self, policy: Result<Option<RedrivePolicy>, Fault>) {
        match policy {
            Ok(Some(policy)) if policy.max_receive_count < MAX_RECEIVE_COUNT_MIN => tracing::warn!(
                max_receive_count = policy.max_receive_count,
                "maxReceiveCount is low: the queue will bury untried messages; set it to 100"
            ),
            Ok(None) if self.deps.dead_letters.is_none() => tracing::warn!(
                "no dead-letter queue and no redrive policy: failing messages will be redelivered forever"
            ),
            Ok(_) => {}
            Err(fault) => tracing::debug!(error = fault.chain(), "cannot read the redrive policy"),
        }
    }

    pub(super) fn depth_answered(&mut self, depth: Result<Depth, Fault>) {
        match depth {
            Ok(depth) => {
                self.housekeeping.visible = depth.visible;
                self.deps.status.visible(depth.visible);
            }
            Err(fault) => tracing::debug!(error = fault.chain(), "cannot read the queue's depth"),
        }
    }

    /// Publishes the turn's numbers and journal.
    pub(super) fn report(&mut self) {
        let (running, waiting) = (self.starts.running, self.lanes.waiting());
        let settling = self.deliveries.len().saturating_sub(running + waiting);
        let (limit, polls) = (self.limit(), self.polls.in_air());
        self.deps.status.turn(running, waiting, settling, limit, polls);
        let metrics = &self.deps.metrics;
        metrics.running.set(running as i64);
        metrics.waiting.set(waiting as i64);
        metrics.limit.set(limit as i64);
        metrics.polls.set(polls as i64);
        let visible = i64::try_from(self.housekeeping.visible).unwrap_or(i64::MAX);
        metrics.work.set(visible.saturating_add(running as i64));
        self.deps.journal.append(&mut self.records.entries);
    }
}
