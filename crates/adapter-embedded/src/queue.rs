//! The `Queue` port on the embedded engine: the semantics of SQS, standard and FIFO.
//!
//! Sends and deletes are durable when they answer, and share one writer and its sync with all
//! queues. Receives and visibility changes touch memory only. All waiting uses the engine's clock.
//!
//! Deliberate deviations from SQS: leases do not survive a restart (every message is visible then),
//! there is no limit on messages in flight, and a standard queue delivers the oldest message first.

mod ahead;
pub(crate) mod core;
mod dedup;
mod index;
mod letters;
mod load;
mod options;
mod receipt;
mod receive;
mod record;
mod send;

pub use options::{QueueOptions, QueueStats, Redrive};

use self::core::{QueueCore, answered, id_text, micros};
use crate::engine::Inner;
use ::core::time::Duration;
use async_trait::async_trait;
use domain::time::Timestamp;
use index::State;
use options::VISIBILITY_MAX;
use ports::queue::{Depth, Message, Outgoing, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::{Fault, Queue};
use receipt::Handle;
use record::Record;
use std::sync::Arc;

const BATCH_MAX: usize = 10;
/// Messages removed by one request of a purge.
const PURGE_CHUNK: usize = 1_000;

/// One queue in the engine's folder.
pub struct EmbeddedQueue {
    core: Arc<QueueCore>,
    /// Keeps the folder open.
    _engine: Arc<Inner>,
}

/// A message in the queue, read without receiving it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browsed {
    /// The message's id.
    pub id: Arc<str>,
    /// The text.
    pub body: String,
    /// The message group, if it has one.
    pub group: Option<Arc<str>>,
    /// Receives so far in this queue.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Whether a receive could get it now.
    pub visible: bool,
    /// Named texts beside the body.
    pub attributes: Vec<(String, String)>,
}

impl EmbeddedQueue {
    pub(crate) fn new(core: Arc<QueueCore>, engine: Arc<Inner>) -> Self {
        Self { core, _engine: engine }
    }

    pub(crate) fn core(&self) -> &Arc<QueueCore> {
        &self.core
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The counters since the engine was opened, and the depth. Costs no I/O.
    pub fn stats(&self) -> QueueStats {
        let depth = self.core.depth();
        QueueStats { depth, ..self.core.state().stats }
    }

    /// Reads up to `limit` messages in order, starting after the message `after`, without receiving
    /// them. Includes messages under a lease.
    pub fn peek(&self, after: Option<&str>, limit: usize) -> Result<Vec<Browsed>, Fault> {
        let core = &self.core;
        let found: Vec<(u64, u32, bool)> = {
            let mut state = core.state();
            state.index.expire(core.now());
            let start = match after {
                None => 0,
                Some(id) => {
                    let number = u64::from_str_radix(id, 16).ok();
                    let place =
                        number.and_then(|n| core.place_of(n).or_else(|| state.foreign.get(&n).copied()));
                    place.ok_or_else(|| Fault::permanent(format!("no message {id} in {}", core.name)))? + 1
                }
            };
            let shown = |state: State| state != State::Leaving;
            let from = state.index.from(start).filter(|(_, entry)| shown(entry.state));
            from.take(limit).map(|(place, e)| (place, e.received, e.state == State::Visible)).collect()
        };
        let mut browsed = Vec::with_capacity(found.len());
        for (place, receive_count, visible) in found {
            // Deleted since: skipped.
            let Some(bytes) = core.read(place)? else { continue };
            let record = Record::decode(&bytes)?;
            browsed.push(Browsed {
                id: id_text(if record.id == 0 { core.id_at(place) } else { record.id }).into(),
                body: record.body.to_owned(),
                group: record.group.map(Into::into),
                receive_count,
                sent_at: Timestamp::from_millis(record.sent),
                visible,
                attributes: receive::owned(&record.attributes),
            });
        }
        Ok(browsed)
    }

    /// Deletes every message that is in the queue now, also those under a lease. Returns how many.
    pub async fn purge(&self) -> Result<u64, Fault> {
        let end = self.core.state().next_place();
        let mut purged = 0;
        loop {
            let receiver = {
                let mut state = self.core.state();
                let there = state.index.from(0).take_while(|(place, _)| *place < end);
                let there = there.filter(|(_, entry)| entry.state != State::Leaving);
                let places: Vec<u64> = there.map(|(place, _)| place).take(PURGE_CHUNK).collect();
                if places.is_empty() {
                    return Ok(purged);
                }
                purged += places.len() as u64;
                for place in &places {
                    state.index.leave(*place);
                }
                self.core.submit_removal(places, |_, _| {}).map_err(|error| error.fault())?
            };
            answered(receiver).await?;
        }
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    fn kind(&self) -> QueueKind {
        self.core.options.kind
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        check_batch("send", entries.len())?;
        self.core.send(entries).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        self.core.receive(request).await
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        check_batch("delete", receipts.len())?;
        self.core.check()?;
        let now = self.core.now();
        let (results, receiver) = {
            let mut state = self.core.state();
            state.index.expire(now);
            let mut places = Vec::with_capacity(receipts.len());
            let mut results = Vec::with_capacity(receipts.len());
            for receipt in &receipts {
                let result = Handle::parse(receipt).and_then(|handle| self.core.may_delete(&state, handle));
                if let Ok(Some(place)) = &result
                    && state.index.leave(*place)
                {
                    places.push(*place);
                }
                results.push(result.map(|_| ()));
            }
            // Also when nothing is left to remove: a removal that another caller has just begun
            // must be durable first.
            let counted = |stats: &mut QueueStats, count| stats.deleted += count;
            (results, self.core.submit_removal(places, counted).map_err(|error| error.fault())?)
        };
        answered(receiver).await?;
        Ok(results)
    }

    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        check_batch("change the visibility of", entries.len())?;
        self.core.check()?;
        let now = self.core.now();
        let mut state = self.core.state();
        state.index.expire(now);
        let earliest = state.index.next_timer();
        let mut results = Vec::with_capacity(entries.len());
        for (receipt, visibility) in entries {
            results.push(Handle::parse(&receipt).and_then(|handle| {
                let lease = self.core.lease_of(&state, handle)?;
                let until = now.saturating_add(micros(visibility));
                if until > lease.taken.saturating_add(micros(VISIBILITY_MAX)) {
                    return Err(Fault::permanent(
                        "a message stays invisible for at most 12 hours after its receive",
                    ));
                }
                if visibility.is_zero() {
                    state.index.surface(handle.place);
                } else {
                    state.index.extend(handle.place, until);
                }
                Ok(())
            }));
        }
        self.core.announce(&state, earliest);
        Ok(results)
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        Ok(self.core.depth())
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        Ok(self.core.options.redrive.as_ref().map(|(queue, max_receive_count)| RedrivePolicy {
            dead_letter_queue: queue.name.clone(),
            max_receive_count: *max_receive_count,
        }))
    }
}

fn check_batch(doing: &str, count: usize) -> Result<(), Fault> {
    if count == 0 || count > BATCH_MAX {
        return Err(Fault::permanent(format!("cannot {doing} {count} messages at once: 1 to {BATCH_MAX}")));
    }
    Ok(())
}
