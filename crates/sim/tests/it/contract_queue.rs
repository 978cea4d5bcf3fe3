//! The queue suite on the simulated engine, without faults, on a clock that only moves when a case
//! says so.

use crate::contract_store::calm;
use async_trait::async_trait;
use core::time::Duration;
use ports::Queue;
use ports::queue::QueueKind;
use ports_contract::queue::{QueueHarness, VISIBILITY};
use sim::core::Core;
use sim::queue::{QueueOptions, Role, SimQueue, SimQueuePort};
use std::sync::{Arc, Mutex};

struct Simulated {
    core: Arc<Core>,
    queues: Mutex<Vec<Arc<SimQueue>>>,
}

impl Simulated {
    fn new() -> Self {
        Self { core: calm(), queues: Mutex::default() }
    }

    fn make(&self, kind: QueueKind, redrive: Option<(Arc<SimQueue>, u32)>) -> Arc<SimQueue> {
        let options =
            QueueOptions { kind, visibility: VISIBILITY, name: "q", redrive, role: Role::Unwatched };
        let queue = SimQueue::new(Arc::clone(&self.core), options);
        self.queues.lock().expect("no case panics under it").push(Arc::clone(&queue));
        queue
    }
}

fn port(queue: Arc<SimQueue>) -> Arc<dyn Queue> {
    Arc::new(SimQueuePort { queue, holder: 1 })
}

#[async_trait]
impl QueueHarness for Simulated {
    async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue> {
        port(self.make(kind, None))
    }

    async fn queue_with_redrive(
        &self,
        kind: QueueKind,
        max_receive_count: u32,
    ) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let dead = self.make(kind, None);
        let queue = self.make(kind, Some((Arc::clone(&dead), max_receive_count)));
        (port(queue), port(dead))
    }

    async fn advance(&self, duration: Duration) {
        let exec = &self.core.exec;
        let end = exec.micros() + duration.as_micros() as u64;
        while exec.advance(end) {
            tokio::task::yield_now().await;
        }
        exec.set_micros(end);
        self.queues.lock().expect("no case panics under it").iter().for_each(|queue| queue.look_again());
    }

    async fn reopen(&self, _: Arc<dyn Queue>) -> Option<Arc<dyn Queue>> {
        let queue = self.queues.lock().expect("no case panics under it").last().cloned()?;
        queue.restart();
        Some(port(queue))
    }
}

ports_contract::queue_contract!(Simulated::new());
