//! The engine: one data folder with two trees, each with one writer, and the stores and queues in
//! them.
//!
//! The folder stays locked until the last handle (the engine, a store, a queue) is dropped; then
//! the writers finish their accepted requests and the files are closed. After a write error the
//! engine has stopped: [`Engine::health`] gives the reason, every write is refused, and the process
//! should be restarted once the cause is gone.

mod error;
mod folder;
pub(crate) mod inbox;
mod memtables;
pub(crate) mod names;
pub(crate) mod request;
pub(crate) mod shared;
mod tree;
pub(crate) mod versions;
pub(crate) mod writer;

pub use error::OpenError;
pub use folder::FORMAT;

use crate::queue::core::QueueCore;
use crate::queue::{EmbeddedQueue, QueueOptions};
use crate::store::EmbeddedStore;
use crate::store::table::Table;
use fjall::PersistMode;
use folder::{Folder, FolderLock, Part};
use names::Names;
use ports::Clock;
use shared::Stopped;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tree::{Delivery, Tree};

/// Longest name of a store or queue, in bytes.
const NAME_BYTES_MAX: usize = 128;
const EPOCH_KEY: &str = "epoch";

/// How much memory and disk the engine may use for speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Memory for blocks read from disk: seven eighths for all stores, one for all queues, whose
    /// messages are mostly read while they are still in a memtable.
    pub cache_bytes: u64,
    /// Memory that a table of the tree fills before it is written out. Each store has two tables,
    /// each queue one.
    pub memtable_bytes: u64,
    /// Disk for the journals of the stores, and as much for those of the queues. Opening replays
    /// them, so it also bounds the time to open. At least 64 MiB.
    pub journal_bytes: u64,
    /// Rows whose version the writer remembers, per store.
    pub version_rows: usize,
    /// The most requests that share one sync.
    pub batch_max: usize,
    /// Threads that write out and merge tables, for the stores and as many for the queues. A tree
    /// keeps its first thread free for writing out by letting it hand merges back to its list again
    /// and again; with only two threads it burns a core while the other one merges.
    pub background_threads: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 128 << 20,
            memtable_bytes: 32 << 20,
            journal_bytes: 256 << 20,
            version_rows: 262_144,
            batch_max: 1_024,
            background_threads: 4,
        }
    }
}

/// A handle to the open folder. Cloning gives another handle.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// What handles of every kind keep alive.
pub(crate) struct Inner {
    pub(crate) names: Names,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stores: Tree,
    pub(crate) queues: Tree,
    /// Grows with each open, so that what one process handed out differs from what another did.
    pub(crate) epoch: u64,
    stopped: Arc<Stopped>,
    folder: PathBuf,
    opened: Mutex<Opened>,
    /// Last, so that the folder is unlocked only after everything above is dropped.
    _lock: FolderLock,
}

/// Tables and queues stay known until the engine closes: the state that the writer and the
/// completions of writes keep of them must not be split over two incarnations.
#[derive(Default)]
struct Opened {
    tables: BTreeMap<String, Arc<Table>>,
    queues: BTreeMap<String, Arc<QueueCore>>,
}

impl Engine {
    /// Opens a data folder, creating it if it does not exist. Blocks while it replays the journal.
    ///
    /// Inside a tokio runtime a task of that runtime delivers the answers, else the writer thread
    /// does.
    pub fn open(
        path: impl AsRef<Path>,
        options: EngineOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let root = path.as_ref();
        let folder = Folder::prepare(root)?;
        let stopped = Arc::new(Stopped::default());
        let for_queues = options.cache_bytes / 8;
        let open = |part: Part, cache_bytes, delivery| {
            let options = EngineOptions { cache_bytes, ..options };
            Tree::open(root, &folder.part(part), part.name(), options, delivery, stopped.clone())
        };
        let stores = open(Part::Stores, options.cache_bytes - for_queues, Delivery::Runtime)?;
        let queues = open(Part::Queues, for_queues, Delivery::Writer)?;
        let epoch = next_epoch(&queues, root)?;
        folder.mark_ready()?;
        let names = Names::load(stores.meta.clone(), stores.shared.inbox.clone())
            .map_err(|why| OpenError::corrupt(root, why))?;
        let inner = Inner {
            names,
            clock,
            stores,
            queues,
            epoch,
            stopped,
            folder: root.to_path_buf(),
            opened: Mutex::default(),
            _lock: folder.lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store of that name, created if it does not exist. Every caller gets the same rows.
    pub fn store(&self, name: &str) -> Result<Arc<EmbeddedStore>, OpenError> {
        check_name(name)?;
        let mut opened = self.inner.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let table = match opened.tables.get(name) {
            Some(table) => table.clone(),
            None => {
                let rows = self.inner.stores.table(&self.inner.folder, &format!("{name}.rows"))?;
                let index = self.inner.stores.table(&self.inner.folder, &format!("{name}.index"))?;
                let table = Arc::new(Table::new(opened.tables.len() as u32, rows, index));
                opened.tables.insert(name.to_owned(), table.clone());
                table
            }
        };
        Ok(Arc::new(EmbeddedStore::new(table, self.inner.clone())))
    }

    /// The queue of that name, created if it does not exist. Every caller gets the same messages
    /// and leases; the options of the first call apply. Opening reads every message once, to build
    /// the index in memory.
    pub fn queue(&self, name: &str, options: QueueOptions) -> Result<Arc<EmbeddedQueue>, OpenError> {
        check_name(name)?;
        let mut opened = self.inner.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let core = match opened.queues.get(name) {
            Some(core) => core.clone(),
            None => {
                let messages = self.inner.queues.table(&self.inner.folder, &format!("queue.{name}"))?;
                let core = Arc::new(QueueCore::open(name, messages, options, &self.inner)?);
                opened.queues.insert(name.to_owned(), core.clone());
                core
            }
        };
        Ok(Arc::new(EmbeddedQueue::new(core, self.inner.clone())))
    }

    /// `Err` with the reason once the engine has stopped. For readiness: a stopped engine answers
    /// reads but no writes.
    pub fn health(&self) -> Result<(), String> {
        self.inner.stopped.get().map_or(Ok(()), |why| Err(why.to_string()))
    }

    /// Waits until the engine has stopped and returns the reason, for liveness: only a fresh open
    /// helps. It does not keep the engine open, and waits forever if the engine is closed instead.
    pub fn stopped(&self) -> impl Future<Output = String> + Send + use<> {
        let stopped = self.inner.stopped.clone();
        async move { stopped.wait().await.to_string() }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> u64 {
        [&self.inner.stores, &self.inner.queues].iter().filter_map(|tree| tree.db.disk_space().ok()).sum()
    }
}

impl Inner {
    /// The data folder, for error texts.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn next_epoch(queues: &Tree, root: &Path) -> Result<u64, OpenError> {
    let tree = |e| OpenError::tree(root, "count the opens", e);
    let last = match queues.meta.get(EPOCH_KEY).map_err(tree)? {
        None => 0,
        Some(value) => crate::codec::be64(&value)
            .ok_or_else(|| OpenError::corrupt(root, "the count of opens is unreadable"))?,
    };
    let mut batch = queues.db.batch().durability(Some(PersistMode::SyncAll));
    batch.insert(&queues.meta, EPOCH_KEY, (last + 1).to_be_bytes());
    batch.commit().map_err(tree)?;
    Ok(last + 1)
}

fn check_name(name: &str) -> Result<(), OpenError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let why = format!("a name has 1 to {NAME_BYTES_MAX} bytes");
        return Err(OpenError::Mismatch { name: name.to_owned(), why });
    }
    Ok(())
}
