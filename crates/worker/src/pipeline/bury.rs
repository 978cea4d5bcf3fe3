//! Burying: a copy to the dead-letter queue, confirmed, then the delete, then the lane continues
//! (trap T-T4).
//!
//! Without a dead-letter queue of ours the message is left to the queue's own redrive policy: it is
//! hidden for the longest wait and redelivered until the policy moves it. The same happens if the
//! queue refuses our copy for good.

use super::deliveries::{Action, Copying, DeliveryId, DeliveryState, Then};
use super::settle::{again_after, is_denied};
use super::signal::{Answers, Signal, per_entry};
use super::{Pipeline, Step};
use crate::dead_letter::{self, Burial};
use crate::metrics::{Operation, Outcome, type_label};
use crate::status::Ended;
use core::time::Duration;
use domain::limits::MESSAGE_BYTES_MAX;
use domain::retry::{Reason, wait};
use domain::time::Timestamp;
use ports::queue::{Outgoing, Sent};
use ports::{FaultClass, probe};

/// The retry number with the longest wait.
const LONGEST_WAIT: u32 = 5;

impl Pipeline {
    /// Begins the burial of the head of a lane; the lane stays occupied until it has finished.
    pub(super) fn bury(
        &mut self,
        id: DeliveryId,
        reason: Reason,
        error: String,
        attempts: u32,
        now: Duration,
    ) {
        let Some(delivery) = self.deliveries.get_mut(id) else { return };
        probe::hit_variant("reason", &reason);
        if reason == Reason::RetriesExhausted {
            self.records.observer.exhausted(&delivery.message.id, attempts, self.options.retry.max_retries);
        }
        if reason == Reason::Undecodable {
            self.deps.metrics.event(delivery.kind(), Outcome::InvalidPayload);
            tracing::info!(
                event_type = type_label(delivery.kind()),
                message_id = &*delivery.message.id,
                outcome = Outcome::InvalidPayload.label(),
                error,
                "undecodable message"
            );
        }
        if self.deps.dead_letters.is_none() {
            return self.leave_to_redrive_policy(id, now);
        }
        delivery.state = DeliveryState::Copying(Copying { reason, error, attempts, in_air: false, tries: 0 });
        let lease_until = delivery.lease_until;
        self.deliveries.look_at(id, lease_until);
        self.batches.copies.push(id, now);
    }

    fn leave_to_redrive_policy(&mut self, id: DeliveryId, now: Duration) {
        let delay = wait(LONGEST_WAIT, &self.options.retry, &mut self.dice);
        self.retry(id, delay, now);
    }

    /// Sends the copies, in as many calls as their size requires.
    pub(super) fn send_copies(&mut self, ids: Vec<DeliveryId>, now: Duration) {
        let last_seen = self.deps.clock.now();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for id in ids {
            let first_seen = self.first_seen(id);
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            let ended = delivery.lease_until <= now;
            let (message, content) = (&delivery.message, &delivery.content);
            let DeliveryState::Copying(copying) = &mut delivery.state else { continue };
            if copying.in_air || ended {
                continue;
            }
            copying.in_air = true;
            let (reason, attempts) = (copying.reason, copying.attempts);
            let burial = Burial { reason, error: &copying.error, attempts, first_seen, last_seen };
            let copy = dead_letter::copy_of(message, content, &burial);
            let size = dead_letter::size_of(&copy);
            if bytes + size > MESSAGE_BYTES_MAX && !batch.is_empty() {
                self.send_copy_batch(core::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push((id, copy));
        }
        if !batch.is_empty() {
            self.send_copy_batch(batch);
        }
    }

    fn send_copy_batch(&mut self, batch: Vec<(DeliveryId, Outgoing)>) {
        let Some(queue) = self.deps.dead_letters.clone() else { return };
        self.deps.metrics.called(Operation::SendDeadLetter, batch.len());
        let (ids, copies): (Vec<DeliveryId>, Vec<Outgoing>) = batch.into_iter().unzip();
        let call = self.limited(async move { queue.send(copies).await });
        let signals = self.signals.clone();
        self.deps.tasks.spawn(async move {
            let results = call.await;
            let _ = signals.send(Signal::Copied { ids, results });
        });
    }

    pub(super) fn copied(&mut self, ids: Vec<DeliveryId>, results: Answers<Sent>, now: Duration) {
        self.log_denied(Operation::SendDeadLetter, results.as_ref().err());
        let denied = results.as_ref().is_err_and(is_denied);
        let results = per_entry(results, ids.len());
        for (id, result) in ids.into_iter().zip(results) {
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            let lease_until = delivery.lease_until;
            let DeliveryState::Copying(copying) = &mut delivery.state else { continue };
            copying.in_air = false;
            match result {
                Ok(_) => {
                    let reason = copying.reason.as_str();
                    self.record(id, Step::Buried { reason });
                    self.deps.status.ended(Ended::Buried, 0, self.deps.clock.now());
                    self.forget(id);
                    self.settle(id, Action::Delete, Then::LaneGoesOn, now);
                }
                Err(fault) if fault.class == FaultClass::Permanent => {
                    let (message_id, reason) = (&*delivery.message.id, copying.reason.as_str());
                    let error = (!denied).then(|| fault.chain());
                    tracing::error!(
                        message_id,
                        reason,
                        error,
                        "burial refused: left to the queue's redrive policy; check the permission to send dead letters"
                    );
                    self.leave_to_redrive_policy(id, now);
                }
                Err(fault) => {
                    copying.tries += 1;
                    let at = (now + again_after(copying.tries)).min(lease_until);
                    tracing::warn!(
                        message_id = &*delivery.message.id,
                        error = fault.chain(),
                        "burial failed; retrying"
                    );
                    self.deliveries.look_at(id, at);
                }
            }
        }
    }

    /// When the message was first received, as the queue reports it or as we remember it.
    pub(super) fn first_seen(&self, id: DeliveryId) -> Timestamp {
        let Some(delivery) = self.deliveries.get(id) else { return Timestamp::EPOCH };
        let message = &delivery.message;
        self.attempts.get(&message.id).map_or(message.first_received_at, |tried| tried.first_seen)
    }
}
