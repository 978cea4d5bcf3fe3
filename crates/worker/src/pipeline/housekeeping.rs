//! Once a second: liveness, readiness, and the numbers that are not per event. Every fifteen seconds the queue is asked
//! how much there is to do, for the gauge that the autoscaler goes by: visible messages and running handlers, not
//! messages that are hidden until their retry (trap O4).

use super::signal::Signal;
use super::{Phase, Pipeline};
use crate::polls::HANG_AFTER;
use core::time::Duration;
use ports::Fault;
use ports::queue::Depth;

const EVERY: Duration = Duration::from_secs(1);
const DEPTH_EVERY: Duration = Duration::from_secs(15);
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

    pub(super) fn measured(&mut self, depth: Result<Depth, Fault>) {
        match depth {
            Ok(depth) => {
                self.visible = depth.visible;
                self.parts.status.visible(depth.visible);
            }
            Err(fault) => tracing::debug!(error = fault.chain(), "the depth of the queue is not known"),
        }
    }

    /// Shows the turn's numbers and journal.
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
