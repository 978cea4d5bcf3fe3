//! The open folder: its lock, its trees and their names, shared by every handle.

use super::folder::{Folder, FolderLock, Part};
use super::names::Names;
use super::shared::Stopped;
use super::tree::{Delivery, Tree};
use super::{EngineOptions, OpenError};
use fjall::PersistMode;
use ports::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EPOCH_KEY: &str = "epoch";

/// What handles of every kind keep alive.
pub(crate) struct Inner {
    pub(crate) names: Names,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stores: Tree,
    pub(crate) queues: Tree,
    /// Grows with each open, so that what one process handed out differs from what another did.
    pub(crate) epoch: u64,
    pub(crate) stopped: Arc<Stopped>,
    pub(crate) folder: PathBuf,
    /// Last, so that the folder is unlocked only after everything above is dropped.
    _lock: FolderLock,
}

impl Inner {
    /// Opens a data folder, creating it if it does not exist. Blocks while it replays the journal.
    pub(crate) fn open(
        root: &Path,
        options: EngineOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
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
        Ok(Self {
            names,
            clock,
            stores,
            queues,
            epoch,
            stopped,
            folder: root.to_path_buf(),
            _lock: folder.lock,
        })
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
