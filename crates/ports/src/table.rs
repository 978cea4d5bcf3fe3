//! One service's table: a [`Store`] with a time limit on each call, and the loop that a change
//! of one row goes through: load, decide, commit, and again when somebody else was faster.
//!
//! The rules stay with the caller: `decide` is a plain function of the row as it was read. What the
//! loop guarantees: nothing is written over a version that `decide` has not seen, a lost answer to
//! a commit is resolved by reading the row again (trap T-S9), and the number of tries is bounded.
//!
//! Commands that decide on several rows at once, or on a seat map beside the rows, have loops of
//! their own: hold, commit and release in inventory, create and webhook in reservation.

use crate::clock::{self, Clock};
use crate::fault::Fault;
use crate::store::{CommitError, Entry, Key, Row, Store, Write};
use core::time::Duration;
use domain::time::Timestamp;
use std::sync::Arc;

/// A service's table. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Table {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The longest that one call may take; `None` leaves it to the caller's own deadline.
    call_timeout: Option<Duration>,
}

/// What becomes of a row that was read.
#[derive(Debug)]
pub enum Decision<T> {
    /// Nothing is written; this is the answer.
    Keep(T),
    /// These writes are committed together, and this is the answer if they are.
    Write(Vec<Write>, T),
}

/// How often a change is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Commits in all.
    pub commits_max: u32,
    /// Commits without an answer after which the store counts as not answering.
    pub unanswered_max: u32,
}

/// Why a change did not happen.
#[derive(Debug)]
pub enum UpdateError<E> {
    /// `decide` refused it.
    Refused(E),
    /// The store failed.
    Failed(Fault),
    /// Others changed the row before every commit.
    Contended,
}

impl Table {
    /// A table over this store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, call_timeout: Option<Duration>) -> Self {
        Self { store, clock, call_timeout }
    }

    /// The store without a limit, for calls that have one of their own.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Reads rows, in the order of the keys.
    ///
    /// # Errors
    /// A fault of the store; `Unavailable` when it does not answer in time.
    pub async fn get<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Row>; N], Fault> {
        self.rows(&keys).await?.try_into().map_err(|_| miscounted())
    }

    /// Reads up to 100 rows, in the order of the keys.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub async fn rows(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        let rows = self.within("reading rows", self.store.get(keys)).await?;
        if rows.len() == keys.len() { Ok(rows) } else { Err(miscounted()) }
    }

    /// Reads every row of a partition, `page` rows a call, in the order of their sort keys.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub async fn list_all(&self, partition: &str, page: usize) -> Result<Vec<Row>, Fault> {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let after = rows.last().map(|row| Arc::clone(&row.key.sort));
            let more = self.list(partition, after.as_deref(), page).await?;
            let is_last = more.len() < page;
            rows.extend(more);
            if is_last {
                return Ok(rows);
            }
        }
    }

    /// One page of a partition: see [`Store::list`].
    ///
    /// # Errors
    /// As [`Table::get`].
    pub async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.within("listing rows", self.store.list(partition, after, limit)).await
    }

    /// One page of an index: see [`Store::due`].
    ///
    /// # Errors
    /// As [`Table::get`].
    pub async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.within("reading an index", self.store.due(index, shard, after, until, limit)).await
    }

    /// Commits. No answer in time is an ambiguous one: the rows may have been written.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let commit = self.store.commit(writes);
        let Some(limit) = self.call_timeout else { return commit.await };
        clock::timeout(&*self.clock, limit, commit)
            .await
            .unwrap_or_else(|_| Err(CommitError::Ambiguous(Fault::unavailable("a commit took too long"))))
    }

    /// Reads a row, lets `decide` say what becomes of it, and commits that; on a conflict or a lost
    /// answer it does so again. `known` is the row's reading from a moment ago, which saves the
    /// first read. `read` makes sense of a row. `committed` hears of each commit that was tried,
    /// before anything else happens.
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub async fn update<S, T, E>(
        &self,
        key: &Key,
        known: Option<S>,
        tries: Tries,
        mut read: impl FnMut(Option<Row>) -> Result<S, E> + Send,
        mut decide: impl FnMut(&S) -> Result<Decision<T>, E> + Send,
        mut committed: impl FnMut(&T, &Result<(), CommitError>) + Send,
    ) -> Result<T, UpdateError<E>>
    where
        S: Send + Sync,
        T: Send + Sync,
        E: Send,
    {
        let (mut known, mut unanswered) = (known, 0);
        for _ in 0..tries.commits_max {
            let state = match known.take() {
                Some(state) => state,
                None => {
                    let [row] = self.get([key.clone()]).await.map_err(UpdateError::Failed)?;
                    read(row).map_err(UpdateError::Refused)?
                }
            };
            let (writes, answer) = match decide(&state).map_err(UpdateError::Refused)? {
                Decision::Keep(answer) => return Ok(answer),
                Decision::Write(writes, answer) => (writes, answer),
            };
            let result = self.commit(writes).await;
            committed(&answer, &result);
            match result {
                Ok(()) => return Ok(answer),
                Err(CommitError::Conflict { .. }) => {}
                // The row tells whether it was written: if so, `decide` finds nothing left to do
                // (trap T-S9).
                Err(CommitError::Ambiguous(fault)) => {
                    unanswered += 1;
                    if unanswered == tries.unanswered_max {
                        return Err(UpdateError::Failed(fault));
                    }
                }
                Err(CommitError::Failed(fault)) => return Err(UpdateError::Failed(fault)),
            }
        }
        Err(UpdateError::Contended)
    }

    async fn within<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let Some(limit) = self.call_timeout else { return call.await };
        clock::timeout(&*self.clock, limit, call)
            .await
            .unwrap_or_else(|_| Err(Fault::unavailable(format!("{what} took too long"))))
    }
}

fn miscounted() -> Fault {
    Fault::transient("the store answered with another number of rows than were asked for")
}
