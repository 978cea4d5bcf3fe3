//! The seats of one show in memory: what decisions are made on, and the counts that are reported.
//!
//! The table is a copy. The store's versions are the truth: every change is committed under the versions that the table
//! has, and a conflict makes the rows stale, so that they are read again before the next decision. A seat whose change is
//! on its way to the store is pending, and whoever wants it too waits for that change instead of colliding with it.
//!
//! A place that is pending or stale is not offered to buyers of unnamed seats. Counts follow the seats, not the
//! pending marks, so that a count is always the fold of rows that were committed (invariant X4).

use domain::invariant::Counts;
use domain::random::Random;
use domain::seat::{Seat, SeatState};
use domain::show::{Place, Show};
use domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

/// The seats of one show.
#[derive(Debug)]
pub(crate) struct Table {
    sections: Vec<Seats>,
    /// Seats whose change is on its way, with the signal that it has arrived or failed.
    pending: BTreeMap<Place, CancellationToken>,
    /// Seats to be read again.
    stale: BTreeSet<Place>,
}

#[derive(Debug)]
struct Seats {
    seats: Vec<Seat>,
    counts: Counts,
    /// The places that can be offered to who names none, in no order, and where each stands in it.
    free: Vec<u32>,
    spot: Vec<u32>,
    /// No held seat of the section is due before this.
    due_from: Timestamp,
}

/// Not in the list of free places.
const NOWHERE: u32 = u32::MAX;

impl Table {
    /// All seats as if none was ever written.
    pub(crate) fn new(show: &Show) -> Self {
        let sections = show
            .sections
            .iter()
            .map(|section| {
                let capacity = section.capacity();
                Seats {
                    seats: vec![Seat::UNWRITTEN; capacity as usize],
                    counts: Counts { available: u64::from(capacity), ..Counts::default() },
                    free: (0..capacity).collect(),
                    spot: (0..capacity).collect(),
                    due_from: Timestamp::MAX,
                }
            })
            .collect();
        Self { sections, pending: BTreeMap::new(), stale: BTreeSet::new() }
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

    /// The change that one of these seats waits for, if there is one.
    pub(crate) fn pending(&self, places: &[Place]) -> Option<CancellationToken> {
        places.iter().find_map(|place| self.pending.get(place).cloned())
    }

    /// Which of these seats are to be read again before they are decided upon.
    pub(crate) fn stale(&self, places: &[Place]) -> Vec<Place> {
        if self.stale.is_empty() {
            return Vec::new();
        }
        places.iter().copied().filter(|place| self.stale.contains(place)).collect()
    }

    /// Marks seats whose change is on its way.
    pub(crate) fn begin(&mut self, places: &[Place], done: &CancellationToken) {
        for place in places {
            self.pending.insert(*place, done.clone());
            self.refresh_offer(*place);
        }
    }

    /// Takes the marks away; with `stale` the rows are to be read again, because nobody knows what became of the change.
    pub(crate) fn end(&mut self, places: &[Place], stale: bool) {
        for place in places {
            self.pending.remove(place);
            if stale {
                self.stale.insert(*place);
            }
            self.refresh_offer(*place);
        }
    }

    /// Takes over what is known to be stored, unless something newer is known already.
    pub(crate) fn learn(&mut self, place: Place, seat: Seat) {
        let section = &mut self.sections[place.section];
        let known = &mut section.seats[place.index as usize];
        if seat.version >= known.version {
            if let SeatState::Held { until, .. } = seat.state {
                section.due_from = section.due_from.min(until);
            }
            *count_of(&mut section.counts, &known.state) -= 1;
            *count_of(&mut section.counts, &seat.state) += 1;
            *known = seat;
        }
        self.stale.remove(&place);
        self.refresh_offer(place);
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

    /// Draws free places of a section, spread so that buyers do not queue on one row. Fewer if there are fewer.
    pub(crate) fn pick(&self, section: usize, count: u32, dice: &mut impl Random) -> Vec<Place> {
        let free = &self.sections[section].free;
        let count = (count as usize).min(free.len());
        let mut picked: Vec<Place> = Vec::with_capacity(count);
        while picked.len() < count {
            let start = dice.below(free.len() as u64) as usize;
            // A few draws by chance, then the next one that is not drawn yet: the last places are found as well.
            let next = (0..free.len()).map(|step| free[(start + step) % free.len()]);
            let fresh = next.map(|index| Place { section, index }).find(|place| !picked.contains(place));
            picked.extend(fresh);
        }
        picked
    }

    /// Places of a section that are pending or stale: they may turn out to be free.
    pub(crate) fn undecided(&self, section: usize) -> Undecided {
        let of_section = |place: &&Place| place.section == section;
        Undecided {
            stale: self.stale.iter().filter(of_section).copied().take(100).collect(),
            pending: self
                .pending
                .iter()
                .find(|(place, _)| place.section == section)
                .map(|(_, done)| done.clone()),
        }
    }

    /// Held places of a section that are due, at most `count`. Looks at the seats only if one may be due.
    pub(crate) fn due(&mut self, section: usize, count: u32, now: Timestamp) -> Vec<Place> {
        let seats = &mut self.sections[section];
        if now < seats.due_from {
            return Vec::new();
        }
        let (mut due, mut next) = (Vec::new(), Timestamp::MAX);
        for (index, seat) in seats.seats.iter().enumerate() {
            if let SeatState::Held { until, .. } = seat.state {
                if until > now {
                    next = next.min(until);
                } else if due.len() < count as usize {
                    due.push(Place { section, index: index as u32 });
                }
            }
        }
        if due.is_empty() {
            seats.due_from = next;
        }
        due
    }

    /// Counts every section anew from its seats, for whoever checks the counts.
    #[cfg(test)]
    pub(crate) fn recount(&self, section: usize) -> Counts {
        let mut counts = Counts::default();
        for seat in &self.sections[section].seats {
            *count_of(&mut counts, &seat.state) += 1;
        }
        counts
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
