//! One data folder with a store and a FIFO queue, and relays that start and end on it.

use adapter_embedded::{Engine, EngineOptions, QueueOptions};
use core::time::Duration;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, ReservationId};
use domain::time::Timestamp;
use outbox::due::RescanOptions;
use outbox::{Relay, RelayHandle, RelayOptions};
use ports::queue::Receive;
use ports::store::Write;
use ports::{Clock, Queue, Store, Tasks};
use std::sync::Arc;
use testkit::{FaultyQueue, FaultyStore, ManualClock, START_MS, SeededEntropy, until};
use tokio_util::sync::CancellationToken;

pub(crate) const SHARDS: u32 = 4;

pub(crate) struct Fixture {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) queue: Arc<FaultyQueue>,
    _folder: tempfile::TempDir,
}

/// A running relay.
pub(crate) struct Running {
    pub(crate) handle: RelayHandle,
    pub(crate) metrics: outbox::RelayMetrics,
    clock: Arc<ManualClock>,
    shutdown: CancellationToken,
    tasks: Tasks,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_queue("events.fifo", QueueOptions::fifo())
    }

    /// With a queue of another kind.
    pub(crate) fn with_queue(name: &str, options: QueueOptions) -> Self {
        let clock = Arc::new(ManualClock::default());
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
        let store: Arc<dyn Store> = engine.store("reservation").unwrap();
        let queue = engine.queue(name, options).unwrap();
        let queue = Arc::new(FaultyQueue::over(queue, store.clone(), outbox::row_key));
        Self { clock, store: Arc::new(FaultyStore::over(store)), queue, _folder: folder }
    }

    pub(crate) fn options() -> RelayOptions {
        let rescan =
            RescanOptions { every: Duration::from_secs(2), grace: Duration::from_secs(2), whole_every: 3 };
        RelayOptions { shards: SHARDS, rescan, ..RelayOptions::default() }
    }

    pub(crate) fn relay(&self) -> Running {
        self.relay_with(Self::options())
    }

    pub(crate) fn relay_with(&self, options: RelayOptions) -> Running {
        let (store, queue) = (self.store.clone(), self.queue.clone());
        let entropy = Arc::new(SeededEntropy::default());
        let relay = Relay::new(store, Arc::new(queue), self.clock.clone(), entropy, options);
        let (handle, metrics) = (relay.handle(), relay.metrics());
        let (shutdown, tasks) = (CancellationToken::new(), Tasks::new());
        tasks.spawn(relay.run(shutdown.clone()));
        Running { handle, metrics, clock: self.clock.clone(), shutdown, tasks }
    }

    /// The time `ms` after the clock's start.
    pub(crate) fn at(&self, ms: u64) -> Timestamp {
        Timestamp::from_millis(START_MS + ms)
    }

    /// Commits the row of an event without announcing it.
    pub(crate) async fn commit(&self, event: &Event, due: Timestamp) {
        self.commit_all(vec![outbox::row_write(event, due, SHARDS)]).await;
    }

    pub(crate) async fn commit_all(&self, writes: Vec<Write>) {
        self.store.inner().commit(writes).await.unwrap();
    }

    /// Commits and announces.
    pub(crate) async fn put(&self, relay: &Running, event: &Event, due: Timestamp) {
        self.commit(event, due).await;
        relay.handle.notify(due, &event.id);
    }

    pub(crate) async fn has_row(&self, event: &EventId) -> bool {
        self.store.inner().get(&[outbox::row_key(event.as_str())]).await.unwrap()[0].is_some()
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        self.queue.accepted().into_iter().map(|(_, id)| id).collect()
    }

    /// Waits until the queue accepted this many entries, moving time.
    pub(crate) async fn until_taken(&self, count: usize, step: Duration) {
        let what = format!("{count} events on the queue");
        until(&self.clock, step, &what, || async { self.taken().len() >= count }).await;
    }

    /// Waits until no row is left.
    pub(crate) async fn until_empty(&self, step: Duration) {
        until(&self.clock, step, "an empty outbox", || async {
            self.store.inner().scan(None, 1).await.unwrap().is_empty()
        })
        .await;
    }

    /// Waits until the relay knows this many rows and has started.
    pub(crate) async fn until_known(&self, relay: &Running, rows: u64) {
        until(&self.clock, Duration::ZERO, "the relay has started", || async {
            !relay.handle.state().borrow().starting && relay.handle.pending() == rows
        })
        .await;
    }

    /// The ids of the queue's messages, in order.
    pub(crate) async fn drain_queue(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let request = Receive { max: 10, wait: Duration::ZERO, visibility: None };
            let messages = self.queue.receive(request).await.unwrap();
            if messages.is_empty() {
                return bodies;
            }
            let receipts = messages.iter().map(|message| message.receipt.clone()).collect();
            for message in &messages {
                let (event, _) =
                    contracts::envelope::decode(&message.body, &message.id, &message.attributes).unwrap();
                bodies.push(event.id.to_string());
            }
            self.queue.delete(receipts).await.unwrap();
        }
    }
}

impl Running {
    /// Ends the relay as a shutdown does, while time passes.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = || async { self.tasks.running() == 0 };
        until(&self.clock, Duration::from_millis(20), "the relay has ended", ended).await;
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Ends the relay as a crash does: at the await where it is.
    pub(crate) async fn crash(self) {
        self.tasks.abort_all();
        self.tasks.finished().await;
    }
}

pub(crate) fn event(reservation: &str, id: &str) -> Event {
    Event {
        id: EventId::parse(id).unwrap(),
        source: "test".into(),
        at: Timestamp::from_millis(START_MS),
        trace_id: None,
        reservation: ReservationId::parse(reservation).unwrap(),
        seats: SeatsHint::default(),
        person: None,
        fact: Fact::ReservationExpired { expired_at: None },
    }
}

/// The clock as the port.
pub(crate) fn now(fixture: &Fixture) -> Timestamp {
    fixture.clock.now()
}
