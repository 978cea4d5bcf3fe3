//! Receiving: takes ready messages, or waits for a send, the end of a lease, or the end of the
//! wait, whichever is first.
//!
//! A receive takes and returns without an await in between, so one that is dropped while it waits
//! takes nothing along, and its wake-up passes to the next one. Messages that were received too
//! often are moved to the dead-letter queue in one durable write; their group stays blocked until
//! then.

use super::ahead::WORTH_IT;
use super::core::{Arrival, QueueCore, State, answered, fresh, group_of, id_text, micros};
use super::index::{Instant, Leased, Take, Taken};
use super::options::VISIBILITY_MAX;
use super::receipt::Handle;
use super::record::{self, Record};
use crate::engine::error::read_fault;
use crate::engine::request::WriteError;
use core::time::Duration;
use domain::time::Timestamp;
use fjall::Slice;
use ports::Fault;
use ports::queue::{Message, Receive};
use std::sync::Arc;
use tokio::sync::oneshot;

const MESSAGES_MAX: usize = 10;
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Messages older than the retention that one receive removes.
const EXPIRED_MAX: usize = 100;
/// SQS's name of the attribute that says where a dead letter came from.
const SOURCE_ATTRIBUTE: &str = "DeadLetterQueueSourceArn";

type Moved = oneshot::Receiver<Result<(), WriteError>>;

impl QueueCore {
    pub(crate) async fn receive(self: &Arc<Self>, request: Receive) -> Result<Vec<Message>, Fault> {
        let visibility = request.visibility.unwrap_or(self.options.visibility);
        if request.max == 0 || request.max > MESSAGES_MAX {
            return Err(Fault::permanent(format!("a receive asks for 1 to {MESSAGES_MAX} messages")));
        }
        if request.wait > WAIT_MAX || visibility > VISIBILITY_MAX {
            return Err(Fault::permanent(
                "a receive waits at most 20 s and hides a message at most 12 hours",
            ));
        }
        let end = self.now().saturating_add(micros(request.wait));
        loop {
            let notified = self.wake.notified();
            tokio::pin!(notified);
            // From here on a wake-up is not missed, even if it comes before the select below.
            notified.as_mut().enable();
            self.check()?;
            let (taken, next, now, long) = self.take(request.max, visibility);
            if !taken.spent.is_empty() {
                let moved = self.bury(&taken.spent)?;
                if taken.leased.is_empty() {
                    // The messages behind the spent one may be ready then.
                    answered(moved).await?;
                    continue;
                }
            }
            if !taken.leased.is_empty() {
                return self.hand_out(&taken.leased, long);
            }
            if now >= end {
                return Ok(Vec::new());
            }
            let pause = next.map_or(end, |next| next.min(end)).saturating_sub(now);
            tokio::select! {
                biased;
                () = notified => {}
                () = self.clock.sleep(Duration::from_micros(pause)) => {}
            }
        }
    }

    /// The ready messages, the end of the next timer, the present time, and whether the queue is
    /// long.
    fn take(self: &Arc<Self>, max: usize, visibility: Duration) -> (Taken, Option<Instant>, Instant, bool) {
        let (now, at) = (self.now(), self.clock.now().as_millis());
        let mut state = self.state();
        state.index.expire(now);
        self.drop_expired(&mut state, at);
        let earliest = state.index.next_timer();
        let receives_max = self.options.redrive.as_ref().map_or(u32::MAX, |(_, max)| *max);
        let until = now.saturating_add(micros(visibility));
        let taken = state.index.take(Take { max, now, until, at, receives_max });
        state.stats.received += taken.leased.len() as u64;
        if visibility.is_zero() {
            // A visibility of zero: the lease ends as soon as it begins.
            state.index.expire(now);
        }
        self.announce(&state, earliest);
        (taken, state.index.next_timer(), now, state.depth().visible >= WORTH_IT)
    }

    /// Wakes waiting receives: one if there is a message to take, all if they sleep past the next
    /// timer.
    pub(crate) fn announce(&self, state: &State, earliest_before: Option<Instant>) {
        if state.index.has_ready() {
            self.wake.notify_one();
        }
        if state.index.next_timer().is_some_and(|next| earliest_before.is_none_or(|before| next < before)) {
            self.wake.notify_waiters();
        }
    }

    /// Starts the removal of messages older than the retention. No caller waits for it.
    fn drop_expired(self: &Arc<Self>, state: &mut State, at: u64) {
        let retention = u64::try_from(self.options.retention.as_millis()).unwrap_or(u64::MAX);
        let expired: Vec<u64> = state
            .index
            .from(0)
            .take(EXPIRED_MAX)
            .take_while(|(_, entry)| entry.arrived.saturating_add(retention) <= at)
            .map(|(place, _)| place)
            .collect();
        let leaving: Vec<u64> = expired.into_iter().filter(|place| state.index.leave(*place)).collect();
        if !leaving.is_empty() {
            // Refused only by an engine that has stopped, which every durable operation reports.
            drop(self.submit_removal(leaving, |stats, count| stats.expired += count));
        }
    }

    /// Reads the bodies of messages that were just leased and records their receive counts.
    fn hand_out(&self, leased: &[Leased], long: bool) -> Result<Vec<Message>, Fault> {
        let counts = leased.iter().map(|message| {
            let value = record::receives(message.received, message.first_received);
            self.put(&record::key(record::RECEIVES, message.place), &value)
        });
        self.submit_lazily(counts.collect());
        let mut messages = Vec::with_capacity(leased.len());
        for Leased { place, lease, received, first_received } in leased.iter().copied() {
            // An older receipt deleted it since it was leased a moment ago.
            let bytes = if long { self.ahead.read(&self.messages, place)? } else { self.read(place)? };
            let Some(bytes) = bytes else { continue };
            let record = Record::decode(&bytes)?;
            messages.push(Message {
                id: id_text(if record.id == 0 { self.id_at(place) } else { record.id }).into(),
                receipt: Handle { epoch: self.epoch, place, lease }.text(),
                body: record.body.to_owned(),
                group: record.group.map(Into::into),
                receive_count: received,
                sent_at: Timestamp::from_millis(record.sent),
                first_received_at: Timestamp::from_millis(first_received),
                attributes: owned(&record.attributes),
            });
        }
        Ok(messages)
    }

    /// Moves messages that `take` gave up to the dead-letter queue, in one durable write.
    fn bury(self: &Arc<Self>, places: &[u64]) -> Result<Moved, Fault> {
        let Some((dead, _)) = &self.options.redrive else {
            return Err(Fault::permanent("a message was given up without a dead-letter queue"));
        };
        let now_ms = self.clock.now().as_millis();
        let mut records = Vec::with_capacity(places.len());
        for place in places {
            if let Some(bytes) = self.read(*place)? {
                records.push((*place, bytes));
            }
        }
        let mut writes = Vec::with_capacity(places.len() * 4);
        let mut arrivals = Vec::with_capacity(places.len());
        let mut dead_state = dead.state();
        for (place, bytes) in &records {
            let mut record = Record::decode(bytes)?;
            let id = if record.id == 0 { self.id_at(*place) } else { record.id };
            (record.id, record.arrived, record.visible) = (id, now_ms, 0);
            if !record.attributes.iter().any(|(name, _)| *name == SOURCE_ATTRIBUTE) {
                record.attributes.push((SOURCE_ATTRIBUTE, &self.name));
            }
            let to = dead.next_place(&mut dead_state, &mut writes);
            writes.push(dead.put(&record::key(record::MESSAGE, to), &record.encode()));
            writes.extend(self.remove_message(*place));
            arrivals.push(Arrival { place: to, entry: fresh(group_of(&record), now_ms, None), foreign: id });
        }
        let gone = places.to_vec();
        let dead_again = Arc::downgrade(dead);
        let moved = self.submit(writes, move |state| {
            state.stats.redriven += gone.len() as u64;
            for place in gone {
                state.forget(place);
            }
            if let Some(dead) = dead_again.upgrade() {
                dead.state().arrive(arrivals);
                dead.wake.notify_one();
            }
        });
        drop(dead_state);
        moved.map_err(|error| error.fault())
    }

    /// The record at a place, if it is still there.
    pub(crate) fn read(&self, place: u64) -> Result<Option<Slice>, Fault> {
        let key = record::key(record::MESSAGE, place);
        self.messages.get(key).map_err(|e| read_fault("read a message", &e))
    }
}

/// Attributes as owned texts.
pub(crate) fn owned(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
