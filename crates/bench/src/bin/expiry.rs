//! Expiry at scale: a million open holds, five thousand of them falling due each second.
//!
//! The folder is prepared first: 5 shows, a hold, a reservation and an outbox row for each of
//! the seats, due one after another. Then the shipped `tacos up` is started on it, and the time
//! to its ready line is measured. While holds fall due, the relay's own histogram shows the lag
//! from due to the queue's answer. Afterwards the rows of the holds show when each was released.

use adapter_embedded::{Engine, EngineOptions};
use anyhow::{Context, Result, bail, ensure};
use bench::{Platform, now, print, say};
use clap::Parser;
use domain::event::{Event, Fact, SeatsHint};
use domain::hold::HoldState;
use domain::id::{PersonId, ReservationId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::reservation::{Reservation, Status};
use domain::show::{Layout, Section, Show};
use domain::time::Timestamp;
use hdrhistogram::Histogram;
use ports::inventory::HoldSeats;
use ports::store::{Key, Write};
use ports::{CallContext, Clock, Inventory, PortError, Store};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const SHOWS: u64 = 5;

#[derive(Debug, Parser)]
#[command(
    about = "Lag of expiry with a million open holds, and the time to be ready after a restart on them"
)]
struct Options {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Open holds.
    #[arg(long, default_value_t = 1_000_000)]
    holds: u64,
    /// Holds that fall due each second.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Seconds of falling due that are measured.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds that preparing the folder and starting on it may take; the first hold is due
    /// after them.
    #[arg(long, default_value_t = 150)]
    prepare: u64,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
    let first_due = clock.now().plus(Duration::from_secs(options.prepare));
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    say("preparing …");
    let started = now();
    let preparing = runtime()?;
    preparing.block_on(prepare(folder.path(), &options, &clock, first_due))?;
    drop(preparing);
    let prepared = now() - started;
    say(&format!("prepared in {:.0} s, starting …", prepared.as_secs_f64()));
    let platform = Platform::start(folder.path(), "60s")?;
    let ready_ms = platform.ready_after.as_millis() as u64;
    ensure!(
        clock.now() < first_due,
        "the first hold was due before the platform was ready; give a longer --prepare"
    );
    let measuring = runtime()?;
    let publish = measuring.block_on(watch(&platform, &options, &clock, first_due))?;
    platform.kill()?;
    let release = measuring.block_on(released(folder.path(), &clock))?;
    let run = json!({
        "name": format!("{} open, {}/s due", options.holds, options.rate),
        "published": publish.count,
        "publish_lag_p50_ms": publish.p50_ms,
        "publish_lag_p99_ms": publish.p99_ms,
        "released": release.len(),
        "release_lag_p50_ms": release.value_at_quantile(0.50),
        "release_lag_p99_ms": release.value_at_quantile(0.99),
        "ready_after_restart_ms": ready_ms,
    });
    print("bench expiry", &[run], options.json);
    Ok(())
}

/// The holds, the reservations and the outbox rows, as the services would have written them.
async fn prepare(
    folder: &Path,
    options: &Options,
    clock: &Arc<dyn Clock>,
    first_due: Timestamp,
) -> Result<()> {
    let engine = Engine::open(folder, EngineOptions::default(), clock.clone())?;
    let store: Arc<dyn Store> = engine.store(app::engines::INVENTORY)?;
    let reservations: Arc<dyn Store> = engine.store(app::engines::RESERVATION)?;
    let inventory = inventory::Service::new(
        store,
        clock.clone(),
        Arc::new(runtime::SystemEntropy::new()),
        inventory::Options { sole_writer: true, deadline: Duration::from_secs(60), ..Default::default() },
        inventory::InventoryMetrics::default(),
    );
    let seats = options.holds.div_ceil(SHOWS);
    for number in 0..SHOWS {
        let section = Section {
            id: SectionId::parse("F")?,
            name: "Floor".to_owned(),
            price: 1_000,
            layout: Layout::Places(u32::try_from(seats)?),
        };
        let show = Show {
            id: ShowId::parse(&format!("show-{number}"))?,
            name: "Show".to_owned(),
            currency: Currency::krw(),
            sections: vec![section],
            waiting_room: None,
        };
        let created = inventory.create_show(&show).await;
        ensure!(created.is_ok(), "{created:?}");
    }
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..256 {
        let (inventory, reservations, next) = (inventory.clone(), reservations.clone(), next.clone());
        let (holds, rate, clock) = (options.holds, options.rate, clock.clone());
        workers.spawn(async move {
            while let Some(batch) = batch(&next, holds) {
                place(&inventory, &*reservations, &*clock, batch, rate, first_due).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done.context("a worker panicked")??;
    }
    Ok(())
}

/// The numbers of the next holds: few enough that their rows fit into one commit.
fn batch(next: &AtomicU64, holds: u64) -> Option<std::ops::Range<u64>> {
    const BATCH: u64 = 40;
    let from = next.fetch_add(BATCH, Ordering::Relaxed);
    (from < holds).then(|| from..holds.min(from + BATCH))
}

async fn place(
    inventory: &inventory::Service,
    store: &dyn Store,
    clock: &dyn Clock,
    numbers: std::ops::Range<u64>,
    rate: u64,
    first_due: Timestamp,
) -> Result<()> {
    let mut writes: Vec<Write> = Vec::new();
    for number in numbers {
        let until = first_due.plus(Duration::from_micros(number * 1_000_000 / rate));
        let id = ReservationId::parse(&format!("rsv_{number:026}"))?;
        let (show, person) =
            (ShowId::parse(&format!("show-{}", number % SHOWS))?, PersonId::parse(&format!("u-{number}"))?);
        let command = HoldSeats {
            reservation: id.clone(),
            show: show.clone(),
            section: None,
            seats: Vec::new(),
            quantity: 1,
            person: person.clone(),
            until,
        };
        let held = match inventory.hold(&CallContext::default(), command).await {
            Ok(held) => held,
            Err(PortError::Rejected(why)) => bail!("{id}: {why:?}"),
            Err(PortError::Failed(fault)) => return Err(fault.into()),
        };
        let at = clock.now();
        let seats: Vec<_> = held.seats.into_iter().map(|seat| seat.id).collect();
        let event = Event {
            id: outbox::expired_event_id(&id),
            source: reservation::SOURCE.into(),
            at: until,
            trace_id: None,
            reservation: id.clone(),
            seats: SeatsHint { show: Some(show.clone()), seats: seats.clone(), quantity: Some(1) },
            person: Some(person.clone()),
            fact: Fact::ReservationExpired { expired_at: Some(until) },
        };
        let reserved = Reservation {
            id,
            show,
            section: Some(SectionId::parse("F")?),
            person,
            status: Status::Hold,
            seats,
            total: Money { amount: 1_000, currency: Currency::krw() },
            hold_expires_at: until,
            created_at: at,
            updated_at: at,
            order: None,
            intent: None,
            cancel_reason: None,
            error_code: None,
        };
        writes.push(reservation::rows::Stored::placed(reserved).write());
        writes.push(outbox::row_write(&event, until, outbox::RelayOptions::default().shards));
    }
    store.commit(writes).await.map_err(|error| anyhow::anyhow!("{error:?}"))
}

/// What the relay's histogram said.
struct Publish {
    count: u64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Waits for the measured seconds of falling due and reads the relay's histogram.
async fn watch(
    platform: &Platform,
    options: &Options,
    clock: &Arc<dyn Clock>,
    first_due: Timestamp,
) -> Result<Publish> {
    let until = first_due.plus(Duration::from_secs(options.seconds));
    clock.sleep(until.since(clock.now())).await;
    let address = platform.address("reservation_http").to_owned();
    let text = scrape(&address).await?;
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("outbox_publish_lag_seconds_bucket{le=\"") else { continue };
        let Some((bound, count)) = rest.split_once("\"} ") else { continue };
        buckets.push((
            bound.replace("+Inf", "inf").parse()?,
            count.split(' ').next().unwrap_or_default().parse()?,
        ));
    }
    let count = buckets.last().context("the histogram of the relay")?.1;
    ensure!(count > 0, "nothing was published");
    let quantile = |q: f64| {
        let rank = (count as f64 * q).ceil() as u64;
        buckets.iter().find(|(_, below)| *below >= rank).map_or(f64::INFINITY, |(bound, _)| bound * 1_000.0)
    };
    Ok(Publish { count, p50_ms: quantile(0.50), p99_ms: quantile(0.99) })
}

async fn scrape(address: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// From due to released, by the rows of the holds, in milliseconds.
async fn released(folder: &Path, clock: &Arc<dyn Clock>) -> Result<Histogram<u64>> {
    let engine = Engine::open(folder, EngineOptions::default(), clock.clone())?;
    let store = engine.store(app::engines::INVENTORY)?;
    let mut lag = Histogram::<u64>::new(3)?;
    let mut after: Option<Key> = None;
    loop {
        let page = store.scan(after.as_ref(), 5_000).await?;
        let Some(last) = page.last() else { return Ok(lag) };
        after = Some(last.key.clone());
        for row in page.iter().filter(|row| row.key.partition.starts_with("hold#")) {
            let hold = inventory::rows::read_hold(row)?;
            if let HoldState::Released { at, .. } = hold.state {
                lag.record(at.since(hold.until).as_millis() as u64)?;
            }
        }
    }
}
