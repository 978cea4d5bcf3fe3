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

use crate::metrics::ServiceMetrics;
use crate::refusal::{Peer, Refusal};
use crate::rows::{Stored, reservation_key};
use crate::table::Table;
use core::time::Duration;
use domain::id::{PersonId, ReservationId};
use domain::limits;
use outbox::{AlarmsHandle, RelayHandle};
use ports::{
    Admissions, CallContext, Clock, Entropy, Fault, Inventory, Payments, PortError, Store, Trace, clock,
};
use secrecy::SecretString;
use std::sync::Arc;

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

/// The options of the service: times, limits of calls, secrets.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// How long seats are held for a buyer.
    pub hold_ttl: Duration,
    /// The limit of one call to the inventory.
    pub inventory_timeout: Duration,
    /// The limit of one call to the payment provider.
    pub payment_timeout: Duration,
    /// The limit of one call that asks whether a show requires a pass.
    pub admission_timeout: Duration,
    /// The limit of one call to the store.
    pub store_timeout: Duration,
    /// The secret that payment webhooks are signed with.
    pub webhook_secret: SecretString,
    /// The secrets that may have signed a pass of the waiting room. Without one no pass is valid.
    pub pass_secrets: Vec<SecretString>,
    /// Shards of the outbox; must be the relay's number.
    pub outbox_shards: u32,
}

impl ServiceOptions {
    /// The defaults, with this secret.
    pub fn new(webhook_secret: SecretString) -> Self {
        Self {
            hold_ttl: limits::HOLD_TTL,
            inventory_timeout: Duration::from_millis(250),
            payment_timeout: Duration::from_millis(250),
            admission_timeout: Duration::from_millis(250),
            store_timeout: Duration::from_secs(5),
            webhook_secret,
            pass_secrets: Vec::new(),
            outbox_shards: outbox::RelayOptions::default().shards,
        }
    }
}

/// The ports that the service works with.
pub struct ServicePorts {
    /// This service's table.
    pub store: Arc<dyn Store>,
    /// The seats.
    pub inventory: Arc<dyn Inventory>,
    /// The payment provider.
    pub payments: Arc<dyn Payments>,
    /// Which shows require a pass of the waiting room.
    pub admissions: Arc<dyn Admissions>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for callers without an Idempotency-Key.
    pub entropy: Arc<dyn Entropy>,
    /// The relay of this table's outbox.
    pub relay: RelayHandle,
    /// The queue of alarms at the backstop, if there is one.
    pub alarms: Option<AlarmsHandle>,
}

/// The operations on reservations. A clone is another handle to the same service.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

struct Parts {
    table: Table,
    inventory: Arc<dyn Inventory>,
    payments: Arc<dyn Payments>,
    admissions: Arc<dyn Admissions>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    relay: RelayHandle,
    alarms: Option<AlarmsHandle>,
    options: ServiceOptions,
    metrics: ServiceMetrics,
}

impl Service {
    /// A service over these ports.
    pub fn new(ports: ServicePorts, options: ServiceOptions, metrics: ServiceMetrics) -> Self {
        let ServicePorts { store, inventory, payments, admissions, clock, entropy, relay, alarms } = ports;
        let table = Table { store, clock: Arc::clone(&clock), call_timeout: options.store_timeout };
        Self(Arc::new(Parts {
            table,
            inventory,
            payments,
            admissions,
            clock,
            entropy,
            relay,
            alarms,
            options,
            metrics,
        }))
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
        let [row] = self.0.table.get([reservation_key(id)]).await.map_err(Refusal::Store)?;
        row.map(|row| Stored::read(&row).ok_or_else(|| unreadable(id))).transpose()
    }

    fn inventory_call(&self, trace: &Trace) -> CallContext {
        CallContext { trace: trace.clone(), timeout: Some(self.0.options.inventory_timeout) }
    }

    /// Runs one call to a peer under its limit. The adapter has a limit too; this one holds if the
    /// adapter forgets it.
    async fn ask<T, R>(
        &self,
        peer: Peer,
        limit: Duration,
        call: impl Future<Output = Result<T, PortError<R>>> + Send,
    ) -> Result<Result<T, R>, Refusal> {
        match clock::timeout(&*self.0.clock, limit, call).await {
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

/// The refusal for an unreadable row of ours: only an operator can help.
fn unreadable(id: &ReservationId) -> Refusal {
    Refusal::Store(Fault::permanent(format!("the rows of {id} lack a part or contradict each other")))
}
