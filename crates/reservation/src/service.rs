//! The rules of reservations around the pure core: load, move the seats, decide, commit, reply.
//!
//! - The inventory moves first and the record follows (trap T-S3). A crash between the two leaves a
//!   late record, which the redelivered event, a retried call or the sweeper completes; it never
//!   leaves a record that says more than is true.
//! - Every change is a commit under the version that was read; on a conflict it is loaded and
//!   decided again.
//! - A commit whose answer was lost is read back: its rows are recognised by their content (trap
//!   T-S9).
//! - Any handler may be dropped at any await. What it did so far stands, and doing it again ends
//!   the same way.

use crate::config::{Config, ServiceOptions};
use crate::deps::Deps;
use crate::metrics::ServiceMetrics;
use crate::refusal::{Peer, Refusal};
use crate::rows::{Stored, reservation_key};
use core::time::Duration;
use domain::id::{PersonId, ReservationId};
use outbox::{AlarmsHandle, RelayHandle};
use ports::{
    Admissions, CallContext, Clock, Entropy, Fault, Inventory, Payments, PortError, Table, Trace, clock,
};
use std::sync::Arc;

mod admit;
mod cancel;
mod confirm;
mod create;
mod end;
mod list;
mod port;
mod record;
mod settle;
mod trace;
mod webhook;

pub use create::CreateAnswer;
pub(crate) use create::expiry_event;
pub use list::{Listing, Page};
pub use trace::TraceLine;
pub use webhook::WebhookCall;

/// The operations on reservations. A clone is another handle to the same service.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    table: Table,
    inventory: Arc<dyn Inventory>,
    payments: Arc<dyn Payments>,
    admissions: Arc<dyn Admissions>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    relay: RelayHandle,
    /// The queue of alarms at the backstop, if there is one.
    alarms: Option<AlarmsHandle>,
    options: ServiceOptions,
    /// Shards of the outbox: the relay's number.
    outbox_shards: u32,
    metrics: ServiceMetrics,
}

impl Service {
    pub(crate) fn new(
        config: &Config,
        deps: &Deps,
        relay: RelayHandle,
        alarms: Option<AlarmsHandle>,
        metrics: ServiceMetrics,
    ) -> Self {
        let inner = Inner {
            table: table(config, deps),
            inventory: Arc::clone(&deps.inventory),
            payments: Arc::clone(&deps.payments),
            admissions: Arc::clone(&deps.admissions),
            clock: Arc::clone(&deps.clock),
            entropy: Arc::clone(&deps.entropy),
            relay,
            alarms,
            options: config.service.clone(),
            outbox_shards: config.relay.shards,
            metrics,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Reads a reservation. With a person, only the owner gets it.
    pub async fn get(&self, id: &ReservationId, person: Option<&PersonId>) -> Result<Stored, Refusal> {
        let stored = self.load(id).await?.ok_or_else(|| Refusal::NoSuchReservation(id.clone()))?;
        match person {
            Some(person) if *person != stored.reservation.person => Err(Refusal::NotTheOwner(id.clone())),
            _ => Ok(stored),
        }
    }

    /// The row of a reservation, if there is one.
    async fn load(&self, id: &ReservationId) -> Result<Option<Stored>, Refusal> {
        let [row] = self.inner.table.get([reservation_key(id)]).await.map_err(Refusal::Store)?;
        row.map(|row| Stored::read(&row).ok_or_else(|| unreadable(id))).transpose()
    }

    fn inventory_call(&self, trace: &Trace) -> CallContext {
        CallContext { trace: trace.clone(), timeout: Some(self.inner.options.inventory_timeout) }
    }

    /// Runs one call to a peer under its limit. The adapter has a limit too; this one holds if the
    /// adapter forgets it.
    async fn ask<T, R>(
        &self,
        peer: Peer,
        limit: Duration,
        call: impl Future<Output = Result<T, PortError<R>>> + Send,
    ) -> Result<Result<T, R>, Refusal> {
        match clock::timeout(&*self.inner.clock, limit, call).await {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(PortError::Rejected(no))) => Ok(Err(no)),
            Ok(Err(PortError::Failed(fault))) => Err(Refusal::Peer(peer, fault)),
            Err(_) => {
                let message = format!("no answer within {} ms", limit.as_millis());
                Err(Refusal::Peer(peer, Fault::unavailable(message)))
            }
        }
    }
}

/// This service's table, with a limit on each call.
pub(crate) fn table(config: &Config, deps: &Deps) -> Table {
    let limit = Some(config.service.store_timeout);
    Table::new(Arc::clone(&deps.store), Arc::clone(&deps.clock), limit)
}

/// The refusal for an unreadable row of ours: only an operator can help.
fn unreadable(id: &ReservationId) -> Refusal {
    Refusal::Store(Fault::permanent(format!("the rows of {id} lack a part or contradict each other")))
}
