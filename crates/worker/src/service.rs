//! The handler of each event: which calls it makes to the peers, and what their answers mean.
//!
//! **Inventory first, the reservation follows.** A handler moves the seats, then brings the
//! reservation to the matching end. Every step is idempotent: a run that is repeated after a crash,
//! a lost lease or a duplicate message ends where the first run would have ended. A handler neither
//! acknowledges nor sleeps: it returns its result ([`Handled`]), and the pipeline settles the
//! message.
//!
//! Four kinds of failure: a peer did not answer in time ([`Stop::Silent`]), was not reached
//! ([`Stop::NotReached`]), its answer may differ next time ([`Stop::Transient`]), or no retry can
//! help ([`Stop::Hopeless`]). Only a typed answer of a peer moves seats or money, or ends an event
//! (rules R8).

use core::fmt;
use core::time::Duration;
use domain::event::{Event, Fact, Kind};
use domain::hold::{Rejection, Released};
use domain::id::{OrderId, PaymentIntentId, ReservationId, SeatId};
use domain::reservation::Status;
use domain::retry::{Outcome, Reason};
use ports::plant::{Plant, planted};
use ports::reservations::EndRejection;
use ports::{CallContext, Clock, Inventory, Payments, Reservations, Trace, probe};
use std::sync::Arc;

mod approved;
mod call;
mod expired;
mod failed;
mod refund;

pub use call::{Downstream, Touch, Touched};

use call::Calls;

/// The peers that handlers call.
#[derive(Clone)]
pub struct Peers {
    /// Moves the seats.
    pub inventory: Arc<dyn Inventory>,
    /// Keeps the reservations.
    pub reservations: Arc<dyn Reservations>,
    /// Voids and refunds. Without it, a payment without a seat is buried for an operator.
    pub payments: Option<Arc<dyn Payments>>,
}

/// The handlers of the three events.
#[derive(Clone)]
pub struct Handlers {
    peers: Peers,
    clock: Arc<dyn Clock>,
    call_max: Duration,
}

/// The result of a run, and which downstreams answered it.
#[derive(Debug)]
pub struct Handled {
    /// The effect, or why there is none.
    pub ending: Result<Done, Stop>,
    /// What the run learnt of each downstream.
    pub touched: Touched,
    /// The seats that this run moved.
    pub seats: Vec<SeatId>,
    /// No provider was there to ask, and the event does not tell the price (rules R1.4).
    pub unverified: bool,
    /// The peer that was not reached answered its health check. Asked only on a run's last chance.
    pub is_healthy: bool,
}

/// The effect of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The seats went back and the reservation is EXPIRED.
    Expired,
    /// The seats went back and the reservation is CANCELLED.
    Cancelled,
    /// The seats are the buyer's and the reservation is CONFIRMED.
    Confirmed(OrderId),
    /// The seats are sold: there is nothing to expire.
    AlreadyCommitted,
    /// The reservation had already ended without seats: a failure after the expiry, or a cancel
    /// that raced its timer.
    EndedBefore,
    /// Another payment confirmed the reservation: this failure is stale.
    Stale,
    /// The payment was a second one; it was given back.
    SecondPaymentReturned,
    /// The payment came too late and no seats were left; it was given back.
    LatePaymentReturned,
    /// The payment does not equal the price; it was given back.
    WrongPaymentReturned,
    /// The refund of the payment had been announced; it was given back.
    RefusedPaymentReturned,
    /// Nothing of the payment is left: it failed, was voided, or was given back before.
    NothingLeft,
    /// The inventory is settled, and no such reservation exists to record it.
    NoReservation,
    /// An operator gave the payment back.
    PaymentReturned,
}

impl Done {
    /// The word for logs and the journal.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Confirmed(_) => "confirmed",
            Self::AlreadyCommitted => "already_committed",
            Self::EndedBefore => "ended_before",
            Self::Stale => "stale",
            Self::SecondPaymentReturned => "second_payment_returned",
            Self::LatePaymentReturned => "late_payment_returned",
            Self::WrongPaymentReturned => "wrong_payment_returned",
            Self::RefusedPaymentReturned => "refused_payment_returned",
            Self::NothingLeft => "nothing_left",
            Self::NoReservation => "no_reservation",
            Self::PaymentReturned => "payment_returned",
        }
    }
}

/// Why a run ended without its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The event came too early; this long is left.
    NotYet(Duration),
    /// A downstream did not answer.
    Silent {
        /// Which.
        on: Downstream,
        /// The error chain.
        error: String,
    },
    /// A downstream was not reached: nothing listens there, or something answered that is not the
    /// peer.
    NotReached {
        /// Which.
        on: Downstream,
        /// The error chain.
        error: String,
    },
    /// An answer that may differ next time.
    Transient {
        /// The error chain.
        error: String,
    },
    /// No retry can help.
    Hopeless {
        /// The reason for the dead letter.
        reason: Reason,
        /// The contradiction, or the error chain.
        error: String,
    },
    /// The run was cancelled from outside.
    Interrupted,
}

impl Stop {
    fn contradiction(error: impl Into<String>) -> Self {
        Self::Hopeless { reason: Reason::Contradiction, error: error.into() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet(left) => write!(f, "not due for another {} ms", left.as_millis()),
            Self::Silent { on, error } => write!(f, "{} did not answer: {error}", on.as_str()),
            Self::NotReached { on, error } => write!(f, "{} was not reached: {error}", on.as_str()),
            Self::Transient { error } => f.write_str(error),
            Self::Hopeless { reason, error } => write!(f, "{}: {error}", reason.as_str()),
            Self::Interrupted => f.write_str("the run was cancelled"),
        }
    }
}

impl Handled {
    /// The outcome that the retry verdict needs.
    pub fn outcome(&self) -> Outcome {
        match &self.ending {
            Ok(_) => Outcome::Done,
            Err(Stop::NotYet(left)) => Outcome::NotYet(*left),
            Err(Stop::Silent { .. } | Stop::NotReached { .. }) if planted(Plant::OutageCounts) => {
                Outcome::Transient
            }
            Err(Stop::Silent { .. }) => Outcome::Infrastructure,
            Err(Stop::NotReached { .. }) => Outcome::NotReached,
            Err(Stop::Transient { .. }) => Outcome::Transient,
            Err(Stop::Hopeless { reason, .. }) => Outcome::Hopeless(*reason),
            Err(Stop::Interrupted) => Outcome::Interrupted,
        }
    }

    /// A run that ended without a result of its handler.
    pub(crate) fn stopped(stop: Stop) -> Self {
        probe::hit_variant("stop", &stop);
        Self {
            ending: Err(stop),
            touched: Touched::default(),
            seats: Vec::new(),
            unverified: false,
            is_healthy: false,
        }
    }

    fn new(ending: Result<Done, Stop>, calls: Calls<'_>) -> Self {
        match &ending {
            Ok(done) => probe::hit_variant("done", done),
            Err(stop) => probe::hit_variant("stop", stop),
        }
        let Calls { touched, seats, unverified, .. } = calls;
        Self { ending, touched, seats, unverified, is_healthy: false }
    }
}

impl Handlers {
    /// Each call takes at most `call_max`; a peer's own limit may be shorter.
    pub fn new(peers: Peers, clock: Arc<dyn Clock>, call_max: Duration) -> Self {
        Self { peers, clock, call_max }
    }

    /// The limit of a run: no path through the tables makes more than eight calls (a second payment
    /// for an older inventory), one of them twice (a 409 that is followed by a GET).
    pub fn run_max(&self) -> Duration {
        self.call_max * 9
    }

    /// Whether an event of this kind needs the payment provider before anything else.
    pub fn asks_provider(&self, kind: Kind) -> bool {
        kind == Kind::Approved && self.peers.payments.is_some()
    }

    /// Brings seats and reservation to the end that the event demands.
    pub async fn handle(&self, event: &Event, trace: &Trace) -> Handled {
        self.run(event, trace, false).await
    }

    /// The same. On the `last_chance` of an event whose peer was not reached, the peer's health is
    /// asked too (rules R8).
    pub(crate) async fn run(&self, event: &Event, trace: &Trace, last_chance: bool) -> Handled {
        let mut calls = self.calls(trace);
        let ending = match &event.fact {
            Fact::ReservationExpired { .. } => expired::handle(&mut calls, event).await,
            Fact::PaymentApproved { intent, amount } => {
                approved::handle(&mut calls, event, intent, amount.as_ref()).await
            }
            Fact::PaymentFailed { intent, error_code, .. } => {
                failed::handle(&mut calls, event, intent, error_code.as_ref()).await
            }
        };
        let is_healthy = match &ending {
            Err(Stop::NotReached { on, .. }) if last_chance => calls.is_healthy(*on).await,
            _ => false,
        };
        Handled { is_healthy, ..Handled::new(ending, calls) }
    }

    /// Gives a payment back in full, as the handlers do for a payment without seats: void or
    /// refund, once however often it is called. If the reservation is known, the payment is refused
    /// first, and stays if it has bought the seats.
    pub async fn refund(
        &self,
        reservation: Option<&ReservationId>,
        intent: &PaymentIntentId,
        trace: &Trace,
    ) -> Handled {
        let mut calls = self.calls(trace);
        let ending = match reservation {
            Some(id) => refund::refund(&mut calls, id, intent, refund::BY_OPERATOR).await,
            None => refund::give_back(&mut calls, intent, refund::BY_OPERATOR).await,
        };
        Handled::new(ending.map(|()| Done::PaymentReturned), calls)
    }

    fn calls(&self, trace: &Trace) -> Calls<'_> {
        let cx = CallContext { trace: trace.clone(), timeout: Some(self.call_max) };
        Calls::new(&self.peers, &*self.clock, cx, self.call_max)
    }
}

/// The answer of the inventory to a release, as the last word of a probe point.
const fn release_answer(answer: &Result<Released, Rejection>) -> &'static str {
    match answer {
        Ok(Released::Now { .. }) => "released",
        Ok(Released::Before { .. }) => "released_before",
        Err(Rejection::NoSuchHold) => "no_such_hold",
        Err(Rejection::AlreadyCommitted { .. }) => "already_committed",
        Err(Rejection::NotDue { .. }) => "not_due",
        Err(_) => "refused",
    }
}

/// The answer of the reservation to an end, as the last word of a probe point.
const fn end_answer<T>(answer: &Result<T, EndRejection>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(EndRejection::NoSuchReservation) => "no_such_reservation",
        Err(EndRejection::Illegal { current, .. }) => match current {
            Some(Status::Hold) => "illegal_hold",
            Some(Status::Confirmed) => "illegal_confirmed",
            Some(Status::Cancelled) => "illegal_cancelled",
            Some(Status::Expired) => "illegal_expired",
            None => "illegal_unknown",
        },
    }
}
