//! Seats whose change is on its way: marked when it is sent, learned when it is stored, read again when nobody knows.

use super::Stage;
use crate::rows;
use domain::seat::{Seat, SeatState};
use domain::show::Place;
use ports::store::Write;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The marks of one change. Dropping it without an outcome makes the seats stale and wakes who waits.
pub(super) struct Claim {
    stage: Arc<Stage>,
    places: Vec<Place>,
    before: Vec<u64>,
    done: CancellationToken,
    settled: bool,
}

impl Claim {
    /// Marks seats, all of which were just decided upon under the same lock.
    pub(super) fn new(stage: &Arc<Stage>, table: &mut crate::table::Table, places: Vec<Place>) -> Self {
        let done = CancellationToken::new();
        let before = places.iter().map(|place| table.seat(*place).version).collect();
        table.begin(&places, &done);
        Self { stage: stage.clone(), places, before, done, settled: false }
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The writes that bring every seat to one state.
    pub(super) fn writes<'c>(&'c self, state: &'c SeatState) -> impl Iterator<Item = Write> + 'c {
        self.places.iter().zip(&self.before).map(move |(place, version)| {
            let section = &self.stage.show.sections[place.section].id;
            let id = self.stage.seat_id(*place);
            rows::seat_put(self.stage.key(*place), &self.stage.show.id, section, &id, state, *version)
        })
    }

    /// The change is stored.
    pub(super) fn stored(mut self, state: &SeatState) {
        self.settled = true;
        let mut table = self.stage.table();
        for (place, version) in self.places.iter().zip(&self.before) {
            table.learn(*place, Seat { version: version + 1, state: state.clone() });
        }
        table.end(&self.places, false);
        drop(table);
        self.done.cancel();
    }

    /// Nothing was written and the seats are as they were known.
    pub(super) fn untouched(mut self) {
        self.settled = true;
        self.stage.table().end(&self.places, false);
        self.done.cancel();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.settled {
            self.stage.table().end(&self.places, true);
            self.done.cancel();
        }
    }
}
