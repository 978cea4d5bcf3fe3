//! One queue: which messages may be received when. Time is an argument; nothing here waits.
//!
//! A message is ready, delayed, or leased until an instant. A standard queue hands out its ready
//! messages in the order in which they became ready. A FIFO queue keeps the messages of a group in
//! the order of sending and hands out groups in turn; a group with a leased message hands out
//! nothing. Every operation costs the same however many groups wait.

use super::message::{Message, Receipt, State};
use super::refusal::Refusal;
use super::{Depth, QueueSpec};
use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

/// A lease ends this long after the receive, however often it was renewed.
const LEASE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// How long a deduplication id is kept.
const DEDUP_WINDOW: Duration = Duration::from_secs(5 * 60);

pub(super) struct QueueState {
    pub(super) spec: QueueSpec,
    messages: HashMap<u64, Message>,
    /// Of a standard queue; may contain messages that were deleted meanwhile.
    ready: VecDeque<u64>,
    groups: HashMap<Arc<str>, Group>,
    /// Groups with a message and none under a lease, each once.
    ready_groups: VecDeque<Arc<str>>,
    /// Ends of leases and delays; may contain entries that are out of date.
    ends: BinaryHeap<Reverse<(Duration, u64)>>,
    entered: u64,
    in_flight: usize,
    delayed: usize,
    in_flight_max: usize,
    dedup: HashMap<Arc<str>, u64>,
    dedup_order: VecDeque<(Duration, Arc<str>)>,
}

/// Messages of one group, apart from those under a lease.
#[derive(Default)]
struct Group {
    /// Position in the group and number, in order.
    waiting: VecDeque<(u64, u64)>,
    leased: usize,
    /// It is in the list of ready groups.
    listed: bool,
}

/// The result of a receive.
#[derive(Default)]
pub(super) struct Received {
    /// Numbers of the messages that are now leased.
    pub(super) messages: Vec<u64>,
    /// Messages with too many receives, for the dead-letter queue.
    pub(super) dead: Vec<Message>,
}

impl QueueState {
    pub(super) fn new(spec: QueueSpec) -> Self {
        Self {
            spec,
            messages: HashMap::new(),
            ready: VecDeque::new(),
            groups: HashMap::new(),
            ready_groups: VecDeque::new(),
            ends: BinaryHeap::new(),
            entered: 0,
            in_flight: 0,
            delayed: 0,
            in_flight_max: 0,
            dedup: HashMap::new(),
            dedup_order: VecDeque::new(),
        }
    }

    pub(super) fn fifo(&self) -> bool {
        self.spec.name.ends_with(".fifo")
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            visible: self.messages.len() - self.in_flight - self.delayed,
            in_flight: self.in_flight,
            delayed: self.delayed,
            in_flight_max: self.in_flight_max,
        }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Message> {
        self.messages.get(&number)
    }

    /// The message that was sent with this deduplication id within the window.
    pub(super) fn sent_before(&mut self, id: &str, now: Duration) -> Option<u64> {
        while let Some((at, _)) = self.dedup_order.front() {
            if now < *at + DEDUP_WINDOW {
                break;
            }
            if let Some((_, id)) = self.dedup_order.pop_front() {
                self.dedup.remove(&id);
            }
        }
        self.dedup.get(id).copied()
    }

    /// Keeps the deduplication id of a message that is sent now.
    pub(super) fn remember(&mut self, id: &Arc<str>, number: u64, now: Duration) {
        self.dedup.insert(id.clone(), number);
        self.dedup_order.push_back((now, id.clone()));
    }

    /// Appends a message to its group.
    pub(super) fn enter(&mut self, mut message: Message, delay: Duration, now: Duration) {
        message.place = self.entered;
        self.entered += 1;
        let number = message.number;
        message.state = State::Delayed { until: now + delay };
        self.messages.insert(number, message);
        if delay.is_zero() {
            self.appear(number);
        } else {
            self.ends.push(Reverse((now + delay, number)));
            self.delayed += 1;
        }
    }

    /// Makes due messages visible; returns whether there were any.
    pub(super) fn wake(&mut self, now: Duration) -> bool {
        let mut woken = false;
        while let Some(Reverse((until, number))) = self.ends.peek().copied()
            && until <= now
        {
            self.ends.pop();
            let Some(message) = self.messages.get(&number) else { continue };
            match message.state {
                State::Leased { until: end } if end == until => self.release(number),
                State::Delayed { until: end } if end == until => {
                    self.delayed -= 1;
                    self.appear(number);
                }
                _ => continue,
            }
            woken = true;
        }
        woken
    }

    /// When the next lease or delay ends, at the earliest.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.ends.peek().map(|Reverse((until, _))| *until)
    }

    /// Leases up to `max` messages. Call [`Self::wake`] first.
    pub(super) fn receive(&mut self, max: usize, visibility: Duration, now: Duration) -> Received {
        let mut received = Received::default();
        while received.messages.len() < max {
            let more = if self.fifo() {
                self.receive_group(max, visibility, now, &mut received)
            } else {
                self.receive_ready(visibility, now, &mut received)
            };
            if !more {
                break;
            }
        }
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
        received
    }

    fn receive_ready(&mut self, visibility: Duration, now: Duration, received: &mut Received) -> bool {
        let Some(number) = self.ready.pop_front() else { return false };
        let is_ready = |message: &Message| matches!(message.state, State::Ready);
        if self.messages.get(&number).is_some_and(is_ready) {
            self.hand_out(number, visibility, now, received);
        }
        true
    }

    /// Takes the next group, and as many of its messages as exist and are requested.
    fn receive_group(
        &mut self,
        max: usize,
        visibility: Duration,
        now: Duration,
        received: &mut Received,
    ) -> bool {
        let Some(name) = self.ready_groups.pop_front() else { return false };
        let Some(mut group) = self.groups.remove(&name) else { return true };
        group.listed = false;
        while received.messages.len() < max
            && let Some((_, number)) = group.waiting.pop_front()
        {
            if self.hand_out(number, visibility, now, received) {
                group.leased += 1;
            }
        }
        self.groups.insert(name.clone(), group);
        self.list(&name);
        true
    }

    /// Leases a ready message, or moves it to the dead ones; returns whether it was leased.
    fn hand_out(
        &mut self,
        number: u64,
        visibility: Duration,
        now: Duration,
        received: &mut Received,
    ) -> bool {
        let max = self.spec.redrive.as_ref().map_or(u32::MAX, |(_, max)| *max);
        let Some(message) = self.messages.get_mut(&number) else { return false };
        if message.count >= max {
            received.dead.extend(self.messages.remove(&number));
            return false;
        }
        message.count += 1;
        message.received_at = now;
        message.first_received_at.get_or_insert(now);
        message.state = State::Leased { until: now + visibility };
        self.ends.push(Reverse((now + visibility, number)));
        self.in_flight += 1;
        received.messages.push(number);
        true
    }

    /// Deletes a message; returns it, or `None` if it was deleted before.
    pub(super) fn delete(&mut self, receipt: Receipt) -> Result<Option<Message>, Refusal> {
        let Some(message) = self.messages.get(&receipt.number) else { return Ok(None) };
        let leased = matches!(message.state, State::Leased { .. });
        if self.fifo() && !(leased && message.count == receipt.count) {
            return Err(Refusal::expired_receipt());
        }
        let message = self.messages.remove(&receipt.number);
        if leased {
            self.lease_ended(message.as_ref().and_then(|message| message.group.as_ref()));
        }
        Ok(message)
    }

    /// Sets the end of a lease; returns the message.
    pub(super) fn change(
        &mut self,
        receipt: Receipt,
        visibility: Duration,
        now: Duration,
    ) -> Result<&Message, Refusal> {
        let number = receipt.number;
        let message = self.messages.get_mut(&number).ok_or_else(Refusal::not_in_flight)?;
        if !matches!(message.state, State::Leased { .. }) || message.count != receipt.count {
            return Err(Refusal::not_in_flight());
        }
        if now + visibility > message.received_at + LEASE_MAX {
            return Err(Refusal::invalid("Total VisibilityTimeout for the message is beyond the limit"));
        }
        if visibility.is_zero() {
            self.release(number);
        } else {
            message.state = State::Leased { until: now + visibility };
            self.ends.push(Reverse((now + visibility, number)));
        }
        self.messages.get(&number).ok_or_else(Refusal::not_in_flight)
    }

    /// Ends the lease of a message, which becomes ready at its old position.
    fn release(&mut self, number: u64) {
        // Visible before its group is counted free, so that the group is listed with it.
        self.appear(number);
        let group = self.messages.get(&number).and_then(|message| message.group.clone());
        self.lease_ended(group.as_ref());
    }

    fn lease_ended(&mut self, group: Option<&Arc<str>>) {
        self.in_flight -= 1;
        if let Some(name) = group
            && let Some(group) = self.groups.get_mut(name)
        {
            group.leased -= 1;
            self.list(name);
        }
    }

    /// Puts a message where receives look for it.
    fn appear(&mut self, number: u64) {
        let fifo = self.fifo();
        let Some(message) = self.messages.get_mut(&number) else { return };
        message.state = State::Ready;
        match message.group.clone() {
            Some(name) if fifo => {
                let place = message.place;
                let group = self.groups.entry(name.clone()).or_default();
                let at = group.waiting.partition_point(|(before, _)| *before < place);
                group.waiting.insert(at, (place, number));
                self.list(&name);
            }
            _ => self.ready.push_back(number),
        }
    }

    /// Lists a group that has become ready, and drops one that has become empty.
    fn list(&mut self, name: &Arc<str>) {
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.leased > 0 || group.listed {
            return;
        }
        if group.waiting.is_empty() {
            self.groups.remove(name);
        } else {
            group.listed = true;
            self.ready_groups.push_back(name.clone());
        }
    }
}
