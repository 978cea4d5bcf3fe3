//! The stand-ins of one test, the sent events, and the check of every promise at the end.

use super::events::Events;
use super::order;
use super::process::Worker;
use anyhow::{Context, Result, ensure};
use ports::{Clock, Entropy};
use standin::{Broken, Depth, Inventory, Journal, Latency, Ledger, PeerFaults, Push};
use standin::{QueueSpec, Reservations, Sqs};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The limit of a start, a stop or a condition. A passing test never waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The lease that the worker requests, and a little more.
pub(crate) const LEASE: Duration = Duration::from_secs(61);

/// Tests with a worker that run at the same time.
static TURNS: Semaphore = Semaphore::const_new(3);

/// The kind of the event queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Standard,
    Fifo,
}

impl Kind {
    pub(crate) const fn queue(self) -> &'static str {
        match self {
            Self::Standard => "events",
            Self::Fifo => "events.fifo",
        }
    }

    pub(crate) const fn letters(self) -> &'static str {
        match self {
            Self::Standard => "letters",
            Self::Fifo => "letters.fifo",
        }
    }
}

/// How the stand-ins behave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) per_reservation: u64,
    /// The latency of each call to the inventory and to reservation-api.
    pub(crate) latency: Latency,
    /// Receives after which the queue itself moves a message to its dead-letter queue.
    pub(crate) receives_max: u32,
}

impl Setting {
    pub(crate) const fn of(kind: Kind, seed: u64) -> Self {
        let latency = Latency::Constant(Duration::from_millis(5));
        Self { kind, seed, per_reservation: 3, latency, receives_max: 100 }
    }
}

/// Everything that a worker calls.
pub(crate) struct StandIns {
    pub(crate) kind: Kind,
    pub(crate) journal: Arc<Journal>,
    pub(crate) sqs: Sqs,
    pub(crate) inventory: Inventory,
    pub(crate) reservations: Reservations,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue_url: String,
    pub(crate) letters_url: String,
    events: Events,
    sent: u64,
    _turn: SemaphorePermit<'static>,
}

/// How often an event may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// No run was cut off, so the runs of a group are in order and do not overlap.
    Once,
    /// A killed worker could not delete the message of a finished run: it runs again, perhaps after
    /// its followers began.
    Again,
}

impl StandIns {
    pub(crate) async fn new(setting: Setting) -> Result<Self> {
        let turn = TURNS.acquire().await?;
        let Setting { kind, seed, per_reservation, latency, receives_max } = setting;
        let journal = Arc::new(Journal::new());
        let sqs = Sqs::start(journal.clone()).await?;
        let faults = PeerFaults { latency, ..PeerFaults::default() };
        let spec = |name: &str, redrive| QueueSpec {
            name: name.to_owned(),
            visibility: Duration::from_secs(30),
            redrive,
        };
        let letters_url = sqs.create(spec(kind.letters(), None));
        let queue_url = sqs.create(spec(kind.queue(), Some((kind.letters().to_owned(), receives_max))));
        let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
        Ok(Self {
            kind,
            inventory: Inventory::start(journal.clone(), faults, seed).await?,
            reservations: Reservations::start(journal.clone(), faults, seed + 1).await?,
            events: Events::new(kind == Kind::Fifo, per_reservation, seed + 2, clock.now()),
            journal,
            sqs,
            clock,
            queue_url,
            letters_url,
            sent: 0,
            _turn: turn,
        })
    }

    /// Sends at least this many events.
    pub(crate) fn push(&mut self, count: u64) -> Result<()> {
        for message in self.events.take(count)? {
            self.send(message)?;
        }
        Ok(())
    }

    /// Sends one message as it is.
    pub(crate) fn send(&mut self, message: Push) -> Result<()> {
        self.sqs.push(self.kind.queue(), message).context("the queue takes every message")?;
        self.sent += 1;
        Ok(())
    }

    /// Messages that were sent so far.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn depth(&self) -> Depth {
        self.sqs.depth(self.kind.queue())
    }

    /// Waits until the queue is empty.
    pub(crate) async fn emptied(&self, worker: &mut Worker) -> Result<()> {
        let empty = || {
            let Depth { visible, in_flight, delayed, .. } = self.depth();
            visible + in_flight + delayed == 0
        };
        worker.until(self, "the queue is empty", empty).await
    }

    /// Breaks every connection to the queue, and with them the long polls of a killed worker, which
    /// would still receive messages.
    pub(crate) async fn break_connections(&self) -> Result<()> {
        let address = self.sqs.endpoint();
        let address = address.trim_start_matches("http://");
        self.sqs.set_open(false);
        self.until("the queue refuses", async || TcpStream::connect(address).await.is_err()).await?;
        self.sqs.set_open(true);
        self.until("the queue answers", async || TcpStream::connect(address).await.is_ok()).await
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) -> Result<()> {
        let give_up = self.clock.elapsed() + PATIENCE;
        while !holds().await {
            ensure!(self.clock.elapsed() < give_up, "waited {PATIENCE:?} until {what}");
            self.clock.sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Checks that every sent message is settled by its effect: none is lost, buried, done twice or
    /// done out of order.
    pub(crate) fn all_is_well(&self, runs: Runs) -> Result<()> {
        let ledger = Ledger::read(&self.journal);
        let disorder = |broken: &Broken| matches!(broken, Broken::Inversion(..) | Broken::Overlap(..));
        let mut broken: Vec<String> = ledger
            .broken(true)
            .into_iter()
            .filter(|broken| runs == Runs::Once || !disorder(broken))
            .map(|broken| broken.to_string())
            .collect();
        if self.kind == Kind::Fifo {
            broken.extend(order::overtaken(&self.journal));
        }
        let count = broken.len();
        broken.truncate(10);
        ensure!(count == 0, "{count} promises were broken, the first of them: {broken:#?}");
        let letters = self.sqs.messages(self.kind.letters());
        ensure!(letters.is_empty() && ledger.buried() == 0, "buried: {letters:#?}");
        let (sent, settled) = (ledger.sent() as u64, ledger.settled() as u64);
        ensure!(sent == self.sent && settled == sent, "{settled} settled of {sent}, {} sent", self.sent);
        Ok(())
    }
}

/// A number from a variable that `cargo xtask soak` or a person sets.
#[allow(clippy::disallowed_methods, reason = "a test reads its own settings")]
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// The seed of a test: random and printed, or the one in `TACOS_SEED`.
pub(crate) fn seed(test: &str) -> u64 {
    let seed = number("TACOS_SEED").unwrap_or_else(|| runtime::SystemEntropy::new().next_u64() >> 16);
    println!("{test}: seed {seed}; again with TACOS_SEED={seed}");
    seed
}
