//! The handlers of the inventory: load, decide, commit, reply.
//!
//! A rule of `domain` decides every command, on seats in memory and hold rows from the store, and
//! the handler commits the result under the versions that were read. On a conflict it reads and
//! decides again, a bounded number of times. A handler may be dropped at any await: the next one
//! that wants the seats it had marked as pending reads them again.
//!
//! With `sole_writer` no other process writes the store, so the seats in memory are exact and
//! refusals may come from them. Without it, rows are read again before anything is refused or
//! reported.

mod admissions;
mod commit;
mod create_show;
mod hold;
mod load;
mod look;
mod pending_change;
mod port;
mod refuse;
mod release;
mod retake;
mod set_blocked;
mod status;

pub use create_show::{CreateShowError, Created};
pub use set_blocked::SeatChange;
pub use status::ShowStatus;

use crate::config::Options;
use crate::metrics::InventoryMetrics;
use crate::rows;
use crate::seat_map::SeatMap;
use domain::hold::{Hold, HoldKey, Rejection};
use domain::id::{ReservationId, SeatId, ShowId};
use domain::limits::ROWS_PER_COMMIT_MAX;
use domain::seat::Seat;
use domain::show::{Place, Show};
use parking_lot::{Mutex, MutexGuard};
use ports::store::{CommitError, Key, Row, Write};
use ports::{Clock, Dice, Entropy, Fault, PortError, Store, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows per page of a listing.
const PAGE: usize = 1_000;

/// The inventory. Cheap to clone; every clone is the same inventory.
#[derive(Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) table: Table,
    pub(crate) clock: Arc<dyn Clock>,
    dice: Dice,
    pub(crate) options: Options,
    metrics: InventoryMetrics,
    shows: Mutex<BTreeMap<ShowId, Arc<load::Entry>>>,
}

/// A show with its seats in memory.
pub(crate) struct LoadedShow {
    pub(crate) show: Arc<Show>,
    seat_map: Mutex<SeatMap>,
    /// The shared reading of each section.
    readings: Vec<load::Reading>,
    clock: Arc<dyn Clock>,
}

impl LoadedShow {
    pub(crate) fn seat_map(&self) -> MutexGuard<'_, SeatMap> {
        self.seat_map.lock()
    }

    fn seat_id(&self, place: Place) -> SeatId {
        let section = &self.show.sections[place.section];
        section.seat_id(place.index).expect("a place of this show has a seat")
    }

    fn key(&self, place: Place) -> Key {
        rows::seat_key(&self.show.id, &self.show.sections[place.section].id, place.index)
    }

    /// The places of a hold's seats.
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
        // Each command has its own deadline, so the calls of the store need none.
        let table = Table::new(store, clock.clone(), None);
        let shows = Mutex::default();
        Self { inner: Arc::new(Inner { table, clock, dice: Dice(entropy), options, metrics, shows }) }
    }

    /// Reads some seats again.
    async fn refresh(&self, loaded: &LoadedShow, places: &[Place]) -> Result<(), Fault> {
        for places in places.chunks(ROWS_PER_COMMIT_MAX) {
            let keys: Vec<Key> = places.iter().map(|place| loaded.key(*place)).collect();
            let found = self.inner.table.rows(&keys).await?;
            let seats = found
                .iter()
                .map(|row| {
                    row.as_ref().map_or(Ok(Seat::UNWRITTEN), |row| rows::read_seat(row).map(|read| read.seat))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let mut seat_map = loaded.seat_map();
            for (place, seat) in places.iter().zip(seats) {
                seat_map.learn(*place, seat);
            }
        }
        Ok(())
    }

    /// The stored hold of a reservation and its re-take.
    async fn holds(&self, reservation: &ReservationId) -> Result<(Option<Stored>, Option<Stored>), Fault> {
        let keys = [HoldKey::First, HoldKey::Retake].map(|key| rows::hold_key(reservation, key));
        let [first, retake] = self.inner.table.get(keys).await?;
        let stored = |row: Option<Row>| -> Result<Option<Stored>, Fault> {
            let read = |row: Row| Ok(Stored { hold: rows::read_hold(&row)?, version: row.version });
            row.map(read).transpose()
        };
        Ok((stored(first)?, stored(retake)?))
    }

    /// For `tacos trace`: the hold of a reservation and its re-take.
    pub async fn holds_of(&self, reservation: &ReservationId) -> Result<Vec<Hold>, Fault> {
        let (first, retake) = self.holds(reservation).await?;
        Ok([first, retake].into_iter().flatten().map(|stored| stored.hold).collect())
    }

    async fn get_one(&self, key: Key) -> Result<Option<Row>, Fault> {
        let [row] = self.inner.table.get([key]).await?;
        Ok(row)
    }

    async fn list_all(&self, partition: &str) -> Result<Vec<Row>, Fault> {
        self.inner.table.list_all(partition, PAGE).await
    }

    async fn commit_rows(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        self.inner.table.commit(writes).await
    }

    /// Waits a moment before the next decision, a little longer each time, so that rivals separate.
    async fn step_aside(&self, attempt: u32) {
        use domain::random::Random;
        let limit_us = 500u64 << attempt.min(6);
        let micros = self.inner.dice.clone().below(limit_us);
        self.inner.clock.sleep(core::time::Duration::from_micros(micros)).await;
    }
}

/// The fault after rivals changed the rows at every try.
fn contended() -> Fault {
    Fault::transient("the rows changed at every try")
}

/// A rejection as the result of the port.
fn rejected<T>(rejection: Rejection) -> Result<T, PortError<Rejection>> {
    Err(PortError::Rejected(rejection))
}
