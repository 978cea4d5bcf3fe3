//! The queue suite on [`MemoryQueue`], so that the worker's tests use a queue that keeps the port's
//! promises.

use crate::queue::MemoryQueue;
use async_trait::async_trait;
use ports::Queue;
use ports::queue::QueueKind;
use ports_contract::queue::{QueueHarness, VISIBILITY};
use std::sync::Arc;
use std::time::Duration;
use testkit::ManualClock;

struct InMemory(Arc<ManualClock>);

impl InMemory {
    /// The queue's own pauses of 1 ms end at once; long polls wait for the test.
    fn new() -> Self {
        Self(Arc::new(ManualClock::default().skipping_sleeps_below(Duration::from_millis(2))))
    }

    fn make(&self, kind: QueueKind, redrive: Option<(Arc<MemoryQueue>, u32)>) -> Arc<MemoryQueue> {
        MemoryQueue::with_options(kind, self.0.clone(), VISIBILITY, redrive)
    }
}

#[async_trait]
impl QueueHarness for InMemory {
    async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue> {
        self.make(kind, None)
    }

    async fn queue_with_redrive(
        &self,
        kind: QueueKind,
        max_receive_count: u32,
    ) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let letters = self.make(kind, None);
        (self.make(kind, Some((letters.clone(), max_receive_count))), letters)
    }

    async fn advance(&self, duration: Duration) {
        self.0.advance(duration);
    }

    /// Nothing is on disk.
    async fn reopen(&self, _: Arc<dyn Queue>) -> Option<Arc<dyn Queue>> {
        None
    }
}

ports_contract::queue_contract!(InMemory::new());
