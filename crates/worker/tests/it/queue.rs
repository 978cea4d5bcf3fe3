//! A queue with the semantics of SQS, in memory and on any clock, that can be made to fail. It runs
//! the contract suite of the port (`queue_contract`), like every other implementation.

mod letters;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use ports::queue::{Depth, Message, Outgoing, Queue, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::{Clock, Fault};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const DEDUP_WINDOW: Duration = Duration::from_secs(300);
const BODY_BYTES_MAX: usize = 1_024 * 1_024;
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
const WAIT_MAX: Duration = Duration::from_secs(20);
/// A lease ends this long after its receive, however often it is renewed.
const LEASE_MAX: Duration = Duration::from_secs(12 * 3_600);

/// The calls to the queue, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Received { ids: Vec<String>, max: usize },
    Deleted { ids: Vec<String> },
    Hidden { entries: Vec<(String, Duration)> },
}

/// Decides about one entry of a call: `Some` makes it fail.
pub(crate) type Hook = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

#[derive(Default)]
struct State {
    next: u64,
    messages: BTreeMap<u64, Stored>,
    dedup: BTreeMap<String, (Duration, Arc<str>)>,
    asked: Vec<(Duration, Asked)>,
    on_delete: Option<Hook>,
    on_hide: Option<Hook>,
    on_send: Option<Hook>,
    on_receive: Option<Hook>,
    receives_running: usize,
    receives_dropped: usize,
    hang: bool,
    answer_after: Duration,
    renewals_take: Duration,
}

struct Stored {
    id: Arc<str>,
    outgoing: Outgoing,
    visible_at: Duration,
    lease: Option<u64>,
    count: u32,
    received_at: Duration,
    sent_at: domain::time::Timestamp,
    first: Option<domain::time::Timestamp>,
}

pub(crate) struct MemoryQueue {
    kind: QueueKind,
    clock: Arc<dyn Clock>,
    /// The lease of a receive that names none.
    visibility: Duration,
    /// The dead-letter queue, and the number of receives after which a message is moved there.
    redrive: Option<(Arc<Self>, u32)>,
    state: Mutex<State>,
    changed: Notify,
}

impl MemoryQueue {
    pub(crate) fn new(kind: QueueKind, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_options(kind, clock, Duration::from_secs(30), None)
    }

    pub(crate) fn with_options(
        kind: QueueKind,
        clock: Arc<dyn Clock>,
        visibility: Duration,
        redrive: Option<(Arc<Self>, u32)>,
    ) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { kind, clock, visibility, redrive, state, changed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn on_delete(&self, hook: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.state().on_delete = Some(Box::new(hook));
    }

    pub(crate) fn on_hide(&self, hook: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.state().on_hide = Some(Box::new(hook));
    }

    pub(crate) fn on_send(&self, hook: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.state().on_send = Some(Box::new(hook));
    }

    pub(crate) fn on_receive(&self, hook: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.state().on_receive = Some(Box::new(hook));
    }

    /// Receives never answer from now on.
    pub(crate) fn hang(&self) {
        self.state().hang = true;
    }

    /// A change of visibility is answered this long after it was done.
    pub(crate) fn slow_answers(&self, after: Duration) {
        self.state().answer_after = after;
    }

    /// A renewal of 60 s takes this long to arrive.
    pub(crate) fn slow_renewals(&self, way: Duration) {
        self.state().renewals_take = way;
    }

    pub(crate) fn asked(&self) -> Vec<(Duration, Asked)> {
        self.state().asked.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// Messages without a lease that are not hidden.
    pub(crate) fn visible(&self) -> usize {
        let now = self.clock.elapsed();
        self.state().messages.values().filter(|m| m.visible_at <= now).count()
    }

    pub(crate) fn receives_running(&self) -> usize {
        self.state().receives_running
    }

    pub(crate) fn receives_dropped(&self) -> usize {
        self.state().receives_dropped
    }

    pub(crate) fn bodies(&self) -> Vec<Outgoing> {
        self.state().messages.values().map(|m| m.outgoing.clone()).collect()
    }

    /// Receives of a message so far; `n` counts all messages of the queue from 0.
    pub(crate) fn receive_count(&self, n: u64) -> u32 {
        self.state().messages.get(&n).map_or(0, |m| m.count)
    }

    /// Ends every lease now, as if its time had come.
    pub(crate) fn end_leases(&self) {
        let now = self.clock.elapsed();
        for stored in self.state().messages.values_mut().filter(|m| m.lease.is_some()) {
            stored.visible_at = now;
            stored.lease = None;
        }
        self.changed.notify_waiters();
    }

    /// Ends the lease of one message, by its place in the queue's history (from 0).
    pub(crate) fn end_lease(&self, n: u64) {
        let now = self.clock.elapsed();
        if let Some(stored) = self.state().messages.get_mut(&n) {
            (stored.visible_at, stored.lease) = (now, None);
        }
        self.changed.notify_waiters();
    }

    /// Another process gets every message that is under a lease, and keeps it for so long.
    pub(crate) fn steal(&self, visibility: Duration) {
        let now = self.clock.elapsed();
        for stored in self.state().messages.values_mut().filter(|m| m.lease.is_some()) {
            stored.count += 1;
            stored.lease = Some(u64::from(stored.count));
            stored.visible_at = now + visibility;
        }
    }

    pub(crate) fn put(&self, outgoing: Outgoing) -> Arc<str> {
        let id = self.store(outgoing).message_id;
        self.changed.notify_waiters();
        id
    }

    fn store(&self, outgoing: Outgoing) -> Sent {
        let now = self.clock.elapsed();
        let mut state = self.state();
        if self.kind == QueueKind::Fifo {
            let dedup = outgoing.dedup_id.clone().unwrap_or_default();
            if let Some((at, id)) = state.dedup.get(&dedup)
                && now < *at + DEDUP_WINDOW
            {
                return Sent { message_id: id.clone(), deduplicated: Some(true) };
            }
        }
        let n = state.next;
        state.next += 1;
        let id: Arc<str> = format!("msg-{n}").into();
        if let Some(dedup) = &outgoing.dedup_id {
            state.dedup.insert(dedup.clone(), (now, id.clone()));
        }
        let visible_at = now + outgoing.delay;
        let sent_at = self.clock.now();
        state.messages.insert(
            n,
            Stored {
                id: id.clone(),
                outgoing,
                visible_at,
                lease: None,
                count: 0,
                received_at: now,
                sent_at,
                first: None,
            },
        );
        Sent { message_id: id, deduplicated: Some(false) }
    }

    fn take(&self, request: Receive) -> Vec<Message> {
        let now = self.clock.elapsed();
        let wall = self.clock.now();
        let mut state = self.state();
        let fifo = self.kind == QueueKind::Fifo;
        let in_flight = |m: &Stored| m.lease.is_some() && m.visible_at > now;
        let group_of = |m: &Stored| m.outgoing.group.clone().filter(|_| fifo);
        let mut blocked: BTreeSet<String> =
            state.messages.values().filter(|m| in_flight(m)).filter_map(group_of).collect();
        let (mut taken, mut spent) = (Vec::new(), Vec::new());
        let receives_max = self.redrive.as_ref().map_or(u32::MAX, |(_, max)| *max);
        let State { messages, .. } = &mut *state;
        for (n, m) in messages.iter_mut() {
            if taken.len() == request.max {
                break;
            }
            let group = m.outgoing.group.clone().filter(|_| fifo);
            if group.as_ref().is_some_and(|group| blocked.contains(group)) {
                continue;
            }
            if m.visible_at > now {
                blocked.extend(group);
                continue;
            }
            if m.count >= receives_max {
                spent.push(*n);
                continue;
            }
            m.count += 1;
            m.lease = Some(u64::from(m.count));
            m.received_at = now;
            m.visible_at = now + request.visibility.unwrap_or(self.visibility);
            m.first.get_or_insert(wall);
            taken.push(Message {
                id: m.id.clone(),
                receipt: Receipt(format!("{n}/{}", m.count).into()),
                body: m.outgoing.body.clone(),
                group: m.outgoing.group.as_deref().map(Into::into),
                receive_count: m.count,
                sent_at: m.sent_at,
                first_received_at: m.first.unwrap_or(wall),
                attributes: m.outgoing.attributes.clone(),
            });
        }
        if let Some((letters, _)) = &self.redrive {
            for message in spent.into_iter().filter_map(|n| messages.remove(&n)) {
                letters.store(message.outgoing);
                letters.changed.notify_waiters();
            }
        }
        if !taken.is_empty() {
            let ids = taken.iter().map(|m| m.id.to_string()).collect();
            state.asked.push((now, Asked::Received { ids, max: request.max }));
        }
        taken
    }

    fn next_visible(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        self.state().messages.values().map(|m| m.visible_at).filter(|at| *at > now).min()
    }

    /// The message's number and its lease.
    fn parse(receipt: &Receipt) -> Result<(u64, u64), Fault> {
        let parts =
            receipt.0.split_once('/').and_then(|(n, lease)| Some((n.parse().ok()?, lease.parse().ok()?)));
        parts.ok_or_else(|| Fault::permanent("not a receipt"))
    }

    fn id_of(receipt: &Receipt) -> String {
        Self::parse(receipt).map_or_else(|_| receipt.0.to_string(), |(n, _)| format!("msg-{n}"))
    }

    /// What SQS refuses of a message.
    fn check(&self, outgoing: &Outgoing) -> Result<(), Fault> {
        assert!(outgoing.attributes.len() <= 10, "SQS takes ten attributes");
        assert!(outgoing.attributes.iter().all(|(_, value)| !value.is_empty()), "SQS takes no empty value");
        let fifo = self.kind == QueueKind::Fifo;
        if outgoing.body.len() > BODY_BYTES_MAX {
            return Err(Fault::permanent("the message is too long"));
        }
        if fifo && (outgoing.group.is_none() || outgoing.dedup_id.is_none()) {
            return Err(Fault::permanent("a FIFO queue requires a group and a deduplication id"));
        }
        if outgoing.delay > DELAY_MAX || (fifo && !outgoing.delay.is_zero()) {
            return Err(Fault::permanent("the delay is not allowed"));
        }
        Ok(())
    }

    fn delete_one(&self, receipt: &Receipt) -> Result<(), Fault> {
        let (n, lease) = Self::parse(receipt)?;
        let now = self.clock.elapsed();
        let mut state = self.state();
        if let Some(fault) = state.on_delete.as_mut().and_then(|hook| hook(&format!("msg-{n}"))) {
            return Err(fault);
        }
        let Some(stored) = state.messages.get(&n) else { return Ok(()) };
        let live = stored.lease == Some(lease) && stored.visible_at > now;
        if self.kind == QueueKind::Fifo && !live {
            return Err(Fault::permanent("the receipt handle has expired"));
        }
        state.messages.remove(&n);
        Ok(())
    }

    fn hide_one(&self, receipt: &Receipt, delay: Duration) -> Result<(), Fault> {
        let (n, lease) = Self::parse(receipt)?;
        let now = self.clock.elapsed();
        let mut state = self.state();
        if let Some(fault) = state.on_hide.as_mut().and_then(|hook| hook(&format!("msg-{n}"))) {
            return Err(fault);
        }
        match state.messages.get_mut(&n) {
            Some(stored) if now + delay > stored.received_at + LEASE_MAX => {
                Err(Fault::permanent("beyond twelve hours after the receive"))
            }
            Some(stored) if stored.lease == Some(lease) && stored.visible_at > now => {
                stored.visible_at = now + delay;
                if delay.is_zero() {
                    stored.lease = None;
                }
                Ok(())
            }
            _ => Err(Fault::permanent("the receipt handle has expired")),
        }
    }
}

/// Counts receive futures that are dropped before their end.
struct Running<'q>(&'q MemoryQueue, bool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.receives_running -= 1;
        state.receives_dropped += usize::from(!self.1);
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn kind(&self) -> QueueKind {
        self.kind
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        batch(entries.len())?;
        let mut results = Vec::new();
        for outgoing in entries {
            let fault = self.state().on_send.as_mut().and_then(|hook| hook(&outgoing.body));
            let checked = fault.map_or_else(|| self.check(&outgoing), Err);
            results.push(checked.map(|()| self.store(outgoing)));
        }
        self.changed.notify_waiters();
        Ok(results)
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        batch(request.max)?;
        if request.wait > WAIT_MAX {
            return Err(Fault::permanent("a receive waits at most 20 s"));
        }
        self.state().receives_running += 1;
        let mut running = Running(self, false);
        let deadline = self.clock.elapsed() + request.wait;
        // As on a network: no answer takes no time.
        self.clock.sleep(Duration::from_millis(1)).await;
        loop {
            let changed = self.changed.notified();
            if self.state().hang {
                std::future::pending::<()>().await;
            }
            if let Some(fault) = self.state().on_receive.as_mut().and_then(|hook| hook("")) {
                running.1 = true;
                return Err(fault);
            }
            let taken = self.take(request);
            let now = self.clock.elapsed();
            if !taken.is_empty() || now >= deadline {
                running.1 = true;
                return Ok(taken);
            }
            let until = self.next_visible().unwrap_or(deadline).min(deadline);
            tokio::select! {
                biased;
                () = changed => {}
                () = self.clock.sleep(until.saturating_sub(now).max(Duration::from_millis(1))) => {}
            }
        }
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        batch(receipts.len())?;
        self.clock.sleep(Duration::from_millis(1)).await;
        let ids = receipts.iter().map(Self::id_of).collect();
        let now = self.clock.elapsed();
        self.state().asked.push((now, Asked::Deleted { ids }));
        let results = receipts.iter().map(|receipt| self.delete_one(receipt)).collect();
        self.changed.notify_waiters();
        Ok(results)
    }

    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        batch(entries.len())?;
        self.clock.sleep(Duration::from_millis(1)).await;
        if entries.iter().all(|(_, delay)| *delay == Duration::from_secs(60)) {
            let way = self.state().renewals_take;
            self.clock.sleep(way).await;
        }
        let shown = entries.iter().map(|(r, delay)| (Self::id_of(r), *delay)).collect();
        let now = self.clock.elapsed();
        self.state().asked.push((now, Asked::Hidden { entries: shown }));
        let results = entries.iter().map(|(receipt, delay)| self.hide_one(receipt, *delay)).collect();
        self.changed.notify_waiters();
        let after = self.state().answer_after;
        self.clock.sleep(after).await;
        Ok(results)
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        let now = self.clock.elapsed();
        let mut depth = Depth { visible: 0, in_flight: 0, delayed: 0 };
        for stored in self.state().messages.values() {
            let count = match stored.lease {
                _ if stored.visible_at <= now => &mut depth.visible,
                Some(_) => &mut depth.in_flight,
                None => &mut depth.delayed,
            };
            *count += 1;
        }
        Ok(depth)
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        let policy = |(_, max): &(_, u32)| RedrivePolicy {
            dead_letter_queue: "letters".into(),
            max_receive_count: *max,
        };
        Ok(self.redrive.as_ref().map(policy))
    }
}

/// A batch has one to ten entries.
fn batch(entries: usize) -> Result<(), Fault> {
    if (1..=10).contains(&entries) { Ok(()) } else { Err(Fault::permanent("a batch has 1 to 10 entries")) }
}
