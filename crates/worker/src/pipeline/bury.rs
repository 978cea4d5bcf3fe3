//! Burying: a copy to the dead-letter queue, confirmed, then the delete, then the lane continues
//! (trap T-T4).
//!
//! Without a dead-letter queue of ours the message is left to the queue's own redrive policy: it is
//! hidden for the longest wait and redelivered until the policy moves it. The same happens if the
//! queue refuses our copy for good.

use super::settle::{again_after, is_denied};
use super::signal::{Answers, Signal, per_entry};
use super::table::{Action, Copying, Stage, Then, Ticket};
use super::{Pipeline, What};
use crate::dead_letter::{self, Burial};
use crate::status::Ended;
use crate::telemetry::{Operation, Outcome, type_label};
use core::time::Duration;
use domain::limits::MESSAGE_BYTES_MAX;
use domain::retry::{Reason, wait};
use domain::time::Timestamp;
use ports::plant::{Plant, planted};
use ports::queue::{Outgoing, Sent};
use ports::{FaultClass, probe};

/// The retry number with the longest wait.
const LONGEST_WAIT: u32 = 5;

impl Pipeline {
    /// Begins the burial of the head of a lane; the lane stays occupied until it has finished.
    pub(super) fn bury(
        &mut self,
        ticket: Ticket,
        reason: Reason,
        error: String,
        attempts: u32,
        now: Duration,
    ) {
        let Some(delivery) = self.table.get_mut(ticket) else { return };
        probe::hit(point(reason));
        if reason == Reason::RetriesExhausted {
            self.observer.exhausted(&delivery.message.id, attempts, self.options.retry.max_retries);
        }
        if reason == Reason::Undecodable {
            self.parts.telemetry.event(delivery.kind(), Outcome::InvalidPayload);
            tracing::info!(
                event_type = type_label(delivery.kind()),
                message_id = &*delivery.message.id,
                outcome = Outcome::InvalidPayload.label(),
                error,
                "not an event"
            );
        }
        if reason == Reason::Undecodable && planted(Plant::UndecodableDropped) {
            return self.settle(ticket, Action::Delete, Then::LaneGoesOn, now);
        }
        if self.parts.dead_letters.is_none() {
            return self.leave_to_redrive(ticket, now);
        }
        delivery.stage = Stage::Copying(Copying { reason, error, attempts, in_air: false, tries: 0 });
        let lease_until = delivery.lease_until;
        self.table.look_at(ticket, lease_until);
        self.copies.push(ticket, now);
    }

    fn leave_to_redrive(&mut self, ticket: Ticket, now: Duration) {
        let delay = wait(LONGEST_WAIT, &self.options.retry, &mut self.dice);
        self.retry(ticket, delay, now);
    }

    /// Sends the copies, in as many calls as their size requires.
    pub(super) fn send_copies(&mut self, tickets: Vec<Ticket>, now: Duration) {
        let last_seen = self.parts.clock.now();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for ticket in tickets {
            let first_seen = self.first_seen(ticket);
            let Some(delivery) = self.table.get_mut(ticket) else { continue };
            let ended = delivery.lease_until <= now;
            let (message, content) = (&delivery.message, &delivery.content);
            let Stage::Copying(copying) = &mut delivery.stage else { continue };
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
            batch.push((ticket, copy));
        }
        if !batch.is_empty() {
            self.send_copy_batch(batch);
        }
    }

    fn send_copy_batch(&mut self, batch: Vec<(Ticket, Outgoing)>) {
        let Some(queue) = self.parts.dead_letters.clone() else { return };
        self.parts.telemetry.called(Operation::SendDeadLetter, batch.len());
        let (tickets, copies): (Vec<Ticket>, Vec<Outgoing>) = batch.into_iter().unzip();
        let call = self.limited(async move { queue.send(copies).await });
        let signals = self.signals.clone();
        self.parts.tasks.spawn(async move {
            let results = call.await;
            let _ = signals.send(Signal::Copied { tickets, results });
        });
    }

    pub(super) fn copied(&mut self, tickets: Vec<Ticket>, results: Answers<Sent>, now: Duration) {
        self.tell_denied(Operation::SendDeadLetter, results.as_ref().err());
        let told = results.as_ref().is_err_and(is_denied);
        let results = per_entry(results, tickets.len());
        for (ticket, result) in tickets.into_iter().zip(results) {
            let Some(delivery) = self.table.get_mut(ticket) else { continue };
            let lease_until = delivery.lease_until;
            let Stage::Copying(copying) = &mut delivery.stage else { continue };
            copying.in_air = false;
            match result {
                Ok(_) => {
                    let reason = copying.reason.as_str();
                    self.note(ticket, What::Buried { reason });
                    self.parts.status.ended(Ended::Buried, 0, self.parts.clock.now());
                    self.forget(ticket);
                    self.settle(ticket, Action::Delete, Then::LaneGoesOn, now);
                }
                Err(fault) if fault.class == FaultClass::Permanent => {
                    let (message_id, reason) = (&*delivery.message.id, copying.reason.as_str());
                    let error = (!told).then(|| fault.chain());
                    tracing::error!(
                        message_id,
                        reason,
                        error,
                        "cannot be buried; left to the queue's redrive policy"
                    );
                    self.leave_to_redrive(ticket, now);
                }
                Err(fault) => {
                    copying.tries += 1;
                    let at = (now + again_after(copying.tries)).min(lease_until);
                    tracing::warn!(
                        message_id = &*delivery.message.id,
                        error = fault.chain(),
                        "a burial failed; again"
                    );
                    self.table.look_at(ticket, at);
                }
            }
        }
    }

    /// When the message was first received, as the queue reports it or as we remember it.
    pub(super) fn first_seen(&self, ticket: Ticket) -> Timestamp {
        let Some(delivery) = self.table.get(ticket) else { return Timestamp::EPOCH };
        let message = &delivery.message;
        self.attempts.of(&message.id).map_or(message.first_received_at, |tried| tried.first_seen)
    }
}

const fn point(reason: Reason) -> &'static str {
    match reason {
        Reason::Undecodable => "reason.Undecodable",
        Reason::RetriesExhausted => "reason.RetriesExhausted",
        Reason::PermanentFault => "reason.PermanentFault",
        Reason::Contradiction => "reason.Contradiction",
        Reason::PaidWithoutSeat => "reason.PaidWithoutSeat",
    }
}
