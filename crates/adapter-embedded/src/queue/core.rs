//! A queue's state and its writes, without the port around it.
//!
//! The index in memory knows which messages exist; bodies, receive counts and the deduplication
//! window are on disk. Every durable change is submitted to the engine's writer. The writer's
//! answer applies it to the index, never the caller's future: a caller that is dropped half way
//! leaves nothing behind. Places are assigned and requests submitted under one lock, so messages
//! reach the index in the order of their places.
//!
//! Leases live in memory only: after a restart every message is visible. Receive counts are written
//! without a sync of their own; a kill of the process does not lose them, so a message that crashes
//! its reader still reaches the redrive.

use super::ahead::Ahead;
use super::dedup::Dedup;
use super::index::{Entry, Index, Instant, State as MessageState};
use super::options::{QueueOptions, QueueStats};
use super::record::{self, Record};
use crate::engine::request::{Done, RawWrite, Request, WriteError};
use crate::engine::shared::Shared;
use crate::engine::{Inner, OpenError};
use core::time::Duration;
use fjall::{Keyspace, Slice};
use parking_lot::{Mutex, MutexGuard};
use ports::queue::{Depth, QueueKind};
use ports::{Clock, Fault};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use tokio::sync::{Notify, oneshot};

/// Places reserved on disk at a time; a restart skips the unused ones.
const PLACES_RESERVED: u64 = 65_536;
/// A message id is the queue's number in its folder and the message's place.
const PLACE_BITS: u32 = 48;

pub(crate) struct QueueCore {
    pub(crate) name: String,
    pub(crate) options: QueueOptionsCore,
    pub(crate) messages: Keyspace,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The number of this open of the folder; receipts carry it.
    pub(crate) epoch: u64,
    pub(crate) wake: Notify,
    pub(crate) ahead: Ahead,
    number: u64,
    state: Mutex<State>,
}

/// The options without the public handle of the dead-letter queue, which would keep the engine
/// open.
pub(crate) struct QueueOptionsCore {
    pub(crate) kind: QueueKind,
    pub(crate) visibility: Duration,
    pub(crate) retention: Duration,
    pub(crate) redrive: Option<(Arc<QueueCore>, u32)>,
}

pub(crate) struct State {
    pub(crate) index: Index,
    pub(crate) dedup: Dedup,
    /// Messages moved here from another queue: from their old id to their place, and the reverse.
    pub(crate) foreign: BTreeMap<u64, u64>,
    foreign_ids: BTreeMap<u64, u64>,
    pub(crate) stats: QueueStats,
    next_place: u64,
    reserved: u64,
}

/// A message that will be in the index once it is durable.
pub(crate) struct Arrival {
    pub(crate) place: u64,
    pub(crate) entry: Entry,
    /// The id it had in another queue; 0 = none.
    pub(crate) foreign: u64,
}

impl QueueCore {
    /// Reads the queue's records in the folder and builds the index.
    pub(crate) fn open(
        name: &str,
        messages: Keyspace,
        options: QueueOptions,
        engine: &Inner,
    ) -> Result<Self, OpenError> {
        super::load::load(name, messages, options, engine)
    }

    pub(crate) fn new(
        name: &str,
        number: u64,
        messages: Keyspace,
        options: QueueOptions,
        engine: &Inner,
        state: State,
    ) -> Self {
        let redrive = options
            .redrive
            .map(|redrive| (redrive.dead_letter.core().clone(), redrive.max_receive_count.max(1)));
        Self {
            name: name.to_owned(),
            options: QueueOptionsCore {
                kind: options.kind,
                visibility: options.visibility,
                retention: options.retention,
                redrive,
            },
            messages,
            shared: engine.queues.shared.clone(),
            clock: engine.clock.clone(),
            epoch: engine.epoch,
            wake: Notify::new(),
            ahead: Ahead::default(),
            number,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.options.kind == QueueKind::Fifo
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The monotonic clock in microseconds.
    pub(crate) fn now(&self) -> Instant {
        micros(self.clock.elapsed())
    }

    /// The id of the message at a place of this queue.
    pub(crate) fn id_at(&self, place: u64) -> u64 {
        (self.number << PLACE_BITS) | place
    }

    /// The place of an id of this queue.
    pub(crate) fn place_of(&self, id: u64) -> Option<u64> {
        (id >> PLACE_BITS == self.number).then_some(id & ((1 << PLACE_BITS) - 1))
    }

    /// Refuses work once the engine has stopped.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self.shared.stopped() {
            None => Ok(()),
            Some(why) => Err(Fault::unavailable(why.to_string())),
        }
    }

    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> RawWrite {
        RawWrite { keyspace: self.messages.clone(), key: Slice::from(key), value: Some(Slice::from(value)) }
    }

    pub(crate) fn remove(&self, key: &[u8]) -> RawWrite {
        RawWrite { keyspace: self.messages.clone(), key: Slice::from(key), value: None }
    }

    /// The writes that remove the message at a place from the disk.
    pub(crate) fn remove_message(&self, place: u64) -> [RawWrite; 2] {
        [
            self.remove(&record::key(record::MESSAGE, place)),
            self.remove(&record::key(record::RECEIVES, place)),
        ]
    }

    /// The next place, and the write that reserves more of them when they run out.
    pub(crate) fn next_place(&self, state: &mut State, writes: &mut Vec<RawWrite>) -> u64 {
        let place = state.next_place;
        state.next_place += 1;
        if state.next_place > state.reserved {
            state.reserved = state.next_place + PLACES_RESERVED;
            writes.push(self.put(&record::PLACES, &state.reserved.to_be_bytes()));
        }
        place
    }

    /// Submits writes. When they are durable, `apply` is called with the queue's state, and then
    /// the receiver gets the answer.
    pub(crate) fn submit(
        self: &Arc<Self>,
        writes: Vec<RawWrite>,
        apply: impl FnOnce(&mut State) + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<(), WriteError>>, WriteError> {
        let (sender, receiver) = oneshot::channel();
        // Weak, because a queue that is gone with its engine needs no answer, and the answer must
        // not keep it open.
        let queue: Weak<Self> = Arc::downgrade(self);
        let done: Done = Box::new(move |result| {
            if result.is_ok()
                && let Some(queue) = queue.upgrade()
            {
                apply(&mut queue.state());
                queue.wake.notify_one();
            }
            // The caller may be gone.
            drop(sender.send(result));
        });
        self.shared.submit(Request::Raw { writes, durable: true, done: Some(done) })?;
        Ok(receiver)
    }

    /// Submits writes that no caller waits for and that need no sync of their own.
    pub(crate) fn submit_lazily(&self, writes: Vec<RawWrite>) {
        // The submit fails only once the engine has stopped, which every durable operation reports.
        drop(self.shared.submit(Request::Raw { writes, durable: false, done: None }));
    }

    /// Removes messages for which `leave` was done; they are gone when the receiver gets the
    /// answer.
    pub(crate) fn submit_removal(
        self: &Arc<Self>,
        places: Vec<u64>,
        count: impl FnOnce(&mut QueueStats, u64) + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<(), WriteError>>, WriteError> {
        let writes = places.iter().flat_map(|place| self.remove_message(*place)).collect();
        self.submit(writes, move |state| {
            count(&mut state.stats, places.len() as u64);
            for place in places {
                state.forget(place);
            }
        })
    }

    /// The depth, with ended leases counted as visible.
    pub(crate) fn depth(&self) -> Depth {
        let now = self.now();
        let mut state = self.state();
        state.index.expire(now);
        state.depth()
    }
}

impl State {
    pub(crate) fn new(index: Index, dedup: Dedup, foreign: BTreeMap<u64, u64>, next_place: u64) -> Self {
        let foreign_ids = foreign.iter().map(|(id, place)| (*place, *id)).collect();
        Self {
            index,
            dedup,
            foreign,
            foreign_ids,
            stats: QueueStats::default(),
            next_place,
            reserved: next_place,
        }
    }

    /// The place of the next message.
    pub(crate) const fn next_place(&self) -> u64 {
        self.next_place
    }

    pub(crate) fn depth(&self) -> Depth {
        let (visible, in_flight, delayed) = self.index.counts();
        Depth { visible, in_flight, delayed }
    }

    /// Puts durable messages into the index.
    pub(crate) fn arrive(&mut self, arrivals: Vec<Arrival>) {
        for arrival in arrivals {
            if arrival.foreign != 0 {
                self.foreign.insert(arrival.foreign, arrival.place);
                self.foreign_ids.insert(arrival.place, arrival.foreign);
            }
            self.index.add(arrival.place, arrival.entry);
        }
    }

    /// Removes a message whose removal is durable from the index.
    pub(crate) fn forget(&mut self, place: u64) {
        self.index.gone(place);
        if let Some(id) = self.foreign_ids.remove(&place) {
            self.foreign.remove(&id);
        }
    }
}

/// Waits for the answer to a submitted write.
pub(crate) async fn answered(receiver: oneshot::Receiver<Result<(), WriteError>>) -> Result<(), Fault> {
    match receiver.await {
        Ok(result) => result.map_err(|error| error.fault()),
        Err(_) => Err(Fault::unavailable("the data engine ended before it answered")),
    }
}

pub(crate) fn micros(duration: Duration) -> Instant {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The entry of a message that was never received.
pub(crate) const fn fresh(group: u64, arrived: u64, delayed_until: Option<Instant>) -> Entry {
    let state = match delayed_until {
        Some(until) => MessageState::Delayed(until),
        None => MessageState::Visible,
    };
    Entry { group, arrived, first_received: 0, received: 0, state }
}

/// The text of a message id.
pub(crate) fn id_text(id: u64) -> String {
    format!("{id:016x}")
}

/// The group that orders a record; messages without a group have no order.
pub(crate) fn group_of(record: &Record<'_>) -> u64 {
    record.group.map_or(0, super::dedup::group_hash)
}
