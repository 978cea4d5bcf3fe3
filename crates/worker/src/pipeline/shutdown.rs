//! The shutdown, in one function and in this order: readiness off, no new polls, wait for the polls
//! in the air, hand back unstarted messages, let runs finish, flush settlements.
//!
//! Nothing is lost, and nothing counts as an attempt that was not one (traps T-T2 and T-T6). Leases
//! are renewed and settlements sent throughout, because the same loop turns. Messages are handed
//! back only after the last poll has landed, because a poll in the air would receive them again.

use super::deliveries::{Cut, DeliveryState};
use super::{Phase, Pipeline};
use core::time::Duration;
use ports::plant::{Plant, planted};

impl Pipeline {
    pub(super) async fn shut_down(mut self) {
        let deadline = self.now() + self.options.shutdown_timeout;
        // The time after the runs were cut off: two round trips to the queue, in practice far less.
        let flush_time = (self.options.shutdown_timeout / 5).min(Duration::from_secs(3));
        let runs_until = deadline.saturating_sub(flush_time);

        self.phase = Phase::Draining;
        self.deps.status.draining();
        self.deps.process.health.draining();
        tracing::info!(polls = self.polls.in_air(), running = self.starts.running, "draining");

        let landed = |this: &Self| this.polls.in_air() == 0 || planted(Plant::PollCancelled);
        self.turn_until(runs_until, landed).await;
        self.phase = Phase::HandingBack;
        self.turn_until(runs_until, |this| this.starts.running == 0).await;
        self.cut_runs();
        self.turn_until(deadline, |this| this.deliveries.len() == 0).await;

        self.report();
        let (left, polls) = (self.deliveries.len(), self.polls.in_air());
        if left > 0 || polls > 0 {
            tracing::warn!(left, polls, "drained in part; the leases of the rest will run out");
        } else {
            tracing::info!("drained");
        }
    }

    async fn turn_until(&mut self, deadline: Duration, done: impl Fn(&Self) -> bool) {
        loop {
            self.advance();
            if done(self) || self.now() >= deadline {
                return;
            }
            self.wait_and_apply(Some(deadline)).await;
        }
    }

    /// Cancels the remaining runs; their messages are handed back as if unstarted.
    fn cut_runs(&mut self) {
        for id in self.deliveries.ids() {
            if let Some(delivery) = self.deliveries.get_mut(id)
                && let DeliveryState::Running(run) = &mut delivery.state
                && run.cut.is_none()
            {
                run.cut_off(Cut::Shutdown);
            }
        }
    }
}
