//! [`ports::Inventory`] over gRPC.

use crate::grpc::{Method, Pool};
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use contracts::inventory_wire::{self as wire, Call, Subject};
use contracts::reservation::v1::inventory_service_client::InventoryServiceClient as Rpc;
use domain::hold::{Rejection, Released};
use ports::inventory::{
    CommitSeats, Committed, Held, HoldSeats, Inventory, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::{CallContext, Clock, Fault, PortError};
use std::sync::Arc;

/// A client of the inventory.
pub struct InventoryClient {
    pool: Pool,
}

impl InventoryClient {
    /// A client of the inventory at `address` (`host:port` or a URL).
    pub fn new(address: &str, options: PeerOptions, clock: Arc<dyn Clock>) -> Result<Self, InvalidPeer> {
        Ok(Self { pool: Pool::new("inventory", address, options, clock)? })
    }
}

#[async_trait]
impl Inventory for InventoryClient {
    async fn hold(&self, cx: &CallContext, command: HoldSeats) -> Result<Held, PortError<Rejection>> {
        let max = self.pool.answer_bytes_max();
        self.pool
            .ask(
                cx,
                Method::first("ReserveSeat"),
                wire::hold_to_proto(&command),
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).reserve_seat(request).await
                },
                |response| wire::held_from_proto(&command, response),
                |error| wire::rejection_from_error(Call::Hold, Subject::from(&command), error),
            )
            .await
    }

    async fn commit(
        &self,
        cx: &CallContext,
        command: CommitSeats,
    ) -> Result<Committed, PortError<Rejection>> {
        let max = self.pool.answer_bytes_max();
        self.pool
            .ask(
                cx,
                Method::first("CommitReservation"),
                wire::commit_to_proto(&command),
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).commit_reservation(request).await
                },
                |response| wire::committed_from_proto(&command, response),
                |error| wire::rejection_from_error(Call::Commit, Subject::from(&command), error),
            )
            .await
    }

    async fn release(
        &self,
        cx: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        let max = self.pool.answer_bytes_max();
        self.pool
            .ask(
                cx,
                Method::first("ReleaseHold"),
                wire::release_to_proto(&command),
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).release_hold(request).await
                },
                |response| wire::released_from_proto(&command, response),
                |error| wire::rejection_from_error(Call::Release, Subject::from(&command), error),
            )
            .await
    }

    async fn refuse(
        &self,
        cx: &CallContext,
        command: RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>> {
        let max = self.pool.answer_bytes_max();
        self.pool
            .ask(
                cx,
                Method::added("RefusePayment"),
                wire::refuse_to_proto(&command),
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).refuse_payment(request).await
                },
                |response| wire::refused_from_proto(&command, response),
                |error| wire::rejection_from_error(Call::Refuse, Subject::from(&command), error),
            )
            .await
    }

    async fn health(&self, cx: &CallContext) -> Result<(), Fault> {
        self.pool.health(cx).await
    }
}
