//! The real engines behind ports that fail on demand, as networks and databases do.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::queue::{Depth, Message, Outgoing, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::store::{CommitError, Entry, Key, Row, Write};
use ports::{Fault, Queue, Store};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It is not carried out.
    Fails,
    /// It is carried out and its answer is lost.
    AnswerLost,
}

type Rule<T> = Box<dyn Fn(&T) -> Option<Mishap> + Send + Sync>;

pub(crate) struct FaultyStore {
    pub(crate) inner: Arc<dyn Store>,
    commits: Mutex<Option<Rule<[Write]>>>,
    reads_fail: Mutex<u32>,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, commits: Mutex::new(None), reads_fail: Mutex::new(0) }
    }

    /// From now on commits go by the rule.
    pub(crate) fn on_commit(&self, rule: impl Fn(&[Write]) -> Option<Mishap> + Send + Sync + 'static) {
        *self.commits.lock().unwrap() = Some(Box::new(rule));
    }

    pub(crate) fn heal(&self) {
        *self.commits.lock().unwrap() = None;
    }

    /// The next `times` reads of rows fail.
    pub(crate) fn fail_reads(&self, times: u32) {
        *self.reads_fail.lock().unwrap() = times;
    }

    fn read(&self) -> Result<(), Fault> {
        let mut left = self.reads_fail.lock().unwrap();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        Err(Fault::unavailable("the store does not answer"))
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        self.read()?;
        self.inner.get(keys).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.inner.list(partition, after, limit).await
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.read()?;
        self.inner.due(index, shard, after, until, limit).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let mishap = self.commits.lock().unwrap().as_ref().and_then(|rule| rule(&writes));
        match mishap {
            None => self.inner.commit(writes).await,
            Some(Mishap::Fails) => Err(CommitError::Failed(Fault::unavailable("the store does not answer"))),
            Some(Mishap::AnswerLost) => {
                self.inner.commit(writes).await?;
                Err(CommitError::Ambiguous(Fault::unavailable("the answer was lost")))
            }
        }
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.inner.scan(after, limit).await
    }
}

/// What happens to a whole send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendMishap {
    /// The queue does not answer.
    Unavailable,
    /// It is carried out and its answer is lost.
    AnswerLost,
    /// The queue refuses the batch as a whole.
    Refused,
}

pub(crate) struct FaultyQueue {
    inner: Arc<dyn Queue>,
    /// Rows of sent events must still be in this store: they are deleted after the send, never
    /// before.
    store: Arc<dyn Store>,
    entries_refused: Mutex<Option<Rule<Outgoing>>>,
    sends: Mutex<VecDeque<SendMishap>>,
    always: Mutex<Option<SendMishap>>,
    /// What the queue accepted: reservation, event id, in order.
    pub(crate) taken: Mutex<Vec<(String, String)>>,
    /// Entries of each call, also of failed ones.
    pub(crate) calls: Mutex<Vec<usize>>,
    pub(crate) sent_without_row: Mutex<Vec<String>>,
}

impl FaultyQueue {
    pub(crate) fn new(inner: Arc<dyn Queue>, store: Arc<dyn Store>) -> Self {
        Self {
            inner,
            store,
            entries_refused: Mutex::new(None),
            sends: Mutex::default(),
            always: Mutex::new(None),
            taken: Mutex::default(),
            calls: Mutex::default(),
            sent_without_row: Mutex::default(),
        }
    }

    /// Entries that the rule names are refused one by one. [`Mishap::AnswerLost`]: accepted, and
    /// reported as refused.
    pub(crate) fn on_entry(&self, rule: impl Fn(&Outgoing) -> Option<Mishap> + Send + Sync + 'static) {
        *self.entries_refused.lock().unwrap() = Some(Box::new(rule));
    }

    /// The next sends have these mishaps.
    pub(crate) fn next_sends(&self, mishaps: &[SendMishap]) {
        self.sends.lock().unwrap().extend(mishaps);
    }

    /// Every send has this mishap until [`Self::heal`].
    pub(crate) fn always(&self, mishap: SendMishap) {
        *self.always.lock().unwrap() = Some(mishap);
    }

    pub(crate) fn heal(&self) {
        *self.always.lock().unwrap() = None;
        *self.entries_refused.lock().unwrap() = None;
    }

    async fn take(&self, entry: Outgoing) -> Result<Sent, Fault> {
        let mishap = self.entries_refused.lock().unwrap().as_ref().and_then(|rule| rule(&entry));
        if mishap == Some(Mishap::Fails) {
            return Err(Fault::transient("refused"));
        }
        let names = (entry.group.clone().unwrap(), entry.dedup_id.clone().unwrap());
        let sent = self.inner.send(vec![entry]).await?.pop().unwrap()?;
        self.taken.lock().unwrap().push(names);
        if mishap == Some(Mishap::AnswerLost) {
            Err(Fault::transient("the answer was lost"))
        } else {
            Ok(sent)
        }
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    fn kind(&self) -> QueueKind {
        self.inner.kind()
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        self.calls.lock().unwrap().push(entries.len());
        let ids: Vec<_> = entries.iter().map(|entry| entry.dedup_id.clone().unwrap()).collect();
        let keys: Vec<_> = ids.iter().map(|id| outbox::row_key(id)).collect();
        let rows = self.store.get(&keys).await?;
        let gone = ids.iter().zip(&rows).filter(|(_, row)| row.is_none()).map(|(id, _)| id.clone());
        self.sent_without_row.lock().unwrap().extend(gone);

        let always = *self.always.lock().unwrap();
        let mishap = always.or_else(|| self.sends.lock().unwrap().pop_front());
        match mishap {
            Some(SendMishap::Unavailable) => return Err(Fault::unavailable("the queue does not answer")),
            Some(SendMishap::Refused) => return Err(Fault::permanent("the batch is refused")),
            Some(SendMishap::AnswerLost) | None => {}
        }
        let mut results = Vec::new();
        for entry in entries {
            results.push(self.take(entry).await);
        }
        match mishap {
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
