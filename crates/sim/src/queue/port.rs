//! One instance's access to the queue: each call takes its time, fails as the seed says, and is
//! reported to the checker.

use super::{Role, SimQueue, WAIT_MAX};
use crate::checker::Settling;
use crate::exec::{Sleep, lock};
use crate::fault::Kind;
use async_trait::async_trait;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use ports::Fault;
use ports::queue::{Depth, Message, Outgoing, Queue, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use std::sync::Arc;

/// One instance's access to a queue.
pub struct SimQueuePort {
    /// The queue.
    pub queue: Arc<SimQueue>,
    /// The instance.
    pub holder: u32,
}

impl SimQueuePort {
    fn batch<T>(entries: &[T]) -> Result<(), Fault> {
        if entries.is_empty() || entries.len() > QUEUE_BATCH_MAX {
            return Err(Fault::permanent(format!("a batch of {} entries", entries.len())));
        }
        Ok(())
    }

    /// Reports to the checker that a settlement leaves its sender.
    fn settling<'r>(&self, receipts: impl Iterator<Item = (&'r Receipt, Settling)>) {
        if self.queue.role != Role::Events {
            return;
        }
        let core = &self.queue.core;
        for (receipt, settling) in receipts {
            let lease = self.queue.lease_of(receipt);
            lock(&core.checker).settling(core, self.holder, lease, settling);
        }
    }
}

#[async_trait]
impl Queue for SimQueuePort {
    fn kind(&self) -> QueueKind {
        self.queue.kind
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        Self::batch(&entries)?;
        let queue = &self.queue;
        match queue.role {
            Role::Events => lock(&queue.core.checker).sending(&queue.core, &entries, self.holder),
            Role::Letters => lock(&queue.core.checker).burying(&queue.core, &entries, self.holder),
            Role::Unwatched => {}
        }
        queue.arrive().await?;
        let results: Vec<_> = entries.iter().map(|entry| queue.entry(|| queue.put(entry))).collect();
        queue.answer(results).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        if !(1..=QUEUE_BATCH_MAX).contains(&request.max) || request.wait > WAIT_MAX {
            return Err(Fault::permanent("a receive asks for 1 to 10 messages and waits for 20 s at most"));
        }
        let queue = &self.queue;
        let core = &queue.core;
        // A poll runs to its end, or dies with its process (trap T-T2).
        let mut guard = Polling { port: self, over: false };
        if let Err(fault) = queue.arrive().await {
            guard.over = true;
            return Err(fault);
        }
        let visibility = request.visibility.unwrap_or(queue.visibility);
        let deadline = queue.now() + request.wait.as_micros() as u64;
        let messages =
            LongPoll { queue, max: request.max, visibility, holder: self.holder, deadline, timer: None }
                .await;
        if !messages.is_empty() {
            core.record(|| {
                let receipts: Vec<&str> = messages.iter().map(|message| &*message.receipt.0).collect();
                format!("{} hands {} to {}", queue.name, receipts.join(" "), self.holder)
            });
        }
        if !messages.is_empty() && core.faults.strikes(Kind::ReceiveLost) {
            guard.over = true;
            return Err(Fault::unavailable("the queue's answer to a receive was lost"));
        }
        if !messages.is_empty() && core.faults.strikes(Kind::ReceiveLate) {
            let late = core.faults.between(Duration::from_millis(100), visibility + visibility / 4);
            core.exec.sleep(late).await;
        } else {
            core.way().await;
        }
        guard.over = true;
        if queue.role == Role::Events {
            lock(&core.checker).received(core, self.holder, &messages);
        }
        Ok(messages)
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        Self::batch(&receipts)?;
        self.settling(receipts.iter().map(|receipt| (receipt, Settling::Delete)));
        let queue = &self.queue;
        queue.arrive().await?;
        let results: Vec<_> =
            receipts.iter().map(|receipt| queue.entry(|| queue.remove(receipt, self.holder))).collect();
        if queue.role == Role::Events {
            let failed = receipts.iter().zip(&results).filter(|(_, result)| result.is_err());
            for (message, number) in failed.filter_map(|(receipt, _)| queue.lease_of(receipt)) {
                lock(&queue.core.checker).delete_failed(&queue.core, self.holder, &message, number);
            }
        }
        queue.answer(results).await
    }

    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        Self::batch(&entries)?;
        self.settling(entries.iter().map(|(receipt, visibility)| {
            let renewal = *visibility == self.queue.visibility;
            (receipt, if renewal { Settling::Renew } else { Settling::GiveBack })
        }));
        let queue = &self.queue;
        queue.arrive().await?;
        let hide =
            |(receipt, visibility): &(Receipt, Duration)| queue.entry(|| queue.hide(receipt, *visibility));
        let results: Vec<_> = entries.iter().map(hide).collect();
        queue.answer(results).await
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        self.queue.arrive().await?;
        let now = self.queue.now();
        let state = lock(&self.queue.state);
        let mut depth = Depth::default();
        for message in &state.messages {
            match (message.visible_at > now, message.lease.is_some_and(|lease| lease.until > now)) {
                (_, true) => depth.in_flight += 1,
                (true, false) => depth.delayed += 1,
                (false, false) => depth.visible += 1,
            }
        }
        Ok(depth)
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        Ok(self.queue.redrive.as_ref().map(|(dead, most)| RedrivePolicy {
            dead_letter_queue: dead.name.to_owned(),
            max_receive_count: *most,
        }))
    }
}

/// Reports a poll that a living process dropped.
struct Polling<'p> {
    port: &'p SimQueuePort,
    over: bool,
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        if !self.over && self.port.queue.role == Role::Events {
            let core = &self.port.queue.core;
            lock(&core.checker).poll_dropped(core, self.port.holder);
        }
    }
}

/// Waits for messages until the deadline.
struct LongPoll<'p> {
    queue: &'p SimQueue,
    max: usize,
    visibility: Duration,
    holder: u32,
    deadline: u64,
    timer: Option<(u64, Pin<Box<Sleep>>)>,
}

impl Future for LongPoll<'_> {
    type Output = Vec<Message>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Message>> {
        loop {
            let messages = self.queue.take(self.max, self.visibility, self.holder);
            if !messages.is_empty() || self.queue.now() >= self.deadline {
                return Poll::Ready(messages);
            }
            let at = self.queue.next_visible().unwrap_or(u64::MAX).min(self.deadline);
            if self.timer.as_ref().is_none_or(|(set, _)| *set != at) {
                self.timer = Some((at, Box::pin(self.queue.core.exec.sleep_until(at))));
            }
            if let Some((_, timer)) = &mut self.timer
                && timer.as_mut().poll(context).is_ready()
            {
                self.timer = None;
                continue;
            }
            let mut state = lock(&self.queue.state);
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            return Poll::Pending;
        }
    }
}
