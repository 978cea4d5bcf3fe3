//! Reads everything that the engines of a platform store into a [`World`], on which the invariants
//! are checked.
//!
//! [`::census`] interprets the rows, here and in the simulator; this module reads them from the
//! engines, along with the queues. An unreadable row is an error; it is never skipped.

use crate::engines::Engines;
use crate::platform::Reported;
use ::census::{Census, Table};
use adapter_embedded::{Engine, EngineOptions, OpenError};
use anyhow::{Context, Result, bail};
use domain::hold::{Hold, HoldState, ReleaseCause};
use domain::id::ReservationId;
use domain::invariant::{Counts, World};
use domain::seat::SeatState;
use domain::time::Timestamp;
use ports::store::{Expect, Key, Row, Write};
use ports::{Clock, Store};
use std::path::Path;
use std::sync::Arc;

/// The table of inventory-api.
pub const INVENTORY: &str = "inventory";
/// The table of reservation-api.
pub const RESERVATION: &str = "reservation";
/// The table of payment-sim-api.
pub const PAYMENT: &str = "payment";
/// The event queue.
pub const EVENTS: &str = "events.fifo";
/// Its dead-letter queue.
pub const LETTERS: &str = "events-dlq.fifo";

/// Rows in one page of a scan.
const PAGE: usize = 2_000;

/// Opens a data folder.
pub async fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Engine, OpenError> {
    Engine::open(folder, EngineOptions::default(), clock)
}

/// Everything that is stored. `reported` is the stock as inventory-api reported it, or empty.
pub async fn take(engines: &Engines, reported: &Reported) -> Result<World> {
    let mut census = Census::new();
    let stores = [
        (Table::Inventory, &engines.inventory),
        (Table::Reservation, &engines.reservation),
        (Table::Payment, &engines.payment),
    ];
    for (table, store) in stores {
        for row in scan(&**store).await? {
            census.set(table, &row.key, Some(&row))?;
        }
    }
    census.complete()?;
    let mut world = census.into_world();
    for section in &mut world.sections {
        section.reported = reported.get(&(section.show.to_string(), section.section.to_string())).copied();
    }
    let depth = engines.events.depth().await?;
    world.queued = depth.visible + depth.in_flight + depth.delayed;
    let mut after: Option<Arc<str>> = None;
    loop {
        let page = engines.dead_letters.browse(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(world) };
        after = Some(last.id.clone());
        world
            .buried
            .extend(page.iter().filter_map(|letter| ReservationId::parse(letter.group.as_deref()?).ok()));
    }
}

/// Describes the work that is still pending; `None` when everything is at rest: no live hold, no
/// timer, no unpublished event, no webhook, nothing in the queue.
pub async fn pending_work(engines: &Engines) -> Result<Option<String>> {
    let reservation_shards = outbox::RelayOptions::default().shards;
    let places: [(&str, &dyn Store, &'static str, u32); 4] = [
        (
            "holds of the inventory",
            &*engines.inventory,
            inventory::rows::DUE_HOLDS,
            inventory::rows::DUE_SHARDS,
        ),
        (
            "scheduled work of the payment provider",
            &*engines.payment,
            payment::rows::DUE,
            payment::rows::SHARDS,
        ),
        ("events of payments", &*engines.payment, outbox::INDEX, payment::rows::SHARDS),
        ("events of reservations", &*engines.reservation, outbox::INDEX, reservation_shards),
    ];
    for (what, store, index, shards) in places {
        if !is_empty(store, index, shards).await? {
            return Ok(Some(format!("{what} are pending")));
        }
    }
    // The queue is checked last: an event is in the queue before it leaves the outbox.
    let depth = engines.events.depth().await?;
    Ok((depth != ports::queue::Depth::default()).then(|| {
        format!(
            "{} messages are visible, {} in flight, {} delayed",
            depth.visible, depth.in_flight, depth.delayed
        )
    }))
}

async fn is_empty(store: &dyn Store, index: &'static str, shards: u32) -> Result<bool> {
    for shard in 0..shards {
        if !store.due(index, &outbox::shard_name(shard), None, Timestamp::MAX, 1).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The stock in these answers of `GET /admin/shows/{id}`.
pub fn reported(shows: &[serde_json::Value]) -> Result<Reported> {
    let mut reported = Reported::new();
    for show in shows {
        let show: contracts::rest::admin::Show = serde_json::from_value(show.clone()).context("a show")?;
        for section in show.sections {
            let counts = Counts {
                available: section.remaining,
                held: section.held,
                sold: section.sold,
                blocked: section.blocked,
            };
            reported.insert((show.event_id.clone(), section.id), counts);
        }
    }
    Ok(reported)
}

async fn scan(store: &dyn Store) -> Result<Vec<Row>> {
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

/// Damages the data so that one invariant fails, for the test that expects the failure.
pub async fn damage(engines: &Engines, name: &str) -> Result<()> {
    let (store, rows) = match name {
        "I1" | "X1" => (&engines.inventory, scan(&*engines.inventory).await?),
        "M1" => (&engines.payment, scan(&*engines.payment).await?),
        _ => bail!("cannot damage {name}; use I1, X1 or M1"),
    };
    let write = rows.iter().find_map(|row| damaged(name, row)).context("no row to damage")?;
    store.commit(vec![write]).await.map_err(|error| anyhow::anyhow!("{error:?}"))
}

fn damaged(name: &str, row: &Row) -> Option<Write> {
    match name {
        // A sold seat belongs to an order that does not exist.
        "I1" => {
            let seat = inventory::rows::read_seat(row)
                .ok()
                .filter(|seat| matches!(seat.seat.state, SeatState::Sold { .. }))?;
            let order = domain::id::OrderId::parse("ord_nobody").ok()?;
            let state = SeatState::Sold { order };
            let put = inventory::rows::seat_put(
                row.key.clone(),
                &seat.show,
                &seat.section,
                &seat.id,
                &state,
                row.version,
            );
            Some(put)
        }
        // The hold of a confirmed reservation is released.
        "X1" => {
            let hold = inventory::rows::read_hold(row).ok().filter(Hold::is_committed)?;
            let at = hold.until;
            let state = HoldState::Released { cause: ReleaseCause::Expired, at };
            Some(inventory::rows::hold_put(&Hold { state, ..hold }, row.version))
        }
        // A captured payment belongs to a reservation that it does not confirm.
        _ => {
            let Ok(Some(payment::rows::AnyRow::Payment(stored))) = payment::rows::AnyRow::read(row) else {
                return None;
            };
            if stored.payment.status != domain::payment::Status::Captured {
                return None;
            }
            let mut attributes = row.attributes.clone();
            for (attribute, value) in &mut attributes.0 {
                if *attribute == "reservation_id" {
                    *value = "rsv_nobody".into();
                }
            }
            Some(Write::Put {
                key: row.key.clone(),
                expect: Expect::Version(row.version),
                attributes,
                indexes: Vec::new(),
            })
        }
    }
}
