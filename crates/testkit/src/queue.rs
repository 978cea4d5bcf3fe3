//! A queue behind faults that a test chooses, and a record of every send.

use async_trait::async_trait;
use core::time::Duration;
use parking_lot::Mutex;
use ports::queue::{Depth, Message, Outgoing, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::store::Key;
use ports::{Fault, Queue, Store};
use std::collections::VecDeque;
use std::sync::Arc;

/// What becomes of one entry of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFate {
    /// The queue refuses it.
    Refused,
    /// The queue accepts it and reports it as refused.
    AnswerLost,
}

/// What becomes of a whole send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFate {
    /// It is not carried out, and nobody answers.
    Unavailable,
    /// It is carried out and its answer lost.
    AnswerLost,
    /// The queue refuses the batch as a whole.
    Refused,
}

type EntryRule = Box<dyn Fn(&Outgoing) -> Option<EntryFate> + Send + Sync>;

/// Any queue, with faults. It records the entries that have a group and a deduplication id, as
/// published outbox rows have.
pub struct FaultyQueue {
    inner: Arc<dyn Queue>,
    /// An event's row must still be in this store when it is sent: it is deleted after the send,
    /// never before.
    store: Arc<dyn Store>,
    row_key: fn(&str) -> Key,
    entry_rule: Mutex<Option<EntryRule>>,
    sends: Mutex<VecDeque<SendFate>>,
    always: Mutex<Option<SendFate>>,
    accepted: Mutex<Vec<(String, String)>>,
    calls: Mutex<Vec<usize>>,
    sent_without_row: Mutex<Vec<String>>,
}

impl FaultyQueue {
    /// Wraps a queue; nothing fails yet. `row_key` is where an event's outbox row lives in `store`,
    /// by the event's id.
    pub fn over(inner: Arc<dyn Queue>, store: Arc<dyn Store>, row_key: fn(&str) -> Key) -> Self {
        Self {
            inner,
            store,
            row_key,
            entry_rule: Mutex::default(),
            sends: Mutex::default(),
            always: Mutex::default(),
            accepted: Mutex::default(),
            calls: Mutex::default(),
            sent_without_row: Mutex::default(),
        }
    }

    /// From now on the rule says what becomes of an entry; `None` accepts it.
    pub fn on_entry(&self, rule: impl Fn(&Outgoing) -> Option<EntryFate> + Send + Sync + 'static) {
        *self.entry_rule.lock() = Some(Box::new(rule));
    }

    /// The next sends meet these fates.
    pub fn plan(&self, fates: impl IntoIterator<Item = SendFate>) {
        self.sends.lock().extend(fates);
    }

    /// Every send meets this fate until [`Self::heal`].
    pub fn always(&self, fate: SendFate) {
        *self.always.lock() = Some(fate);
    }

    /// Removes the rule for entries and the fate of all sends.
    pub fn heal(&self) {
        *self.always.lock() = None;
        *self.entry_rule.lock() = None;
    }

    /// What the queue accepted, in order: group and deduplication id.
    pub fn accepted(&self) -> Vec<(String, String)> {
        self.accepted.lock().clone()
    }

    /// How many entries each call had, also those that failed.
    pub fn calls(&self) -> Vec<usize> {
        self.calls.lock().clone()
    }

    /// Deduplication ids that were sent when their row was already gone. Always a defect of the
    /// sender.
    pub fn sent_without_row(&self) -> Vec<String> {
        self.sent_without_row.lock().clone()
    }

    /// Sends the entries that are not refused, as one batch.
    async fn send_batch(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        let fates: Vec<_> = {
            let rule = self.entry_rule.lock();
            entries.iter().map(|entry| rule.as_ref().and_then(|rule| rule(entry))).collect()
        };
        let (mut batch, mut names) = (Vec::new(), Vec::new());
        for (entry, fate) in entries.into_iter().zip(&fates) {
            if *fate != Some(EntryFate::Refused) {
                names.push(entry.group.clone().zip(entry.dedup_id.clone()));
                batch.push(entry);
            }
        }
        // An empty batch of the caller is passed on, so that the queue refuses it.
        let is_left = !batch.is_empty() || fates.is_empty();
        let sent = if is_left { self.inner.send(batch).await? } else { Vec::new() };
        let mut sent = sent.into_iter().zip(names);
        let answer = |fate: Option<EntryFate>| {
            if fate == Some(EntryFate::Refused) {
                return Err(Fault::transient("refused"));
            }
            let (result, names) = sent.next().expect("an answer for each entry");
            let result = result?;
            self.accepted.lock().extend(names);
            match fate {
                Some(EntryFate::AnswerLost) => Err(Fault::transient("the answer was lost")),
                _ => Ok(result),
            }
        };
        Ok(fates.into_iter().map(answer).collect())
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    fn kind(&self) -> QueueKind {
        self.inner.kind()
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        self.calls.lock().push(entries.len());
        let ids: Vec<_> = entries.iter().filter_map(|entry| entry.dedup_id.clone()).collect();
        let keys: Vec<_> = ids.iter().map(|id| (self.row_key)(id)).collect();
        let rows = self.store.get(&keys).await?;
        let gone = ids.iter().zip(&rows).filter(|(_, row)| row.is_none()).map(|(id, _)| id.clone());
        self.sent_without_row.lock().extend(gone);

        let always = *self.always.lock();
        let fate = always.or_else(|| self.sends.lock().pop_front());
        match fate {
            Some(SendFate::Unavailable) => return Err(Fault::unavailable("the queue does not answer")),
            Some(SendFate::Refused) => return Err(Fault::permanent("the batch is refused")),
            Some(SendFate::AnswerLost) | None => {}
        }
        let results = self.send_batch(entries).await?;
        match fate {
            Some(_) => Err(Fault::unavailable("the answer was lost")),
            None => Ok(results),
        }
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        self.inner.receive(request).await
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.inner.delete(receipts).await
    }

    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.inner.change_visibility(entries).await
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        self.inner.depth().await
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        self.inner.redrive_policy().await
    }
}
