//! Reads shows and their seats into memory.
//!
//! A show is read block by block. A reader that is dropped at its deadline leaves its progress to
//! the next one, so a show that takes longer to read than a request may last still gets on sale.

use super::{LoadedShow, Service};
use crate::rows;
use crate::seat_map::SeatMap;
use core::sync::atomic::{AtomicU64, Ordering};
use domain::id::ShowId;
use domain::limits::SEATS_PER_BLOCK;
use domain::seat::Seat;
use domain::show::{Place, Show};
use parking_lot::Mutex;
use ports::Fault;
use ports::store::Row;
use std::sync::{Arc, OnceLock};

/// An existing show, from the first request for it.
pub(super) struct Entry {
    ready: OnceLock<Arc<LoadedShow>>,
    loading: tokio::sync::Mutex<Loading>,
}

/// How far the reading has come.
struct Loading {
    show: Arc<Show>,
    seat_map: SeatMap,
    section: usize,
    block: u32,
}

/// The readings of one section. Callers that need a fresh one share it.
#[derive(Default)]
pub(super) struct Reading {
    /// The number of callers so far.
    asked: AtomicU64,
    /// The number of callers when the last successful reading began.
    served: tokio::sync::Mutex<u64>,
}

impl Entry {
    fn new(show: Show) -> Self {
        let seat_map = SeatMap::new(&show);
        let loading = Loading { show: Arc::new(show), seat_map, section: 0, block: 0 };
        Self { ready: OnceLock::new(), loading: tokio::sync::Mutex::new(loading) }
    }
}

impl Service {
    /// The show with its seats in memory; `None` if no show has that id.
    pub(crate) async fn loaded(&self, id: &ShowId) -> Result<Option<Arc<LoadedShow>>, Fault> {
        let entry = match self.known(id) {
            Some(entry) => entry,
            // Only existing shows get an entry, so unknown ids leave nothing behind. Every caller
            // gets the same entry: two copies of one show in one process would not know of each
            // other's writes.
            None => match self.read_show(id).await? {
                None => return Ok(None),
                Some(show) => {
                    let mut shows = self.inner.shows.lock();
                    shows.entry(id.clone()).or_insert_with(|| Arc::new(Entry::new(show))).clone()
                }
            },
        };
        if let Some(loaded) = entry.ready.get() {
            return Ok(Some(loaded.clone()));
        }
        let mut loading = entry.loading.lock().await;
        if let Some(loaded) = entry.ready.get() {
            return Ok(Some(loaded.clone()));
        }
        self.load(&mut loading).await?;
        let (show, seat_map) = (loading.show.clone(), std::mem::take(&mut loading.seat_map));
        let readings = show.sections.iter().map(|_| Reading::default()).collect();
        let loaded =
            LoadedShow { show, seat_map: Mutex::new(seat_map), readings, clock: self.inner.clock.clone() };
        Ok(Some(entry.ready.get_or_init(|| Arc::new(loaded)).clone()))
    }

    fn known(&self, id: &ShowId) -> Option<Arc<Entry>> {
        self.inner.shows.lock().get(id).cloned()
    }

    async fn load(&self, loading: &mut Loading) -> Result<(), Fault> {
        while let Some(section) = loading.show.sections.get(loading.section) {
            if loading.block == section.blocks() {
                (loading.section, loading.block) = (loading.section + 1, 0);
                continue;
            }
            for (place, seat) in self.read_block(&loading.show, loading.section, loading.block).await? {
                loading.seat_map.learn(place, seat);
            }
            loading.block += 1;
        }
        Ok(())
    }

    /// The definition of a show, from the store.
    pub(super) async fn read_show(&self, id: &ShowId) -> Result<Option<Show>, Fault> {
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

    /// Every written seat of a block.
    async fn read_block(&self, show: &Show, section: usize, block: u32) -> Result<Vec<(Place, Seat)>, Fault> {
        let definition = &show.sections[section];
        let partition = rows::block_partition(&show.id, &definition.id, block);
        let found = self.inner.table.list(&partition, None, SEATS_PER_BLOCK as usize).await?;
        let read = |row: &Row| {
            let seat = rows::read_seat(row)?;
            let index = rows::seat_index(&row.key).filter(|index| *index < definition.capacity());
            let index = index
                .ok_or_else(|| Fault::permanent(format!("seat {} lies outside its section", seat.id)))?;
            Ok((Place { section, index }, seat.seat))
        };
        found.iter().map(read).collect()
    }

    /// Reads a whole section again. A reading that began after this call serves as well.
    pub(super) async fn read_again(&self, loaded: &LoadedShow, section: usize) -> Result<(), Fault> {
        let reading = &loaded.readings[section];
        let mine = reading.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut served = reading.served.lock().await;
        if *served >= mine {
            return Ok(());
        }
        let asked = reading.asked.load(Ordering::Acquire);
        for block in 0..loaded.show.sections[section].blocks() {
            let seats = self.read_block(&loaded.show, section, block).await?;
            let mut seat_map = loaded.seat_map();
            for (place, seat) in seats {
                seat_map.learn(place, seat);
            }
        }
        // Only now: a failed or dropped reading has served nobody.
        *served = asked;
        Ok(())
    }
}
