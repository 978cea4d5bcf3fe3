//! Browsing a dead-letter queue, for operators.

use crate::fault::Fault;
use crate::queue::Message;
use async_trait::async_trait;

/// Looks into a dead-letter queue without consuming it, which the [`Queue`](crate::Queue) port
/// cannot do.
///
/// Nobody consumes a dead-letter queue, so a listed message stays until it is removed here.
/// Messages are listed in the order in which they were buried, and browsing changes nothing about
/// them.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Up to `limit` messages after the one with the id `after`, which may have been removed
    /// meanwhile; without `after`, from the oldest on.
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault>;
    /// One message.
    async fn find(&self, id: &str) -> Result<Option<Message>, Fault>;
    /// Removes a message. `false` if the queue does not have it.
    async fn remove(&self, id: &str) -> Result<bool, Fault>;
}
