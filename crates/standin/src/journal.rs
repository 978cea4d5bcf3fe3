//! The journal of everything that happens at the stand-ins, in one order.
//!
//! An event is identified by its trace id, which is in the message's body or attributes and in
//! every call that the worker makes for it. A reservation is its [`Lane`]. Entries are small and
//! `Copy`, because each event of a load run makes ten of them.

use contracts::trace;
use core::time::Duration;
use domain::hash::fnv1a;
use parking_lot::{Mutex, MutexGuard};
use std::time::Instant;
use tokio::sync::Notify;

/// How often a condition is checked when nothing is written: leases end by themselves.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An event, by its trace id; 0 = none was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tag(pub u128);

/// A reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lane(pub u64);

/// A call of the worker downstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Called {
    /// CommitReservation at the inventory.
    Commit,
    /// ReleaseHold at the inventory.
    Release,
    /// PATCH at reservation-api.
    Patch,
    /// GET at reservation-api.
    Get,
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Something changed (for a GET: it was answered).
    Effect,
    /// It was done before.
    Repeated,
    /// A business refusal: ALREADY_COMMITTED, EXPIRED, 409.
    Refused,
    /// An outage; nothing changed.
    Failed,
    /// Something changed, and the caller got an outage as the answer.
    Lost,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A message was sent to the queue with this number.
    Sent {
        /// The queue, in the order of creation.
        queue: u32,
        /// The message; it keeps its number in a dead-letter queue.
        message: u64,
        /// The queue keeps the order of groups.
        fifo: bool,
    },
    /// It was received.
    Received {
        /// The queue.
        queue: u32,
        /// The message.
        message: u64,
        /// Receives so far, this one included.
        count: u32,
    },
    /// Its visibility was changed.
    Hidden {
        /// The queue.
        queue: u32,
        /// The message.
        message: u64,
        /// Seconds from now.
        seconds: u32,
    },
    /// It was deleted.
    Deleted {
        /// The queue.
        queue: u32,
        /// The message.
        message: u64,
    },
    /// The redrive policy moved it to the queue with this number.
    Moved {
        /// The target queue.
        queue: u32,
        /// The message.
        message: u64,
    },
    /// A call downstream arrived.
    Began(Called),
    /// It is about to be answered.
    Ended(Called, Outcome),
}

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Time since the journal began. A delete has the time when its call arrived.
    pub at: Duration,
    /// The event.
    pub tag: Tag,
    /// The reservation.
    pub lane: Lane,
    /// What happened.
    pub step: Step,
}

/// The record that several stand-ins share.
pub struct Journal {
    start: Instant,
    entries: Mutex<Vec<Entry>>,
    changed: Notify,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// An empty journal. Its time starts now.
    pub fn new() -> Self {
        // The system allocates memory on the first write; growing by copying would stall the
        // servers for milliseconds.
        let entries = Mutex::new(Vec::with_capacity(1 << 22));
        Self { start: Instant::now(), entries, changed: Notify::new() }
    }

    /// Time since the journal began.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the entries. The stand-ins block meanwhile.
    pub fn read<T>(&self, reader: impl FnOnce(&[Entry]) -> T) -> T {
        reader(&self.lock())
    }

    /// Waits until the condition holds; returns whether it did within `limit`. It is checked after
    /// each entry.
    pub async fn until(&self, limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::select! {
                () = &mut changed => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    pub(crate) fn record(&self, tag: Tag, lane: Lane, step: Step) {
        self.record_at(self.now(), tag, lane, step);
    }

    pub(crate) fn record_at(&self, at: Duration, tag: Tag, lane: Lane, step: Step) {
        self.lock().push(Entry { at, tag, lane, step });
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock()
    }
}

impl Tag {
    /// From a trace id. One that is not hexadecimal still gets a tag of its own.
    pub fn from_trace_id(id: &str) -> Self {
        if id.len() <= 32
            && let Ok(number) = u128::from_str_radix(id, 16)
        {
            return Self(number);
        }
        Self(u128::from(fnv1a(id.as_bytes())) | 1 << 127)
    }

    /// From the `traceparent` or the `x-trace-id` of a call.
    pub(crate) fn from_headers(traceparent: Option<&[u8]>, trace_id: Option<&[u8]>) -> Self {
        let text = |bytes| core::str::from_utf8(bytes).ok();
        let parent = traceparent.and_then(text).and_then(trace::TraceParent::parse);
        parent
            .map(trace::TraceParent::trace_id)
            .or_else(|| trace_id.and_then(text))
            .map_or(Self::default(), Self::from_trace_id)
    }

    /// From a message, as the worker reads it: an attribute, or the body's `trace_id`.
    pub(crate) fn from_message(body: &str, attributes: &[(String, String)]) -> Self {
        trace::from_message(attributes, field(body, "\"trace_id\":\""))
            .trace_id
            .map_or(Self::default(), |id| Self::from_trace_id(&id))
    }
}

impl Lane {
    /// From a reservation's id.
    pub fn from_reservation(reservation: &str) -> Self {
        Self(fnv1a(reservation.as_bytes()))
    }

    /// From a message's body; all bodies without a reservation are one lane.
    pub(crate) fn from_message(body: &str) -> Self {
        Self::from_reservation(field(body, "\"reservation_id\":\"").unwrap_or_default())
    }
}

/// The text after the first occurrence of `name`, without parsing the JSON: bodies are ours, or a
/// test's invalid ones.
fn field<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let rest = &body[body.find(name)? + name.len()..];
    rest.find('"').map(|end| &rest[..end])
}
