//! The one writer of a tree: takes all waiting requests, checks versions, writes one batch, syncs
//! once, answers.
//!
//! There is no delay timer: while one batch is synced the next one gathers, so batches grow with
//! load by themselves. A version check sees the commits accepted earlier in the same batch. A
//! refused request adds nothing to the batch.
//!
//! After a failed write or sync the writer stops until the process restarts. The content of the
//! file system is then unknown (a failed fsync may have dropped the pages), so the batch is
//! answered as ambiguous and later requests as failed. Only a fresh open, which replays what is
//! really on disk and drops a half-written batch, continues.

use super::error::describe;
use super::memtables::Memtables;
use super::request::{Answer, Answers, RawWrite, Request, WriteError};
use super::shared::Shared;
use super::table::{Change, Planned, Table, holds};
use super::versions::{Known, Versions};
use core::time::Duration;
use fjall::{AbstractTree as _, Database, Keyspace, OwnedWriteBatch, PersistMode};
use ports::store::CommitError;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// The tree's own brake, at 4 waiting memtables or 30 runs, blocks forever if its flush threads
/// have died. The writer brakes just before, where it can still see that they died.
const SEALED_MEMTABLES_MAX: usize = 3;
const RUNS_MAX: usize = 28;

pub(crate) struct Writer {
    pub(crate) db: Database,
    pub(crate) memtables: Memtables,
    pub(crate) shared: Arc<Shared>,
    /// Sends the answers to the runtime; without it the writer delivers them here.
    pub(crate) dispatch: Option<UnboundedSender<Answers>>,
    pub(crate) batch_max: usize,
    pub(crate) version_rows_max: usize,
    /// The stores written to since the open, by number, with the remembered versions of their rows.
    pub(crate) stores: BTreeMap<u32, (Arc<Table>, Versions)>,
    pub(crate) batch_number: u64,
}

impl Writer {
    /// Writes until the inbox is closed and empty.
    pub(crate) fn run(mut self) {
        let panicking = StopOnPanic(self.shared.clone());
        let mut requests = Vec::new();
        while self.shared.inbox.take(self.batch_max, &mut requests) {
            let answers = Answers(self.write(&mut requests));
            match &self.dispatch {
                // Without its runtime the send returns the answers in its error, and dropping them
                // delivers them here.
                Some(dispatch) => drop(dispatch.send(answers)),
                None => drop(answers),
            }
            self.tidy();
        }
        drop(panicking);
    }

    fn write(&mut self, requests: &mut Vec<Request>) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        if let Some(why) = self.shared.stopped() {
            for request in requests.drain(..) {
                refuse(request, &WriteError::Failed(why.clone()), &mut answers);
            }
            return answers;
        }
        self.batch_number += 1;
        self.shared.start(self.batch_number);
        let mut pending = Pending::new(self.db.clone());
        for request in requests.drain(..) {
            match request {
                Request::Commit { table, writes, answer } => {
                    let result = self.accept(&table, writes, &mut pending);
                    answers.push(Answer::Commit(answer, result));
                }
                Request::Raw { writes, durable, done } => {
                    pending.durable |= durable;
                    for write in writes {
                        pending.raw(write);
                    }
                    if let Some(done) = done {
                        answers.push(Answer::Raw(done, Ok(())));
                    }
                }
            }
        }
        match self.commit(pending) {
            Ok(()) => self.shared.publish(self.batch_number),
            Err(error) => fail(&mut answers, &error),
        }
        answers
    }

    /// The work that can wait until a batch is answered.
    fn tidy(&mut self) {
        for (table, versions) in self.stores.values_mut() {
            versions.turn(self.batch_number);
            if let Err(error) = table.filter.learn(&table.rows) {
                // Without the filter a row is looked up in the tree, where the caller meets the
                // same error.
                tracing::warn!(error = describe(&error), "cannot read the keys of a table");
            }
        }
    }

    fn commit(&mut self, pending: Pending) -> Result<(), WriteError> {
        if pending.batch.is_empty() {
            return Ok(());
        }
        self.wait_for_room(&pending.touched)?;
        let mode = if pending.durable { PersistMode::SyncData } else { PersistMode::Buffer };
        pending.batch.durability(Some(mode)).commit().map_err(|error| {
            let why = self.shared.stop(&describe(&error));
            match error {
                fjall::Error::Poisoned => WriteError::Failed(why),
                _ => WriteError::Ambiguous(why),
            }
        })?;
        for keyspace in &pending.touched {
            self.memtables.wrote(keyspace.id(), keyspace.tree.active_memtable());
        }
        Ok(())
    }

    /// Waits while the tree's background work is behind.
    fn wait_for_room(&self, touched: &[Keyspace]) -> Result<(), WriteError> {
        while touched
            .iter()
            .any(|k| k.sealed_memtable_count() >= SEALED_MEMTABLES_MAX || k.tree.l0_run_count() >= RUNS_MAX)
        {
            if let Err(error) = self.db.persist(PersistMode::Buffer) {
                return Err(WriteError::Failed(self.shared.stop(&describe(&error))));
            }
            #[allow(
                clippy::disallowed_methods,
                reason = "this is the engine's own thread, waiting for the tree's"
            )]
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Checks every expectation, then adds every write.
    fn accept(
        &mut self,
        table: &Arc<Table>,
        mut writes: Vec<Planned>,
        pending: &mut Pending,
    ) -> Result<(), CommitError> {
        let (_, versions) = self
            .stores
            .entry(table.number)
            .or_insert_with(|| (table.clone(), Versions::new(self.version_rows_max)));
        for (at, write) in writes.iter_mut().enumerate() {
            let version = versions
                .version(&write.key, write.seen.take(), || table.known(&write.key))
                .map_err(CommitError::Failed)?;
            if !holds(write.expect, version) {
                return Err(CommitError::Conflict { at });
            }
        }
        pending.durable = true;
        pending.touch(&table.rows);
        pending.touch(&table.index);
        for write in writes {
            match write.change {
                Change::Check => {}
                Change::Put { value, version, index_keys } => {
                    table.floors.record(&index_keys, self.batch_number);
                    if version == 1 {
                        table.filter.add(&write.key);
                    }
                    let before =
                        versions.set(write.key.clone(), Known { version, index_keys: index_keys.clone() });
                    for old in before.index_keys {
                        if !index_keys.contains(&old) {
                            pending.batch.remove(&table.index, old);
                        }
                    }
                    for index_key in index_keys {
                        pending.batch.insert(&table.index, index_key, "");
                    }
                    pending.batch.insert(&table.rows, write.key, value);
                }
                Change::Delete => {
                    let before = versions.set(write.key.clone(), Known::default());
                    for old in before.index_keys {
                        pending.batch.remove(&table.index, old);
                    }
                    if before.version != 0 {
                        pending.batch.remove(&table.rows, write.key);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The batch under construction.
struct Pending {
    batch: OwnedWriteBatch,
    touched: Vec<Keyspace>,
    durable: bool,
}

impl Pending {
    fn new(db: Database) -> Self {
        Self { batch: OwnedWriteBatch::with_capacity(db, 256), touched: Vec::new(), durable: false }
    }

    fn touch(&mut self, keyspace: &Keyspace) {
        if !self.touched.iter().any(|known| known.id() == keyspace.id()) {
            self.touched.push(keyspace.clone());
        }
    }

    fn raw(&mut self, write: RawWrite) {
        self.touch(&write.keyspace);
        match write.value {
            Some(value) => self.batch.insert(&write.keyspace, write.key, value),
            None => self.batch.remove(&write.keyspace, write.key),
        }
    }
}

/// Turns the answers of an unwritten batch into errors. Refusals stay: they changed nothing either
/// way.
fn fail(answers: &mut [Answer], error: &WriteError) {
    for answer in answers {
        match answer {
            Answer::Commit(_, result) if result.is_ok() => *result = Err(error.for_commit()),
            Answer::Raw(_, result) => *result = Err(error.clone()),
            Answer::Commit(..) => {}
        }
    }
}

fn refuse(request: Request, error: &WriteError, answers: &mut Vec<Answer>) {
    match request {
        Request::Commit { answer, .. } => answers.push(Answer::Commit(answer, Err(error.for_commit()))),
        Request::Raw { done: Some(done), .. } => answers.push(Answer::Raw(done, Err(error.clone()))),
        Request::Raw { done: None, .. } => {}
    }
}

/// Stops the engine if the writer unwinds, so that callers get an error instead of waiting.
struct StopOnPanic(Arc<Shared>);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("the writer failed an internal check");
            self.0.inbox.close();
            let mut left = Vec::new();
            while self.0.inbox.take(usize::MAX, &mut left) {}
        }
    }
}
