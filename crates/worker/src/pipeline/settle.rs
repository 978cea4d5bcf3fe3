//! The only place that calls the queue again after a receive: deletes and changes of visibility, in
//! batches.
//!
//! Every entry's result is read (trap T-T8). A failed entry is sent again until its lease ends,
//! with the newest receipt; a delete that is not confirmed by then is counted as
//! `worker_acks_lost`. Nothing is sent for a delivery whose lease has ended (invariant Q4).

use super::deliveries::{Action, DeliveryId, DeliveryState, Settling, Then};
use super::signal::{Answers, Signal, per_entry};
use super::{Pipeline, Step};
use crate::metrics::Operation;
use core::time::Duration;
use domain::id::ReservationId;
use ports::queue::Receipt;
use ports::{Fault, FaultClass};

/// The first and the longest wait before a failed entry is sent again.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// The wait before the next try of a call to the queue.
pub(super) fn again_after(tries: u32) -> Duration {
    (AGAIN * 2u32.pow(tries.min(6))).min(AGAIN_MAX)
}

impl Pipeline {
    /// Begins the settlement of a delivery: the last word on its message.
    pub(super) fn settle(&mut self, id: DeliveryId, action: Action, then: Then, now: Duration) {
        let Some(delivery) = self.deliveries.get_mut(id) else { return };
        delivery.state = DeliveryState::Settling(Settling { action, then, in_air: false, tries: 0 });
        let lease_until = delivery.lease_until;
        self.deliveries.look_at(id, lease_until);
        self.enqueue(id, action, now);
    }

    pub(super) fn enqueue(&mut self, id: DeliveryId, action: Action, now: Duration) {
        match action {
            Action::Delete => self.batches.deletes.push(id, now),
            Action::Hide(_) => self.batches.hides.push(id, now),
        }
    }

    /// Sends the batches that are due.
    pub(super) fn send_batches(&mut self, now: Duration) {
        let idle = self.starts.running == 0 && self.lanes.ready_len() == 0;
        while let Some(ids) = self.batches.deletes.take(now, idle) {
            let entries = self.sendable(ids, now);
            let receipts: Vec<Receipt> = entries.iter().map(|(_, receipt, _)| receipt.clone()).collect();
            let queue = self.deps.queue.clone();
            let call = async move { queue.delete(receipts).await };
            self.send(Operation::Delete, entries, call);
        }
        while let Some(ids) = self.batches.hides.take(now, idle) {
            let entries = self.sendable(ids, now);
            let hides = entries.iter().map(|(_, receipt, hide)| (receipt.clone(), *hide)).collect();
            let queue = self.deps.queue.clone();
            let call = async move { queue.change_visibility(hides).await };
            self.send(Operation::ChangeVisibility, entries, call);
        }
        while let Some(ids) = self.batches.copies.take(now, idle) {
            self.send_copies(ids, now);
        }
    }

    /// The entries of a batch that can still be sent, each with its newest receipt.
    fn sendable(&mut self, ids: Vec<DeliveryId>, now: Duration) -> Vec<(DeliveryId, Receipt, Duration)> {
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            let lease_until = delivery.lease_until;
            let renewal_in_air = delivery.renewal_in_air;
            let DeliveryState::Settling(settling) = &mut delivery.state else { continue };
            if settling.in_air || lease_until <= now {
                continue;
            }
            if renewal_in_air && settling.action != Action::Delete {
                // It is queued again when the renewal is answered.
                continue;
            }
            settling.in_air = true;
            let hide = match settling.action {
                Action::Delete => Duration::ZERO,
                Action::Hide(delay) => delay,
            };
            self.records.observer.settling(id.0, &delivery.message.id, lease_until, now);
            entries.push((id, delivery.message.receipt.clone(), hide));
        }
        entries
    }

    fn send(
        &mut self,
        operation: Operation,
        entries: Vec<(DeliveryId, Receipt, Duration)>,
        call: impl Future<Output = Answers<()>> + Send + 'static,
    ) {
        if entries.is_empty() {
            return;
        }
        self.deps.metrics.called(operation, entries.len());
        let entries = entries.into_iter().map(|(id, receipt, _)| (id, receipt)).collect();
        let call = self.limited(call);
        let signals = self.signals.clone();
        self.deps.tasks.spawn(async move {
            let results = call.await;
            let _ = signals.send(Signal::Settled { operation, entries, results });
        });
    }

    /// A call to the queue under its deadline (trap T-T11).
    pub(super) fn limited<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Fault>> + Send + 'static {
        let (clock, limit) = (self.deps.clock.clone(), self.options.queue_call_max);
        async move {
            let late = |_| {
                Err(Fault::unavailable(format!("the queue did not answer within {} ms", limit.as_millis())))
            };
            ports::clock::timeout(&*clock, limit, call).await.unwrap_or_else(late)
        }
    }

    pub(super) fn settled(
        &mut self,
        operation: Operation,
        entries: Vec<(DeliveryId, Receipt)>,
        results: Answers<()>,
        now: Duration,
    ) {
        self.log_denied(operation, results.as_ref().err());
        let denied = results.as_ref().is_err_and(is_denied);
        let results = per_entry(results, entries.len());
        for ((id, receipt), result) in entries.into_iter().zip(results) {
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            let (newer, lease_until) = (delivery.message.receipt != receipt, delivery.lease_until);
            let DeliveryState::Settling(settling) = &mut delivery.state else { continue };
            settling.in_air = false;
            match result {
                // A delete under a replaced receipt may not have deleted: send it again under the
                // newest.
                Ok(()) if newer && now < lease_until => {
                    let action = settling.action;
                    self.enqueue(id, action, now);
                }
                Ok(()) => self.settlement_finished(id, true, now),
                Err(fault) if now >= lease_until || (fault.class == FaultClass::Permanent && !newer) => {
                    let message_id = &*delivery.message.id;
                    if denied {
                        tracing::debug!(message_id, "settlement refused; left to the lease");
                    } else {
                        tracing::warn!(
                            message_id,
                            error = fault.chain(),
                            "settlement failed; left to the lease"
                        );
                    }
                    self.settlement_finished(id, false, now);
                }
                Err(_) => {
                    settling.tries += 1;
                    let at = (now + again_after(settling.tries)).min(lease_until);
                    self.deliveries.look_at(id, at);
                }
            }
        }
    }

    /// A settlement has finished: confirmed, or never to be confirmed. Removes the delivery and
    /// continues its lane.
    pub(super) fn settlement_finished(&mut self, id: DeliveryId, confirmed: bool, now: Duration) {
        let Some(delivery) = self.deliveries.get(id) else { return };
        let DeliveryState::Settling(settling) = &delivery.state else { return };
        let (action, then, lane) = (settling.action, settling.then, delivery.lane.clone());
        if confirmed {
            self.deps.metrics.settled(delivery.kind(), now.saturating_sub(delivery.arrived_at));
            self.records.observer.settled(id.0);
        }
        match (action, confirmed) {
            (Action::Delete, true) => self.record(id, Step::Settled),
            (Action::Delete, false) => {
                self.deps.metrics.acks_lost.inc();
                self.record(id, Step::SettlementLost);
            }
            (Action::Hide(_), false) => {
                if let Some(delivery) = self.deliveries.get(id) {
                    self.records.observer.not_put_off(&lane, &delivery.message.id);
                }
            }
            (Action::Hide(_), true) => {}
        }
        match then {
            Then::Nothing => self.remove(id, now),
            Then::LaneGoesOn if confirmed => {
                self.lanes.finish(&lane);
                self.remove(id, now);
            }
            // The copy is safe, but the message is not deleted and will be redelivered, so its
            // followers must not run.
            Then::LaneGoesOn => self.remove_head_and_hand_back_followers(id, now),
            Then::FollowersGoBack => {
                self.remove(id, now);
                self.hand_back_followers(&lane, now);
            }
            Then::LaneOpens => {
                // In this order: if the message was received again meanwhile, the head of its group
                // may have been received with it and refused by the lane, so the lane must refuse
                // this one as well.
                self.remove(id, now);
                self.follower_settled(&lane);
            }
        }
    }

    /// Removes a head without a settlement of its own, and hands its followers back.
    pub(super) fn remove_head_and_hand_back_followers(&mut self, head: DeliveryId, now: Duration) {
        let Some(lane) = self.deliveries.get(head).map(|delivery| delivery.lane.clone()) else { return };
        self.stop_lane(head, Duration::ZERO);
        self.remove(head, now);
        self.hand_back_followers(&lane, now);
    }

    /// Removes the delivery and takes up the arrivals that waited for its end.
    pub(super) fn remove(&mut self, id: DeliveryId, now: Duration) {
        let Some(delivery) = self.deliveries.remove(id) else { return };
        self.records.observer.left(id.0, &delivery.lane, now);
        if self.reordered.came_again.get(&delivery.lane) != Some(&id) {
            return;
        }
        self.reordered.came_again.remove(&delivery.lane);
        let overtaken = self.reordered.overtaken.remove(&delivery.lane);
        for arrival in delivery.again {
            if overtaken {
                self.hand_back_arrival(arrival, now);
            } else {
                self.arrive(arrival, now);
            }
        }
    }

    fn hand_back_followers(&mut self, lane: &ReservationId, now: Duration) {
        let Some(failed) = self.failed_lanes.get_mut(lane) else { return };
        let delay = failed.delay;
        let mut followers = core::mem::take(&mut failed.followers);
        // A follower whose lease ended meanwhile has been removed already.
        followers.retain(|follower| self.deliveries.get(*follower).is_some());
        failed.pending = followers.len();
        if followers.is_empty() {
            self.failed_lanes.remove(lane);
            self.lanes.clear(lane);
        }
        for follower in followers {
            self.record(follower, Step::HandedBack { why: "the head of its lane failed" });
            self.settle(follower, Action::Hide(delay), Then::LaneOpens, now);
        }
    }

    fn follower_settled(&mut self, lane: &ReservationId) {
        let Some(failed) = self.failed_lanes.get_mut(lane) else { return };
        failed.pending -= 1;
        if failed.pending == 0 {
            self.failed_lanes.remove(lane);
            self.lanes.clear(lane);
        }
    }

    /// A missing permission is logged once for each kind of call; the messages are left to the
    /// queue's own timeout and redrive.
    pub(super) fn log_denied(&mut self, operation: Operation, fault: Option<&Fault>) {
        if let Some(fault) = fault.filter(|fault| is_denied(fault))
            && self.records.denied_logged.insert(operation.label())
        {
            let call = operation.label();
            tracing::error!(
                call,
                error = fault.chain(),
                "queue call denied; logged once, check the worker's permissions"
            );
        }
    }
}

/// Whether a whole call was refused for good, as every other call of its kind will be.
pub(super) fn is_denied(fault: &Fault) -> bool {
    fault.class == FaultClass::Permanent
}
