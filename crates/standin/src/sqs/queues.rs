//! All queues of the server, and operations on more than one of them.

use super::message::{Message, id};
use super::queue::QueueState;
use super::refusal::Refusal;
use super::{Push, QueueSpec};
use crate::journal::{Lane, Step, Tag};
use core::time::Duration;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// The most bytes of a message with its attributes.
pub(super) const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);

#[derive(Default)]
pub(super) struct Queues {
    queues: Vec<(QueueState, Arc<Notify>)>,
    by_name: HashMap<String, usize>,
    /// The next message's number, over all queues.
    next: u64,
}

/// A message was accepted.
pub(super) struct Sent {
    pub(super) queue: usize,
    pub(super) number: u64,
    pub(super) tag: Tag,
    pub(super) lane: Lane,
    pub(super) fifo: bool,
    /// It was sent before and is not stored again.
    pub(super) repeated: bool,
    /// Wakes the polls that wait for messages of the queue.
    pub(super) waiting: Arc<Notify>,
}

impl Sent {
    pub(super) fn id(&self) -> String {
        id(self.number)
    }

    pub(super) fn step(&self) -> Step {
        Step::Sent { queue: self.queue as u32, message: self.number, fifo: self.fifo }
    }
}

/// The result of a receive: the messages that are now leased, and journal entries of those that
/// were moved instead.
pub(super) struct Brought {
    pub(super) messages: Vec<u64>,
    pub(super) moved: Vec<(Tag, Lane, Step)>,
}

impl Queues {
    pub(super) fn create(&mut self, spec: QueueSpec) {
        self.by_name.insert(spec.name.clone(), self.queues.len());
        self.queues.push((QueueState::new(spec), Arc::new(Notify::new())));
    }

    /// By its name, its URL or its ARN.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let name = name.rsplit(['/', ':']).next().unwrap_or_default();
        self.by_name.get(name).copied()
    }

    /// A queue, brought up to `now`.
    pub(super) fn get(&mut self, index: usize, now: Duration) -> &mut QueueState {
        let queue = &mut self.queues[index].0;
        queue.wake(now);
        queue
    }

    /// Wakes the polls that wait for messages of the queue.
    pub(super) fn waiting(&self, index: usize) -> Arc<Notify> {
        self.queues[index].1.clone()
    }

    /// Wakes every poll.
    pub(super) fn wake_all(&self) {
        for (_, waiting) in &self.queues {
            waiting.notify_waiters();
        }
    }

    pub(super) fn send(
        &mut self,
        index: usize,
        push: Push,
        values: Vec<(String, Value)>,
        now: Duration,
    ) -> Result<Sent, Refusal> {
        let waiting = self.waiting(index);
        let queue = &mut self.queues[index].0;
        let fifo = queue.fifo();
        check(&push, fifo)?;
        let mut sent = Sent {
            queue: index,
            number: self.next,
            tag: Tag::default(),
            lane: Lane::default(),
            fifo,
            repeated: false,
            waiting,
        };
        if let Some(before) = push.dedup_id.as_deref().filter(|_| fifo)
            && let Some(number) = queue.sent_before(before, now)
        {
            return Ok(Sent { number, repeated: true, ..sent });
        }
        self.next += 1;
        let delay = push.delay;
        let message = Message::new(sent.number, push, values, now);
        (sent.tag, sent.lane) = (message.tag, message.lane);
        if let Some(id) = message.dedup.as_ref().filter(|_| fifo) {
            queue.remember(id, sent.number, now);
        }
        queue.enter(message, delay, now);
        Ok(sent)
    }

    pub(super) fn receive(
        &mut self,
        index: usize,
        max: usize,
        visibility: Option<Duration>,
        now: Duration,
    ) -> Brought {
        let queue = self.get(index, now);
        let visibility = visibility.unwrap_or(queue.spec.visibility);
        let received = queue.receive(max, visibility, now);
        let dead_letters = queue.spec.redrive.as_ref().map(|(name, _)| name.clone());
        let to = dead_letters.and_then(|name| self.find(&name));
        let mut moved = Vec::new();
        for mut message in received.dead {
            // AWS refuses a policy without a queue when it is set; here the message would be lost.
            let to = to.expect("a dead-letter queue is made before the queue that names it");
            moved.push((
                message.tag,
                message.lane,
                Step::Moved { queue: to as u32, message: message.number },
            ));
            message.count = 0;
            self.queues[to].0.enter(message, Duration::ZERO, now);
            self.queues[to].1.notify_one();
        }
        Brought { messages: received.messages, moved }
    }
}

fn check(push: &Push, fifo: bool) -> Result<(), Refusal> {
    if push.body.is_empty() {
        return Err(Refusal::missing("The request must contain the parameter MessageBody."));
    }
    if push.bytes() > MESSAGE_BYTES_MAX {
        return Err(Refusal::invalid("One or more parameters are invalid. Reason: Message must be shorter."));
    }
    if fifo && push.group.as_deref().is_none_or(str::is_empty) {
        return Err(Refusal::missing("The request must contain the parameter MessageGroupId."));
    }
    if fifo && push.dedup_id.as_deref().is_none_or(str::is_empty) {
        return Err(Refusal::invalid(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        ));
    }
    if push.delay > DELAY_MAX || (fifo && !push.delay.is_zero()) {
        return Err(Refusal::invalid("Value for parameter DelaySeconds is invalid."));
    }
    Ok(())
}

impl Push {
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}
