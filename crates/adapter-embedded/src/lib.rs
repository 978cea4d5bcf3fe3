//! Engines in one process: the `Store` and `Queue` ports on an embedded log-structured tree in one
//! folder, and the `WaitingRoomStore` in memory.
//!
//! One [`Engine`] owns the folder. Every write of a store goes through the writer thread of the
//! stores, every write of a queue through that of the queues. A writer takes all waiting requests,
//! checks versions, writes one batch, syncs once, and then answers. Readers read in place.
//!
//! Promises: every acknowledged write is on disk; a commit happens whole or not at all, also across
//! a kill or a full disk; a second process is refused; a write error stops the engine, because the
//! content of the disk is then unknown. Left to others: what the rows and messages mean, and when
//! to retry.

pub mod engine;
pub mod queue;
pub mod store;
pub mod waiting_room;

mod codec;
mod handle;

pub use engine::{EngineOptions, OpenError};
pub use handle::Engine;
pub use queue::{Browsed, EmbeddedQueue, QueueOptions, QueueStats, Redrive};
pub use store::EmbeddedStore;
pub use waiting_room::MemoryWaitingRoom;
