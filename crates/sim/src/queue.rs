//! The simulated queue: the contract of `ports::Queue`, and every fault that SQS or a restarted
//! engine can show.
//!
//! It is small and naive on purpose: messages stand in one list and are searched from the front, so
//! that one can see that it is right. It remembers the holder of each lease, so that the checker
//! can distinguish a settlement that an injected fault made late from one that should never have
//! been sent.

use crate::core::Core;
use crate::exec::lock;
use crate::fault::Kind;
use core::task::Waker;
use core::time::Duration;
use domain::limits::MESSAGE_BYTES_MAX;
use domain::time::Timestamp;
use ports::Fault;
use ports::queue::{Message, Outgoing, QueueKind, Receipt, Sent};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

mod letters;
mod port;

pub use letters::SimLetters;
pub use port::SimQueuePort;

const DEDUP_WINDOW: u64 = 5 * 60 * 1_000_000;
const WAIT_MAX: Duration = Duration::from_secs(20);
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
const VISIBILITY_MAX: Duration = Duration::from_secs(12 * 3600);
/// The longest one way of a slow call takes.
const SLOW_MAX: Duration = Duration::from_secs(3);
/// The longest that an unanswered call takes; shorter than any caller waits, like an adapter's own
/// limit.
const GIVE_UP: Duration = Duration::from_secs(8);

/// A message in the queue.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its place in the queue; places grow.
    place: u64,
    /// The id that the queue gave it.
    pub id: Arc<str>,
    /// The body.
    pub body: Arc<str>,
    /// Its group.
    pub group: Option<Arc<str>>,
    /// The attributes.
    pub attributes: Vec<(String, String)>,
    sent_at: Timestamp,
    first_received_at: Option<Timestamp>,
    received: u32,
    visible_at: u64,
    lease: Option<Lease>,
    /// Leases that a fault cut short, which their holders could not know.
    cuts: Vec<u64>,
}

/// A lease in force or ended.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// Its number, which the receipt carries.
    pub number: u64,
    taken: u64,
    /// When it ends.
    pub until: u64,
    /// The instance that holds it.
    pub holder: u32,
}

impl Held {
    /// The newest lease.
    pub fn lease(&self) -> Option<Lease> {
        self.lease
    }

    /// Whether a lease was cut short by a fault.
    pub fn was_cut(&self, lease: u64) -> bool {
        self.cuts.contains(&lease)
    }
}

/// One queue of the simulated engine.
pub struct SimQueue {
    core: Arc<Core>,
    kind: QueueKind,
    visibility: Duration,
    name: &'static str,
    redrive: Option<(Arc<SimQueue>, u32)>,
    role: Role,
    state: Mutex<State>,
}

/// What the checker watches at a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The event queue.
    Events,
    /// The dead-letter queue.
    Letters,
    /// Nothing.
    Unwatched,
}

#[derive(Default)]
struct State {
    messages: Vec<Held>,
    dedup: BTreeMap<String, (u64, Arc<str>)>,
    waiting: Vec<Waker>,
    places: u64,
    leases: u64,
    down_until: u64,
}

/// How a queue is made.
pub struct QueueOptions {
    /// Standard or FIFO.
    pub kind: QueueKind,
    /// The default lease.
    pub visibility: Duration,
    /// For ids and reports.
    pub name: &'static str,
    /// The queue for messages that were received too often.
    pub redrive: Option<(Arc<SimQueue>, u32)>,
    /// What the checker watches at it.
    pub role: Role,
}

impl SimQueue {
    /// An empty queue.
    pub fn new(core: Arc<Core>, options: QueueOptions) -> Arc<Self> {
        let QueueOptions { kind, visibility, name, redrive, role } = options;
        Arc::new(Self { core, kind, visibility, name, redrive, role, state: Mutex::default() })
    }

    /// Lets no call be answered until then.
    pub fn down_until(&self, micros: u64) {
        lock(&self.state).down_until = micros;
    }

    /// Restarts the engine: all leases are lost, as in an engine that keeps them in memory.
    pub fn restart(&self) {
        let mut state = lock(&self.state);
        for message in &mut state.messages {
            if let Some(lease) = message.lease.take() {
                message.cuts.push(lease.number);
                message.visible_at = 0;
            }
        }
        wake(&mut state);
    }

    /// Every message, oldest first.
    pub fn messages(&self) -> Vec<Held> {
        lock(&self.state).messages.clone()
    }

    /// How many messages there are, in any state.
    pub fn len(&self) -> usize {
        lock(&self.state).messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wakes polls whose message may have become visible while a test moved the clock.
    pub fn look_again(&self) {
        wake(&mut lock(&self.state));
    }

    fn now(&self) -> u64 {
        self.core.exec.micros()
    }

    fn is_fifo(&self) -> bool {
        self.kind == QueueKind::Fifo
    }

    /// One way of a call, which may take seconds.
    async fn way(&self) {
        if self.core.faults.strikes(Kind::QueueSlow) {
            let slow = self.core.faults.between(Duration::from_millis(50), SLOW_MAX);
            return self.core.exec.sleep(slow).await;
        }
        self.core.way().await;
    }

    async fn arrive(&self) -> Result<(), Fault> {
        self.way().await;
        let (down_until, now) = (lock(&self.state).down_until, self.now());
        if down_until > now {
            if self.core.faults.below(2) == 0 {
                let left = Duration::from_micros(down_until - now).min(GIVE_UP);
                self.core.exec.sleep(left).await;
            }
            return Err(Fault::unavailable("the queue does not answer"));
        }
        if self.core.faults.strikes(Kind::QueueRefused) {
            return Err(Fault::unavailable("the queue refused the call"));
        }
        Ok(())
    }

    async fn answer<T>(&self, answer: T) -> Result<T, Fault> {
        if self.core.faults.strikes(Kind::QueueAnswerLost) {
            return Err(Fault::unavailable("the queue's answer was lost"));
        }
        self.way().await;
        Ok(answer)
    }

    /// Carries out one entry of a batch or not, and reports the result correctly or not.
    fn entry<T>(&self, effect: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        if self.core.faults.strikes(Kind::EntryRefused) {
            return Err(Fault::transient("the queue failed the entry"));
        }
        let result = effect();
        if result.is_ok() && self.core.faults.strikes(Kind::EntryAnswerLost) {
            return Err(Fault::transient("the queue says that it failed the entry"));
        }
        result
    }

    fn put(&self, entry: &Outgoing) -> Result<Sent, Fault> {
        self.check(entry)?;
        let now = self.now();
        let mut state = lock(&self.state);
        let dedup = entry.dedup_id.as_ref().filter(|_| self.is_fifo());
        if let Some(dedup) = dedup
            && let Some((at, id)) = state.dedup.get(dedup)
            && now < at + DEDUP_WINDOW
        {
            return Ok(Sent { message_id: id.clone(), deduplicated: Some(true) });
        }
        state.places += 1;
        let place = state.places;
        let id: Arc<str> = format!("{}-{place}", self.name).into();
        if let Some(dedup) = dedup {
            state.dedup.insert(dedup.clone(), (now, id.clone()));
        }
        let mut visible_at = now + entry.delay.as_micros() as u64;
        if self.core.faults.strikes(Kind::MessageDelayed) {
            visible_at += self.core.faults.below(5_000_000);
        }
        state.messages.push(Held {
            place,
            id: id.clone(),
            body: entry.body.as_str().into(),
            group: entry.group.as_deref().map(Into::into),
            attributes: entry.attributes.clone(),
            sent_at: self.core.now(),
            first_received_at: None,
            received: 0,
            visible_at,
            lease: None,
            cuts: Vec::new(),
        });
        wake(&mut state);
        drop(state);
        self.core.record(|| {
            format!("{} takes {id}: {}", self.name, entry.dedup_id.as_deref().unwrap_or(&entry.body))
        });
        if self.role == Role::Letters {
            lock(&self.core.checker).buried(entry);
        }
        Ok(Sent { message_id: id, deduplicated: Some(false) })
    }

    fn check(&self, entry: &Outgoing) -> Result<(), Fault> {
        let size = entry.body.len()
            + entry.attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>();
        if size > MESSAGE_BYTES_MAX {
            return Err(Fault::permanent(format!("a message of {size} bytes is over the limit")));
        }
        if self.is_fifo() && (entry.group.is_none() || entry.dedup_id.is_none()) {
            return Err(Fault::permanent("a FIFO queue needs a group and a deduplication id"));
        }
        if self.is_fifo() && !entry.delay.is_zero() {
            return Err(Fault::permanent("a FIFO queue delays no single message"));
        }
        if entry.delay > DELAY_MAX || entry.attributes.len() > 10 {
            return Err(Fault::permanent("a delay over 15 minutes or more than 10 attributes"));
        }
        Ok(())
    }

    /// Takes up to `max` messages that are visible now.
    fn take(&self, max: usize, visibility: Duration, holder: u32) -> Vec<Message> {
        let now = self.now();
        let mut taken = Vec::new();
        let mut spent = Vec::new();
        let mut state = lock(&self.state);
        let mut at = 0;
        // Groups that are blocked: one of their messages is leased, or their head is hidden.
        let mut blocked: Vec<Arc<str>> = Vec::new();
        if self.is_fifo() {
            let out = state.messages.iter().filter(|message| message.visible_at > now);
            blocked.extend(out.filter_map(|message| message.group.clone()));
        }
        let skip_first = !self.is_fifo() && self.core.faults.strikes(Kind::MessageReordered);
        if skip_first {
            at = self.core.faults.below(state.messages.len() as u64 + 1) as usize;
        }
        while taken.len() < max && at < state.messages.len() {
            let message = &state.messages[at];
            let is_blocked = message.group.as_ref().is_some_and(|group| blocked.contains(group));
            if message.visible_at > now || (self.is_fifo() && is_blocked) {
                at += 1;
                continue;
            }
            if let Some((_, most)) = &self.redrive
                && message.received >= *most
            {
                spent.push(state.messages.remove(at));
                continue;
            }
            taken.push(self.lease(&mut state, at, visibility, holder));
            at += 1;
        }
        drop(state);
        if let Some((dead, _)) = &self.redrive {
            spent.into_iter().for_each(|message| dead.adopt(message));
        }
        taken
    }

    fn lease(&self, state: &mut State, at: usize, visibility: Duration, holder: u32) -> Message {
        let now = self.now();
        state.leases += 1;
        let number = state.leases;
        let faults = &self.core.faults;
        let message = &mut state.messages[at];
        let mut until = now + visibility.as_micros() as u64;
        // A duplicate: this lease blocks nothing.
        let doubled = !self.is_fifo() && faults.strikes(Kind::MessageDuplicated);
        let cut = doubled || faults.strikes(Kind::LeaseLost);
        if cut && !doubled {
            until = now + faults.below(visibility.as_micros() as u64);
        }
        message.received += 1;
        let first_received_at = *message.first_received_at.get_or_insert(self.core.now());
        message.lease = Some(Lease { number, taken: now, until, holder });
        if cut {
            message.cuts.push(number);
        }
        if !doubled {
            message.visible_at = until;
        }
        Message {
            id: message.id.clone(),
            receipt: Receipt(format!("{}#{number}", message.id).into()),
            body: message.body.to_string(),
            group: message.group.clone(),
            receive_count: message.received,
            sent_at: message.sent_at,
            first_received_at,
            attributes: message.attributes.clone(),
        }
    }

    /// Accepts a message that was received too often in another queue.
    fn adopt(&self, mut message: Held) {
        let mut state = lock(&self.state);
        state.places += 1;
        message.place = state.places;
        (message.lease, message.visible_at, message.received) = (None, 0, 0);
        state.messages.push(message);
        wake(&mut state);
    }

    fn remove(&self, receipt: &Receipt, holder: u32) -> Result<(), Fault> {
        let (id, number) = read(receipt)?;
        let now = self.now();
        let mut state = lock(&self.state);
        let Some(at) = state.messages.iter().position(|message| *message.id == *id) else { return Ok(()) };
        let lease = state.messages[at].lease;
        let in_force = lease.is_some_and(|lease| lease.number == number && lease.until > now);
        if self.is_fifo() && !in_force {
            return Err(Fault::permanent("the receipt's lease has ended"));
        }
        let message = state.messages.remove(at);
        wake(&mut state);
        drop(state);
        self.core.record(|| format!("{} deletes {} for {holder}", self.name, receipt.0));
        if self.role == Role::Events {
            lock(&self.core.checker).deleted(&self.core, &message);
        }
        Ok(())
    }

    fn hide(&self, receipt: &Receipt, visibility: Duration) -> Result<(), Fault> {
        let (id, number) = read(receipt)?;
        let now = self.now();
        if visibility > VISIBILITY_MAX {
            return Err(Fault::permanent("a visibility over 12 hours"));
        }
        let mut state = lock(&self.state);
        let found = state.messages.iter_mut().find(|message| *message.id == *id);
        let Some((message, lease)) = found.and_then(|message| message.lease.map(|lease| (message, lease)))
        else {
            return Err(Fault::permanent("the receipt's message is gone or not out"));
        };
        if lease.number != number || lease.until <= now {
            return Err(Fault::permanent("the receipt's lease has ended"));
        }
        let until = now + visibility.as_micros() as u64;
        if until > lease.taken + VISIBILITY_MAX.as_micros() as u64 {
            return Err(Fault::permanent("visibility ends 12 hours after the receive"));
        }
        message.visible_at = until;
        self.core.record(|| format!("{} hides {} for {visibility:?}", self.name, receipt.0));
        // If the answer to this is lost, its sender assumes the longer lease.
        if until < lease.until {
            message.cuts.push(number);
        }
        message.lease = Some(Lease { until, ..lease });
        wake(&mut state);
        Ok(())
    }

    /// The lease that a receipt names, if the message still exists.
    fn lease_of(&self, receipt: &Receipt) -> Option<(Held, u64)> {
        let (id, number) = read(receipt).ok()?;
        let state = lock(&self.state);
        let message = state.messages.iter().find(|message| *message.id == *id)?;
        Some((message.clone(), number))
    }

    /// When the next hidden message may become visible.
    fn next_visible(&self) -> Option<u64> {
        let now = self.now();
        let state = lock(&self.state);
        state.messages.iter().map(|message| message.visible_at).filter(|at| *at > now).min()
    }
}

fn wake(state: &mut State) {
    state.waiting.drain(..).for_each(Waker::wake);
}

fn read(receipt: &Receipt) -> Result<(String, u64), Fault> {
    let parts = receipt.0.rsplit_once('#');
    let read = parts.and_then(|(id, number)| Some((id.to_owned(), number.parse().ok()?)));
    read.ok_or_else(|| Fault::permanent(format!("{:?} is no receipt", receipt.0)))
}
