//! The inventory as its callers see it.

use crate::fault::{Fault, PortError};
use crate::trace::CallContext;
use async_trait::async_trait;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::Money;
use domain::seat::SeatView;
use domain::time::Timestamp;

/// The only writer of stock. Every command is idempotent by its reservation: the same command again
/// gives the same answer and changes nothing.
///
/// - `hold` takes all seats or none, until a point in time. Repeated, it returns the same hold in
///   its present state.
/// - `commit` seals a hold. If the hold was released as expired or for a failed payment and the
///   seats are free, it takes them again and seals them in one step. `Rejection::Expired` is final
///   for that payment intent.
/// - `release` gives the seats back. `Rejection::AlreadyCommitted` if commit came first;
///   `Rejection::NotDue` for an expiry before its time. After a release by the buyer, even of seats
///   that went back before, no payment takes them again (rules R6).
/// - `refuse` announces the refund of a payment, so that it cannot buy the seats any more (rules
///   R2). `Rejection::AlreadyCommitted` if it has bought them; an older inventory has no such call.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// Takes seats for a reservation.
    async fn hold(&self, cx: &CallContext, command: HoldSeats) -> Result<Held, PortError<Rejection>>;
    /// Sells the held seats to the buyer.
    async fn commit(&self, cx: &CallContext, command: CommitSeats)
    -> Result<Committed, PortError<Rejection>>;
    /// Gives the held seats back.
    async fn release(
        &self,
        cx: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>>;
    /// Refuses a payment before it is given back.
    async fn refuse(
        &self,
        cx: &CallContext,
        command: RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>>;
    /// Whether the peer says that it can serve. A port within one process always can.
    async fn health(&self, _cx: &CallContext) -> Result<(), Fault> {
        Ok(())
    }
}

/// Takes seats: either by name, or `quantity` of any in `section`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldSeats {
    /// Identity of the hold.
    pub reservation: ReservationId,
    /// The show.
    pub show: ShowId,
    /// The section, for unnamed seats; may be absent if the show has only one.
    pub section: Option<SectionId>,
    /// The seats by name; empty for general admission.
    pub seats: Vec<SeatId>,
    /// How many; 0 = as many as `seats`.
    pub quantity: u32,
    /// The person who holds the seats.
    pub person: PersonId,
    /// When the hold is due.
    pub until: Timestamp,
}

/// Seals a hold. The given details of seats and show are checked against the hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSeats {
    /// Identity of the hold.
    pub reservation: ReservationId,
    /// The show, if known.
    pub show: Option<ShowId>,
    /// The seats, if known.
    pub seats: Vec<SeatId>,
    /// How many, if known.
    pub quantity: Option<u32>,
    /// The payment intent that paid.
    pub intent: Option<PaymentIntentId>,
    /// The person who holds the seats, if known.
    pub person: Option<PersonId>,
}

/// Gives a hold back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSeats {
    /// Identity of the hold.
    pub reservation: ReservationId,
    /// The show, if known.
    pub show: Option<ShowId>,
    /// The seats, if known.
    pub seats: Vec<SeatId>,
    /// How many, if known.
    pub quantity: Option<u32>,
    /// Why; `None` = expired.
    pub cause: Option<ReleaseCause>,
}

/// Refuses a payment, so that its refund and its event give the same result in either order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusePayment {
    /// Identity of the hold.
    pub reservation: ReservationId,
    /// The payment.
    pub intent: PaymentIntentId,
}

/// The effect of a refusal of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentRefused {
    /// It is refused for good, now or before.
    Recorded,
    /// There is no hold that it could buy.
    NoHold,
}

/// A hold as its caller sees it. A repeated call reads in `state` how the hold ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The seats with their prices.
    pub seats: Vec<SeatView>,
    /// Price of all seats together.
    pub total: Money,
    /// When the hold is due.
    pub until: Timestamp,
    /// Live on the first call.
    pub state: HeldState,
}

/// What a repeated `hold` finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldState {
    /// The seats are held.
    Live,
    /// They are sold to this order.
    Committed(OrderId),
    /// The seats were given back.
    Released(ReleaseCause),
}

/// The answer to a commit: the same for the first call and for every repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The order.
    pub order: OrderId,
    /// The seats sold; after a re-take of general admission they differ from the held ones.
    pub seats: Vec<SeatView>,
    /// When they were sold.
    pub at: Timestamp,
    /// The payment that bought them, if the inventory says: that of the first commit, which need
    /// not be the caller's.
    pub intent: Option<PaymentIntentId>,
}
