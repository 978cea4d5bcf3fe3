//! The handlers of the inventory: load, decide, commit, reply.
//!
//! Every command is decided by a rule of `domain` on seats in memory and on hold rows from the store, and committed under
//! the versions that were read. On a conflict the rows are read and decided upon again, a bounded number of times. Handlers
//! may be dropped at any await: what they had marked as on its way is then read again by the next who wants it.
//!
//! With `sole_writer` this process is the only one that writes the store, so the seats in memory are exact and a refusal
//! may be answered from them. Without it, rows are read again before anything is refused or reported.

mod admin;
mod claim;
mod commit;
mod hold;
mod port;
mod release;
mod retake;
mod status;
mod sweep;

pub use admin::{CreateShowError, Created, SeatChange};
pub use status::ShowStatus;

use crate::config::Options;
use crate::metrics::InventoryMetrics;
use crate::rows;
use crate::table::Table;
use domain::hold::{Hold, HoldKey, Rejection};
use domain::id::{ReservationId, SeatId, ShowId};
use domain::limits::SEATS_PER_BLOCK;
use domain::seat::Seat;
use domain::show::{Place, Show};
use ports::store::{CommitError, Key, Row, Write};
use ports::{Clock, Dice, Entropy, Fault, PortError, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// Rows in one page of a listing.
const PAGE: usize = 1_000;

/// The inventory. Cheap to clone; every clone is the same inventory.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    dice: Dice,
    options: Options,
    metrics: InventoryMetrics,
    shows: Mutex<BTreeMap<ShowId, Arc<OnceCell<Arc<Stage>>>>>,
}

/// A show with its seats in memory.
pub(crate) struct Stage {
    pub(crate) show: Arc<Show>,
    table: Mutex<Table>,
    /// Taken while a whole section is read again, so that many who need that share one reading.
    reading: tokio::sync::Mutex<u64>,
    asked: std::sync::atomic::AtomicU64,
}

impl Stage {
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        // A panic while the table was locked cannot leave it half changed in a way that matters: versions are checked again.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat_id(&self, place: Place) -> SeatId {
        let section = &self.show.sections[place.section];
        section.seat_id(place.index).expect("a place of this show has a seat")
    }

    fn key(&self, place: Place) -> Key {
        rows::seat_key(&self.show.id, &self.show.sections[place.section].id, place.index)
    }

    /// Where the seats of a hold are.
    fn places(&self, seats: &[SeatId]) -> Result<Vec<Place>, Rejection> {
        seats
            .iter()
            .map(|seat| self.show.locate(seat).ok_or_else(|| Rejection::NoSuchSeat(seat.clone())))
            .collect()
    }
}

/// A hold with its version in the store.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) hold: Hold,
    pub(crate) version: u64,
}

impl Service {
    /// An inventory over a store.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: Options,
        metrics: InventoryMetrics,
    ) -> Self {
        let shows = Mutex::default();
        Self { inner: Arc::new(Inner { store, clock, dice: Dice(entropy), options, metrics, shows }) }
    }

    /// The show, with its seats in memory; `None` if there is none of that id.
    pub(crate) async fn stage(&self, id: &ShowId) -> Result<Option<Arc<Stage>>, Fault> {
        let cell = {
            let mut shows = self.inner.shows.lock().unwrap_or_else(PoisonError::into_inner);
            shows.entry(id.clone()).or_default().clone()
        };
        if let Some(stage) = cell.get() {
            return Ok(Some(stage.clone()));
        }
        // Whether the show exists is asked before the cell is filled, so that unknown ids leave nothing behind.
        let Some(show) = self.read_show(id).await? else {
            let mut shows = self.inner.shows.lock().unwrap_or_else(PoisonError::into_inner);
            if shows.get(id).is_some_and(|known| known.get().is_none()) {
                shows.remove(id);
            }
            return Ok(None);
        };
        let stage = cell.get_or_try_init(|| self.read_stage(show)).await?;
        Ok(Some(stage.clone()))
    }

    async fn read_stage(&self, show: Show) -> Result<Arc<Stage>, Fault> {
        let mut table = Table::new(&show);
        for section in 0..show.sections.len() {
            for (place, seat) in self.read_section(&show, section).await? {
                table.learn(place, seat);
            }
        }
        Ok(Arc::new(Stage {
            show: Arc::new(show),
            table: Mutex::new(table),
            reading: tokio::sync::Mutex::default(),
            asked: std::sync::atomic::AtomicU64::new(0),
        }))
    }

    async fn read_show(&self, id: &ShowId) -> Result<Option<Show>, Fault> {
        match self.get_one(rows::show_key(id)).await? {
            Some(row) => self.read_sections(&row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn read_sections(&self, row: &Row) -> Result<Show, Fault> {
        let partition = rows::sections_partition(row).unwrap_or_default();
        let sections = self.list_all(&partition).await?;
        rows::read_show(row, &sections)
    }

    /// Every written seat of a section.
    async fn read_section(&self, show: &Show, section: usize) -> Result<Vec<(Place, Seat)>, Fault> {
        let definition = &show.sections[section];
        let mut found = Vec::new();
        for block in 0..definition.blocks() {
            let partition = rows::block_partition(&show.id, &definition.id, block);
            for row in self.inner.store.list(&partition, None, SEATS_PER_BLOCK as usize).await? {
                let seat = rows::read_seat(&row)?;
                let index = rows::seat_index(&row.key).filter(|index| *index < definition.capacity());
                let index = index
                    .ok_or_else(|| Fault::permanent(format!("seat {} is not in its section", seat.id)))?;
                found.push((Place { section, index }, seat.seat));
            }
        }
        Ok(found)
    }

    /// Reads a whole section again. A reading that began after this call was made serves as well.
    async fn read_again(&self, stage: &Stage, section: usize) -> Result<(), Fault> {
        use std::sync::atomic::Ordering;
        let mine = stage.asked.fetch_add(1, Ordering::AcqRel);
        let mut began = stage.reading.lock().await;
        if *began > mine && stage.show.sections.len() == 1 {
            return Ok(());
        }
        *began = stage.asked.load(Ordering::Acquire);
        let seats = self.read_section(&stage.show, section).await?;
        let mut table = stage.table();
        for (place, seat) in seats {
            table.learn(place, seat);
        }
        Ok(())
    }

    /// Reads some seats again.
    async fn refresh(&self, stage: &Stage, places: &[Place]) -> Result<(), Fault> {
        let keys: Vec<Key> = places.iter().map(|place| stage.key(*place)).collect();
        let found = self.inner.store.get(&keys).await?;
        let seats = found
            .iter()
            .map(|row| {
                row.as_ref().map_or(Ok(Seat::UNWRITTEN), |row| rows::read_seat(row).map(|read| read.seat))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut table = stage.table();
        for (place, seat) in places.iter().zip(seats) {
            table.learn(*place, seat);
        }
        Ok(())
    }

    /// The hold of a reservation and its re-take, as they are stored.
    async fn holds(&self, reservation: &ReservationId) -> Result<(Option<Stored>, Option<Stored>), Fault> {
        let keys = [HoldKey::First, HoldKey::Retake].map(|key| rows::hold_key(reservation, key));
        let found = self.inner.store.get(&keys).await?;
        let mut holds = found.iter().map(|row| match row {
            Some(row) => Ok(Some(Stored { hold: rows::read_hold(row)?, version: row.version })),
            None => Ok(None),
        });
        let first = holds.next().transpose()?.flatten();
        let retake = holds.next().transpose()?.flatten();
        Ok((first, retake))
    }

    /// What `tacos trace` tells of a reservation: its hold and its re-take.
    pub async fn holds_of(&self, reservation: &ReservationId) -> Result<Vec<Hold>, Fault> {
        let (first, retake) = self.holds(reservation).await?;
        Ok([first, retake].into_iter().flatten().map(|stored| stored.hold).collect())
    }

    async fn get_one(&self, key: Key) -> Result<Option<Row>, Fault> {
        let found = self.inner.store.get(std::slice::from_ref(&key)).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn list_all(&self, partition: &str) -> Result<Vec<Row>, Fault> {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let after = rows.last().map(|row| row.key.sort.clone());
            let page = self.inner.store.list(partition, after.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            rows.extend(page);
            if last {
                return Ok(rows);
            }
        }
    }

    async fn commit_rows(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        self.inner.store.commit(writes).await
    }

    /// Waits a moment before deciding again, a little longer each time, so that rivals part.
    async fn step_aside(&self, attempt: u32) {
        use domain::random::Random;
        let limit_us = 500u64 << attempt.min(6);
        let micros = self.inner.dice.clone().below(limit_us);
        self.inner.clock.sleep(core::time::Duration::from_micros(micros)).await;
    }
}

/// What a handler says when rivals changed its rows every time.
fn contended() -> Fault {
    Fault::transient("the rows changed at every try")
}

/// A refusal as the port tells it.
fn rejected<T>(rejection: Rejection) -> Result<T, PortError<Rejection>> {
    Err(PortError::Rejected(rejection))
}
