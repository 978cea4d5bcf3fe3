//! The relay: loads rows from the store when they are due, sends them, deletes them.
//!
//! It is one task with one loop: take the announcements, start what can start (loads, sends,
//! deletes, a rescan), wait for the first thing to happen. Its calls are futures of this task, so a
//! crash ends them all at once and a shutdown waits for exactly them.
//!
//! - A row is taken when it is due by this process's clock, read again, and put into the lane of
//!   its reservation. A row that vanished was withdrawn by its owner and is skipped. With a lead it
//!   is taken that much earlier, and the queue delays it until it is due.
//! - Loads are applied in the order they were started, so a lane never sees a later row before an
//!   earlier one.
//! - A row is deleted only after the queue confirmed it. A crash between the two publishes it again
//!   under the same deduplication id.
//! - A failed entry delays only its lane. A failed call delays all sending, then the relay tries
//!   with one call at a time.

use crate::due::{Agenda, Found, Inbox, IndexReader, Rescan};
use crate::id::CompactId;
use crate::lanes::Lanes;
use crate::metrics::RelayMetrics;
use crate::row::{INDEX, PendingRow};
use crate::state::RelayState;
use core::time::Duration;
use domain::id::EventId;
use domain::time::Timestamp;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use ports::plant::{Plant, planted};
use ports::queue::Sent;
use ports::{Clock, Dice, Entropy, Fault, Publisher, Store};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

mod deletes;
mod loads;
mod options;
mod recovery;
mod sends;

pub use options::RelayOptions;

/// The longest sleep: the relay notices within it that the wall clock was set forward.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Publishes the outbox of one store to one queue or bus. Made by [`Relay::new`], driven by
/// [`Relay::run`].
pub struct Relay {
    ports: RelayPorts,
    options: RelayOptions,
    inbox: Arc<Inbox<CompactId>>,
    metrics: RelayMetrics,
    state: Arc<watch::Sender<RelayState>>,
    agenda: Agenda<CompactId>,
    lanes: Lanes,
    /// Sent rows that still have to be deleted and that no running delete covers.
    sent: VecDeque<CompactId>,
    loads: FuturesOrdered<BoxFuture<'static, LoadAnswer>>,
    sends: FuturesUnordered<BoxFuture<'static, SendAnswer>>,
    deletes: FuturesUnordered<BoxFuture<'static, DeleteAnswer>>,
    rescans: FuturesUnordered<BoxFuture<'static, Found>>,
    send_rest: Rest,
    delete_rest: Rest,
    rescan: Rescan,
}

#[derive(Clone)]
struct RelayPorts {
    store: Arc<dyn Store>,
    events: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    dice: Dice,
}

/// A row as a load found it.
enum Loaded {
    Row(PendingRow),
    /// The row exists and lacks a part.
    Unreadable,
}

/// Rows by their ids; `None` for rows that are gone.
type LoadAnswer = Vec<(CompactId, Option<Loaded>)>;
type DeleteAnswer = (Vec<CompactId>, Result<(), Fault>);
type SendAnswer = (Vec<PendingRow>, Result<Vec<Result<Sent, Fault>>, Fault>);

/// A pause of one kind of call after failures.
#[derive(Debug, Default, Clone, Copy)]
struct Rest {
    failures: u32,
    until: Duration,
}

/// Announces rows to the relay. A clone is another handle to the same relay.
#[derive(Clone, Debug)]
pub struct RelayHandle {
    inbox: Arc<Inbox<CompactId>>,
    state: Arc<watch::Sender<RelayState>>,
    metrics: RelayMetrics,
}

impl RelayHandle {
    /// Announces that the row of this event is committed and when it is due. It is cheap, never
    /// waits, and may be lost (a crash, a dropped handler): the rescan then finds the row.
    pub fn notify(&self, due: Timestamp, event_id: &EventId) {
        if !planted(Plant::NotRescanned) {
            self.inbox.push(due.as_millis(), CompactId::new(event_id.as_str()));
        }
    }

    /// Watches what the relay can do.
    pub fn state(&self) -> watch::Receiver<RelayState> {
        self.state.subscribe()
    }

    /// Rows that this relay knows and that are not yet published and deleted.
    pub fn pending(&self) -> u64 {
        u64::try_from(self.metrics.pending.get()).unwrap_or_default() + self.inbox.waiting() as u64
    }
}

impl Relay {
    /// A relay that knows no rows yet.
    pub fn new(
        store: Arc<dyn Store>,
        events: Arc<dyn Publisher>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: RelayOptions,
    ) -> Self {
        let state = RelayState { starting: true, ..RelayState::default() };
        let reader = IndexReader::new(
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            INDEX,
            options.shards,
        );
        let options = RelayOptions { lead: options.lead.min(RelayOptions::LEAD_MAX), ..options };
        Self {
            ports: RelayPorts { store, events, clock, dice: Dice(entropy) },
            rescan: Rescan::new(reader, options.rescan.clone()),
            options,
            inbox: Arc::default(),
            metrics: RelayMetrics::new(),
            state: Arc::new(watch::Sender::new(state)),
            agenda: Agenda::default(),
            lanes: Lanes::default(),
            sent: VecDeque::new(),
            loads: FuturesOrdered::new(),
            sends: FuturesUnordered::new(),
            deletes: FuturesUnordered::new(),
            rescans: FuturesUnordered::new(),
            send_rest: Rest::default(),
            delete_rest: Rest::default(),
        }
    }

    /// The handle through which writers announce rows.
    pub fn handle(&self) -> RelayHandle {
        RelayHandle {
            inbox: Arc::clone(&self.inbox),
            state: Arc::clone(&self.state),
            metrics: self.metrics.clone(),
        }
    }

    /// The metrics of this relay, for the registry of the process.
    pub fn metrics(&self) -> RelayMetrics {
        self.metrics.clone()
    }

    /// Runs until `shutdown`; then takes no more rows, waits for running sends and deletes the sent
    /// rows.
    pub async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = self.recover() => {}
        }
        while !shutdown.is_cancelled() {
            self.take_announcements();
            self.start_loads();
            self.start_sends();
            self.start_deletes();
            self.start_rescan();
            self.count();
            let sleep = self.sleep();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                done = next_of(&mut self.deletes) => self.deleted(done),
                found = next_of(&mut self.rescans) => self.found(found),
                Some(rows) = self.loads.next(), if !self.loads.is_empty() => self.loaded(rows),
                answer = next_of(&mut self.sends) => self.answered(answer),
                () = self.inbox.woken() => {}
                () = self.ports.clock.sleep(sleep) => {}
            }
        }
        self.drain().await;
    }

    /// Waits for running sends and deletes the sent rows, within the limit of the options. Rows
    /// that are left are published again after the next start, under the same deduplication ids.
    async fn drain(&mut self) {
        let clock = Arc::clone(&self.ports.clock);
        let deadline = clock.elapsed() + self.options.drain_max;
        while !(self.sends.is_empty() && self.deletes.is_empty() && self.sent.is_empty()) {
            self.start_deletes();
            let now = clock.elapsed();
            if now >= deadline {
                tracing::warn!(
                    rows = self.sent.len(),
                    "shutdown left sent events in the outbox; they will be sent again"
                );
                break;
            }
            let rest = self.delete_rest.until.saturating_sub(now).max(Duration::from_millis(1));
            let rest = rest.min(deadline - now);
            tokio::select! {
                biased;
                done = next_of(&mut self.deletes) => self.deleted(done),
                answer = next_of(&mut self.sends) => self.answered(answer),
                () = clock.sleep(if self.sent.is_empty() { deadline - now } else { rest }) => {}
            }
        }
        self.count();
    }

    fn take_announcements(&mut self) {
        for (due_ms, id) in self.inbox.take() {
            self.agenda.add(due_ms, id);
        }
    }

    /// How long nothing has to be started. Reports that time to the inbox, so that only an earlier
    /// row wakes the relay.
    fn sleep(&self) -> Duration {
        let (horizon, elapsed) = (self.horizon(), self.ports.clock.elapsed());
        let mut sleep = SLEEP_MAX;
        if self.rescans.is_empty() {
            sleep = sleep.min(self.rescan.next().saturating_sub(elapsed));
        }
        // Without room for a load or a send, an answer makes room and wakes the loop.
        if self.load_room() > 0
            && let Some(due_ms) = self.agenda.next_due()
        {
            sleep = sleep.min(Timestamp::from_millis(due_ms).since(horizon));
        }
        if let Some(wake) = self.lanes.next_wake() {
            sleep = sleep.min(wake.saturating_sub(elapsed));
        }
        if self.lanes.has_ready() && self.send_rest.until > elapsed {
            sleep = sleep.min(self.send_rest.until - elapsed);
        }
        if !self.sent.is_empty() && self.delete_rest.until > elapsed {
            sleep = sleep.min(self.delete_rest.until - elapsed);
        }
        self.inbox.sleep_until(horizon.plus(sleep).as_millis());
        sleep
    }

    /// Rows that are due up to this time are taken now.
    fn horizon(&self) -> Timestamp {
        self.ports.clock.now().plus(self.options.lead)
    }

    fn count(&self) {
        let pending = i64::try_from(self.agenda.len()).unwrap_or(i64::MAX);
        self.metrics.pending.set(pending);
    }

    fn state_set(&self, change: impl Fn(&mut RelayState)) {
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }
}

/// The next answer of a set of calls; never returns while the set is empty.
async fn next_of<T>(calls: &mut FuturesUnordered<BoxFuture<'static, T>>) -> T {
    match calls.next().await {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}
