//! State that a writer shares with the stores or queues of its tree: the inbox, whether and why the
//! engine has stopped, and how far batches have become visible.

use super::inbox::Inbox;
use super::request::{Request, WriteError};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use tokio::sync::SetOnce;

/// Why the engine has stopped, if it has: one reason for all of its trees, which stop together.
pub(crate) type Stopped = SetOnce<Arc<str>>;

pub(crate) struct Shared {
    pub(crate) inbox: Arc<Inbox>,
    stopped: Arc<Stopped>,
    started: AtomicU64,
    published: AtomicU64,
}

impl Shared {
    pub(crate) fn new(stopped: Arc<Stopped>) -> Self {
        Self { inbox: Arc::default(), stopped, started: AtomicU64::new(0), published: AtomicU64::new(0) }
    }

    /// Why the engine has stopped, if it has.
    pub(crate) fn stopped(&self) -> Option<&Arc<str>> {
        self.stopped.get()
    }

    /// Stops the engine until the process restarts; the first reason stays.
    pub(crate) fn stop(&self, why: &str) -> Arc<str> {
        let reason: Arc<str> =
            format!("the data engine has stopped after a write error ({why}); free the disk and restart")
                .into();
        if self.stopped.set(reason.clone()).is_ok() {
            tracing::error!(why, "data engine stopped; free the disk and restart the process");
        }
        self.stopped.get().cloned().unwrap_or(reason)
    }

    /// The writer begins a batch.
    pub(crate) fn start(&self, batch: u64) {
        self.started.store(batch, Ordering::SeqCst);
    }

    /// The last batch that began.
    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::SeqCst)
    }

    /// Every batch up to this one is visible to readers.
    pub(crate) fn publish(&self, batch: u64) {
        self.published.store(batch, Ordering::Release);
    }

    /// A reader that starts now sees at least the batches up to this one.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// Hands a request to the writer, or returns the reason why it will never be written.
    pub(crate) fn submit(&self, request: Request) -> Result<(), WriteError> {
        if let Some(why) = self.stopped() {
            return Err(WriteError::Failed(why.clone()));
        }
        self.inbox.push(request).map_err(|_| {
            WriteError::Failed(self.stopped().cloned().unwrap_or_else(|| "the data engine is closed".into()))
        })
    }
}
