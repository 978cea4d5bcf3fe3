//! Planted bugs that only distort the answer of a port: the code that should have read the answer,
//! or that should have made one commit of two, stands above the port and is left as it is.
//!
//! Each type wraps a port of an instance and passes everything through until its bug is planted.
//! The other plants of [`ports::plant`] are mistakes of rules and stand in the rules.

use crate::cluster::Service;
use crate::table::SimStore;
use async_trait::async_trait;
use core::time::Duration;
use domain::hold::{Rejection, Released};
use domain::id::{OrderId, PaymentIntentId};
use domain::payment::Status;
use domain::reservation::End;
use domain::retry::Reason;
use domain::time::Timestamp;
use ports::inventory::{
    CommitSeats, Committed, Held, HoldSeats, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};
use ports::plant::{Plant, planted};
use ports::queue::{Depth, Message, Outgoing, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::reservations::EndReservation;
use ports::store::{CommitError, Entry, Expect, Key, Row, Write};
use ports::{CallContext, Fault, Inventory, Payments, PortError, Queue, Reservations, Store};
use std::sync::Arc;
use worker::dead_letter::attribute;

/// The event queue or the dead-letter queue of a worker.
pub(crate) struct PlantedQueue {
    pub(crate) queue: Arc<dyn Queue>,
    /// The length of a lease, by which a renewal is known.
    pub(crate) lease: Duration,
}

#[async_trait]
impl Queue for PlantedQueue {
    fn kind(&self) -> QueueKind {
        self.queue.kind()
    }

    /// [`Plant::UndecodableDropped`]: the copy of a message that is no event is answered and not
    /// sent.
    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        let dropped = |entry: &Outgoing| {
            let reason = (attribute::REASON.to_owned(), Reason::Undecodable.as_str().to_owned());
            entry.attributes.contains(&reason)
        };
        if planted(Plant::UndecodableDropped) && entries.iter().any(dropped) {
            let sent = |_| Ok(Sent { message_id: "dropped".into(), deduplicated: None });
            return Ok(entries.into_iter().map(sent).collect());
        }
        self.queue.send(entries).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        self.queue.receive(request).await
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        unread(self.queue.delete(receipts).await)
    }

    /// [`Plant::LeaseAssumed`]: a renewal is answered as a success whatever happened.
    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        let renews = entries.iter().all(|(_, visibility)| *visibility == self.lease);
        let count = entries.len();
        let results = self.queue.change_visibility(entries).await;
        if renews && planted(Plant::LeaseAssumed) {
            return Ok((0..count).map(|_| Ok(())).collect());
        }
        if renews { results } else { unread(results) }
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        self.queue.depth().await
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        self.queue.redrive_policy().await
    }
}

/// [`Plant::BatchResultsIgnored`]: where the call was answered, every entry is a success.
fn unread(results: Result<Vec<Result<(), Fault>>, Fault>) -> Result<Vec<Result<(), Fault>>, Fault> {
    if planted(Plant::BatchResultsIgnored) {
        return results.map(|entries| entries.iter().map(|_| Ok(())).collect());
    }
    results
}

/// The table of a service.
pub(crate) struct PlantedStore {
    pub(crate) store: SimStore,
    pub(crate) service: Service,
}

impl PlantedStore {
    fn has(&self, plant: Plant, service: Service) -> bool {
        self.service == service && planted(plant)
    }

    async fn commit_apart(&self, first: Vec<Write>, second: Vec<Write>) -> Result<(), CommitError> {
        self.store.commit(first).await?;
        self.store.commit(second).await
    }
}

#[async_trait]
impl Store for PlantedStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        self.store.get(keys).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.store.list(partition, after, limit).await
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.store.due(index, shard, after, until, limit).await
    }

    /// Three plants make two commits of one. [`Plant::HalfHold`] commits a new hold, the first
    /// write, before its seats. [`Plant::RecordBeforeEffect`] commits the recorded answer before
    /// the reservation and its event, the first two writes. [`Plant::EventApart`] commits the
    /// payment, the last write, before its event and webhook. [`Plant::AmbiguousIsDone`] reports a
    /// commit without an answer as done.
    async fn commit(&self, mut writes: Vec<Write>) -> Result<(), CommitError> {
        let begins = matches!(writes.first(), Some(Write::Put { expect: Expect::Absent, .. }));
        if begins && self.has(Plant::HalfHold, Service::Inventory) && writes.len() > 1 {
            let seats = writes.split_off(1);
            return self.commit_apart(writes, seats).await;
        }
        if begins && writes.len() > 2 && self.has(Plant::RecordBeforeEffect, Service::Reservation) {
            let record = writes.split_off(2);
            return self.commit_apart(record, writes).await;
        }
        if writes.iter().any(is_event) && writes.len() > 1 && self.has(Plant::EventApart, Service::Payments) {
            let payment = writes.split_off(writes.len() - 1);
            return self.commit_apart(payment, writes).await;
        }
        match self.store.commit(writes).await {
            Err(CommitError::Ambiguous(_)) if self.has(Plant::AmbiguousIsDone, Service::Inventory) => Ok(()),
            result => result,
        }
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.store.scan(after, limit).await
    }
}

fn is_event(write: &Write) -> bool {
    let Write::Put { indexes, .. } = write else { return false };
    indexes.iter().any(|entry| entry.index == outbox::INDEX)
}

/// The peers of a worker.
#[derive(Clone)]
pub(crate) struct PlantedPeer<P>(pub(crate) P);

#[async_trait]
impl<P: Inventory + Reservations> Inventory for PlantedPeer<P> {
    async fn hold(&self, cx: &CallContext, command: HoldSeats) -> Result<Held, PortError<Rejection>> {
        self.0.hold(cx, command).await
    }

    /// [`Plant::ConfirmBeforeCommit`]: the reservation is CONFIRMED before the seats are committed.
    async fn commit(
        &self,
        cx: &CallContext,
        command: CommitSeats,
    ) -> Result<Committed, PortError<Rejection>> {
        if planted(Plant::ConfirmBeforeCommit) {
            let id = command.reservation.clone();
            let order = Some(OrderId::for_reservation(&id));
            let end = End::Confirmed { order, intent: command.intent.clone() };
            drop(self.0.end(cx, EndReservation { id, end, inventory_settled: true }).await);
        }
        self.0.commit(cx, command).await
    }

    async fn release(
        &self,
        cx: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        self.0.release(cx, command).await
    }

    async fn refuse(
        &self,
        cx: &CallContext,
        command: RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>> {
        self.0.refuse(cx, command).await
    }
}

#[async_trait]
impl<P: Payments> Payments for PlantedPeer<P> {
    async fn get(
        &self,
        cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        self.0.get(cx, intent).await
    }

    /// [`Plant::LateMoneyKept`]: the money is reported as given back, and the provider keeps it.
    async fn cancel(
        &self,
        cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        if planted(Plant::LateMoneyKept) {
            return Ok(Cancelled { status: Status::Refunded, refunded: 0 });
        }
        self.0.cancel(cx, command).await
    }
}
