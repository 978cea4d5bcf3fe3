//! Below the stores and queues: one data folder with two trees, each with one writer, and what the
//! writer must know of a store.
//!
//! The folder stays locked until the last handle (the engine, a store, a queue) is dropped; then
//! the writers finish their accepted requests and the files are closed. Nothing here knows a store
//! or a queue; they are made by [`crate::Engine`].

pub(crate) mod error;
mod filter;
mod floors;
mod folder;
pub(crate) mod head;
mod heads;
pub(crate) mod inbox;
mod inner;
pub(crate) mod keys;
mod memtables;
pub(crate) mod names;
pub(crate) mod request;
pub(crate) mod shared;
pub(crate) mod table;
mod tree;
pub(crate) mod versions;
pub(crate) mod writer;

pub use error::OpenError;
pub use folder::FORMAT;

pub(crate) use inner::Inner;

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
