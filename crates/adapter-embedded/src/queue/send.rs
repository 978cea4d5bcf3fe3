//! Sending: each entry is checked by itself, each new message gets a place, and all of them are one
//! durable write.

use super::core::{Arrival, QueueCore, State, answered, fresh, group_of, id_text, micros};
use super::dedup::{WINDOW_MS, hash_of};
use super::record::{self, Record};
use crate::engine::request::RawWrite;
use core::time::Duration;
use ports::Fault;
use ports::queue::{Outgoing, Sent};
use std::sync::Arc;

/// Largest message, attributes included, as on SQS.
const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;
const ATTRIBUTES_MAX: usize = 10;
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest group and deduplication id, in characters.
const ID_CHARS_MAX: usize = 128;

/// An entry that was checked and encoded outside the lock.
struct Ready {
    bytes: Vec<u8>,
    dedup: Option<u128>,
    group: u64,
    delay: Duration,
}

impl QueueCore {
    pub(crate) async fn send(
        self: &Arc<Self>,
        entries: Vec<Outgoing>,
    ) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        self.check()?;
        let now_ms = self.clock.now().as_millis();
        let judged: Vec<Result<Ready, Fault>> =
            entries.iter().map(|entry| self.judge(entry, now_ms)).collect();
        let (results, receiver) = {
            let mut state = self.state();
            let mut writes = Vec::with_capacity(judged.len() * 2);
            let mut arrivals = Vec::with_capacity(judged.len());
            let mut results = Vec::with_capacity(judged.len());
            let mut repeated = 0;
            for entry in judged {
                results.push(entry.map(|ready| {
                    let sent = self.accept(&mut state, ready, now_ms, &mut writes, &mut arrivals);
                    repeated += u64::from(sent.deduplicated == Some(true));
                    sent
                }));
            }
            for key in state.dedup.forget(now_ms, 2 * BATCH_FORGETS) {
                writes.push(self.remove(&key));
            }
            // Also if all are repetitions: their first message may still be on its way to the disk,
            // and this waits behind it.
            let receiver = self.submit(writes, move |state: &mut State| {
                state.stats.sent += arrivals.len() as u64;
                state.stats.deduplicated += repeated;
                state.arrive(arrivals);
            });
            (results, receiver.map_err(|error| error.fault())?)
        };
        answered(receiver).await?;
        Ok(results)
    }

    fn accept(
        &self,
        state: &mut State,
        ready: Ready,
        now_ms: u64,
        writes: &mut Vec<RawWrite>,
        arrivals: &mut Vec<Arrival>,
    ) -> Sent {
        if let Some(first) = ready.dedup.and_then(|hash| state.dedup.find(hash, now_ms)) {
            return Sent { message_id: id_text(first).into(), deduplicated: Some(true) };
        }
        let place = self.next_place(state, writes);
        let id = self.id_at(place);
        if let Some(hash) = ready.dedup {
            let expiry = now_ms + WINDOW_MS;
            state.dedup.add(hash, id, expiry, expiry);
            writes.push(self.put(&record::dedup_key(expiry, hash), &id.to_be_bytes()));
        }
        writes.push(self.put(&record::key(record::MESSAGE, place), &ready.bytes));
        let until = (!ready.delay.is_zero()).then(|| self.now().saturating_add(micros(ready.delay)));
        arrivals.push(Arrival { place, entry: fresh(ready.group, now_ms, until), foreign: 0 });
        Sent { message_id: id_text(id).into(), deduplicated: Some(false) }
    }

    fn judge(&self, entry: &Outgoing, now_ms: u64) -> Result<Ready, Fault> {
        let refused = |why: String| Err(Fault::permanent(why));
        let attribute_bytes: usize =
            entry.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if entry.body.is_empty() {
            return refused("a message has a body".to_owned());
        }
        if entry.body.len() + attribute_bytes > MESSAGE_BYTES_MAX {
            return refused(format!(
                "a message has at most {MESSAGE_BYTES_MAX} bytes, not {}",
                entry.body.len()
            ));
        }
        if entry.attributes.len() > ATTRIBUTES_MAX {
            return refused(format!("a message has at most {ATTRIBUTES_MAX} attributes"));
        }
        if entry.delay > DELAY_MAX {
            return refused("a message is delayed by at most 15 minutes".to_owned());
        }
        if let Some(group) = &entry.group {
            check_id("a message group", group)?;
        }
        let dedup = match (self.is_fifo(), &entry.group, &entry.dedup_id) {
            (false, ..) => None,
            (true, Some(_), Some(dedup_id)) => {
                check_id("a deduplication id", dedup_id)?;
                if !entry.delay.is_zero() {
                    return refused("a FIFO queue delays no single message".to_owned());
                }
                Some(hash_of(dedup_id))
            }
            (true, ..) => {
                return refused("a FIFO queue needs a message group and a deduplication id".to_owned());
            }
        };
        let delay_ms = u64::try_from(entry.delay.as_millis()).unwrap_or(u64::MAX);
        let record = Record {
            id: 0,
            arrived: now_ms,
            sent: now_ms,
            visible: if delay_ms == 0 { 0 } else { now_ms + delay_ms },
            group: entry.group.as_deref(),
            body: &entry.body,
            attributes: entry
                .attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        };
        Ok(Ready { bytes: record.encode(), dedup, group: group_of(&record), delay: entry.delay })
    }
}

/// Deduplication records removed by each send: more than a send can add, so that they never pile
/// up.
const BATCH_FORGETS: usize = 10;

fn check_id(what: &str, id: &str) -> Result<(), Fault> {
    if id.is_empty() || id.chars().count() > ID_CHARS_MAX {
        return Err(Fault::permanent(format!("{what} has 1 to {ID_CHARS_MAX} characters")));
    }
    Ok(())
}
