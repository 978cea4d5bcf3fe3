//! `release`: frees the seats of a hold. It competes with `commit` for the same rows; the one that
//! comes second gets a typed answer (trap T-S2).

use super::pending_change::PendingChange;
use super::{LoadedShow, Service, Stored, contended, rejected};
use crate::rows;
use domain::hold::{self, Hold, HoldState, Rejection, ReleaseCause, ReleaseDecision, Released};
use domain::id::{OrderId, ReservationId};
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::seat::SeatState;
use ports::inventory::ReleaseSeats;
use ports::plant::{Plant, planted};
use ports::{Fault, PortError, probe};
use std::sync::Arc;

impl Service {
    pub(super) async fn release_seats(
        &self,
        command: &ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            let (first, retake) = self.holds(&command.reservation).await?;
            let claim = hold::Claim {
                show: command.show.as_ref(),
                seats: &command.seats,
                quantity: command.quantity,
                person: None,
            };
            let now = self.inner.clock.now();
            let (first_hold, retake_hold) =
                (first.as_ref().map(|s| &s.hold), retake.as_ref().map(|s| &s.hold));
            let decision = hold::release(first_hold, retake_hold, claim, command.cause, now);
            probe::hit_variant("release", &decision);
            let cause = match decision {
                ReleaseDecision::Release(cause) => cause,
                ReleaseDecision::Before { cause, at } => return Ok(Released::Before { cause, at }),
                ReleaseDecision::Close { cause, at } => {
                    let Some(first) = first else { return rejected(Rejection::NoSuchHold) };
                    if self.write_unsold(Hold { closed: true, ..first.hold }, first.version).await? {
                        return Ok(Released::Before { cause, at });
                    }
                    self.step_aside(attempt).await;
                    continue;
                }
                ReleaseDecision::Reject(rejection) if planted_bug_ignores(&rejection) => {
                    command.cause.unwrap_or(ReleaseCause::Expired)
                }
                ReleaseDecision::Reject(rejection) => return rejected(rejection),
            };
            let Some(first) = first else { return rejected(Rejection::NoSuchHold) };
            let loaded = self.loaded_for(&first).await?;
            if let Some(change) = self.mark_own(&loaded, &first).await?
                && let Some(released) = self.free_seats(first, change, cause).await?
            {
                return Ok(released);
            }
            if attempt > 0 {
                self.step_aside(attempt).await;
            }
        }
        Err(contended().into())
    }

    /// Commits the release; `None` = look again.
    async fn free_seats(
        &self,
        first: Stored,
        change: PendingChange,
        cause: ReleaseCause,
    ) -> Result<Option<Released>, Fault> {
        let at = self.inner.clock.now();
        let mut hold = first.hold;
        hold.state = HoldState::Released { cause, at };
        let mut writes = vec![rows::hold_put(&hold, first.version)];
        writes.extend(change.writes(&SeatState::Available));
        let stored = self.apply(change, writes, &SeatState::Available, "release").await?;
        Ok(stored.then_some(Released::Now { seats: hold.seats, at }))
    }

    /// The show of a stored hold.
    pub(super) async fn loaded_for(&self, stored: &Stored) -> Result<Arc<LoadedShow>, Fault> {
        let show = &stored.hold.show;
        let missing = || {
            Fault::permanent(format!(
                "{} holds seats of show {show}, which does not exist",
                stored.hold.reservation
            ))
        };
        self.loaded(show).await?.ok_or_else(missing)
    }

    /// Marks the seats of a live hold. `None` = memory did not agree that the hold has them, or a
    /// change of them was pending. Memory is up to date again now: read the hold again.
    pub(super) async fn mark_own(
        &self,
        loaded: &Arc<LoadedShow>,
        stored: &Stored,
    ) -> Result<Option<PendingChange>, Fault> {
        let places = places_of(loaded, stored)?;
        let on_its_way = {
            let mut seat_map = loaded.seat_map();
            let pending = seat_map.pending(&places);
            let reservation = &stored.hold.reservation;
            if pending.is_none()
                && seat_map.stale(&places).is_empty()
                && places.iter().all(|place| is_held(&seat_map.seat(*place).state, reservation))
            {
                let ids = stored.hold.seats.clone();
                return Ok(Some(PendingChange::new(loaded, &mut seat_map, places, ids)));
            }
            pending
        };
        match on_its_way {
            Some(done) => done.cancelled().await,
            None => self.refresh(loaded, &places).await?,
        }
        Ok(None)
    }
}

/// Whether a seat is held by this reservation.
fn is_held(seat: &SeatState, reservation: &ReservationId) -> bool {
    let sold =
        || matches!(seat, SeatState::Sold { order } if *order == OrderId::for_reservation(reservation));
    seat.is_held_by(reservation) || (planted(Plant::ReleaseSold) && sold())
}

/// Refusals that a planted bug ignores.
fn planted_bug_ignores(no: &Rejection) -> bool {
    match no {
        Rejection::AlreadyCommitted { .. } => planted(Plant::ReleaseSold),
        Rejection::NotDue { .. } => planted(Plant::EarlyRelease),
        _ => false,
    }
}

pub(super) fn places_of(loaded: &LoadedShow, stored: &Stored) -> Result<Vec<domain::show::Place>, Fault> {
    loaded.places(&stored.hold.seats).map_err(|_| {
        Fault::permanent(format!(
            "{} holds seats that show {} does not have",
            stored.hold.reservation, loaded.show.id
        ))
    })
}
