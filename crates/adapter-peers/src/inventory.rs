//! [`ports::Inventory`] over gRPC.

use crate::grpc::Pool;
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use contracts::answer::grpc::error_from_status;
use contracts::inventory_wire::{self as wire, Call, Subject};
use contracts::reservation::v1::inventory_service_client::InventoryServiceClient as Rpc;
use domain::hold::{Rejection, Released};
use ports::inventory::{CommitSeats, Committed, Held, HoldSeats, Inventory, ReleaseSeats};
use ports::{CallContext, Clock, PortError};
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
        let answer = self
            .pool
            .call(cx, "ReserveSeat", wire::hold_to_proto(&command), |connection, request| async move {
                Rpc::new(connection).max_decoding_message_size(max).reserve_seat(request).await
            })
            .await?;
        let what = self.pool.what("ReserveSeat");
        match answer {
            Ok(response) => wire::held_from_proto(&command, response).map_err(|no| no.into_error(&what)),
            Err(status) => Err(error_from_status(&what, status, |error| {
                wire::rejection_from_error(Call::Hold, Subject::from(&command), error)
            })),
        }
    }

    async fn commit(
        &self,
        cx: &CallContext,
        command: CommitSeats,
    ) -> Result<Committed, PortError<Rejection>> {
        let max = self.pool.answer_bytes_max();
        let answer = self
            .pool
            .call(
                cx,
                "CommitReservation",
                wire::commit_to_proto(&command),
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).commit_reservation(request).await
                },
            )
            .await?;
        let what = self.pool.what("CommitReservation");
        match answer {
            Ok(response) => wire::committed_from_proto(&command, response).map_err(|no| no.into_error(&what)),
            Err(status) => Err(error_from_status(&what, status, |error| {
                wire::rejection_from_error(Call::Commit, Subject::from(&command), error)
            })),
        }
    }

    async fn release(
        &self,
        cx: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        let max = self.pool.answer_bytes_max();
        let answer = self
            .pool
            .call(cx, "ReleaseHold", wire::release_to_proto(&command), |connection, request| async move {
                Rpc::new(connection).max_decoding_message_size(max).release_hold(request).await
            })
            .await?;
        let what = self.pool.what("ReleaseHold");
        match answer {
            Ok(response) => wire::released_from_proto(&command, response).map_err(|no| no.into_error(&what)),
            Err(status) => Err(error_from_status(&what, status, |error| {
                wire::rejection_from_error(Call::Release, Subject::from(&command), error)
            })),
        }
    }
}
