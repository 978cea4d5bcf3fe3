//! The queue suite on the embedded engine, on a clock that moves only when a case moves it.

use adapter_embedded::{Engine, EngineOptions, QueueOptions};
use async_trait::async_trait;
use core::time::Duration;
use parking_lot::Mutex;
use ports::Queue;
use ports::queue::QueueKind;
use ports_contract::queue::{QueueHarness, VISIBILITY};
use std::sync::Arc;
use tempfile::TempDir;
use testkit::{FaultyQueue, ManualClock};

struct Embedded {
    folder: TempDir,
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

struct State {
    engine: Option<Engine>,
    queues: u32,
    /// How the latest queue was made: its name, kind, and redrive.
    last: Option<(String, QueueKind, Option<u32>)>,
}

impl Embedded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
        Self { folder, clock, state: Mutex::new(State { engine: Some(engine), queues: 0, last: None }) }
    }

    fn make(&self, kind: QueueKind, redrive: Option<u32>) -> (Arc<dyn Queue>, Option<Arc<dyn Queue>>) {
        let mut state = self.state.lock();
        state.queues += 1;
        let name = format!("q{}", state.queues);
        state.last = Some((name.clone(), kind, redrive));
        open(state.engine.as_ref().unwrap(), &name, kind, redrive)
    }
}

fn open(
    engine: &Engine,
    name: &str,
    kind: QueueKind,
    redrive: Option<u32>,
) -> (Arc<dyn Queue>, Option<Arc<dyn Queue>>) {
    let options = QueueOptions { visibility: VISIBILITY, ..QueueOptions::new(kind) };
    match redrive {
        None => (engine.queue(name, options).unwrap(), None),
        Some(max) => {
            let dead = engine.queue(&format!("{name}-dead"), options.clone()).unwrap();
            let queue = engine.queue(name, options.with_redrive(dead.clone(), max)).unwrap();
            (queue, Some(dead))
        }
    }
}

#[async_trait]
impl QueueHarness for Embedded {
    async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue> {
        self.make(kind, None).0
    }

    async fn queue_with_redrive(
        &self,
        kind: QueueKind,
        max_receive_count: u32,
    ) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let (queue, dead) = self.make(kind, Some(max_receive_count));
        (queue, dead.unwrap())
    }

    async fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    async fn reopen(&self, queue: Arc<dyn Queue>) -> Option<Arc<dyn Queue>> {
        drop(queue);
        let mut state = self.state.lock();
        state.engine = None;
        let engine = Engine::open(self.folder.path(), EngineOptions::default(), self.clock.clone()).unwrap();
        let (name, kind, redrive) = state.last.clone().unwrap();
        let (queue, _) = open(&engine, &name, kind, redrive);
        state.engine = Some(engine);
        Some(queue)
    }
}

ports_contract::queue_contract!(Embedded::new());

/// The wrapper of testkit, without a fault, is a queue like the one that it wraps.
mod behind_a_faulty_queue {
    use super::*;
    use ports::store::Key;

    struct Wrapped(Embedded);

    impl Wrapped {
        fn wrap(&self, queue: Arc<dyn Queue>) -> Arc<dyn Queue> {
            let store = self.0.state.lock().engine.as_ref().unwrap().store("outbox").unwrap();
            Arc::new(FaultyQueue::over(queue, store, |_| Key::new("outbox", "row")))
        }
    }

    #[async_trait]
    impl QueueHarness for Wrapped {
        async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue> {
            self.wrap(self.0.queue(kind).await)
        }

        async fn queue_with_redrive(
            &self,
            kind: QueueKind,
            max_receive_count: u32,
        ) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
            let (queue, dead) = self.0.queue_with_redrive(kind, max_receive_count).await;
            (self.wrap(queue), self.wrap(dead))
        }

        async fn advance(&self, duration: Duration) {
            self.0.advance(duration).await;
        }

        async fn reopen(&self, queue: Arc<dyn Queue>) -> Option<Arc<dyn Queue>> {
            Some(self.wrap(self.0.reopen(queue).await?))
        }
    }

    ports_contract::queue_contract!(Wrapped(Embedded::new()));
}
