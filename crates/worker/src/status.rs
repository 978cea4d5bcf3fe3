//! The worker's live numbers, readable from outside the event loop: for `GET /admin/status`,
//! `HealthCheck` and `GetJobStatus`. The loop writes them at the end of each turn; a reader sees
//! numbers of about the same moment.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use domain::time::Timestamp;
use std::sync::Arc;

/// The live numbers. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    running: AtomicUsize,
    waiting: AtomicUsize,
    settling: AtomicUsize,
    limit: AtomicUsize,
    polls: AtomicUsize,
    visible: AtomicU64,
    succeeded: AtomicU64,
    retried: AtomicU64,
    buried: AtomicU64,
    handler_us: AtomicU64,
    last_at: AtomicU64,
    open: [AtomicBool; 3],
    draining: AtomicBool,
}

/// The numbers at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, utoipa::ToSchema)]
pub struct Snapshot {
    /// Handlers running.
    pub running: usize,
    /// Messages received and not started.
    pub waiting: usize,
    /// Messages whose settlement is in progress.
    pub settling: usize,
    /// Handlers that may run at a time.
    pub limit: usize,
    /// Receives in the air.
    pub polls: usize,
    /// Messages visible in the queue at the last check.
    pub visible: u64,
    /// Runs that had their effect.
    pub succeeded: u64,
    /// Runs that will be retried.
    pub retried: u64,
    /// Messages that went to the dead-letter queue.
    pub buried: u64,
    /// Microseconds in handlers, summed over the runs.
    pub handler_us: u64,
    /// When a run last ended, in milliseconds since the Unix epoch; 0 = never.
    pub last_at_ms: u64,
    /// Whether the breaker of inventory, reservation, payments is open.
    pub open: [bool; 3],
    /// Whether the worker is shutting down.
    pub draining: bool,
}

impl Status {
    /// The numbers now.
    pub fn read(&self) -> Snapshot {
        let cells = &*self.0;
        Snapshot {
            running: cells.running.load(Relaxed),
            waiting: cells.waiting.load(Relaxed),
            settling: cells.settling.load(Relaxed),
            limit: cells.limit.load(Relaxed),
            polls: cells.polls.load(Relaxed),
            visible: cells.visible.load(Relaxed),
            succeeded: cells.succeeded.load(Relaxed),
            retried: cells.retried.load(Relaxed),
            buried: cells.buried.load(Relaxed),
            handler_us: cells.handler_us.load(Relaxed),
            last_at_ms: cells.last_at.load(Relaxed),
            open: core::array::from_fn(|at| cells.open[at].load(Relaxed)),
            draining: cells.draining.load(Relaxed),
        }
    }

    pub(crate) fn turn(&self, running: usize, waiting: usize, settling: usize, limit: usize, polls: usize) {
        let cells = &*self.0;
        cells.running.store(running, Relaxed);
        cells.waiting.store(waiting, Relaxed);
        cells.settling.store(settling, Relaxed);
        cells.limit.store(limit, Relaxed);
        cells.polls.store(polls, Relaxed);
    }

    pub(crate) fn ended(&self, ended: Ended, handler_us: u64, at: Timestamp) {
        let cells = &*self.0;
        match ended {
            Ended::Succeeded => cells.succeeded.fetch_add(1, Relaxed),
            Ended::Retried => cells.retried.fetch_add(1, Relaxed),
            Ended::Buried => cells.buried.fetch_add(1, Relaxed),
        };
        cells.handler_us.fetch_add(handler_us, Relaxed);
        cells.last_at.store(at.as_millis(), Relaxed);
    }

    pub(crate) fn visible(&self, messages: u64) {
        self.0.visible.store(messages, Relaxed);
    }

    pub(crate) fn breaker(&self, index: usize, open: bool) {
        self.0.open[index].store(open, Relaxed);
    }

    pub(crate) fn draining(&self) {
        self.0.draining.store(true, Relaxed);
    }
}

/// How a run or a message ended, as far as the numbers distinguish it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended {
    Succeeded,
    Retried,
    Buried,
}
