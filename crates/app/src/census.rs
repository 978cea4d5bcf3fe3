//! Reads everything that a data folder holds, in the words of the domain, so that the invariants can be checked on it.
//!
//! It reads rows and messages as they are stored, by the readers of the services that wrote them, and believes nobody's
//! memory. A row that cannot be read is an error, not a row less.

use crate::platform::{Reported, Tables, queues};
use adapter_embedded::{Engine, EngineOptions, OpenError};
use anyhow::{Context, Result, bail};
use domain::hold::{Hold, HoldState, ReleaseCause};
use domain::id::ReservationId;
use domain::invariant::{Counts, Owner, Refund, SeatRow, Section, World};
use domain::seat::SeatState;
use domain::show::Show;
use domain::time::Timestamp;
use ports::store::{Expect, Key, Row, Write};
use ports::{Clock, Queue, Store};
use std::collections::BTreeMap;
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

/// Everything that is stored. `reported` is what inventory-api said of its stock, if it was asked.
pub async fn take(engine: &Engine, reported: &Reported) -> Result<World> {
    let tables = Tables::of(engine)?;
    let mut world = World::default();
    stock(&mut world, &scan(&*tables.inventory).await?, reported)?;
    for row in scan(&*tables.reservation).await? {
        match reservation::rows::AnyRow::read(&row) {
            Some(reservation::rows::AnyRow::Reservation(stored)) => {
                world.reservations.push(stored.reservation)
            }
            Some(reservation::rows::AnyRow::Idempotency(record)) => world.idempotency.push(record.answer.id),
            Some(reservation::rows::AnyRow::Webhook(_)) => {}
            None => outbox_row(&mut world, &row)?,
        }
    }
    for row in scan(&*tables.payment).await? {
        match payment::rows::AnyRow::read(&row).transpose().with_context(|| format!("row {:?}", row.key))? {
            Some(payment::rows::AnyRow::Payment(stored)) => world.payments.push(stored.payment),
            Some(payment::rows::AnyRow::Refund(refund)) => {
                world.refunds.push(Refund { intent: refund.intent, amount: refund.amount.amount });
            }
            Some(payment::rows::AnyRow::Webhook(_)) => {}
            None => outbox_row(&mut world, &row)?,
        }
    }
    let (events, letters) = queues(engine)?;
    let depth = events.depth().await?;
    world.queued = depth.visible + depth.in_flight + depth.delayed;
    let mut after: Option<Arc<str>> = None;
    loop {
        let page = letters.peek(after.as_deref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(world) };
        after = Some(last.id.clone());
        world
            .buried
            .extend(page.iter().filter_map(|letter| ReservationId::parse(letter.group.as_deref()?).ok()));
    }
}

/// What is still on its way, in words; `None` when everything is at rest: no live hold, no timer, no unpublished event, no webhook,
/// nothing in the queue.
pub async fn unrest(engine: &Engine) -> Result<Option<String>> {
    let tables = Tables::of(engine)?;
    let (events, _) = queues(engine)?;
    let reservation_shards = outbox::RelayOptions::default().shards;
    let places: [(&str, &dyn Store, &'static str, u32); 4] = [
        (
            "holds of the inventory",
            &*tables.inventory,
            inventory::rows::DUE_HOLDS,
            inventory::rows::DUE_SHARDS,
        ),
        ("errands of the payment provider", &*tables.payment, payment::rows::DUE, payment::rows::SHARDS),
        ("events of payments", &*tables.payment, outbox::INDEX, payment::rows::SHARDS),
        ("events of reservations", &*tables.reservation, outbox::INDEX, reservation_shards),
    ];
    for (what, store, index, shards) in places {
        if !is_empty(store, index, shards).await? {
            return Ok(Some(format!("{what} are open")));
        }
    }
    // The queue is looked at last: what leaves an outbox is in the queue before it is gone from the outbox.
    let depth = events.depth().await?;
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

/// What `GET /admin/shows/{id}` said, for some shows.
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

fn outbox_row(world: &mut World, row: &Row) -> Result<()> {
    if outbox::PendingRow::read(row).is_none() {
        bail!("row {:?} is of no kind that is known", row.key);
    }
    world.outbox_pending += 1;
    Ok(())
}

/// Shows, seats and holds.
fn stock(world: &mut World, rows: &[Row], reported: &Reported) -> Result<()> {
    let mut shows: BTreeMap<String, Show> = BTreeMap::new();
    for row in rows.iter().filter(|row| &*row.key.partition == inventory::rows::SHOWS) {
        let partition = inventory::rows::sections_partition(row).context("a show without its definition")?;
        let sections: Vec<Row> =
            rows.iter().filter(|row| *row.key.partition == *partition).cloned().collect();
        let show = inventory::rows::read_show(row, &sections)?;
        for section in &show.sections {
            world.sections.push(Section {
                show: show.id.clone(),
                section: section.id.clone(),
                capacity: u64::from(section.capacity()),
                reported: reported.get(&(show.id.to_string(), section.id.to_string())).copied(),
            });
        }
        shows.insert(show.id.to_string(), show);
    }
    for row in rows {
        if row.key.partition.starts_with("hold#") {
            world.holds.push(inventory::rows::read_hold(row)?);
        } else if row.key.partition.starts_with("seats#") {
            let seat = inventory::rows::read_seat(row)?;
            let defined = shows.get(seat.show.as_str()).and_then(|show| show.locate(&seat.id)).is_some();
            let owner = match seat.seat.state {
                SeatState::Available => Owner::Free,
                SeatState::Held { by, .. } => Owner::Held(by),
                SeatState::Sold { order } => Owner::Sold(order),
                SeatState::Blocked => Owner::Blocked,
            };
            world.seats.push(SeatRow {
                show: seat.show,
                section: seat.section,
                seat: seat.id,
                defined,
                owner,
            });
        }
    }
    Ok(())
}

/// Damages the data so that one invariant fails, for the test that wants to see it fail.
pub async fn damage(engine: &Engine, name: &str) -> Result<()> {
    let tables = Tables::of(engine)?;
    let (store, rows) = match name {
        "I1" | "X1" => (&tables.inventory, scan(&*tables.inventory).await?),
        "M1" => (&tables.payment, scan(&*tables.payment).await?),
        _ => bail!("no way is known to damage {name}; known are I1, X1 and M1"),
    };
    let write = rows.iter().find_map(|row| damaged(name, row)).context("nothing to damage")?;
    store.commit(vec![write]).await.map_err(|error| anyhow::anyhow!("{error:?}"))
}

fn damaged(name: &str, row: &Row) -> Option<Write> {
    match name {
        // A sold seat belongs to an order that nobody placed.
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
        // The hold of a confirmed reservation went back.
        "X1" => {
            let hold = inventory::rows::read_hold(row).ok().filter(Hold::is_committed)?;
            let at = hold.until;
            let state = HoldState::Released { cause: ReleaseCause::Expired, at };
            Some(inventory::rows::hold_put(&Hold { state, ..hold }, row.version))
        }
        // A captured payment is for a reservation that it does not confirm.
        _ => {
            let Some(Ok(payment::rows::AnyRow::Payment(stored))) = payment::rows::AnyRow::read(row) else {
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
