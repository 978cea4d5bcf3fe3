//! The re-take: money that came after the hold was released gets the seats again, if they are free.
//!
//! The seats become SOLD and the second hold is written in one commit, so no live hold ever stands under an ended
//! reservation. If they are not free the refusal is written on the hold before it is answered: whoever asked gives the
//! money back, and must never be told "sold" by a repetition of the same event (trap M1).

use super::commit::committed;
use super::{Service, Stage, Stored, rejected};
use crate::rows;
use crate::service::claim::Claim;
use domain::hold::{self, Hold, HoldKey, HoldState, Rejection, Take};
use domain::id::{OrderId, ReservationId, SeatId};
use domain::seat::SeatState;
use domain::show::Place;
use ports::inventory::{CommitSeats, Committed};
use ports::store::{CommitError, Expect, Write};
use ports::{Fault, PortError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

enum Step {
    Take(Claim),
    Wait(CancellationToken),
    Refresh(Vec<Place>),
    Release(Vec<ReservationId>),
    Gone,
}

impl Service {
    /// Takes the seats of a released hold again and sells them; `None` to look again.
    pub(super) async fn retake(
        &self,
        stage: &Arc<Stage>,
        first: Stored,
        order: &OrderId,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        if !self.inner.options.sole_writer {
            // A refusal is final, so it must not rest on what this process remembers.
            self.look_again(stage, &first.hold).await?;
        }
        match self.look_for_retake(stage, &first.hold) {
            Step::Take(claim) => {
                let at = self.inner.clock.now();
                let hold = Hold {
                    key: HoldKey::Retake,
                    seats: claim.places().iter().map(|place| stage.seat_id(*place)).collect(),
                    placed_at: at,
                    state: HoldState::Committed { order: order.clone(), intent: command.intent.clone(), at },
                    refused: Vec::new(),
                    ..first.hold.clone()
                };
                let state = SeatState::Sold { order: order.clone() };
                let key = rows::hold_key(&hold.reservation, HoldKey::First);
                let mut writes = vec![Write::Check { key, expect: Expect::Version(first.version) }];
                writes.push(rows::hold_put(&hold, 0));
                writes.extend(claim.writes(&state));
                let stored = self.sell(claim, writes, &state).await?;
                Ok(stored.then(|| committed(stage, &hold)))
            }
            Step::Wait(done) => {
                done.cancelled().await;
                Ok(None)
            }
            Step::Refresh(places) => {
                self.refresh(stage, &places).await?;
                Ok(None)
            }
            Step::Release(due) => {
                for reservation in due {
                    self.release_due(&reservation).await?;
                }
                Ok(None)
            }
            Step::Gone => self.refuse(first, command).await,
        }
    }

    async fn look_again(&self, stage: &Stage, hold: &Hold) -> Result<(), Fault> {
        match hold.any_of.as_ref().and_then(|section| stage.show.section_for(Some(section))) {
            Some(section) => self.read_again(stage, section).await,
            None => {
                let places = stage.places(&hold.seats).unwrap_or_default();
                self.refresh(stage, &places).await
            }
        }
    }

    fn look_for_retake(&self, stage: &Arc<Stage>, hold: &Hold) -> Step {
        let now = self.inner.clock.now();
        let mut table = stage.table();
        let any = hold.any_of.as_ref().and_then(|section| stage.show.section_for(Some(section)));
        let places = match any {
            None => stage.places(&hold.seats).unwrap_or_default(),
            Some(section) => {
                let count = hold.seats.len() as u32;
                let mut picked = table.pick(section, count, &mut self.inner.dice.clone());
                if picked.len() < count as usize {
                    let undecided = table.undecided(section);
                    if !undecided.stale.is_empty() {
                        return Step::Refresh(undecided.stale);
                    }
                    picked.extend(table.due(section, count - picked.len() as u32, now));
                    if picked.len() < count as usize {
                        return undecided.pending.map_or(Step::Gone, Step::Wait);
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
            Take::Now if places.len() == hold.seats.len() => {
                Step::Take(Claim::new(stage, &mut table, places))
            }
            Take::After(due) => Step::Release(due),
            Take::Now | Take::Taken(_) => Step::Gone,
        }
    }

    /// Writes the refusal, then answers with it; `None` to look again.
    async fn refuse(
        &self,
        first: Stored,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let mut hold = first.hold;
        hold.refuse(command.intent.as_ref());
        match self.commit_rows(vec![rows::hold_put(&hold, first.version)]).await {
            Ok(()) => rejected(Rejection::Expired),
            Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => Ok(None),
            Err(CommitError::Failed(fault)) => Err(fault.into()),
        }
    }
}
