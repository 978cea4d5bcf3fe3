//! Where a producer's events go: all that it knows of a queue, or of a bus in front of one.

use crate::fault::Fault;
use crate::queue::{Outgoing, Queue, Sent};
use async_trait::async_trait;
use std::sync::Arc;

/// Takes events over. Every queue does; so does a bus whose rules pass them on to queues.
///
/// # Contract
/// - **publish** takes 1 to 10 entries and has a result for each, in their order. An entry whose result is `Sent` is
///   durable: whoever hands it in may forget it. One that failed was not taken, or nobody knows; to hand it in again is
///   safe, because consumers make an event effective once.
/// - The call as a whole fails only if no entry is known to be taken.
/// - Entries of one group stay in the order in which they were taken where the target keeps an order (a FIFO queue).
///   Whoever wants that order hands the follower in after the head was taken, not in one call with it.
/// - A delay is kept or refused with a Permanent fault; it is never dropped. Standard queues keep up to 15 minutes, FIFO
///   queues and buses refuse any.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Hands 1 to 10 events over; results are in the order of the entries.
    async fn publish(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault>;
}

#[async_trait]
impl<Q: Queue + ?Sized> Publisher for Arc<Q> {
    async fn publish(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        self.send(entries).await
    }
}
