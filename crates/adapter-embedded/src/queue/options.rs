//! How a queue behaves, and its counters.

use super::EmbeddedQueue;
use core::time::Duration;
use ports::queue::{Depth, QueueKind};
use std::sync::Arc;

/// Longest lease, counted from the receive.
pub(crate) const VISIBILITY_MAX: Duration = Duration::from_secs(12 * 60 * 60);
const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);
const DEFAULT_RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How a queue behaves.
#[derive(Clone)]
pub struct QueueOptions {
    /// Standard or FIFO. Fixed when the queue is created.
    pub kind: QueueKind,
    /// How long a receive hides a message if the receive does not say.
    pub visibility: Duration,
    /// Where messages are moved that were received too often.
    pub redrive: Option<Redrive>,
    /// How long a message is kept.
    pub retention: Duration,
}

/// Where messages are moved that were received too often.
#[derive(Clone)]
pub struct Redrive {
    /// The dead-letter queue: of the same engine and kind.
    pub dead_letter: Arc<EmbeddedQueue>,
    /// Receives after which a message is moved instead of being handed out.
    pub max_receive_count: u32,
}

impl QueueOptions {
    /// A queue of a kind: 30 s of visibility, 14 days of retention, no redrive.
    pub const fn new(kind: QueueKind) -> Self {
        Self { kind, visibility: DEFAULT_VISIBILITY, redrive: None, retention: DEFAULT_RETENTION }
    }

    /// A standard queue.
    pub const fn standard() -> Self {
        Self::new(QueueKind::Standard)
    }

    /// A FIFO queue.
    pub const fn fifo() -> Self {
        Self::new(QueueKind::Fifo)
    }

    /// With a dead-letter queue.
    #[must_use]
    pub fn with_redrive(mut self, dead_letter: Arc<EmbeddedQueue>, max_receive_count: u32) -> Self {
        self.redrive = Some(Redrive { dead_letter, max_receive_count });
        self
    }
}

/// What a queue has done since the engine was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages stored by `send`.
    pub sent: u64,
    /// Repetitions within the deduplication window, not stored.
    pub deduplicated: u64,
    /// Messages handed out.
    pub received: u64,
    /// Messages deleted by a receipt.
    pub deleted: u64,
    /// Messages moved to the dead-letter queue.
    pub redriven: u64,
    /// Messages that were older than the retention.
    pub expired: u64,
    /// Messages in the queue now.
    pub depth: Depth,
}
