//! The dead letters of SQS, as the worker's administration browses them.

use adapter_aws::{LetterBox, SqsQueue};
use async_trait::async_trait;
use ports::queue::Message;
use ports::{Clock, Fault};
use std::sync::Arc;
use worker::DeadLetters;

/// A dead-letter queue on SQS.
pub(crate) struct SqsLetters(LetterBox);

impl SqsLetters {
    /// Over this queue.
    pub(crate) fn new(queue: SqsQueue, clock: Arc<dyn Clock>) -> Self {
        Self(LetterBox::new(queue, clock))
    }
}

#[async_trait]
impl DeadLetters for SqsLetters {
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault> {
        self.0.browse(after, limit).await
    }

    async fn find(&self, id: &str) -> Result<Option<Message>, Fault> {
        self.0.find(id).await
    }

    async fn remove(&self, id: &str) -> Result<bool, Fault> {
        self.0.remove(id).await
    }
}
