//! The engines of a platform: three tables, the event queue and its dead-letter queue.

use adapter_embedded::{EmbeddedQueue, Engine, EngineOptions, MemoryWaitingRoom, OpenError, QueueOptions};
use anyhow::Result;
use census::snapshot::{self, Reported, SnapshotError, Sources};
use domain::id::ReservationId;
use domain::invariant::World;
use domain::time::Timestamp;
use domain::waiting_room::Patience;
use ports::{Clock, DeadLetters, Fault, Queue, Store, WaitingRoomStore};
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "aws")]
mod tally;

#[cfg(feature = "aws")]
pub(crate) use tally::Tally;

/// The table of inventory-api.
pub const INVENTORY: &str = "inventory";
/// The table of reservation-api.
pub const RESERVATION: &str = "reservation";
/// The table of payment-sim-api.
pub const PAYMENT: &str = "payment";
/// The event queue.
const EVENTS: &str = "events.fifo";
/// Its dead-letter queue.
const LETTERS: &str = "events-dlq.fifo";

/// Receives before the queue's own redrive. The worker counts attempts itself and buries earlier.
pub(crate) const RECEIVES_MAX: u32 = 100;
/// Messages of a queue that are searched for one reservation.
const PEEKED_MAX: usize = 10_000;

/// The waiting room of one process is in memory: tickets carry the positions, so a restart loses
/// none.
fn waiting_room() -> Arc<dyn WaitingRoomStore> {
    let (clock, entropy) = (Arc::new(runtime::SystemClock::new()), Arc::new(runtime::SystemEntropy::new()));
    Arc::new(MemoryWaitingRoom::new(Patience::default(), clock, entropy))
}

/// Opens a data folder.
pub async fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Engine, OpenError> {
    Engine::open(folder, EngineOptions::default(), clock)
}

/// The engines of one platform. Clones are the same engines.
#[derive(Clone)]
pub struct Engines {
    /// The table of inventory-api.
    pub inventory: Arc<dyn Store>,
    /// The table of reservation-api.
    pub reservation: Arc<dyn Store>,
    /// The table of payment-sim-api.
    pub payment: Arc<dyn Store>,
    /// The event queue.
    pub events: Arc<dyn Queue>,
    /// Its dead-letter queue.
    pub letters: Arc<dyn Queue>,
    /// The same queue, to browse.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The waiting rooms.
    pub waiting_room: Arc<dyn WaitingRoomStore>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Embedded {
        engine: Engine,
        events: Arc<EmbeddedQueue>,
        letters: Arc<EmbeddedQueue>,
    },
    #[cfg(feature = "aws")]
    Aws {
        tally: Arc<Tally>,
    },
}

/// Counts of the event queue since the platform started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Passed {
    /// Different messages that the queue accepted.
    pub(crate) sent: u64,
    /// Messages that were deleted.
    pub(crate) deleted: u64,
    /// Messages that the redrive policy moved to the dead-letter queue.
    pub(crate) redriven: u64,
}

/// A message in a queue.
pub(crate) struct Lying {
    pub(crate) layer: &'static str,
    pub(crate) id: Arc<str>,
    pub(crate) receive_count: u32,
    pub(crate) sent_at: Timestamp,
    pub(crate) reason: Option<String>,
}

impl Engines {
    /// The engines in a data folder.
    pub fn embedded(engine: &Engine) -> Result<Self> {
        let letters = engine.queue(LETTERS, QueueOptions::fifo())?;
        let options = QueueOptions::fifo().with_redrive(letters.clone(), RECEIVES_MAX);
        let events = engine.queue(EVENTS, options)?;
        Ok(Self {
            inventory: engine.store(INVENTORY)?,
            reservation: engine.store(RESERVATION)?,
            payment: engine.store(PAYMENT)?,
            events: events.clone(),
            letters: letters.clone(),
            dead_letters: letters.clone(),
            waiting_room: waiting_room(),
            kind: Kind::Embedded { engine: engine.clone(), events, letters },
        })
    }

    /// The engines on AWS. `tally` counts the messages of the queue.
    #[cfg(feature = "aws")]
    pub(crate) fn aws(
        tables: [Arc<dyn Store>; 3],
        tally: Arc<Tally>,
        letters: Arc<dyn Queue>,
        dead_letters: Arc<dyn DeadLetters>,
    ) -> Self {
        let [inventory, reservation, payment] = tables;
        let events: Arc<dyn Queue> = tally.clone();
        Self {
            inventory,
            reservation,
            payment,
            events,
            letters,
            dead_letters,
            waiting_room: waiting_room(),
            kind: Kind::Aws { tally },
        }
    }

    /// Everything that is stored. `reported` is the stock as inventory-api reported it, or empty.
    pub async fn snapshot(&self, reported: &Reported) -> Result<World, SnapshotError> {
        snapshot::read(&self.sources(), reported).await
    }

    /// Describes the work that is still pending; `None` when everything is at rest.
    pub(crate) async fn pending_work(&self) -> Result<Option<String>, Fault> {
        snapshot::pending_work(&self.sources()).await
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            inventory: &*self.inventory,
            reservation: &*self.reservation,
            payment: &*self.payment,
            events: &*self.events,
            dead_letters: &*self.dead_letters,
        }
    }

    /// The counts of the event queue.
    pub(crate) fn passed(&self) -> Passed {
        match &self.kind {
            Kind::Embedded { events, .. } => {
                let stats = events.stats();
                Passed { sent: stats.sent, deleted: stats.deleted, redriven: stats.redriven }
            }
            #[cfg(feature = "aws")]
            Kind::Aws { tally } => tally.passed(),
        }
    }

    /// The embedded engine, if this platform uses it.
    pub(crate) const fn folder(&self) -> Option<&Engine> {
        match &self.kind {
            Kind::Embedded { engine, .. } => Some(engine),
            #[cfg(feature = "aws")]
            Kind::Aws { .. } => None,
        }
    }

    /// The messages of a reservation in the queues. Empty on SQS, which cannot list messages
    /// without receiving them.
    pub(crate) fn messages_of(&self, id: &ReservationId) -> Result<Vec<Lying>, Fault> {
        let Kind::Embedded { events, letters, .. } = &self.kind else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (queue, layer) in [(events, "queue"), (letters, "dead-letter queue")] {
            for message in queue.peek(None, PEEKED_MAX)? {
                if message.group.as_deref() == Some(id.as_str()) {
                    let reason = message.attributes.iter().find(|(name, _)| name == "reason");
                    found.push(Lying {
                        layer,
                        id: message.id,
                        receive_count: message.receive_count,
                        sent_at: message.sent_at,
                        reason: reason.map(|(_, reason)| reason.clone()),
                    });
                }
            }
        }
        Ok(found)
    }
}
