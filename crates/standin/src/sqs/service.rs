//! From a request to its answer: its fault, the operation, the journal.

use super::action::Action;
use super::answer::{self, Wanted};
use super::faults::{Fate, SqsFaults};
use super::message::Receipt;
use super::queues::{MESSAGE_BYTES_MAX, Queues, Sent};
use super::refusal::Refusal;
use super::request::{About, Batch, Change, Delete, GetQueueAttributes, ReceiveMessage, Send};
use crate::http1::{self, Reply, Request};
use crate::journal::{Journal, Step};
use core::time::Duration;
use domain::random::{Random, SplitMix64};
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

const BATCH_MAX: usize = 10;
const VISIBILITY_MAX_SECS: i64 = 12 * 3_600;
const WAIT_MAX_SECS: i64 = 20;
/// From a message's arrival to the answer of a waiting poll: at least this; SQS takes about ten
/// times as long. Messages that arrive within it are received together.
const WAKING: Duration = Duration::from_millis(2);

pub(super) struct Service {
    journal: Arc<Journal>,
    queues: Mutex<Queues>,
    faults: watch::Sender<SqsFaults>,
    dice: Mutex<SplitMix64>,
    calls: [AtomicU64; Action::ALL.len()],
    deleted: AtomicU64,
    base: OnceLock<String>,
    /// The milliseconds by which a test has advanced the clock.
    ahead_ms: AtomicU64,
    /// The wall clock when the journal began.
    epoch_ms: u64,
}

impl Service {
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        let epoch_ms = jiff::Timestamp::now().as_millisecond() as u64 - journal.now().as_millis() as u64;
        Self {
            journal,
            queues: Mutex::default(),
            faults: watch::Sender::new(SqsFaults::default()),
            dice: Mutex::new(SplitMix64::new(1)),
            calls: [const { AtomicU64::new(0) }; Action::ALL.len()],
            deleted: AtomicU64::new(0),
            base: OnceLock::new(),
            ahead_ms: AtomicU64::new(0),
            epoch_ms,
        }
    }

    pub(super) fn set_base(&self, base: String) {
        self.base.get_or_init(|| base);
    }

    pub(super) fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.base.get().map_or("", String::as_str))
    }

    pub(super) fn now(&self) -> Duration {
        self.journal.now() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    pub(super) fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock()
    }

    pub(super) fn calls(&self, action: Action) -> u64 {
        self.calls[action as usize].load(Ordering::Relaxed)
    }

    pub(super) fn deleted(&self) -> u64 {
        self.deleted.load(Ordering::Relaxed)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut SqsFaults)) {
        self.faults.send_modify(change);
    }

    pub(super) fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
        self.queues().wake_all();
    }

    /// Records an accepted message and wakes a waiting poll; returns the message's id.
    pub(super) fn sent(&self, sent: Sent) -> Option<String> {
        if !sent.repeated {
            self.journal.record(sent.tag, sent.lane, sent.step());
            sent.waiting.notify_one();
        }
        Some(sent.id())
    }

    fn chance(&self, share: f64) -> bool {
        share > 0.0 && self.dice.lock().unit() < share
    }

    /// The fate of this call, after its latency.
    async fn fate(&self, action: Action, queue: &str, signed_at: &str) -> Fate {
        let latency = self.faults.borrow().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if self.faults.borrow().hanging {
            // An error means that the stand-in is gone, and the call ends with it.
            let _ = self.faults.subscribe().wait_for(|faults| !faults.hanging).await;
        }
        let (share, by_chance) = {
            let faults = self.faults.borrow();
            if let Some(refusal) = faults.refusal(action, queue, signed_at) {
                return Fate::Refuse(refusal);
            }
            if !faults.concerns(action) {
                return Fate::Answer;
            }
            (faults.failing, faults.fate())
        };
        let counted = self.faults.send_if_modified(|faults| {
            let fails = faults.failing_next > 0;
            faults.failing_next = faults.failing_next.saturating_sub(1);
            fails
        });
        if counted || self.chance(share) { by_chance } else { Fate::Answer }
    }

    async fn perform(
        &self,
        action: Action,
        index: usize,
        body: &[u8],
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        let arrived = self.journal.now();
        match action {
            Action::ReceiveMessage => self.receive(index, &read(body)?, reply).await,
            Action::DeleteMessage => {
                self.delete(index, &read::<Delete<'_>>(body)?, arrived)?;
                reply.body.extend_from_slice(b"{}");
                Ok(())
            }
            Action::DeleteMessageBatch => {
                let Batch { entries } = read::<Batch<Delete<'_>>>(body)?;
                let ids = entries.iter().map(|entry| &*entry.id);
                self.batch(ids, reply, |n| self.delete(index, &entries[n], arrived).map(|()| json!({})))
            }
            Action::ChangeMessageVisibility => {
                self.hide(index, &read::<Change<'_>>(body)?)?;
                reply.body.extend_from_slice(b"{}");
                Ok(())
            }
            Action::ChangeMessageVisibilityBatch => {
                let Batch { entries } = read::<Batch<Change<'_>>>(body)?;
                let ids = entries.iter().map(|entry| &*entry.id);
                self.batch(ids, reply, |n| self.hide(index, &entries[n]).map(|()| json!({})))
            }
            Action::SendMessage => {
                let sent = self.send(index, read(body)?)?;
                reply.body.extend_from_slice(sent.to_string().as_bytes());
                Ok(())
            }
            Action::SendMessageBatch => self.send_batch(index, body, reply),
            Action::GetQueueAttributes => {
                let request: GetQueueAttributes = read(body)?;
                let mut queues = self.queues();
                let attributes = answer::attributes(queues.get(index, self.now()), &request.attribute_names);
                reply.body.extend_from_slice(attributes.to_string().as_bytes());
                Ok(())
            }
            Action::GetQueueUrl => {
                let about: About<'_> = read(body)?;
                let url = json!({"QueueUrl": self.url(&about.queue_name)});
                reply.body.extend_from_slice(url.to_string().as_bytes());
                Ok(())
            }
        }
    }

    async fn receive(
        &self,
        index: usize,
        request: &ReceiveMessage,
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        let within = |given: Option<i64>, default, range: core::ops::RangeInclusive<i64>, message| {
            let value = given.unwrap_or(default);
            if range.contains(&value) { Ok(value as u64) } else { Err(Refusal::invalid(message)) }
        };
        let (max_name, wait_name) =
            ("MaxNumberOfMessages must be 1 to 10", "WaitTimeSeconds must be 0 to 20");
        let max = within(request.max_number_of_messages, 1, 1..=BATCH_MAX as i64, max_name)? as usize;
        let wait = Duration::from_secs(within(request.wait_time_seconds, 0, 0..=WAIT_MAX_SECS, wait_name)?);
        let visibility = within(
            request.visibility_timeout,
            0,
            0..=VISIBILITY_MAX_SECS,
            "VisibilityTimeout must be 0 to 43200",
        )?;
        let visibility = request.visibility_timeout.map(|_| Duration::from_secs(visibility));
        let waiting = self.queues().waiting(index);
        let deadline = self.now() + wait;
        loop {
            let woken = waiting.notified();
            tokio::pin!(woken);
            // Before the queue is checked, so that nothing is missed between the two.
            woken.as_mut().enable();
            let now = self.now();
            let next = match self.try_receive(index, max, visibility, now, request, reply) {
                Tried::Brought => {
                    // The next waiting poll must learn when these leases end, and there may be more
                    // messages.
                    waiting.notify_one();
                    return Ok(());
                }
                Tried::Nothing(_) if now >= deadline => {
                    waiting.notify_one();
                    reply.body.extend_from_slice(b"{}");
                    return Ok(());
                }
                Tried::Nothing(next) => next.map_or(deadline, |next| next.min(deadline)),
            };
            tokio::select! {
                () = &mut woken => tokio::time::sleep(WAKING).await,
                () = tokio::time::sleep(next.saturating_sub(now)) => {}
            }
        }
    }

    fn try_receive(
        &self,
        index: usize,
        max: usize,
        visibility: Option<Duration>,
        now: Duration,
        request: &ReceiveMessage,
        reply: &mut Reply,
    ) -> Tried {
        let mut queues = self.queues();
        let brought = queues.receive(index, max, visibility, now);
        for (tag, lane, step) in brought.moved {
            self.journal.record(tag, lane, step);
        }
        let queue = queues.get(index, now);
        if brought.messages.is_empty() {
            return Tried::Nothing(queue.next_end());
        }
        let messages = || brought.messages.iter().filter_map(|number| queue.get(*number));
        for message in messages() {
            let step = Step::Received { queue: index as u32, message: message.number, count: message.count };
            self.journal.record(message.tag, message.lane, step);
        }
        let epoch = |at: Duration| self.epoch_ms + at.as_millis() as u64;
        answer::messages(&mut reply.body, messages(), &Wanted::new(request), epoch);
        Tried::Brought
    }

    fn delete(&self, index: usize, entry: &Delete<'_>, arrived: Duration) -> Result<(), Refusal> {
        self.entry_may_fail()?;
        let receipt = Receipt::parse(&entry.receipt_handle).ok_or_else(Refusal::bad_receipt)?;
        let mut queues = self.queues();
        if let Some(message) = queues.get(index, self.now()).delete(receipt)? {
            self.deleted.fetch_add(1, Ordering::Relaxed);
            let step = Step::Deleted { queue: index as u32, message: message.number };
            self.journal.record_at(arrived, message.tag, message.lane, step);
            if message.group.is_some() {
                queues.waiting(index).notify_one();
            }
        }
        Ok(())
    }

    fn hide(&self, index: usize, entry: &Change<'_>) -> Result<(), Refusal> {
        self.entry_may_fail()?;
        let receipt = Receipt::parse(&entry.receipt_handle).ok_or_else(Refusal::bad_receipt)?;
        if !(0..=VISIBILITY_MAX_SECS).contains(&entry.visibility_timeout) {
            return Err(Refusal::invalid("VisibilityTimeout must be 0 to 43200"));
        }
        let seconds = entry.visibility_timeout as u32;
        let now = self.now();
        let mut queues = self.queues();
        let message = queues.get(index, now).change(receipt, Duration::from_secs(seconds.into()), now)?;
        let step = Step::Hidden { queue: index as u32, message: message.number, seconds };
        self.journal.record(message.tag, message.lane, step);
        queues.waiting(index).notify_one();
        Ok(())
    }

    fn send(&self, index: usize, entry: Send) -> Result<Value, Refusal> {
        self.entry_may_fail()?;
        let (push, values) = entry.into_push();
        let sent = self.queues().send(index, push, values, self.now())?;
        Ok(json!({"MessageId": self.sent(sent)}))
    }

    fn send_batch(&self, index: usize, body: &[u8], reply: &mut Reply) -> Result<(), Refusal> {
        let Batch { entries } = read::<Batch<Send>>(body)?;
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        if entries.iter().map(Send::bytes).sum::<usize>() > MESSAGE_BYTES_MAX {
            return Err(Refusal::batch_too_long());
        }
        let mut entries = entries.into_iter();
        self.batch(ids.iter().map(String::as_str), reply, |_| {
            entries.next().map_or_else(|| Err(Refusal::internal()), |entry| self.send(index, entry))
        })
    }

    fn entry_may_fail(&self) -> Result<(), Refusal> {
        let share = self.faults.borrow().failing_entries;
        if self.chance(share) { Err(Refusal::internal()) } else { Ok(()) }
    }

    /// Runs `each` for every entry, and answers with a result for each.
    fn batch<'i>(
        &self,
        ids: impl Iterator<Item = &'i str>,
        reply: &mut Reply,
        mut each: impl FnMut(usize) -> Result<Value, Refusal>,
    ) -> Result<(), Refusal> {
        let ids: Vec<&str> = ids.collect();
        match ids.len() {
            0 => return Err(Refusal::empty_batch()),
            1..=BATCH_MAX => {}
            _ => return Err(Refusal::too_many_entries()),
        }
        if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
            return Err(Refusal::ids_not_distinct());
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (n, id) in ids.into_iter().enumerate() {
            match each(n) {
                Ok(mut entry) => {
                    entry["Id"] = id.into();
                    successful.push(entry);
                }
                Err(refusal) => failed.push(refusal.entry(id)),
            }
        }
        reply.body.extend_from_slice(answer::batch(&successful, &failed).to_string().as_bytes());
        Ok(())
    }
}

/// The result of one attempt to receive.
enum Tried {
    Brought,
    /// Nothing; when the next lease or delay ends.
    Nothing(Option<Duration>),
}

impl http1::Service for Service {
    async fn answer(&self, request: Request<'_>, reply: &mut Reply) {
        reply.content_type = "application/x-amz-json-1.0";
        let answered = match Action::from_target(request.target) {
            Some(action) => {
                self.calls[action as usize].fetch_add(1, Ordering::Relaxed);
                self.act(action, &request, reply).await
            }
            None => Err(Refusal::unknown_operation()),
        };
        if let Err(refusal) = answered {
            reply.body.clear();
            refusal.answer(reply);
        }
        let date = jiff::fmt::rfc2822::DateTimePrinter::new();
        if let Ok(date) = date.timestamp_to_rfc9110_string(&self.faults.borrow().now()) {
            let _ = write!(reply.headers, "date: {date}\r\n");
        }
    }
}

impl Service {
    async fn act(&self, action: Action, request: &Request<'_>, reply: &mut Reply) -> Result<(), Refusal> {
        let about: About<'_> = read(request.body)?;
        let name = if action == Action::GetQueueUrl { &about.queue_name } else { &about.queue_url };
        let short = name.rsplit('/').next().unwrap_or_default();
        let fate = self.fate(action, short, request.signed_at).await;
        match fate {
            Fate::Refuse(refusal) => return Err(refusal),
            Fate::Reset => {
                reply.broken = true;
                return Ok(());
            }
            Fate::Answer | Fate::AnswerLost => {}
        }
        let index = self.queues().find(name).ok_or_else(Refusal::no_such_queue)?;
        self.perform(action, index, request.body, reply).await?;
        reply.broken = fate == Fate::AnswerLost;
        Ok(())
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|why| Refusal::malformed(&why))
}
