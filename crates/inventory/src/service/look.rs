//! Looks for seats: by name, or any of a section. One look decides on the seats in memory and marks
//! the available ones. What memory cannot decide is read again or waited for.

use super::pending_change::PendingChange;
use super::{LoadedShow, Service};
use domain::hold::{self, Rejection, ReleaseCause, Released, Take};
use domain::id::{ReservationId, SeatId};
use domain::show::Place;
use ports::{Fault, PortError, probe};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The wanted seats.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// These seats.
    Named(Vec<Place>),
    /// This many of a section, any of them.
    Any { section: usize, count: u32 },
}

/// The next step after a look at memory.
pub(super) enum Step {
    /// The seats are marked: commit.
    Take(PendingChange),
    /// Read these rows again.
    Refresh(Vec<Place>),
    /// These due holds are in the way, on these places: release them first.
    Release(Vec<ReservationId>, Vec<Place>),
    /// Refuse.
    Reject(Rejection),
}

impl Service {
    /// Looks until no change by another caller is in the way.
    pub(super) async fn look(&self, loaded: &Arc<LoadedShow>, wanted: &Wanted) -> Step {
        loop {
            match self.look_once(loaded, wanted) {
                Ok(step) => return step,
                Err(done) => done.cancelled().await,
            }
        }
    }

    /// Decides on the seats in memory, and marks them if they are available; `Err` if a change of
    /// them is pending.
    fn look_once(&self, loaded: &Arc<LoadedShow>, wanted: &Wanted) -> Result<Step, CancellationToken> {
        let now = self.inner.clock.now();
        let mut seat_map = loaded.seat_map();
        let places = match wanted {
            Wanted::Named(places) => places.clone(),
            Wanted::Any { section, count } => {
                let mut picked = seat_map.pick(*section, *count, &mut self.inner.dice.clone());
                if picked.len() < *count as usize {
                    let undecided = seat_map.undecided(*section);
                    if !undecided.stale.is_empty() {
                        return Ok(Step::Refresh(undecided.stale));
                    }
                    picked.extend(seat_map.due(*section, *count - picked.len() as u32, now));
                }
                if picked.len() < *count as usize {
                    let remaining = seat_map.counts(*section).available as u32;
                    return match seat_map.undecided(*section).pending {
                        Some(done) => Err(done),
                        None => Ok(Step::Reject(Rejection::SoldOut { remaining })),
                    };
                }
                picked
            }
        };
        let stale = seat_map.stale(&places);
        if !stale.is_empty() {
            return Ok(Step::Refresh(stale));
        }
        if let Some(done) = seat_map.pending(&places) {
            return Err(done);
        }
        let ids: Vec<SeatId> = places.iter().map(|place| loaded.seat_id(*place)).collect();
        let seats = ids.iter().zip(places.iter().map(|place| seat_map.seat(*place)));
        let take = hold::take(seats, now);
        probe::hit_variant("take", &take);
        Ok(match take {
            Take::Now => Step::Take(PendingChange::new(loaded, &mut seat_map, places, ids)),
            Take::After(due) => Step::Release(due, places),
            Take::Taken(seats) => Step::Reject(Rejection::SeatTaken(seats)),
        })
    }

    /// Reads the seats behind a refusal again; `false` if memory is exact, so that the refusal
    /// stands.
    pub(super) async fn look_closer(&self, loaded: &LoadedShow, wanted: &Wanted) -> Result<bool, Fault> {
        if !self.inner.options.sole_writer {
            match wanted {
                Wanted::Named(places) => self.refresh(loaded, places).await?,
                Wanted::Any { section, .. } => self.read_again(loaded, *section).await?,
            }
            return Ok(true);
        }
        let now = self.inner.clock.elapsed();
        let unsure = match wanted {
            Wanted::Any { section, .. } => loaded.seat_map().unsure(*section, now),
            Wanted::Named(places) => {
                let mut seat_map = loaded.seat_map();
                let of = |place: &Place| seat_map.unsure(place.section, now).contains(place);
                places.iter().copied().filter(of).collect()
            }
        };
        self.refresh(loaded, &unsure).await?;
        Ok(!unsure.is_empty())
    }

    /// Releases the due holds in the way. If another caller resolved one of them meanwhile, memory
    /// was outdated, and the places are read again.
    pub(super) async fn clear(
        &self,
        loaded: &LoadedShow,
        due: &[ReservationId],
        places: &[Place],
    ) -> Result<(), Fault> {
        let mut known = true;
        for reservation in due {
            known &= self.release_due(reservation).await?;
        }
        if known { Ok(()) } else { self.refresh(loaded, places).await }
    }

    /// Releases a due hold; `false` if this call did not release it.
    pub(crate) async fn release_due(&self, reservation: &ReservationId) -> Result<bool, Fault> {
        let command = ports::inventory::ReleaseSeats {
            reservation: reservation.clone(),
            show: None,
            seats: Vec::new(),
            quantity: None,
            cause: Some(ReleaseCause::Expired),
        };
        match self.release_seats(&command).await {
            Ok(released) => Ok(matches!(released, Released::Now { .. })),
            Err(PortError::Rejected(_)) => Ok(false),
            Err(PortError::Failed(fault)) => Err(fault),
        }
    }
}
