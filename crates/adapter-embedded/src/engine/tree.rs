//! One log-structured tree with the one thread that writes to it.
//!
//! The folder has two: one of all stores, one of all queues. A commit never spans both, and the
//! work of the tree library under its locks (starting a journal, dropping an old one, writing
//! tables out) must not delay an event because a store is busy, nor a commit because a queue is.

use super::memtables::Memtables;
use super::request::Answers;
use super::shared::{Shared, Stopped};
use super::writer::Writer;
use super::{EngineOptions, OpenError};
use fjall::compaction::Leveled;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Which thread delivers the answers of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// A task of the runtime that opens the tree, if there is one: one wake-up per batch instead of
    /// one per caller.
    Runtime,
    /// The writer itself. Queues are few and send many messages at once, and an event must not wait
    /// behind all the requests of a busy runtime.
    Writer,
}

/// Dropping it lets the writer finish its accepted requests.
pub(crate) struct Tree {
    pub(crate) db: Database,
    /// The tree's own table, beside those of its stores or queues.
    pub(crate) meta: Keyspace,
    pub(crate) shared: Arc<Shared>,
    memtable_bytes: u64,
    writer: Option<JoinHandle<()>>,
}

impl Tree {
    /// Opens the tree in `folder`, creating it if it does not exist. `name` is part of the names of
    /// its threads. Errors name `root`, the data folder.
    pub(crate) fn open(
        root: &Path,
        folder: &Path,
        name: &str,
        options: EngineOptions,
        delivery: Delivery,
        stopped: Arc<Stopped>,
    ) -> Result<Self, OpenError> {
        // The tree's threads keep the normal priority: they take the writer's locks, and a thread
        // that gets no processor time while it holds one stops all others.
        let db = Database::builder(folder)
            .cache_size(options.cache_bytes)
            .max_journaling_size(options.journal_bytes.max(64 << 20))
            .worker_threads(options.background_threads.max(1))
            .manual_journal_persist(true)
            .open()
            .map_err(|e| OpenError::tree(root, "open the tree", e))?;
        let meta = db
            .keyspace("meta", || table_options(options.memtable_bytes))
            .map_err(|e| OpenError::tree(root, "open the tree's first table", e))?;
        let shared = Arc::new(Shared::new(stopped));
        let writer = start_writer(name, &db, &shared, &options, delivery)
            .map_err(|e| OpenError::io(root, "start the writer", e))?;
        Ok(Self { db, meta, shared, memtable_bytes: options.memtable_bytes, writer: Some(writer) })
    }

    /// The table of that name, created if it does not exist.
    pub(crate) fn table(&self, root: &Path, name: &str) -> Result<Keyspace, OpenError> {
        if let Some(why) = self.shared.stopped() {
            return Err(OpenError::Stopped { why: why.to_string() });
        }
        self.db
            .keyspace(name, || table_options(self.memtable_bytes))
            .map_err(|e| OpenError::tree(root, "open a table of the tree", e))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.shared.inbox.close();
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != std::thread::current().id()
        {
            // The join fails only if the writer panicked, which was reported.
            drop(writer.join());
        }
    }
}

/// Written-out memtables that a table of the tree gathers before it merges them: a merge rewrites
/// everything that overlaps, and twice as many at a time halve how often. Reads look into each,
/// past a filter.
const RUNS_BEFORE_A_MERGE: u8 = 8;

fn table_options(memtable_bytes: u64) -> KeyspaceCreateOptions {
    let merges = Leveled::default().with_l0_threshold(RUNS_BEFORE_A_MERGE);
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .manual_journal_persist(true)
        .compaction_strategy(Arc::new(merges))
}

fn start_writer(
    name: &str,
    db: &Database,
    shared: &Arc<Shared>,
    options: &EngineOptions,
    delivery: Delivery,
) -> io::Result<JoinHandle<()>> {
    let writer = Writer {
        memtables: Memtables::start()?,
        db: db.clone(),
        shared: shared.clone(),
        dispatch: if delivery == Delivery::Runtime { dispatch() } else { None },
        batch_max: options.batch_max.max(1),
        version_rows_max: options.version_rows.max(1),
        stores: BTreeMap::new(),
        batch_number: 0,
    };
    std::thread::Builder::new().name(format!("tacos-{name}")).spawn(move || {
        if delivery == Delivery::Writer {
            // A due event must not wait behind all writers. Granted with CAP_SYS_NICE; if refused,
            // this thread keeps the normal priority.
            let _ = rustix::process::nice(-10);
        }
        writer.run();
    })
}

/// A task of the current runtime that delivers answers; `None` outside of a runtime.
fn dispatch() -> Option<UnboundedSender<Answers>> {
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    let (sender, mut batches) = unbounded_channel::<Answers>();
    // Ends when the writer does; dropping the channel then delivers the remaining answers.
    runtime.spawn(async move { while batches.recv().await.is_some() {} });
    Some(sender)
}
