//! Where a producer sends its events: the part of a queue that it knows, or of a bus in front of
//! one.

use crate::fault::Fault;
use crate::queue::{Outgoing, Queue, Sent};
use async_trait::async_trait;
use std::sync::Arc;

/// Accepts events. Every queue is one; so is a bus whose rules forward events to queues.
///
/// # Contract
/// - **publish** takes 1 to 10 entries and has a result for each, in their order. An entry whose
///   result is `Sent` is durable: its sender may forget it. A failed entry was not accepted, or
///   nobody knows; publishing it again is safe, because consumers make an event effective once.
/// - The call as a whole fails only if no entry is known to be accepted.
/// - Entries of one group stay in the order in which they were accepted if the target keeps an
///   order (a FIFO queue). A sender that wants that order publishes a follower after its head was
///   accepted, not in one call with it.
/// - A delay is kept or refused with a Permanent fault; it is never dropped. Standard queues keep
///   up to 15 minutes, FIFO queues and buses refuse any.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes 1 to 10 events; results are in the order of the entries.
    async fn publish(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault>;
}

#[async_trait]
impl<Q: Queue + ?Sized> Publisher for Arc<Q> {
    async fn publish(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        self.send(entries).await
    }
}
