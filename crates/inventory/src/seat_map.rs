//! The seats of one show in memory: the basis of decisions and of reported counts.
//!
//! The map is a copy; the store's versions are the truth. Every change is committed under the
//! versions in the map, and a conflict makes the rows stale, so that they are read again before
//! the next decision. A seat with a change on its way to the store is pending: another request for
//! it waits for that change instead of colliding with it.
//!
//! A pending or stale place is not offered to buyers of unnamed seats. Counts follow the seats, not
//! the pending marks, so a count is always the fold of committed rows (invariant X4).
//!
//! A write whose caller gave up may land after the row was read again (trap T-S9). Such a seat
//! stays in doubt until a newer version appears, which shuts that write out, or until the write
//! cannot be under way any more. While a seat is in doubt, nothing is refused or reported from
//! memory about it.

use core::time::Duration;
use domain::invariant::Counts;
use domain::random::Random;
use domain::seat::{Seat, SeatState};
use domain::show::{Place, Show};
use domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

/// The seats of one show.
#[derive(Debug, Default)]
pub(crate) struct SeatMap {
    sections: Vec<SectionSeats>,
    /// Seats with a pending change.
    pending: BTreeMap<Place, Pending>,
    /// Seats to read again.
    stale: BTreeSet<Place>,
    /// Seats with an unanswered write.
    doubts: BTreeMap<Place, Doubt>,
}

/// A pending change.
#[derive(Debug)]
struct Pending {
    /// The version that it is written under.
    under: u64,
    /// Cancelled when the change has arrived or failed.
    done: CancellationToken,
}

/// A write that may still land.
#[derive(Debug)]
struct Doubt {
    /// The version that it was written under: once the row is beyond, the write has landed or never
    /// will.
    under: u64,
    /// In the clock's elapsed time: after this it can no longer land.
    until: Duration,
}

/// How a change ended, for its marked seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The seats are as the map has them.
    Known,
    /// Another writer changed them.
    Changed,
    /// Unknown: the change may land until then, in the clock's elapsed time.
    Unanswered(Duration),
}

#[derive(Debug)]
struct SectionSeats {
    seats: Vec<Seat>,
    counts: Counts,
    /// The places for buyers of unnamed seats, in no order, and the position of each place in that
    /// list.
    free: Vec<u32>,
    spot: Vec<u32>,
    /// The held seats by due time.
    held: BTreeSet<(Timestamp, u32)>,
}

/// Not in the list of free places.
const NOWHERE: u32 = u32::MAX;

impl SeatMap {
    /// All seats as if none was ever written.
    pub(crate) fn new(show: &Show) -> Self {
        let sections = show
            .sections
            .iter()
            .map(|section| {
                let capacity = section.capacity();
                SectionSeats {
                    seats: vec![Seat::UNWRITTEN; capacity as usize],
                    counts: Counts { available: u64::from(capacity), ..Counts::default() },
                    free: (0..capacity).collect(),
                    spot: (0..capacity).collect(),
                    held: BTreeSet::new(),
                }
            })
            .collect();
        Self { sections, ..Self::default() }
    }

    pub(crate) fn seat(&self, place: Place) -> &Seat {
        &self.sections[place.section].seats[place.index as usize]
    }

    pub(crate) fn seats(&self, section: usize) -> &[Seat] {
        &self.sections[section].seats
    }

    pub(crate) fn counts(&self, section: usize) -> Counts {
        self.sections[section].counts
    }

    /// The pending change of one of these seats, if there is one.
    pub(crate) fn pending(&self, places: &[Place]) -> Option<CancellationToken> {
        places.iter().find_map(|place| self.pending.get(place).map(|pending| pending.done.clone()))
    }

    /// Which of these seats must be read again before a decision.
    pub(crate) fn stale(&self, places: &[Place]) -> Vec<Place> {
        if self.stale.is_empty() {
            return Vec::new();
        }
        places.iter().copied().filter(|place| self.stale.contains(place)).collect()
    }

    /// Marks seats with a pending change.
    pub(crate) fn begin(&mut self, places: &[Place], done: &CancellationToken) {
        for place in places {
            let under = self.seat(*place).version;
            self.pending.insert(*place, Pending { under, done: done.clone() });
            self.refresh_offer(*place);
        }
    }

    /// Removes the marks.
    pub(crate) fn end(&mut self, places: &[Place], end: End) {
        for place in places {
            let pending = self.pending.remove(place);
            if end != End::Known {
                self.stale.insert(*place);
            }
            if let (End::Unanswered(until), Some(Pending { under, .. })) = (end, pending)
                && self.seat(*place).version <= under
            {
                self.doubts.insert(*place, Doubt { under, until });
            }
            self.refresh_offer(*place);
        }
    }

    /// Records a stored seat, unless a newer version is known already.
    pub(crate) fn learn(&mut self, place: Place, seat: Seat) {
        let section = &mut self.sections[place.section];
        let known = &mut section.seats[place.index as usize];
        if seat.version >= known.version {
            if let SeatState::Held { until, .. } = known.state {
                section.held.remove(&(until, place.index));
            }
            if let SeatState::Held { until, .. } = seat.state {
                section.held.insert((until, place.index));
            }
            *count_of(&mut section.counts, &known.state) -= 1;
            *count_of(&mut section.counts, &seat.state) += 1;
            *known = seat;
        }
        let version = known.version;
        if self.doubts.get(&place).is_some_and(|doubt| version > doubt.under) {
            self.doubts.remove(&place);
        }
        self.stale.remove(&place);
        self.refresh_offer(place);
    }

    /// The seats of a section that are stale or in doubt at `now` (elapsed time): memory may be
    /// wrong about them.
    pub(crate) fn unsure(&mut self, section: usize, now: Duration) -> Vec<Place> {
        if self.stale.is_empty() && self.doubts.is_empty() {
            return Vec::new();
        }
        let over: Vec<Place> =
            self.doubts.iter().filter(|(_, doubt)| doubt.until <= now).map(|(place, _)| *place).collect();
        for place in over {
            // One last read: the write may have landed since the last one.
            self.doubts.remove(&place);
            self.stale.insert(place);
            self.refresh_offer(place);
        }
        let unsure: BTreeSet<Place> = self.stale.iter().chain(self.doubts.keys()).copied().collect();
        unsure.into_iter().filter(|place| place.section == section).collect()
    }

    /// Puts a place on the list of free places, or takes it off.
    fn refresh_offer(&mut self, place: Place) {
        let offered = self.seat(place).state == SeatState::Available
            && !self.pending.contains_key(&place)
            && !self.stale.contains(&place);
        let section = &mut self.sections[place.section];
        let Some(spot) = section.spot.get(place.index as usize).copied() else { return };
        match (offered, spot) {
            (true, NOWHERE) => {
                section.spot[place.index as usize] = section.free.len() as u32;
                section.free.push(place.index);
            }
            (false, spot) if spot != NOWHERE => {
                section.free.swap_remove(spot as usize);
                if let Some(moved) = section.free.get(spot as usize) {
                    section.spot[*moved as usize] = spot;
                }
                section.spot[place.index as usize] = NOWHERE;
            }
            _ => {}
        }
    }

    /// Draws free places of a section, spread so that buyers do not queue on one row. Returns fewer
    /// if fewer are free.
    pub(crate) fn pick(&self, section: usize, count: u32, dice: &mut impl Random) -> Vec<Place> {
        let free = &self.sections[section].free;
        let count = (count as usize).min(free.len());
        let mut picked: Vec<Place> = Vec::with_capacity(count);
        while picked.len() < count {
            let start = dice.below(free.len() as u64) as usize;
            // A few draws by chance, then the next place that is not drawn yet: this finds the last
            // places as well.
            let next = (0..free.len()).map(|step| free[(start + step) % free.len()]);
            let fresh = next.map(|index| Place { section, index }).find(|place| !picked.contains(place));
            picked.extend(fresh);
        }
        picked
    }

    /// The pending and stale places of a section: they may turn out to be free.
    pub(crate) fn undecided(&self, section: usize) -> Undecided {
        let of_section = |place: &&Place| place.section == section;
        Undecided {
            stale: self.stale.iter().filter(of_section).copied().take(100).collect(),
            pending: self
                .pending
                .iter()
                .find(|(place, _)| place.section == section)
                .map(|(_, pending)| pending.done.clone()),
        }
    }

    /// Held places of a section that are due, the longest overdue first, at most `count`.
    pub(crate) fn due(&self, section: usize, count: u32, now: Timestamp) -> Vec<Place> {
        let held = self.sections[section].held.iter().take_while(|(until, _)| *until <= now);
        held.take(count as usize).map(|(_, index)| Place { section, index: *index }).collect()
    }
}

/// What stands between a buyer and "sold out".
#[derive(Debug)]
pub(crate) struct Undecided {
    pub(crate) stale: Vec<Place>,
    pub(crate) pending: Option<CancellationToken>,
}

fn count_of<'c>(counts: &'c mut Counts, state: &SeatState) -> &'c mut u64 {
    match state {
        SeatState::Available => &mut counts.available,
        SeatState::Held { .. } => &mut counts.held,
        SeatState::Sold { .. } => &mut counts.sold,
        SeatState::Blocked => &mut counts.blocked,
    }
}

#[cfg(test)]
mod tests;
