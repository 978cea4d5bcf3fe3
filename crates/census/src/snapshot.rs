//! A snapshot of a whole platform: its three tables and its queues as a [`World`], on which the
//! invariants are checked.
//!
//! [`Census`] interprets the rows; this module reads them, page by page. The result is exact only
//! while nothing is written. An unreadable row is an error; it is never skipped.

use crate::{Census, ReadError, Table};
use domain::id::ReservationId;
use domain::invariant::{Counts, World};
use domain::time::Timestamp;
use ports::store::{Key, Row};
use ports::{DeadLetters, Fault, Queue, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows in one page of a scan.
const PAGE: usize = 2_000;

/// The stock that inventory-api reports, by show and section.
pub type Reported = BTreeMap<(String, String), Counts>;

/// The engines that a snapshot is read from.
#[derive(Clone, Copy)]
pub struct Sources<'s> {
    /// The table of inventory-api.
    pub inventory: &'s dyn Store,
    /// The table of reservation-api.
    pub reservation: &'s dyn Store,
    /// The table of payment-sim-api.
    pub payment: &'s dyn Store,
    /// The event queue.
    pub events: &'s dyn Queue,
    /// Its dead-letter queue.
    pub dead_letters: &'s dyn DeadLetters,
}

/// A snapshot that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] ReadError),
    /// An engine did not answer.
    #[error(transparent)]
    Engine(#[from] Fault),
}

/// Everything that is stored. `reported` is the stock as inventory-api reported it, or empty.
pub async fn read(sources: &Sources<'_>, reported: &Reported) -> Result<World, SnapshotError> {
    let mut census = Census::new();
    let stores = [
        (Table::Inventory, sources.inventory),
        (Table::Reservation, sources.reservation),
        (Table::Payment, sources.payment),
    ];
    for (table, store) in stores {
        for row in scan(store).await? {
            census.set(table, &row.key, Some(&row))?;
        }
    }
    census.complete()?;
    let mut world = census.into_world();
    for section in &mut world.sections {
        section.reported = reported.get(&(section.show.to_string(), section.section.to_string())).copied();
    }
    let depth = sources.events.depth().await?;
    world.queued = depth.visible + depth.in_flight + depth.delayed;
    let mut after: Option<Arc<str>> = None;
    loop {
        let page = sources.dead_letters.browse(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(world) };
        after = Some(last.id.clone());
        world
            .buried
            .extend(page.iter().filter_map(|letter| ReservationId::parse(letter.group.as_deref()?).ok()));
    }
}

/// Describes the work that is still pending; `None` when everything is at rest: no live hold, no
/// timer, no unpublished event, no webhook, nothing in the queue.
pub async fn pending_work(sources: &Sources<'_>) -> Result<Option<String>, Fault> {
    let reservation_shards = outbox::RelayOptions::default().shards;
    let places: [(&str, &dyn Store, &'static str, u32); 4] = [
        (
            "holds of the inventory",
            sources.inventory,
            inventory::rows::DUE_HOLDS,
            inventory::rows::DUE_SHARDS,
        ),
        (
            "scheduled work of the payment provider",
            sources.payment,
            payment::rows::DUE,
            payment::rows::SHARDS,
        ),
        ("events of payments", sources.payment, outbox::INDEX, payment::rows::SHARDS),
        ("events of reservations", sources.reservation, outbox::INDEX, reservation_shards),
    ];
    for (what, store, index, shards) in places {
        if !is_empty(store, index, shards).await? {
            return Ok(Some(format!("{what} are pending")));
        }
    }
    // The queue is checked last: an event is in the queue before it leaves the outbox.
    let depth = sources.events.depth().await?;
    Ok((depth != ports::queue::Depth::default()).then(|| {
        format!(
            "{} messages are visible, {} in flight, {} delayed",
            depth.visible, depth.in_flight, depth.delayed
        )
    }))
}

async fn is_empty(store: &dyn Store, index: &'static str, shards: u32) -> Result<bool, Fault> {
    for shard in 0..shards {
        if !store.due(index, &outbox::shard_name(shard), None, Timestamp::MAX, 1).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every row of a table.
///
/// # Errors
/// When the store does not answer.
pub async fn scan(store: &dyn Store) -> Result<Vec<Row>, Fault> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after: Option<Key> = rows.last().map(|row| row.key.clone());
        let page = store.scan(after.as_ref(), PAGE).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}
