//! The re-take: a payment that came after the release of its hold gets the seats again, if they are
//! free.
//!
//! One commit sells the seats and writes the second hold, so an ended reservation never has a live
//! hold. If the seats are not free, the refusal is written on the hold before it is answered: the
//! caller refunds the money, and a repetition of the same event must never answer "sold" (trap
//! T-M1).

use super::commit::committed;
use super::look::{Step, Wanted};
use super::release::places_of;
use super::{LoadedShow, Service, Stored, rejected};
use crate::rows;
use crate::service::pending_change::PendingChange;
use domain::hold::{Hold, HoldKey, HoldState, Rejection};
use domain::id::OrderId;
use domain::seat::SeatState;
use ports::inventory::{CommitSeats, Committed};
use ports::plant::{Plant, planted};
use ports::store::{Expect, Write};
use ports::{Fault, PortError};
use std::sync::Arc;

impl Service {
    /// Takes the seats of a released hold again and sells them; `None` = look again.
    pub(super) async fn retake(
        &self,
        loaded: &Arc<LoadedShow>,
        first: Stored,
        order: &OrderId,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let wanted = wanted_again(loaded, &first)?;
        let step = match self.look(loaded, &wanted).await {
            // A refusal is final, so it must not rest on the memory of this process.
            Step::Reject(_) if self.look_closer(loaded, &wanted).await? => self.look(loaded, &wanted).await,
            step => step,
        };
        match step {
            Step::Take(change) => self.sell_again(loaded, first, change, order, command).await,
            Step::Refresh(places) => {
                self.refresh(loaded, &places).await?;
                Ok(None)
            }
            Step::Release(due, places) => {
                self.clear(loaded, &due, &places).await?;
                Ok(None)
            }
            Step::Reject(_) => self.refuse(first, command).await,
        }
    }

    /// Commits the second hold with its seats; `None` = look again.
    async fn sell_again(
        &self,
        loaded: &Arc<LoadedShow>,
        first: Stored,
        change: PendingChange,
        order: &OrderId,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let at = self.inner.clock.now();
        let hold = Hold {
            key: HoldKey::Retake,
            seats: change.ids().to_vec(),
            placed_at: at,
            state: HoldState::Committed { order: order.clone(), intent: command.intent.clone(), at },
            refused: Vec::new(),
            ..first.hold
        };
        let state = SeatState::Sold { order: order.clone() };
        let key = rows::hold_key(&hold.reservation, HoldKey::First);
        let mut writes = vec![Write::Check { key, expect: Expect::Version(first.version) }];
        writes.push(rows::hold_put(&hold, 0));
        writes.extend(change.writes(&state));
        let stored = self.apply(change, writes, &state, "commit").await?;
        Ok(stored.then(|| committed(loaded, &hold)))
    }

    /// Writes the refusal, then answers with it; `None` = look again.
    async fn refuse(
        &self,
        first: Stored,
        command: &CommitSeats,
    ) -> Result<Option<Committed>, PortError<Rejection>> {
        let mut hold = first.hold;
        hold.refuse(command.intent.as_ref());
        match self.write_unsold(hold, first.version).await? {
            true => rejected(Rejection::Expired),
            false => Ok(None),
        }
    }

    /// Writes the first hold of a reservation that has no second one; `false` = look again. A
    /// re-take writes the second hold and leaves the first row unchanged, so the version of the
    /// first alone would allow both.
    pub(super) async fn write_unsold(&self, hold: Hold, version: u64) -> Result<bool, Fault> {
        let retake = rows::hold_key(&hold.reservation, HoldKey::Retake);
        let alone = [Write::Check { key: retake, expect: Expect::Absent }];
        let checks = if planted(Plant::RefusalAlone) { &[][..] } else { &alone[..] };
        self.write_hold(&hold, version, checks).await
    }
}

/// The same seats, or as many of the same section if the hold was general admission.
fn wanted_again(loaded: &LoadedShow, first: &Stored) -> Result<Wanted, Fault> {
    let Some(any_of) = &first.hold.any_of else { return Ok(Wanted::Named(places_of(loaded, first)?)) };
    let count = first.hold.seats.len() as u32;
    match loaded.show.section_for(Some(any_of)) {
        Some(section) => Ok(Wanted::Any { section, count }),
        None => Err(Fault::permanent(format!(
            "{} holds places of section {any_of}, which show {} does not have",
            first.hold.reservation, loaded.show.id
        ))),
    }
}
