//! `hold`: takes seats for a reservation, all or none.

use super::look::{Step, Wanted};
use super::pending_change::PendingChange;
use super::{LoadedShow, Service, Stored, contended, rejected};
use crate::rows;
use domain::hold::{self, BadRequest, Hold, HoldKey, HoldState, Rejection};
use domain::id::SeatId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::money::Money;
use domain::seat::{SeatState, SeatStatus, SeatView};
use ports::PortError;
use ports::inventory::{Held, HeldState, HoldSeats};
use ports::store::CommitError;
use std::sync::Arc;

type Answer = Result<Held, PortError<Rejection>>;

impl Service {
    pub(super) async fn hold_seats(&self, command: &HoldSeats) -> Answer {
        let count = match hold::check_request(&command.seats, command.quantity) {
            Ok(count) => count,
            Err(bad) => return rejected(Rejection::BadRequest(bad)),
        };
        let Some(loaded) = self.loaded(&command.show).await? else { return rejected(Rejection::NoSuchShow) };
        let wanted = match wanted(&loaded, command, count) {
            Ok(wanted) => wanted,
            Err(rejection) => return rejected(rejection),
        };
        if command.until <= self.inner.clock.now() {
            // A late repetition asks for the state of its hold; only a new hold needs an end in the
            // future.
            return match self.repeated(&loaded, command, count).await? {
                Some(answer) => answer,
                None => rejected(Rejection::BadRequest(BadRequest::UntilInThePast)),
            };
        }
        let mut looked_closer = false;
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            match self.look(&loaded, &wanted).await {
                Step::Take(change) => {
                    if let Some(answer) = self.place(&loaded, command, &wanted, change, count).await? {
                        return answer;
                    }
                    self.step_aside(attempt).await;
                }
                Step::Refresh(places) => self.refresh(&loaded, &places).await?,
                Step::Release(due, places) => {
                    // A repetition must not release its own hold and take the seats anew.
                    if let Some(answer) = self.repeated(&loaded, command, count).await? {
                        return answer;
                    }
                    self.clear(&loaded, &due, &places).await?;
                }
                Step::Reject(rejection) => {
                    if let Some(answer) = self.repeated(&loaded, command, count).await? {
                        return answer;
                    }
                    // Another process may have freed the seats since the last read.
                    if looked_closer || !self.look_closer(&loaded, &wanted).await? {
                        self.inner.metrics.refused(&rejection);
                        return rejected(rejection);
                    }
                    looked_closer = true;
                }
            }
        }
        Err(contended().into())
    }

    /// Commits the hold; `None` = look again.
    async fn place(
        &self,
        loaded: &Arc<LoadedShow>,
        command: &HoldSeats,
        wanted: &Wanted,
        change: PendingChange,
        count: u32,
    ) -> Result<Option<Answer>, PortError<Rejection>> {
        let hold = Hold {
            reservation: command.reservation.clone(),
            key: HoldKey::First,
            show: command.show.clone(),
            any_of: match wanted {
                Wanted::Named(_) => None,
                Wanted::Any { section, .. } => Some(loaded.show.sections[*section].id.clone()),
            },
            seats: change.ids().to_vec(),
            person: command.person.clone(),
            until: command.until,
            placed_at: self.inner.clock.now(),
            state: HoldState::Live,
            refused: Vec::new(),
            closed: false,
        };
        let state = SeatState::Held { by: hold.reservation.clone(), until: hold.until };
        let mut writes = vec![rows::hold_put(&hold, 0)];
        writes.extend(change.writes(&state));
        // One commit: the hold's row and its seats, all or none (invariant I5).
        match self.commit_rows(writes).await {
            Ok(()) => {
                let seats = change.views(SeatStatus::Held);
                change.stored(&state);
                Ok(Some(Ok(held(loaded, &hold, seats))))
            }
            Err(CommitError::Conflict { at: 0 }) => {
                // The reservation already has a hold, so this request did not touch the seats.
                change.untouched();
                self.inner.metrics.conflict("hold");
                self.repeated(loaded, command, count).await
            }
            Err(CommitError::Conflict { .. }) => {
                change.overtaken();
                self.inner.metrics.conflict("seat");
                Ok(None)
            }
            Err(CommitError::Failed(fault)) => {
                change.untouched();
                Err(fault.into())
            }
            Err(CommitError::Ambiguous(fault)) => {
                // Trap T-S9: the hold's row shows whose write it was.
                drop(change);
                match self.repeated(loaded, command, count).await? {
                    Some(answer) => Ok(Some(answer)),
                    None => Err(fault.into()),
                }
            }
        }
    }

    /// The answer if the hold already exists; `None` if it does not.
    async fn repeated(
        &self,
        loaded: &LoadedShow,
        command: &HoldSeats,
        count: u32,
    ) -> Result<Option<Answer>, PortError<Rejection>> {
        let (first, retake) = self.holds(&command.reservation).await?;
        let Some(Stored { hold: first, .. }) = first else { return Ok(None) };
        if let Err(rejection) = first.same_request(&command.show, &command.seats, count, &command.person) {
            return Ok(Some(rejected(rejection)));
        }
        let elsewhere = first.any_of.as_ref().zip(command.section.as_ref()).is_some_and(|(a, b)| a != b);
        if elsewhere {
            return Ok(Some(rejected(Rejection::BadRequest(BadRequest::DifferentSeats))));
        }
        let present = retake.map_or(first, |retake| retake.hold);
        Ok(Some(Ok(held(loaded, &present, views(loaded, &present)))))
    }
}

fn wanted(loaded: &LoadedShow, command: &HoldSeats, count: u32) -> Result<Wanted, Rejection> {
    if !command.seats.is_empty() {
        return loaded.places(&command.seats).map(Wanted::Named);
    }
    let section = loaded.show.section_for(command.section.as_ref()).ok_or(Rejection::NoSuchSection)?;
    Ok(Wanted::Any { section, count })
}

/// The seats of a hold with their prices.
pub(super) fn views(loaded: &LoadedShow, hold: &Hold) -> Vec<SeatView> {
    let status = match hold.state {
        HoldState::Live => SeatStatus::Held,
        HoldState::Committed { .. } => SeatStatus::Sold,
        HoldState::Released { .. } => SeatStatus::Available,
    };
    let show = &loaded.show;
    let view = |seat: &SeatId| {
        let place = show.locate(seat)?;
        show.sections[place.section].view(place.index, &show.currency, status)
    };
    hold.seats.iter().filter_map(view).collect()
}

/// A hold as its caller sees it.
fn held(loaded: &LoadedShow, hold: &Hold, seats: Vec<SeatView>) -> Held {
    let amount = seats.iter().map(|seat| seat.price.amount).sum();
    Held {
        total: Money { amount, currency: loaded.show.currency.clone() },
        seats,
        until: hold.until,
        state: match &hold.state {
            HoldState::Live => HeldState::Live,
            HoldState::Committed { order, .. } => HeldState::Committed(order.clone()),
            HoldState::Released { cause, .. } => HeldState::Released(*cause),
        },
    }
}
