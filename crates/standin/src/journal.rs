//! What happened at the stand-ins, in one order.
//!
//! An event is followed by its trace id: it stands in the message's body or attributes, and the worker sends it along with
//! every call downstream. A reservation is its [`Lane`]. Entries are small and copied, because there are ten of them for
//! each event of a load run.

use contracts::trace;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// How often a condition is looked at when nothing is written: leases end by themselves.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Which event, by its trace id; 0 = none was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tag(pub u128);

/// Which reservation.
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

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Something changed (a GET: was told).
    Effect,
    /// It had been done before.
    Repeated,
    /// A business refusal: ALREADY_COMMITTED, EXPIRED, 409.
    Refused,
    /// An outage; nothing changed.
    Failed,
    /// Something changed, and the caller was told of an outage.
    Lost,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A message was sent to the queue of this number.
    Sent {
        /// Which queue, in the order they were created.
        queue: u32,
        /// Which message; the same in a dead-letter queue.
        message: u64,
        /// The queue keeps the order of groups.
        fifo: bool,
    },
    /// It was handed out.
    Received {
        /// Which queue.
        queue: u32,
        /// Which message.
        message: u64,
        /// Receives so far, this one included.
        count: u32,
    },
    /// Its visibility was changed.
    Hidden {
        /// Which queue.
        queue: u32,
        /// Which message.
        message: u64,
        /// Seconds from now.
        seconds: u32,
    },
    /// It was deleted.
    Deleted {
        /// Which queue.
        queue: u32,
        /// Which message.
        message: u64,
    },
    /// The redrive policy moved it to the queue of this number.
    Moved {
        /// To which queue.
        queue: u32,
        /// Which message.
        message: u64,
    },
    /// A call downstream came in.
    Began(Called),
    /// It is about to be answered.
    Ended(Called, Outcome),
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Since the journal was begun. A delete has the time at which its call came in.
    pub at: Duration,
    /// To which event.
    pub tag: Tag,
    /// Of which reservation.
    pub lane: Lane,
    /// What.
    pub step: Step,
}

/// The record of everything that happened at the stand-ins that share it.
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
    /// An empty journal. Its time begins now.
    pub fn new() -> Self {
        // Memory is only taken when it is written; growing by copying would stall the servers for milliseconds.
        let entries = Mutex::new(Vec::with_capacity(1 << 22));
        Self { start: Instant::now(), entries, changed: Notify::new() }
    }

    /// Time since it was begun.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads it. Nothing can happen at the stand-ins meanwhile.
    pub fn read<T>(&self, reader: impl FnOnce(&[Entry]) -> T) -> T {
        reader(&self.lock())
    }

    /// Waits until something holds, and gives whether it did within `limit`. It is looked at when something happened.
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

    pub(crate) fn note(&self, tag: Tag, lane: Lane, step: Step) {
        self.note_at(self.now(), tag, lane, step);
    }

    pub(crate) fn note_at(&self, at: Duration, tag: Tag, lane: Lane, step: Step) {
        self.lock().push(Entry { at, tag, lane, step });
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tag {
    /// Of a trace id. One that is not hexadecimal is told apart from others all the same.
    pub fn of_trace(id: &str) -> Self {
        if id.len() <= 32
            && let Ok(number) = u128::from_str_radix(id, 16)
        {
            return Self(number);
        }
        Self(u128::from(fnv(id.as_bytes())) | 1 << 127)
    }

    /// Of the `traceparent` or the `x-trace-id` of a call.
    pub(crate) fn of_headers(traceparent: Option<&[u8]>, trace_id: Option<&[u8]>) -> Self {
        let text = |bytes| core::str::from_utf8(bytes).ok();
        let inside = traceparent.and_then(text).and_then(trace::trace_id_of);
        inside.or_else(|| trace_id.and_then(text)).map_or(Self::default(), Self::of_trace)
    }

    /// Of a message, as the worker reads it: an attribute, or the body's `trace_id`.
    pub(crate) fn of_message(body: &str, attributes: &[(String, String)]) -> Self {
        trace::of_message(attributes, field(body, "\"trace_id\":\""))
            .trace_id
            .map_or(Self::default(), |id| Self::of_trace(&id))
    }
}

impl Lane {
    /// Of a reservation's id.
    pub fn of(reservation: &str) -> Self {
        Self(fnv(reservation.as_bytes()))
    }

    /// Of a message's body; all that name no reservation are one lane.
    pub(crate) fn of_message(body: &str) -> Self {
        Self::of(field(body, "\"reservation_id\":\"").unwrap_or_default())
    }
}

/// The text behind the first occurrence of `name`, without reading the JSON: bodies are ours, or whatever a test sends to
/// be refused.
fn field<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let rest = &body[body.find(name)? + name.len()..];
    rest.find('"').map(|end| &rest[..end])
}

/// FNV-1a, <https://www.ietf.org/archive/id/draft-eastlake-fnv-17.html>: the same in every run, and short.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
