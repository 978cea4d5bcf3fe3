//! A store between the service and the engine that treats the next commits as a test says. Every
//! call yields before and after, so that a handler can be dropped on either side of it.

use async_trait::async_trait;
use domain::time::Timestamp;
use ports::store::{CommitError, Entry, Key, Row, Write};
use ports::{Fault, Store};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::yield_now;

/// The fate of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is executed.
    Done,
    /// It is executed, and its answer is lost.
    AnswerLost,
    /// It is lost on the way.
    Lost,
    /// Its answer is lost, and it is executed when the test says so.
    Late,
    /// It is answered as if a rival had changed the row of this write.
    Conflict(usize),
    /// The engine is out of order.
    Failed,
    /// It is not answered, and is executed when the test says so.
    Hangs,
}

pub(crate) struct Faulty {
    engine: Arc<dyn Store>,
    plan: Mutex<VecDeque<Fate>>,
    late: Mutex<Vec<Vec<Write>>>,
    lists_to_fail: AtomicU32,
    lists: AtomicU32,
}

impl Faulty {
    pub(crate) fn over(engine: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            engine,
            plan: Mutex::default(),
            late: Mutex::default(),
            lists_to_fail: AtomicU32::new(0),
            lists: AtomicU32::new(0),
        })
    }

    /// Plans the fates of the next commits; later ones are executed.
    pub(crate) fn plan(&self, fates: impl IntoIterator<Item = Fate>) {
        self.plan.lock().unwrap().extend(fates);
    }

    /// Executes every commit from now on.
    pub(crate) fn calm(&self) {
        self.plan.lock().unwrap().clear();
    }

    pub(crate) fn fail_lists(&self, count: u32) {
        self.lists_to_fail.store(count, Ordering::SeqCst);
    }

    /// How often a partition was listed.
    pub(crate) fn lists(&self) -> u32 {
        self.lists.load(Ordering::SeqCst)
    }

    /// How many commits wait for their execution.
    pub(crate) fn late(&self) -> usize {
        self.late.lock().unwrap().len()
    }

    /// Executes the late commits; returns how many the engine still accepted.
    pub(crate) async fn land(&self) -> usize {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        let mut landed = 0;
        for writes in late {
            landed += usize::from(self.engine.commit(writes).await.is_ok());
        }
        landed
    }
}

#[async_trait]
impl Store for Faulty {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        assert!(keys.len() <= 100, "{} keys in one call", keys.len());
        yield_now().await;
        let found = self.engine.get(keys).await;
        yield_now().await;
        found
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        let left = self.lists_to_fail.load(Ordering::SeqCst);
        if left > 0 {
            self.lists_to_fail.store(left - 1, Ordering::SeqCst);
            return Err(Fault::unavailable("the engine is out of order"));
        }
        let found = self.engine.list(partition, after, limit).await;
        yield_now().await;
        found
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.engine.due(index, shard, after, until, limit).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let fate = self.plan.lock().unwrap().pop_front().unwrap_or(Fate::Done);
        yield_now().await;
        let lost = || CommitError::Ambiguous(Fault::unavailable("the answer was lost"));
        let answer = match fate {
            Fate::Done => self.engine.commit(writes).await,
            Fate::AnswerLost => self.engine.commit(writes).await.and_then(|()| Err(lost())),
            Fate::Lost => Err(lost()),
            Fate::Late => {
                self.late.lock().unwrap().push(writes);
                Err(lost())
            }
            Fate::Conflict(at) => Err(CommitError::Conflict { at }),
            Fate::Failed => Err(CommitError::Failed(Fault::unavailable("the engine is out of order"))),
            Fate::Hangs => {
                self.late.lock().unwrap().push(writes);
                core::future::pending().await
            }
        };
        yield_now().await;
        answer
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.engine.scan(after, limit).await
    }
}
