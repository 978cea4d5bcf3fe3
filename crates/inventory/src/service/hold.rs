//! `hold`: takes seats for a reservation, all or none.

use super::claim::Claim;
use super::{Service, Stage, Stored, contended, rejected};
use crate::rows;
use domain::hold::{self, BadRequest, Hold, HoldKey, HoldState, Rejection, ReleaseCause, Take};
use domain::id::SeatId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::money::Money;
use domain::seat::{SeatState, SeatView};
use domain::show::Place;
use ports::inventory::{Held, HeldState, HoldSeats};
use ports::store::CommitError;
use ports::{Fault, PortError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

type Answer = Result<Held, PortError<Rejection>>;

/// What one look at the table leads to.
enum Step {
    /// The seats are marked: commit.
    Commit(Claim),
    /// Somebody else's change to them is on its way.
    Wait(CancellationToken),
    /// These rows are to be read again.
    Refresh(Vec<Place>),
    /// These due holds stand in the way and are to be released first.
    Release(Vec<domain::id::ReservationId>),
    /// No.
    Reject(Rejection),
}

/// What a hold wants.
enum Wish {
    Named(Vec<Place>),
    Any { section: usize, count: u32 },
}

impl Service {
    pub(super) async fn hold_seats(&self, command: &HoldSeats) -> Answer {
        let count = match hold::check_request(&command.seats, command.quantity) {
            Ok(count) => count,
            Err(bad) => return rejected(Rejection::BadRequest(bad)),
        };
        let Some(stage) = self.stage(&command.show).await? else { return rejected(Rejection::NoSuchShow) };
        let wish = match wish(&stage, command, count) {
            Ok(wish) => wish,
            Err(rejection) => return rejected(rejection),
        };
        if command.until <= self.inner.clock.now() {
            // A repetition that comes late asks what became of the hold; only a new hold needs a future.
            return match self.repeated(&stage, command, count).await? {
                Some(answer) => answer,
                None => rejected(Rejection::BadRequest(BadRequest::UntilInThePast)),
            };
        }
        let mut fresh = self.inner.options.sole_writer;
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            match self.look(&stage, &wish) {
                Step::Commit(claim) => {
                    if let Some(answer) = self.place(&stage, command, &wish, claim, count).await? {
                        return answer;
                    }
                    self.step_aside(attempt).await;
                }
                Step::Wait(done) => done.cancelled().await,
                Step::Refresh(places) => self.refresh(&stage, &places).await?,
                Step::Release(due) => {
                    for reservation in due {
                        self.release_due(&reservation).await?;
                    }
                }
                Step::Reject(rejection) => {
                    if let Some(answer) = self.repeated(&stage, command, count).await? {
                        return answer;
                    }
                    if fresh {
                        self.inner.metrics.refused(&rejection);
                        return rejected(rejection);
                    }
                    // Another process may have given the seats back since this one looked.
                    self.look_closer(&stage, &wish).await?;
                    fresh = true;
                }
            }
        }
        Err(contended().into())
    }

    /// Decides on the seats in memory, and marks them if they can be had.
    fn look(&self, stage: &Arc<Stage>, wish: &Wish) -> Step {
        let now = self.inner.clock.now();
        let mut table = stage.table();
        let places = match wish {
            Wish::Named(places) => places.clone(),
            Wish::Any { section, count } => {
                let mut picked = table.pick(*section, *count, &mut self.inner.dice.clone());
                if picked.len() < *count as usize {
                    let undecided = table.undecided(*section);
                    if !undecided.stale.is_empty() {
                        return Step::Refresh(undecided.stale);
                    }
                    picked.extend(table.due(*section, *count - picked.len() as u32, now));
                    if picked.len() < *count as usize {
                        let remaining = table.counts(*section).available;
                        return match undecided.pending {
                            Some(done) => Step::Wait(done),
                            None => Step::Reject(Rejection::SoldOut { remaining: remaining as u32 }),
                        };
                    }
                }
                picked
            }
        };
        let stale = table.stale(&places);
        if !stale.is_empty() {
            return Step::Refresh(stale);
        }
        if let Some(done) = table.pending(&places) {
            return Step::Wait(done);
        }
        let ids: Vec<SeatId> = places.iter().map(|place| stage.seat_id(*place)).collect();
        match hold::take(ids.iter().zip(places.iter().map(|place| table.seat(*place))), now) {
            Take::Now => Step::Commit(Claim::new(stage, &mut table, places)),
            Take::After(due) => Step::Release(due),
            Take::Taken(seats) => Step::Reject(Rejection::SeatTaken(seats)),
        }
    }

    async fn look_closer(&self, stage: &Stage, wish: &Wish) -> Result<(), Fault> {
        match wish {
            Wish::Named(places) => self.refresh(stage, places).await,
            Wish::Any { section, .. } => self.read_again(stage, *section).await,
        }
    }

    /// Commits the hold; `None` to look again.
    async fn place(
        &self,
        stage: &Arc<Stage>,
        command: &HoldSeats,
        wish: &Wish,
        claim: Claim,
        count: u32,
    ) -> Result<Option<Answer>, PortError<Rejection>> {
        let hold = Hold {
            reservation: command.reservation.clone(),
            key: HoldKey::First,
            show: command.show.clone(),
            any_of: match wish {
                Wish::Named(_) => None,
                Wish::Any { section, .. } => Some(stage.show.sections[*section].id.clone()),
            },
            seats: claim.places().iter().map(|place| stage.seat_id(*place)).collect(),
            person: command.person.clone(),
            until: command.until,
            placed_at: self.inner.clock.now(),
            state: HoldState::Live,
            refused: Vec::new(),
            retakes_closed: false,
        };
        let state = SeatState::Held { by: hold.reservation.clone(), until: hold.until };
        let mut writes = vec![rows::hold_put(&hold, 0)];
        writes.extend(claim.writes(&state));
        match self.commit_rows(writes).await {
            Ok(()) => {
                claim.stored(&state);
                Ok(Some(Ok(held(stage, &hold))))
            }
            Err(CommitError::Conflict { at: 0 }) => {
                // The reservation has a hold already, so these seats were not touched by this request.
                claim.untouched();
                self.inner.metrics.conflict("hold");
                self.repeated(stage, command, count).await
            }
            Err(CommitError::Conflict { .. }) => {
                self.inner.metrics.conflict("seat");
                Ok(None)
            }
            Err(CommitError::Failed(fault)) => Err(fault.into()),
            Err(CommitError::Ambiguous(fault)) => {
                // Trap S9: whose write it was, the hold's row tells.
                drop(claim);
                match self.repeated(stage, command, count).await? {
                    Some(answer) => Ok(Some(answer)),
                    None => Err(fault.into()),
                }
            }
        }
    }

    /// The answer to a hold that exists already; `None` if there is none.
    async fn repeated(
        &self,
        stage: &Stage,
        command: &HoldSeats,
        count: u32,
    ) -> Result<Option<Answer>, PortError<Rejection>> {
        let (first, retake) = self.holds(&command.reservation).await?;
        let Some(Stored { hold: first, .. }) = first else { return Ok(None) };
        if let Err(rejection) = first.same_request(&command.show, &command.seats, count, &command.person) {
            return Ok(Some(rejected(rejection)));
        }
        let present = retake.map_or(first, |retake| retake.hold);
        Ok(Some(Ok(held(stage, &present))))
    }

    /// Releases a hold that is due and stands in somebody's way. That it was resolved meanwhile is as good.
    pub(super) async fn release_due(&self, reservation: &domain::id::ReservationId) -> Result<(), Fault> {
        let command = ports::inventory::ReleaseSeats {
            reservation: reservation.clone(),
            show: None,
            seats: Vec::new(),
            quantity: None,
            cause: Some(ReleaseCause::Expired),
        };
        match self.release_seats(&command).await {
            Ok(_) | Err(PortError::Rejected(_)) => Ok(()),
            Err(PortError::Failed(fault)) => Err(fault),
        }
    }
}

fn wish(stage: &Stage, command: &HoldSeats, count: u32) -> Result<Wish, Rejection> {
    if !command.seats.is_empty() {
        return stage.places(&command.seats).map(Wish::Named);
    }
    let section = stage.show.section_for(command.section.as_ref()).ok_or(Rejection::NoSuchSection)?;
    Ok(Wish::Any { section, count })
}

/// The seats of a hold with their prices.
pub(super) fn views(stage: &Stage, hold: &Hold) -> Vec<SeatView> {
    let status = match hold.state {
        HoldState::Live => domain::seat::SeatStatus::Held,
        HoldState::Committed { .. } => domain::seat::SeatStatus::Sold,
        HoldState::Released { .. } => domain::seat::SeatStatus::Available,
    };
    let show = &stage.show;
    let view = |seat: &SeatId| {
        let place = show.locate(seat)?;
        show.sections[place.section].view(place.index, &show.currency, status)
    };
    hold.seats.iter().filter_map(view).collect()
}

/// A hold as its caller sees it.
fn held(stage: &Stage, hold: &Hold) -> Held {
    let seats = views(stage, hold);
    let amount = seats.iter().map(|seat| seat.price.amount).sum();
    Held {
        total: Money { amount, currency: stage.show.currency.clone() },
        seats,
        until: hold.until,
        state: match &hold.state {
            HoldState::Live => HeldState::Live,
            HoldState::Committed { order, .. } => HeldState::Committed(order.clone()),
            HoldState::Released { cause, .. } => HeldState::Released(*cause),
        },
    }
}
