//! Brings messages in: starts polls, files their answers by message id and puts them into lanes.
//!
//! A poll runs as a task of its own and always to its end (trap T-T2). It decodes its messages
//! itself, to keep that work out of the loop.

use super::deliveries::{Action, Delivery, DeliveryId, DeliveryState, Settling, Then};
use super::signal::{Arrival, Signal};
use super::{Phase, Pipeline, Step};
use crate::metrics::Operation;
use crate::polls::{Demand, Poll};
use crate::work::Content;
use core::time::Duration;
use domain::breaker::Admission;
use domain::id::ReservationId;
use domain::lanes::Offer;
use ports::plant::{Plant, planted};
use ports::queue::Receive;
use ports::{Fault, probe};

/// How long a message stays hidden on a standard queue when its lane is full: hidden for no time it
/// would be redelivered at once.
const NO_ROOM_DELAY: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Starts the polls that are wanted now.
    pub(super) fn poll(&mut self, now: Duration) {
        if self.phase != Phase::Working {
            return;
        }
        let demand = Demand {
            limit: self.limit(),
            running: self.starts.running,
            ready: self.lanes.ready_len(),
            waiting: self.lanes.waiting(),
        };
        match self.starts.breakers.admission(now) {
            Admission::Free => {
                while let Some(poll) = self.polls.start(demand, now) {
                    self.launch(poll, now);
                }
            }
            Admission::Probe if demand.ready == 0 => {
                if let Some(poll) = self.polls.start_probe(now) {
                    self.launch(poll, now);
                }
            }
            Admission::Probe | Admission::Shut(_) => {}
        }
    }

    fn launch(&mut self, poll: Poll, now: Duration) {
        let queue = self.deps.queue.clone();
        let signals = self.signals.clone();
        let request = Receive {
            max: poll.max,
            wait: self.options.poll_wait(),
            visibility: Some(self.options.visibility),
        };
        self.deps.tasks.spawn(async move {
            let receive = queue.receive(request);
            let result = if planted(Plant::PollCancelled) {
                tokio::select! { biased; () = signals.closed() => return, result = receive => result }
            } else {
                receive.await
            };
            let arrive = |message| Arrival { content: Content::decode(&message), message, requested_at: now };
            let result = result.map(|messages| messages.into_iter().map(arrive).collect());
            // Without a loop nothing can hand the messages back: their leases run out.
            let _ = signals.send(Signal::Polled { poll: poll.id, result });
        });
    }

    pub(super) fn polled(&mut self, poll: u64, result: Result<Vec<Arrival>, Fault>, now: Duration) {
        match result {
            Ok(arrivals) => {
                self.polls.brought(poll, arrivals.len(), now);
                self.deps.metrics.called(Operation::Receive, arrivals.len());
                for arrival in arrivals {
                    self.arrive(arrival, now);
                }
            }
            Err(fault) => {
                let failures = self.polls.failed(poll, now);
                self.deps.metrics.poll_errors.inc();
                tracing::warn!(failures, error = fault.chain(), "poll failed");
            }
        }
    }

    pub(super) fn arrive(&mut self, arrival: Arrival, now: Duration) {
        let lease_until = self.lease_from(arrival.requested_at);
        if lease_until <= now {
            // It took longer to get here than its lease: the queue redelivers it.
            return;
        }
        if let Some(id) = self.deliveries.by_message(&arrival.message.id) {
            return self.arrive_again(id, arrival, lease_until);
        }
        let lane = arrival.content.lane(&arrival.message);
        if let Some(before) = self.waits_in(&lane) {
            before.again.push(arrival);
            return;
        }
        let Arrival { message, content, .. } = arrival;
        let count = message.receive_count;
        let look_at = lease_until.saturating_sub(self.options.lease_to_renew()).max(now);
        let id = self.deliveries.insert(message, content, lane.clone(), lease_until, look_at, now);
        self.records.observer.received(&lane);
        self.record(id, Step::Received { count });
        let offer = self.lanes.offer(&lane, id);
        probe::hit_variant("offer", &offer);
        if let Offer::Refused(id) = offer {
            let delay = if self.fifo { Duration::ZERO } else { NO_ROOM_DELAY };
            self.hand_back(id, delay, "its lane is full", now);
        }
    }

    /// The same message was received again while the worker has it (trap T-T7). Its newer receipt
    /// replaces the older one, and nothing is started twice. It becomes a new delivery, which waits
    /// for the end of the old one, only if the old one can no longer be settled under the newer
    /// receipt: the run lost its lease, or the message is being handed back.
    fn arrive_again(&mut self, id: DeliveryId, arrival: Arrival, lease_until: Duration) {
        self.record(id, Step::ReceivedAgain);
        let Some(delivery) = self.deliveries.get_mut(id) else { return };
        if arrival.message.receive_count < delivery.message.receive_count && !planted(Plant::LateAnswerWins) {
            // The late answer of an earlier receive, whose lease has been replaced.
            return;
        }
        let waits = match &delivery.state {
            DeliveryState::Waiting | DeliveryState::Following | DeliveryState::Copying(_) => false,
            DeliveryState::Running(run) => run.cut.is_some(),
            DeliveryState::Settling(Settling { action: Action::Hide(_), in_air, .. }) => *in_air,
            DeliveryState::Settling(Settling { action: Action::Delete, .. }) => false,
        };
        if waits {
            let lane = delivery.lane.clone();
            let first = *self.reordered.came_again.entry(lane).or_insert(id);
            if let Some(delivery) = self.deliveries.get_mut(first) {
                delivery.again.push(arrival);
            }
            return;
        }
        if !planted(Plant::StaleHandle) {
            delivery.message.receipt = arrival.message.receipt;
        }
        delivery.message.receive_count = arrival.message.receive_count;
        delivery.lease_until = delivery.lease_until.max(lease_until);
    }

    /// The delivery of a lane for whose end arrivals wait, if any.
    fn waits_in(&mut self, lane: &ReservationId) -> Option<&mut Delivery> {
        let id = *self.reordered.came_again.get(lane).filter(|_| !planted(Plant::ComesAgainAlone))?;
        self.deliveries.get_mut(id)
    }

    /// A message of this lane is handed back: on a FIFO queue the arrivals that wait in this lane
    /// must not start before it.
    pub(super) fn mark_overtaken(&mut self, lane: &ReservationId) {
        if self.fifo && self.reordered.came_again.contains_key(lane) && !planted(Plant::ComesAgainAlone) {
            self.reordered.overtaken.insert(lane.clone());
        }
    }

    /// Hands back an arrival that would overtake.
    pub(super) fn hand_back_arrival(&mut self, arrival: Arrival, now: Duration) {
        let lease_until = self.lease_from(arrival.requested_at);
        if lease_until <= now {
            return;
        }
        if let Some(id) = self.deliveries.by_message(&arrival.message.id) {
            let lane = arrival.content.lane(&arrival.message);
            self.arrive_again(id, arrival, lease_until);
            return self.mark_overtaken(&lane);
        }
        let Arrival { message, content, .. } = arrival;
        let lane = content.lane(&message);
        let id = self.deliveries.insert(message, content, lane.clone(), lease_until, lease_until, now);
        self.records.observer.received(&lane);
        self.hand_back(id, Duration::ZERO, "an earlier message of its group was handed back", now);
    }

    /// Hands a message back that was not started.
    pub(super) fn hand_back(&mut self, id: DeliveryId, delay: Duration, why: &'static str, now: Duration) {
        self.record(id, Step::HandedBack { why });
        if let Some(lane) = self.deliveries.get(id).map(|delivery| delivery.lane.clone()) {
            self.mark_overtaken(&lane);
        }
        self.settle(id, Action::Hide(delay), Then::Nothing, now);
    }

    pub(super) fn lease_from(&self, start: Duration) -> Duration {
        (start + self.options.visibility).saturating_sub(self.options.lease_margin())
    }
}
