//! Reads a dead-letter queue, which SQS only allows by receiving.
//!
//! A sweep receives everything that can be received and keeps it under a lease, so the messages
//! that it saw are hidden from other consumers for up to a minute; a caller that looks meanwhile
//! sees the kept ones. Messages are ordered by the sweep that found them and then by SQS's sequence
//! number (FIFO) or sent time. On a FIFO queue SQS shows at most ten of a group at a time: a sweep
//! finds the next ones after those were removed, so they come after them.

use super::wire::{self, ReceivedMessages};
use super::{SYSTEM_ATTRIBUTES, SqsQueue, incoming};
use async_trait::async_trait;
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use ports::queue::{Message, Receive};
use ports::{Clock, DeadLetters, Fault, FaultClass, Queue};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How long a sweep's messages stay ours. A redrive that takes longer sweeps again.
const LEASE: Duration = Duration::from_secs(60);
/// An answer without messages ends a sweep. It waits this long, because SQS may omit messages from
/// a receive that does not wait.
const SWEEP_WAIT: Duration = Duration::from_secs(1);
/// The most messages of one sweep.
const SWEEP_MAX: usize = 20_000;

/// The messages of a dead-letter queue, in order, as far as they were seen.
pub struct LetterBox {
    queue: SqsQueue,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    letters: BTreeMap<Place, Letter>,
    /// The positions of all messages ever seen, including removed ones, so that browsing continues
    /// after them.
    places: BTreeMap<Arc<str>, Place>,
    sweeps: u64,
}

/// Sweep, sequence number or sent time, and the id for a tie.
type Place = (u64, u128, Arc<str>);

struct Letter {
    message: Message,
    lease_until: Duration,
}

impl LetterBox {
    /// Reads the dead-letter queue `queue`.
    pub fn new(queue: SqsQueue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock, seen: Mutex::default() }
    }

    fn held<'s>(&self, seen: &'s Seen, id: &str) -> Option<&'s Message> {
        let letter = seen.letters.get(seen.places.get(id)?)?;
        (letter.lease_until > self.clock.elapsed()).then_some(&letter.message)
    }

    fn page(&self, seen: &Seen, behind: Option<&Place>, limit: usize) -> Vec<Message> {
        let now = self.clock.elapsed();
        let behind = seen.letters.iter().filter(|(place, _)| behind.is_none_or(|behind| *place > behind));
        let ours = behind.filter(|(_, letter)| letter.lease_until > now);
        ours.take(limit).map(|(_, letter)| letter.message.clone()).collect()
    }

    /// Receives until no more messages come. A message that is no longer ours and is not received
    /// again is gone.
    async fn sweep(&self, seen: &mut Seen) -> Result<(), Fault> {
        seen.sweeps += 1;
        let request = Receive { max: QUEUE_BATCH_MAX, wait: SWEEP_WAIT, visibility: Some(LEASE) };
        let wanted = [&SYSTEM_ATTRIBUTES[..], &["SequenceNumber"]].concat();
        let mut taken = 0;
        while taken < SWEEP_MAX {
            let asked_at = self.clock.elapsed();
            let answer = self.queue.receive_with(request, &wanted).await?;
            let answer: ReceivedMessages<'_> = wire::read(&self.queue.what("ReceiveMessage"), &answer)?;
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            taken += messages.len();
            for raw in messages {
                let sequence = raw.attributes.as_ref().map(|all| all.sequence_number.parse::<u128>());
                let sequence = sequence.and_then(Result::ok);
                let Some(message) = incoming::message(raw) else { continue };
                let at = sequence.unwrap_or_else(|| u128::from(message.sent_at.as_millis()));
                let (id, sweeps) = (message.id.clone(), seen.sweeps);
                let place = seen.places.entry(id.clone()).or_insert((sweeps, at, id)).clone();
                seen.letters.insert(place, Letter { message, lease_until: asked_at + LEASE });
            }
        }
        let now = self.clock.elapsed();
        seen.letters.retain(|_, letter| letter.lease_until > now);
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for LetterBox {
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault> {
        let mut seen = self.seen.lock().await;
        let behind = after.and_then(|id| seen.places.get(id).cloned());
        if self.page(&seen, behind.as_ref(), limit).len() < limit {
            self.sweep(&mut seen).await?;
        }
        Ok(self.page(&seen, behind.as_ref(), limit))
    }

    async fn find(&self, id: &str) -> Result<Option<Message>, Fault> {
        let mut seen = self.seen.lock().await;
        if let Some(letter) = self.held(&seen, id) {
            return Ok(Some(letter.clone()));
        }
        self.sweep(&mut seen).await?;
        Ok(self.held(&seen, id).cloned())
    }

    async fn remove(&self, id: &str) -> Result<bool, Fault> {
        let mut seen = self.seen.lock().await;
        if self.held(&seen, id).is_none() {
            self.sweep(&mut seen).await?;
        }
        let Some(message) = self.held(&seen, id) else { return Ok(false) };
        let mut results = self.queue.delete(vec![message.receipt.clone()]).await?;
        match results.pop() {
            Some(Ok(())) => {}
            // The lease was lost in between: nothing is deleted, and the caller may ask again.
            Some(Err(fault)) if fault.class == FaultClass::Permanent => {
                return Err(Fault::transient("the dead letter's lease ended").because(fault));
            }
            Some(Err(fault)) => return Err(fault),
            None => return Err(Fault::transient("the queue's answer leaves the entry out")),
        }
        if let Some(place) = seen.places.get(id).cloned() {
            seen.letters.remove(&place);
        }
        Ok(true)
    }
}
