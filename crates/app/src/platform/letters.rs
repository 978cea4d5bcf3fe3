//! The dead letters of the embedded queue, as the worker's administration browses them.

use adapter_embedded::{Browsed, EmbeddedQueue};
use async_trait::async_trait;
use ports::Fault;
use ports::queue::{Message, Receipt};
use std::sync::Arc;
use worker::DeadLetters;

/// Messages in one look.
const PAGE: usize = 1_000;

/// A dead-letter queue of the embedded engine.
pub struct EmbeddedLetters(Arc<EmbeddedQueue>);

impl EmbeddedLetters {
    /// Over this queue.
    pub const fn new(queue: Arc<EmbeddedQueue>) -> Self {
        Self(queue)
    }
}

fn message(browsed: Browsed) -> Message {
    Message {
        id: browsed.id,
        receipt: Receipt("".into()),
        body: browsed.body,
        group: browsed.group,
        receive_count: browsed.receive_count,
        sent_at: browsed.sent_at,
        first_received_at: browsed.sent_at,
        attributes: browsed.attributes,
    }
}

#[async_trait]
impl DeadLetters for EmbeddedLetters {
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault> {
        Ok(self.0.peek(after, limit)?.into_iter().map(message).collect())
    }

    async fn find(&self, id: &str) -> Result<Option<Message>, Fault> {
        let mut after: Option<Arc<str>> = None;
        loop {
            let page = self.0.peek(after.as_deref(), PAGE)?;
            after = page.last().map(|last| last.id.clone());
            let last = page.len() < PAGE;
            if let Some(found) = page.into_iter().find(|found| *found.id == *id) {
                return Ok(Some(message(found)));
            }
            if last {
                return Ok(None);
            }
        }
    }

    async fn remove(&self, id: &str) -> Result<bool, Fault> {
        self.0.remove(id).await
    }
}
