//! The handle of the open folder: opens it, and makes its stores and queues.
//!
//! After a write error the engine has stopped: [`Engine::health`] gives the reason, every write is
//! refused, and the process should be restarted once the cause is gone.

use crate::engine::table::Table;
use crate::engine::{EngineOptions, Inner, OpenError};
use crate::queue::core::QueueCore;
use crate::queue::{EmbeddedQueue, QueueOptions};
use crate::store::EmbeddedStore;
use parking_lot::Mutex;
use ports::Clock;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Longest name of a store or queue, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// A handle to the open folder. Cloning gives another handle.
#[derive(Clone)]
pub struct Engine {
    /// Before `inner`, so that no table is left when the folder is unlocked.
    opened: Arc<Mutex<Opened>>,
    inner: Arc<Inner>,
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
        let inner = Arc::new(Inner::open(path.as_ref(), options, clock)?);
        Ok(Self { opened: Arc::default(), inner })
    }

    /// The store of that name, created if it does not exist. Every caller gets the same rows.
    pub fn store(&self, name: &str) -> Result<Arc<EmbeddedStore>, OpenError> {
        check_name(name)?;
        let mut opened = self.opened.lock();
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
        let mut opened = self.opened.lock();
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
}

fn check_name(name: &str) -> Result<(), OpenError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let why = format!("a name has 1 to {NAME_BYTES_MAX} bytes");
        return Err(OpenError::Mismatch { name: name.to_owned(), why });
    }
    Ok(())
}
