//! What commit, release and a repeated hold decide, as functions of the stored holds and the time.
//!
//! Commit and release compete for the same rows. The one that comes second decides again on the
//! rows that the first one left, and finds a typed answer here (traps T-S2 and T-S5).

use super::{BadRequest, Hold, HoldState, Rejection, ReleaseCause};
use crate::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use crate::limits::SEATS_PER_RESERVATION_MAX;
use crate::seat::{Seat, SeatState};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Refusals that are remembered one by one; after that every payment is refused (rules R2).
pub const REFUSALS_MAX: usize = 16;

/// Checks the seats and the quantity of a request; a `quantity` of 0 was not given. Returns the
/// number of seats.
pub fn check_request(seats: &[SeatId], quantity: u32) -> Result<u32, BadRequest> {
    let named = u32::try_from(seats.len()).unwrap_or(u32::MAX);
    let count = named.max(quantity);
    if count == 0 {
        return Err(BadRequest::NoSeats);
    }
    if count > SEATS_PER_RESERVATION_MAX {
        return Err(BadRequest::TooManySeats(count));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = seats.iter().find(|seat| !seen.insert(*seat)) {
        return Err(BadRequest::DuplicateSeat(twice.clone()));
    }
    if named > 0 && quantity > 0 && named != quantity {
        return Err(BadRequest::QuantityMismatch { seats: named, quantity });
    }
    Ok(count)
}

/// Whether the wanted seats are available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// All are free.
    Now,
    /// All are free, or held by holds that are due: release these holds first.
    After(Vec<ReservationId>),
    /// These seats are not available.
    Taken(Vec<SeatId>),
}

/// Decides whether all of these seats are available at `now`.
pub fn take<'s>(wanted: impl IntoIterator<Item = (&'s SeatId, &'s Seat)>, now: Timestamp) -> Take {
    let (mut due, mut taken) = (BTreeSet::new(), Vec::new());
    for (id, seat) in wanted {
        match &seat.state {
            SeatState::Available => {}
            SeatState::Held { by, until } if *until <= now => {
                due.insert(by.clone());
            }
            _ => taken.push(id.clone()),
        }
    }
    if !taken.is_empty() {
        Take::Taken(taken)
    } else if due.is_empty() {
        Take::Now
    } else {
        Take::After(due.into_iter().collect())
    }
}

/// The effect of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitDecision {
    /// An earlier commit did it; the answer is in this hold.
    Already(Hold),
    /// The same, by a caller that named no payment: this payment is recorded as the one that bought
    /// the seats, so that a second one is known as such.
    Adopt(Hold),
    /// Turn the live hold into the order.
    Seal {
        /// The order.
        order: OrderId,
    },
    /// The hold was released: take its seats again, if they are free.
    Retake {
        /// The order.
        order: OrderId,
    },
    /// Refuse.
    Reject(Rejection),
}

/// What the caller of a commit or a release says about the hold. Every given part must match.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'c> {
    /// The show.
    pub show: Option<&'c ShowId>,
    /// The seats.
    pub seats: &'c [SeatId],
    /// How many.
    pub quantity: Option<u32>,
    /// The buyer.
    pub person: Option<&'c PersonId>,
}

impl Claim<'_> {
    fn fits(&self, hold: &Hold) -> bool {
        let seats = || {
            let mut claimed: Vec<&SeatId> = self.seats.iter().collect();
            let mut held: Vec<&SeatId> = hold.seats.iter().collect();
            claimed.sort();
            held.sort();
            claimed == held
        };
        self.show.is_none_or(|show| *show == hold.show)
            && self.person.is_none_or(|person| *person == hold.person)
            && self.quantity.is_none_or(|quantity| quantity as usize == hold.seats.len())
            && (self.seats.is_empty() || seats())
    }
}

/// Decides on a commit. A hold that is due still belongs to its owner until somebody takes its
/// seats. A refused payment buys nothing, whatever state the hold is in (rules R2).
pub fn commit(
    first: Option<&Hold>,
    retake: Option<&Hold>,
    claim: Claim<'_>,
    intent: Option<&PaymentIntentId>,
) -> CommitDecision {
    let Some(first) = first else { return CommitDecision::Reject(Rejection::NoSuchHold) };
    if !claim.fits(first) && !retake.is_some_and(|retake| claim.fits(retake)) {
        return CommitDecision::Reject(Rejection::NotOwner);
    }
    if let Some(done) = [retake, Some(first)].into_iter().flatten().find(|hold| hold.is_committed()) {
        // The seats were sold to another payment after this one was refused: its payer has the
        // money back.
        if intent.is_some_and(|intent| first.refused.contains(intent)) {
            return CommitDecision::Reject(Rejection::Expired);
        }
        let mut done = done.clone();
        return match (&mut done.state, intent) {
            (HoldState::Committed { intent: by @ None, .. }, Some(intent)) => {
                *by = Some(intent.clone());
                CommitDecision::Adopt(done)
            }
            _ => CommitDecision::Already(done),
        };
    }
    let order = OrderId::for_reservation(&first.reservation);
    match first.state {
        HoldState::Live if first.refuses(intent) => CommitDecision::Reject(Rejection::PaymentRefused),
        HoldState::Live => CommitDecision::Seal { order },
        HoldState::Released { cause: ReleaseCause::ByBuyer, .. } => {
            CommitDecision::Reject(Rejection::Expired)
        }
        HoldState::Released { .. } if first.refuses(intent) => CommitDecision::Reject(Rejection::Expired),
        HoldState::Released { .. } => CommitDecision::Retake { order },
        HoldState::Committed { .. } => CommitDecision::Already(first.clone()),
    }
}

/// The effect of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseDecision {
    /// Free the seats for this cause.
    Release(ReleaseCause),
    /// An earlier release freed them.
    Before {
        /// The cause of that release.
        cause: ReleaseCause,
        /// When.
        at: Timestamp,
    },
    /// The same, and the buyer cancels now: remember that no payment takes the seats again
    /// (rules R6).
    Close {
        /// The cause of the earlier release.
        cause: ReleaseCause,
        /// When.
        at: Timestamp,
    },
    /// Refuse.
    Reject(Rejection),
}

/// Decides on a release. Without a cause it is an expiry, and so is refused before the hold is due:
/// an earlier worker's expiry handler names none (case P16). A buyer's cancel is final, whatever
/// released the seats before (rules R6).
pub fn release(
    first: Option<&Hold>,
    retake: Option<&Hold>,
    claim: Claim<'_>,
    cause: Option<ReleaseCause>,
    now: Timestamp,
) -> ReleaseDecision {
    let Some(first) = first else { return ReleaseDecision::Reject(Rejection::NoSuchHold) };
    if !claim.fits(first) && !retake.is_some_and(|retake| claim.fits(retake)) {
        return ReleaseDecision::Reject(Rejection::NotOwner);
    }
    for hold in [retake, Some(first)].into_iter().flatten() {
        if let Some(sold) = hold.sold() {
            return ReleaseDecision::Reject(sold);
        }
    }
    if let HoldState::Released { cause: before, at } = first.state {
        let closes = cause == Some(ReleaseCause::ByBuyer) && before != ReleaseCause::ByBuyer && !first.closed;
        return match closes {
            true => ReleaseDecision::Close { cause: before, at },
            false => ReleaseDecision::Before { cause: before, at },
        };
    }
    let due = now >= first.until;
    match cause {
        None | Some(ReleaseCause::Expired) if !due => {
            ReleaseDecision::Reject(Rejection::NotDue { left: first.until.since(now) })
        }
        Some(cause) => ReleaseDecision::Release(cause),
        None => ReleaseDecision::Release(ReleaseCause::Expired),
    }
}

/// The effect of a refusal of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefuseDecision {
    /// There is no hold, so nothing to record.
    NoHold,
    /// It was refused before.
    Before,
    /// Record it: this is the first hold afterwards.
    Record(Hold),
    /// The payment has bought the seats, so it cannot be refused.
    Reject(Rejection),
}

/// Decides on the refusal of a payment, before its refund (rules R2). It competes with [`commit`]
/// on the version of the first hold. Seats that were sold without naming a payment may be this
/// one's.
pub fn refuse(first: Option<&Hold>, retake: Option<&Hold>, intent: &PaymentIntentId) -> RefuseDecision {
    let Some(first) = first else { return RefuseDecision::NoHold };
    if first.refused.contains(intent) {
        return RefuseDecision::Before;
    }
    for hold in [retake, Some(first)].into_iter().flatten() {
        match &hold.state {
            HoldState::Committed { intent: Some(by), .. } if by != intent => {}
            _ => {
                if let Some(sold) = hold.sold() {
                    return RefuseDecision::Reject(sold);
                }
            }
        }
    }
    if first.closed && !first.is_committed() {
        return RefuseDecision::Before;
    }
    let mut hold = first.clone();
    hold.refuse(Some(intent));
    RefuseDecision::Record(hold)
}

impl Hold {
    /// That its seats are sold, as a refusal; `None` if they are not.
    fn sold(&self) -> Option<Rejection> {
        let HoldState::Committed { order, intent, .. } = &self.state else { return None };
        Some(Rejection::AlreadyCommitted { order: order.clone(), intent: intent.clone() })
    }

    /// Whether its seats are sold.
    pub const fn is_committed(&self) -> bool {
        matches!(self.state, HoldState::Committed { .. })
    }

    /// Whether this payment was refused before. A commit without a payment is refused after any
    /// refusal, and a refused commit without a payment refuses all later ones.
    pub fn refuses(&self, intent: Option<&PaymentIntentId>) -> bool {
        self.closed
            || match intent {
                Some(intent) => self.refused.contains(intent),
                None => !self.refused.is_empty(),
            }
    }

    /// Remembers that this payment was refused.
    pub fn refuse(&mut self, intent: Option<&PaymentIntentId>) {
        if let Some(intent) = intent
            && self.refused.len() < REFUSALS_MAX
        {
            self.refused.push(intent.clone());
        }
        self.closed |= intent.is_none() || self.refused.len() == REFUSALS_MAX;
    }

    /// Checks that a repeated request asks for the seats of this hold.
    pub fn same_request(
        &self,
        show: &ShowId,
        seats: &[SeatId],
        quantity: u32,
        person: &PersonId,
    ) -> Result<(), Rejection> {
        if self.person != *person {
            return Err(Rejection::NotOwner);
        }
        let named = if self.any_of.is_some() { seats.is_empty() } else { seats == self.seats };
        if self.show != *show || !named || self.seats.len() != quantity as usize {
            return Err(Rejection::BadRequest(BadRequest::DifferentSeats));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
