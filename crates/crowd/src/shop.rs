//! The platform as a buyer sees it.

use crate::promise::Promise;
use crate::wish::{Venue, Wish};
use core::fmt;
use core::time::Duration;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId};
use domain::money::Money;
use domain::payment::{Scenario, Status};
use domain::random::SplitMix64;

/// Held seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The reservation.
    pub reservation: ReservationId,
    /// Its seats.
    pub seats: Vec<SeatId>,
    /// Their price.
    pub total: Money,
}

/// The answer to a wish that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The error code.
    pub code: String,
}

/// What one buyer can do at the platform. Every call is repeated with the same key until somebody
/// answers; that is what idempotency is for.
pub trait Shop: Send + Sync {
    /// Why a buyer goes home before the end.
    type Left: Send;
    /// The whole answer to a wish, of which two under the same key must be equal.
    type Placed: PartialEq + fmt::Debug + Send + Sync;

    /// How many wishes a buyer tries before going home.
    const WISHES_MAX: u32;

    /// Whether a reservation uses up a pass of the waiting room. Of two answers under one key the
    /// buyer then keeps the one that holds seats.
    const HAS_PASSES: bool;

    /// The show and its sections.
    fn venue(&self) -> &Venue;

    /// How long seats are held.
    fn hold(&self) -> Duration;

    /// Draws the first wish.
    fn wish(&mut self, dice: &mut SplitMix64) -> Wish;

    /// Draws another wish after a refusal; `None` when this buyer would take nothing that is free.
    fn another(
        &mut self,
        dice: &mut SplitMix64,
        wish: &Wish,
        refused: &Refused,
    ) -> impl Future<Output = Result<Option<Wish>, Self::Left>> + Send;

    /// Asks for seats.
    fn reserve(
        &mut self,
        wish: &Wish,
        key: &str,
    ) -> impl Future<Output = Result<Result<Self::Placed, Refused>, Self::Left>> + Send;

    /// What an answer holds.
    fn held(placed: &Self::Placed) -> Held;

    /// Whether a repeated request may be refused like this although the first one was answered with
    /// seats, `since` before.
    fn may_refuse_again(&self, _refused: &Refused, _since: Duration) -> bool {
        false
    }

    /// The time, for [`may_refuse_again`](Self::may_refuse_again).
    fn elapsed(&self) -> Duration;

    /// Opens a payment, paid by `payer`.
    fn open(
        &mut self,
        payer: &PersonId,
        held: &Held,
        scenario: Scenario,
        key: &str,
    ) -> impl Future<Output = Result<PaymentIntentId, Self::Left>> + Send;

    /// Pays. The status that the provider answers with; `None` when it refuses.
    fn process(
        &mut self,
        intent: &PaymentIntentId,
        scenario: Scenario,
        key: &str,
    ) -> impl Future<Output = Result<Option<Status>, Self::Left>> + Send;

    /// Asks for the order; `None` when it is refused.
    fn confirm(
        &mut self,
        held: &Held,
        intent: &PaymentIntentId,
    ) -> impl Future<Output = Result<Option<OrderId>, Self::Left>> + Send;

    /// Cancels. Whether it is cancelled.
    fn cancel(&mut self, held: &Held) -> impl Future<Output = Result<bool, Self::Left>> + Send;

    /// Lets the buyer think between getting seats and the next step.
    fn think(&mut self, dice: &mut SplitMix64) -> impl Future<Output = ()> + Send;

    /// Waits until about the end of the hold.
    fn wait_for_the_end_of_the_hold(&mut self, dice: &mut SplitMix64) -> impl Future<Output = ()> + Send;

    /// Waits.
    fn sleep(&mut self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// Records an answer that must stay true.
    fn record(&mut self, promise: Promise);

    /// Records that the buyer opened a payment, answered or not.
    fn record_payment(&mut self, intent: &PaymentIntentId);

    /// Records a payment for nothing, which must be given back.
    fn record_debt(&mut self, intent: &PaymentIntentId);

    /// Records an answer that no buyer should ever get, under the invariant that it breaks.
    fn complain(&mut self, invariant: &'static str, problem: String);
}
