//! Seats with a pending change: marked when it is sent, updated when it is stored, read again when
//! the result is unknown.

use super::LoadedShow;
use crate::rows;
use crate::seat_map::{End, SeatMap};
use core::time::Duration;
use domain::id::SeatId;
use domain::seat::{Seat, SeatState, SeatStatus, SeatView};
use domain::show::Place;
use ports::store::Write;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How long an unanswered write may still be under way: longer than any client of an engine tries.
const UNANSWERED: Duration = Duration::from_secs(30);

/// The marks of one change. Dropping it without a result makes the seats stale and wakes all their
/// waiters.
pub(super) struct PendingChange {
    loaded: Arc<LoadedShow>,
    places: Vec<Place>,
    ids: Vec<SeatId>,
    before: Vec<u64>,
    done: CancellationToken,
    settled: bool,
}

impl PendingChange {
    /// Marks seats that were just decided under the same lock. `ids` are their names in the same
    /// order.
    pub(super) fn new(
        loaded: &Arc<LoadedShow>,
        seat_map: &mut SeatMap,
        places: Vec<Place>,
        ids: Vec<SeatId>,
    ) -> Self {
        let done = CancellationToken::new();
        let before = places.iter().map(|place| seat_map.seat(*place).version).collect();
        seat_map.begin(&places, &done);
        Self { loaded: loaded.clone(), places, ids, before, done, settled: false }
    }

    /// The seats by name.
    pub(super) fn ids(&self) -> &[SeatId] {
        &self.ids
    }

    /// The seats as buyers see them.
    pub(super) fn views(&self, status: SeatStatus) -> Vec<SeatView> {
        let show = &self.loaded.show;
        let seats = self.places.iter().zip(&self.ids);
        seats
            .filter_map(|(place, id)| {
                show.sections[place.section].view_of(id.clone(), place.index, &show.currency, status)
            })
            .collect()
    }

    /// The writes that bring every seat to this state.
    pub(super) fn writes<'c>(&'c self, state: &'c SeatState) -> impl Iterator<Item = Write> + 'c {
        let seats = self.places.iter().zip(&self.ids).zip(&self.before);
        seats.map(move |((place, id), version)| {
            let section = &self.loaded.show.sections[place.section].id;
            rows::seat_put(self.loaded.key(*place), &self.loaded.show.id, section, id, state, *version)
        })
    }

    /// The change is stored.
    pub(super) fn stored(mut self, state: &SeatState) {
        {
            let mut seat_map = self.loaded.seat_map();
            for (place, version) in self.places.iter().zip(&self.before) {
                seat_map.learn(*place, Seat { version: version + 1, state: state.clone() });
            }
        }
        self.end(End::Known);
    }

    /// Nothing was written, and the seats are as memory has them.
    pub(super) fn untouched(mut self) {
        self.end(End::Known);
    }

    /// Nothing was written, because another writer changed the rows.
    pub(super) fn overtaken(mut self) {
        self.end(End::Changed);
    }

    fn end(&mut self, end: End) {
        self.settled = true;
        self.loaded.seat_map().end(&self.places, end);
        self.done.cancel();
    }
}

impl Drop for PendingChange {
    fn drop(&mut self) {
        if !self.settled {
            self.end(End::Unanswered(self.loaded.clock.elapsed() + UNANSWERED));
        }
    }
}
