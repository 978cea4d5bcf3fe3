//! The re-take: a payment that came after the release of its hold gets the seats again, if they are
//! free.
//!
//! One commit sells the seats and writes the second hold, so an ended reservation never has a live
//! hold. If the seats are not free, the refusal is written on the hold before it is answered: the
//! caller refunds the money, and a repetition of the same event must never answer "sold" (trap
//! T-M1).

use super::commit::committed;
use super::look::{Step, Wish};
use super::release::places_of;
use super::{Service, Stage, Stored, rejected};
use crate::rows;
use crate::service::claim::Claim;
use domain::hold::{Hold, HoldKey, HoldState, Rejection};
use domain::id::OrderId;
use domain::seat::SeatState;
use ports::inventory::{CommitSeats, Committed};
use ports::plant::{Plant, planted};
use ports::store::{CommitError, Expect, Write};
use ports::{Fault, PortError};
use std::sync::Arc;

impl Service {
    /// Takes the seats of a released hold again and sells them; `None` = look again.
    pub(super) async fn retake(
        &self,
        stage: &Arc<Stage>,
        first: Stored,
        order: &OrderId,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let wish = wish_again(stage, &first)?;
        let step = match self.look(stage, &wish).await {
            // A refusal is final, so it must not rest on the memory of this process.
            Step::Reject(_) if self.look_closer(stage, &wish).await? => self.look(stage, &wish).await,
            step => step,
        };
        match step {
            Step::Take(claim) => self.sell_again(stage, first, claim, order, command).await,
            Step::Refresh(places) => {
                self.refresh(stage, &places).await?;
                Ok(None)
            }
            Step::Release(due, places) => {
                self.clear(stage, &due, &places).await?;
                Ok(None)
            }
            Step::Reject(_) => self.refuse(first, command).await,
        }
    }

    /// Commits the second hold with its seats; `None` = look again.
    async fn sell_again(
        &self,
        stage: &Arc<Stage>,
        first: Stored,
        claim: Claim,
        order: &OrderId,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let at = self.inner.clock.now();
        let hold = Hold {
            key: HoldKey::Retake,
            seats: claim.ids().to_vec(),
            placed_at: at,
            state: HoldState::Committed { order: order.clone(), intent: command.intent.clone(), at },
            refused: Vec::new(),
            ..first.hold
        };
        let state = SeatState::Sold { order: order.clone() };
        let key = rows::hold_key(&hold.reservation, HoldKey::First);
        let mut writes = vec![Write::Check { key, expect: Expect::Version(first.version) }];
        writes.push(rows::hold_put(&hold, 0));
        writes.extend(claim.writes(&state));
        let stored = self.apply(claim, writes, &state, "commit").await?;
        Ok(stored.then(|| committed(stage, &hold)))
    }

    /// Writes the refusal, then answers with it; `None` = look again.
    async fn refuse(
        &self,
        first: Stored,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let mut hold = first.hold;
        hold.refuse(command.intent.as_ref());
        // The seats may be gone because another run of the same event is taking them. That run
        // writes the second hold and leaves this row unchanged, so this row's version alone would
        // allow both answers.
        let retake = rows::hold_key(&hold.reservation, HoldKey::Retake);
        let alone = Write::Check { key: retake, expect: Expect::Absent };
        let mut writes = vec![rows::hold_put(&hold, first.version)];
        if !planted(Plant::RefusalAlone) {
            writes.push(alone);
        }
        match self.commit_rows(writes).await {
            Ok(()) => rejected(Rejection::Expired),
            Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => Ok(None),
            Err(CommitError::Failed(fault)) => Err(fault.into()),
        }
    }
}

/// The same seats, or as many of the same section if the hold was general admission.
fn wish_again(stage: &Stage, first: &Stored) -> Result<Wish, Fault> {
    let Some(any_of) = &first.hold.any_of else { return Ok(Wish::Named(places_of(stage, first)?)) };
    let count = first.hold.seats.len() as u32;
    match stage.show.section_for(Some(any_of)) {
        Some(section) => Ok(Wish::Any { section, count }),
        None => Err(Fault::permanent(format!(
            "{} holds places of section {any_of}, which show {} does not have",
            first.hold.reservation, stage.show.id
        ))),
    }
}
