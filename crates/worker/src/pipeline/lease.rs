//! Watches the leases: each delivery is looked at when its time comes (trap T-T6).
//!
//! - A waiting message is handed back while its lease still allows it.
//! - A run's lease is renewed, in batches, until the handler's own limit; then the run is cut off.
//!   A lease that ends under a run cuts it off too.
//! - A lease under settlement is never renewed: the settlement is sent again, and left to the queue
//!   when the lease ends.

use super::deliveries::{Action, Cut, DeliveryId, DeliveryState, Settling};
use super::signal::{Answers, Signal, per_entry};
use super::{Pipeline, Step};
use crate::metrics::Operation;
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use ports::queue::Receipt;
use ports::{FaultClass, probe};

/// The next look at a delivery that waits for an answer which will come.
const LATER: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Look {
    At(Duration),
    Renew,
    HandBackLane,
    SendAgain,
    CopyAgain,
    Over,
    LeaveLane,
    Leave,
}

impl Pipeline {
    pub(super) fn look_at_due(&mut self, now: Duration) {
        if self.deliveries.next_look().is_none_or(|at| at > now) {
            return;
        }
        let mut renewals = Vec::new();
        for id in self.deliveries.due(now) {
            self.look(id, &mut renewals, now);
        }
        if !renewals.is_empty() {
            self.join_renewal(&mut renewals, now);
            self.renew(renewals, now);
        }
    }

    fn look(&mut self, id: DeliveryId, renewals: &mut Vec<DeliveryId>, now: Duration) {
        let run_max = self.deps.handlers.run_max();
        let (to_start, to_renew) = (self.options.lease_to_start(), self.options.lease_to_renew());
        let Some(delivery) = self.deliveries.get_mut(id) else { return };
        let ended = delivery.lease_until <= now;
        let lease_until = delivery.lease_until;
        let too_short = delivery.lease_left(now) <= to_start;
        let look = match &mut delivery.state {
            DeliveryState::Waiting if too_short => Look::HandBackLane,
            DeliveryState::Waiting => Look::At(lease_until.saturating_sub(to_start)),
            DeliveryState::Following if ended => Look::Leave,
            DeliveryState::Following => Look::At(lease_until),
            DeliveryState::Running(run) if run.cut.is_some() => Look::At(now + LATER),
            DeliveryState::Running(run) if ended || now >= run.since + run_max => {
                run.cut_off(if ended { Cut::LeaseLost } else { Cut::TookTooLong });
                Look::At(now + LATER)
            }
            DeliveryState::Running(run) if run.renewing => Look::At(lease_until),
            DeliveryState::Running(run) if lease_until > now + to_renew => {
                Look::At((lease_until - to_renew).min(run.since + run_max))
            }
            DeliveryState::Running(_) => Look::Renew,
            DeliveryState::Copying(copying) if copying.in_air => Look::At(now + LATER),
            DeliveryState::Copying(_) if ended => Look::LeaveLane,
            DeliveryState::Copying(_) => Look::CopyAgain,
            DeliveryState::Settling(settling) if settling.in_air => Look::At(now + LATER),
            DeliveryState::Settling(_) if ended => Look::Over,
            DeliveryState::Settling(_) => Look::SendAgain,
        };
        self.act(id, look, lease_until, renewals, now);
    }

    fn act(
        &mut self,
        id: DeliveryId,
        look: Look,
        lease_until: Duration,
        renewals: &mut Vec<DeliveryId>,
        now: Duration,
    ) {
        probe::hit_variant("look", &look);
        match look {
            Look::At(at) => self.deliveries.look_at(id, at),
            Look::Renew => renewals.push(id),
            Look::HandBackLane => {
                let lane = self.deliveries.get(id).map(|delivery| delivery.lane.clone());
                let waiting = lane.map(|lane| self.lanes.take_waiting(&lane)).unwrap_or_default();
                if !waiting.contains(&id) {
                    // Unreachable: a waiting message is in a lane. Left alone it would keep the
                    // loop turning.
                    self.remove(id, now);
                }
                for id in waiting {
                    self.hand_back(id, Duration::ZERO, "too little lease left", now);
                }
            }
            Look::SendAgain => {
                self.deliveries.look_at(id, lease_until);
                if let Some(DeliveryState::Settling(settling)) =
                    self.deliveries.get(id).map(|delivery| &delivery.state)
                {
                    let action = settling.action;
                    self.enqueue(id, action, now);
                }
            }
            Look::CopyAgain => {
                self.deliveries.look_at(id, lease_until);
                self.batches.copies.push(id, now);
            }
            Look::Over => self.settlement_finished(id, false, now),
            Look::LeaveLane => {
                self.record(id, Step::LeaseLost);
                self.remove_head_and_hand_back_followers(id, now);
            }
            Look::Leave => self.remove(id, now),
        }
    }

    /// Adds runs whose renewal is due soon: a call for ten costs the same as a call for one.
    fn join_renewal(&self, renewals: &mut Vec<DeliveryId>, now: Duration) {
        let soon = now + self.options.visibility / 10;
        for id in self.deliveries.due(soon) {
            let Some(delivery) = self.deliveries.get(id) else { continue };
            if let DeliveryState::Running(run) = &delivery.state
                && run.cut.is_none()
                && !run.renewing
                && !renewals.contains(&id)
            {
                renewals.push(id);
            }
        }
    }

    fn renew(&mut self, renewals: Vec<DeliveryId>, now: Duration) {
        for chunk in renewals.chunks(QUEUE_BATCH_MAX) {
            let mut entries = Vec::with_capacity(chunk.len());
            for &id in chunk {
                let Some(delivery) = self.deliveries.get_mut(id) else { continue };
                let DeliveryState::Running(run) = &mut delivery.state else { continue };
                run.renewing = true;
                delivery.renewal_in_air = true;
                let lease_until = delivery.lease_until;
                entries.push((id, delivery.message.receipt.clone()));
                self.deliveries.look_at(id, lease_until);
            }
            self.deps.metrics.called(Operation::ChangeVisibility, entries.len());
            let visibility = self.options.visibility;
            let changes = entries.iter().map(|(_, receipt)| (receipt.clone(), visibility)).collect();
            let queue = self.deps.queue.clone();
            let call = self.limited(async move { queue.change_visibility(changes).await });
            let signals = self.signals.clone();
            self.deps.tasks.spawn(async move {
                let results = call.await;
                let _ = signals.send(Signal::Renewed { sent_at: now, entries, results });
            });
        }
    }

    pub(super) fn renewed(
        &mut self,
        sent_at: Duration,
        entries: Vec<(DeliveryId, Receipt)>,
        results: Answers<()>,
        now: Duration,
    ) {
        self.log_denied(Operation::ChangeVisibility, results.as_ref().err());
        // Logged once and left to the queue's own timeout: without the permission every run has
        // only its first lease.
        let denied = results.as_ref().is_err_and(|fault| fault.class == FaultClass::Permanent);
        let results = per_entry(results, entries.len());
        let (until, to_renew) = (self.lease_from(sent_at), self.options.lease_to_renew());
        let run_max = self.deps.handlers.run_max();
        for ((id, receipt), result) in entries.into_iter().zip(results) {
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            delivery.renewal_in_air = false;
            let same = delivery.message.receipt == receipt;
            if let DeliveryState::Settling(Settling {
                action: action @ Action::Hide(_), in_air: false, ..
            }) = delivery.state
            {
                self.enqueue(id, action, now);
                continue;
            }
            let DeliveryState::Running(run) = &mut delivery.state else { continue };
            run.renewing = false;
            let look_at = match result {
                Ok(()) if same => {
                    delivery.lease_until = until;
                    until.saturating_sub(to_renew).min(run.since + run_max)
                }
                // A newer receipt has arrived meanwhile, and the lease belongs to it.
                _ if !same => now,
                Err(fault) if fault.class == FaultClass::Permanent && !denied && run.cut.is_none() => {
                    run.cut_off(Cut::LeaseLost);
                    now + LATER
                }
                _ if denied => {
                    run.renewing = true;
                    delivery.lease_until
                }
                _ => (now + to_renew / 10).min(delivery.lease_until),
            };
            self.deliveries.look_at(id, look_at.max(now));
        }
    }
}
