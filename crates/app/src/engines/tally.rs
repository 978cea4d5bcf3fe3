//! A queue that counts its messages by id. SQS itself reports only approximate counts.

use super::Passed;
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use ports::queue::{Depth, Message, Outgoing, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::{Fault, Queue};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Counts the messages that this process sends and deletes. For a demo, whose events fit into
/// memory.
pub(crate) struct Tally {
    queue: Arc<dyn Queue>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    sent: BTreeSet<Arc<str>>,
    deleted: BTreeSet<Arc<str>>,
    /// The message of each receipt.
    receipts: BTreeMap<Arc<str>, Arc<str>>,
}

impl Tally {
    pub(crate) fn new(queue: Arc<dyn Queue>) -> Arc<Self> {
        Arc::new(Self { queue, seen: Mutex::default() })
    }

    pub(crate) fn passed(&self) -> Passed {
        let seen = self.seen();
        Passed { sent: seen.sent.len() as u64, deleted: seen.deleted.len() as u64, redriven: 0 }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }
}

#[async_trait]
impl Queue for Tally {
    fn kind(&self) -> QueueKind {
        self.queue.kind()
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        let results = self.queue.send(entries).await?;
        self.seen().sent.extend(results.iter().flatten().map(|sent| sent.message_id.clone()));
        Ok(results)
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        let messages = self.queue.receive(request).await?;
        let pairs = messages.iter().map(|message| (message.receipt.0.clone(), message.id.clone()));
        self.seen().receipts.extend(pairs);
        Ok(messages)
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        let results = self.queue.delete(receipts.clone()).await?;
        let mut seen = self.seen();
        for (receipt, result) in receipts.iter().zip(&results) {
            if result.is_ok()
                && let Some(id) = seen.receipts.remove(&receipt.0)
            {
                seen.deleted.insert(id);
            }
        }
        drop(seen);
        Ok(results)
    }

    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.queue.change_visibility(entries).await
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        self.queue.depth().await
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        self.queue.redrive_policy().await
    }
}
