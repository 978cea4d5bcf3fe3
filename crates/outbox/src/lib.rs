//! The transactional outbox: an event is a row that is written in the same commit as its effect. A
//! [`Relay`] publishes the row when it is due and deletes it after the queue accepted it.
//!
//! What holds, whatever crashes: an event whose effect is committed reaches the queue at least
//! once, never before its due time, with the same deduplication id each time, and behind the
//! earlier events of its reservation (invariant X3). Two things are left to others. The consumer's
//! idempotency makes the effect of an event happen once. The owner of a row withdraws an event that
//! is no longer wanted: it deletes the row with [`delete_write`] in the commit that ends the
//! reason.
//!
//! Rows live in the table of the service that writes them. The relay keeps only a row's compact
//! key, in memory and ordered by due time. It reads the store's index `outbox` to rebuild that
//! order at the start and, slowly, to find the rows of instances that died.
//!
//! When a hold expires (ARCHITECTURE.md, walk 2), its timer is the relay: [`due`] keeps the due
//! times, [`Relay`] publishes `reservation.expired`.
//!
//! Beside the relay and independent of it, [`Alarms`] set a slower timer outside this process
//! ([`ports::Backstop`]), where one is configured.

mod alarms;
mod backoff;
pub mod due;
mod id;
mod lanes;
mod metrics;
mod relay;
mod row;
mod state;

pub use alarms::{AlarmMetrics, AlarmOptions, Alarms, AlarmsHandle};
pub use backoff::rest;
pub use id::{expired_event_id, payment_event_id};
pub use metrics::RelayMetrics;
pub use relay::{Relay, RelayHandle, RelayOptions};
pub use row::{
    INDEX, PendingRow, SORT, delete_write, row_key, row_write, row_write_traced, shard_name, shard_of,
};
pub use state::RelayState;
