//! The queue, with the semantics of SQS.

use crate::fault::Fault;
use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use std::sync::Arc;

/// A queue of messages that are handed out under a lease and stay until they are deleted.
///
/// # Contract (the documented behaviour of SQS)
/// - **send** is durable when it answers. A batch has 1 to 10 entries; each has its own result. On
///   a FIFO queue an entry carries `group` and `dedup_id`; an entry whose `dedup_id` was sent
///   within the last 5 minutes is accepted, answered with the id of the first, and not stored
///   again. On a standard queue an entry may be delayed up to 15 minutes; a FIFO queue delays no
///   single message.
/// - **receive** hands out up to `max` (1 to 10) messages, each under a new receipt, invisible to
///   others for `visibility`. With nothing to hand out it waits up to `wait` and answers as soon as
///   a message arrives. The receive count of a message grows by one each time.
/// - On a FIFO queue messages of a group come in the order they were sent. While one of a group is
///   in flight no other receive gets messages of that group; one receive may get several of a
///   group, in order.
/// - A message that is not deleted before its lease ends becomes visible again, at its old place in
///   its group.
/// - **delete** removes a message. On a standard queue an older receipt of the same message works
///   too; on a FIFO queue a receipt whose lease has ended is refused with a Permanent fault.
///   Deleting a message that is already gone succeeds.
/// - **change_visibility** makes the lease end that long from now (0 = at once; at most 12 hours).
///   A receipt whose lease has ended, or whose message is gone, is refused with a Permanent fault.
/// - With a redrive policy, a message whose receive count would exceed `max_receive_count` is moved
///   to the dead-letter queue instead of being handed out.
///
/// **Cancellation:** a receive future must run to its end; dropping it may orphan messages until
/// their lease ends.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Whether the queue is standard or FIFO.
    fn kind(&self) -> QueueKind;
    /// Sends 1 to 10 messages; results are in the order of the entries.
    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault>;
    /// Receives up to `max` messages.
    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault>;
    /// Deletes 1 to 10 messages; results are in the order of the receipts.
    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault>;
    /// Changes the leases of 1 to 10 messages; results are in the order of the entries.
    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault>;
    /// The number of messages; approximate on real queues.
    async fn depth(&self) -> Result<Depth, Fault>;
    /// Where messages are moved that were received too often, if configured.
    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault>;
}

/// Standard (at least once, any order) or FIFO (ordered within a group, deduplicated).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// Any order, may duplicate.
    Standard,
    /// In order within a group.
    Fifo,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// The text.
    pub body: String,
    /// The message group; required on FIFO. A standard queue carries it and orders nothing by it.
    pub group: Option<String>,
    /// The deduplication id; required on FIFO, ignored on standard.
    pub dedup_id: Option<String>,
    /// How long the message stays hidden at first; standard queues only, at most 15 minutes.
    pub delay: Duration,
    /// Named texts beside the body, at most 10.
    pub attributes: Vec<(String, String)>,
}

/// A message was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The queue's id of the message.
    pub message_id: Arc<str>,
    /// Whether it was a repetition within the deduplication window. `None` if the engine does not
    /// say (SQS).
    pub deduplicated: Option<bool>,
}

/// What to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receive {
    /// 1 to 10.
    pub max: usize,
    /// How long to wait for the first message, at most 20 s.
    pub wait: Duration,
    /// How long the messages stay invisible to others; `None` = the queue's own setting.
    pub visibility: Option<Duration>,
}

/// A message under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The queue's id; the same each time the message is received.
    pub id: Arc<str>,
    /// The lease; different each time.
    pub receipt: Receipt,
    /// The text.
    pub body: String,
    /// The message group, if it has one.
    pub group: Option<Arc<str>>,
    /// Receives so far, this one included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was first received.
    pub first_received_at: Timestamp,
    /// Named texts beside the body, `AWSTraceHeader` among them.
    pub attributes: Vec<(String, String)>,
}

/// The handle of one lease of one message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(pub Arc<str>);

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Ready to be received.
    pub visible: u64,
    /// Under a lease.
    pub in_flight: u64,
    /// Not yet due.
    pub delayed: u64,
}

/// Where messages are moved that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// The name or ARN of the dead-letter queue.
    pub dead_letter_queue: String,
    /// Receives after which a message is moved.
    pub max_receive_count: u32,
}
