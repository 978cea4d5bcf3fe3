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
    pub(super) fn keep_house(&mut self, now: Duration) {
        if now < self.housekeeping_at {
            return;
        }
        self.housekeeping_at = now + EVERY;
        self.observer.forget_old(now);
        let health = &self.parts.process.health;
        let oldest = self.polls.oldest(now);
        let hangs = oldest > self.options.wait + HANG_AFTER;
        let alive =
            if hangs { Err(format!("a poll has not ended for {} s", oldest.as_secs())) } else { Ok(()) };
        health.alive_set("polls", alive);
        let failures = self.polls.failures();
        let ready = if failures >= POLL_FAILURES_MAX {
            Err(format!("the last {failures} polls failed"))
        } else {
            Ok(())
        };
        health.ready_set("queue", ready);
        if !self.redrive_asked {
            self.redrive_asked = true;
            self.ask_redrive();
        }
        if now >= self.depth_at && self.phase == Phase::Working {
            self.depth_at = now + DEPTH_EVERY;
            self.ask_depth();
        }
    }

    fn ask_depth(&self) {
        let queue = self.parts.queue.clone();
        let call = self.limited(async move { queue.depth().await });
        let signals = self.signals.clone();
        self.parts.tasks.spawn(async move {
            let _ = signals.send(Signal::Depth(call.await));
        });
    }

    fn ask_redrive(&self) {
        let queue = self.parts.queue.clone();
        let call = self.limited(async move { queue.redrive_policy().await });
        let signals = self.signals.clone();
        self.parts.tasks.spawn(async move {
            let _ = signals.send(Signal::Redrive(call.await));
        });
    }

    /// The queue's own count of receives is only a backstop: followers and handed back messages are
    /// often received without being tried (trap T-T5), so a low limit would bury them.
    pub(super) fn judge_redrive(&self, policy: Result<Option<RedrivePolicy>, Fault>) {
        match policy {
            Ok(Some(policy)) if policy.max_receive_count < MAX_RECEIVE_COUNT_MIN => tracing::warn!(
                max_receive_count = policy.max_receive_count,
                "the queue's maxReceiveCount is low: it moves messages that were never tried; set it to 100"
            ),
            Ok(None) if self.parts.dead_letters.is_none() => tracing::warn!(
                "there is no dead-letter queue and no redrive policy: what cannot be handled comes back for ever"
            ),
            Ok(_) => {}
            Err(fault) => tracing::debug!(error = fault.chain(), "the queue's redrive policy is not known"),
        }
    }

    pub(super) fn measured(&mut self, depth: Result<Depth, Fault>) {
        match depth {
            Ok(depth) => {
                self.visible = depth.visible;
                self.parts.status.visible(depth.visible);
            }
            Err(fault) => tracing::debug!(error = fault.chain(), "the depth of the queue is not known"),
        }
    }

    /// Publishes the turn's numbers and journal.
    pub(super) fn report(&mut self) {
        let (running, waiting) = (self.running, self.lanes.waiting());
        let settling = self.table.len().saturating_sub(running + waiting);
        let (limit, polls) = (self.limit(), self.polls.in_air());
        self.parts.status.turn(running, waiting, settling, limit, polls);
        let telemetry = &self.parts.telemetry;
        telemetry.running.set(running as i64);
        telemetry.waiting.set(waiting as i64);
        telemetry.limit.set(limit as i64);
        telemetry.polls.set(polls as i64);
        let visible = i64::try_from(self.visible).unwrap_or(i64::MAX);
        telemetry.work.set(visible.saturating_add(running as i64));
        self.parts.journal.append(&mut self.entries);
    }
}
