//! A store behind faults that a test chooses, as networks and databases have them.

use crate::fuse::Fuse;
use async_trait::async_trait;
use domain::time::Timestamp;
use parking_lot::Mutex;
use ports::store::{CommitError, Entry, Key, Row, Write};
use ports::{Fault, Store};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::task::yield_now;

/// The kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Store::get`].
    Get,
    /// [`Store::list`].
    List,
    /// [`Store::due`].
    Due,
    /// [`Store::commit`].
    Commit,
    /// [`Store::scan`].
    Scan,
}

/// A call with the arguments that a rule may look at.
#[derive(Debug, Clone, Copy)]
pub enum StoreCall<'a> {
    /// The keys to read.
    Get(&'a [Key]),
    /// The partition to list.
    List(&'a str),
    /// The index and shard to read.
    Due(&'static str, &'a str),
    /// The writes to apply.
    Commit(&'a [Write]),
    /// A page of the whole table.
    Scan,
}

impl StoreCall<'_> {
    /// Its kind.
    pub const fn kind(self) -> Call {
        match self {
            Self::Get(_) => Call::Get,
            Self::List(_) => Call::List,
            Self::Due(..) => Call::Due,
            Self::Commit(_) => Call::Commit,
            Self::Scan => Call::Scan,
        }
    }
}

/// What becomes of a call. A read has no `Late` and no `Conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out and answered.
    Done,
    /// It is carried out and its answer lost.
    AnswerLost,
    /// It is lost on the way: for a commit the answer is ambiguous, though nothing was written.
    Lost,
    /// Its answer is lost, and it is carried out at [`FaultyStore::land`].
    Late,
    /// It is answered as if a rival had changed this write's row.
    Conflict(usize),
    /// The engine refuses it as unavailable; nothing was written.
    Failed,
    /// It is never answered. A commit is carried out at [`FaultyStore::land`].
    Hangs,
}

type Rule = Box<dyn Fn(StoreCall<'_>) -> Option<Fate> + Send + Sync>;

/// Any store, with faults. The rule decides first, then the plan for that kind of call; every other
/// call is carried out. Each call yields before and after, so that rivals on one thread interleave.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    fuse: Option<Arc<Fuse>>,
    rule: Mutex<Option<Rule>>,
    plans: Mutex<BTreeMap<Call, VecDeque<Fate>>>,
    late: Mutex<Vec<Vec<Write>>>,
    calls: Mutex<BTreeMap<Call, u32>>,
}

impl FaultyStore {
    /// Wraps a store; nothing fails yet.
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            fuse: None,
            rule: Mutex::default(),
            plans: Mutex::default(),
            late: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// The same, with gets and commits passing a fuse.
    #[must_use]
    pub fn fused(mut self, fuse: Arc<Fuse>) -> Self {
        self.fuse = Some(fuse);
        self
    }

    /// The store without faults.
    pub const fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    /// The next calls of this kind meet these fates; those after them are carried out.
    pub fn plan(&self, call: Call, fates: impl IntoIterator<Item = Fate>) {
        self.plans.lock().entry(call).or_default().extend(fates);
    }

    /// From now on the rule says what becomes of a call; `None` leaves it to the plan.
    pub fn on_call(&self, rule: impl Fn(StoreCall<'_>) -> Option<Fate> + Send + Sync + 'static) {
        *self.rule.lock() = Some(Box::new(rule));
    }

    /// From now on the rule says what becomes of a commit; `None` leaves it to the plan.
    pub fn on_commit(&self, rule: impl Fn(&[Write]) -> Option<Fate> + Send + Sync + 'static) {
        self.on_call(move |call| if let StoreCall::Commit(writes) = call { rule(writes) } else { None });
    }

    /// Removes the rule and every plan. Late commits stay late.
    pub fn heal(&self) {
        *self.rule.lock() = None;
        self.plans.lock().clear();
    }

    /// How many calls of this kind were made.
    pub fn calls(&self, call: Call) -> u32 {
        self.calls.lock().get(&call).copied().unwrap_or_default()
    }

    /// How many commits are late.
    pub fn late(&self) -> usize {
        self.late.lock().len()
    }

    /// Carries out the late commits. Returns how many of them the engine accepted.
    pub async fn land(&self) -> usize {
        let late = core::mem::take(&mut *self.late.lock());
        let mut landed = 0;
        for writes in late {
            landed += usize::from(self.inner.commit(writes).await.is_ok());
        }
        landed
    }

    fn fate(&self, call: StoreCall<'_>) -> Fate {
        *self.calls.lock().entry(call.kind()).or_default() += 1;
        let ruled = self.rule.lock().as_ref().and_then(|rule| rule(call));
        let planned = || self.plans.lock().get_mut(&call.kind()).and_then(VecDeque::pop_front);
        ruled.or_else(planned).unwrap_or(Fate::Done)
    }

    async fn read<T>(
        &self,
        call: StoreCall<'_>,
        answer: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let fate = self.fate(call);
        yield_now().await;
        let answer = match (fate, &self.fuse, call) {
            (Fate::Done, Some(fuse), StoreCall::Get(_)) => fuse.pass(answer, || Err(silent())).await,
            (Fate::Done, ..) => answer.await,
            (Fate::AnswerLost, ..) => answer.await.and_then(|_| Err(silent())),
            (Fate::Lost | Fate::Failed, ..) => Err(silent()),
            (Fate::Hangs, ..) => core::future::pending().await,
            (Fate::Late | Fate::Conflict(_), ..) => panic!("{fate:?} is for commits, not for {call:?}"),
        };
        yield_now().await;
        answer
    }
}

fn silent() -> Fault {
    Fault::unavailable("the store does not answer")
}

fn lost() -> CommitError {
    CommitError::Ambiguous(Fault::unavailable("the answer was lost"))
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        assert!(keys.len() <= 100, "{} keys in one call", keys.len());
        self.read(StoreCall::Get(keys), self.inner.get(keys)).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.read(StoreCall::List(partition), self.inner.list(partition, after, limit)).await
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.read(StoreCall::Due(index, shard), self.inner.due(index, shard, after, until, limit)).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let fate = self.fate(StoreCall::Commit(&writes));
        yield_now().await;
        let answer = match (fate, &self.fuse) {
            // Without an answer a caller cannot know whether its commit was carried out, so this is
            // never `Failed`.
            (Fate::Done, Some(fuse)) => fuse.pass(self.inner.commit(writes), || Err(lost())).await,
            (Fate::Done, None) => self.inner.commit(writes).await,
            (Fate::AnswerLost, _) => self.inner.commit(writes).await.and_then(|()| Err(lost())),
            (Fate::Lost, _) => Err(lost()),
            (Fate::Late, _) => {
                self.late.lock().push(writes);
                Err(lost())
            }
            (Fate::Conflict(at), _) => Err(CommitError::Conflict { at }),
            (Fate::Failed, _) => Err(CommitError::Failed(silent())),
            (Fate::Hangs, _) => {
                self.late.lock().push(writes);
                core::future::pending().await
            }
        };
        yield_now().await;
        answer
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.read(StoreCall::Scan, self.inner.scan(after, limit)).await
    }
}

#[cfg(test)]
mod tests;
