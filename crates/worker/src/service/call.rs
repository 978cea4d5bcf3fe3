//! One run's calls to its peers: each has a limit, each is recorded for the breaker of its
//! downstream, each failure is classified.

use super::{Peers, Stop};
use core::time::Duration;
use domain::event::Event;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::reservation::End;
use domain::retry::Reason;
use ports::inventory::{CommitSeats, Committed, ReleaseSeats};
use ports::payments::{CancelPayment, Cancelled, PaymentRejection};
use ports::plant::{Plant, planted};
use ports::reservations::{EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView};
use ports::{CallContext, Clock, Fault, FaultClass, PortError};

/// The peers that a handler calls; each has its own breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Downstream {
    /// The service that keeps the seats.
    Inventory,
    /// The service that keeps the reservations.
    Reservation,
    /// The payment provider.
    Payments,
}

impl Downstream {
    /// All of them, in the order of their index.
    pub const ALL: [Self; 3] = [Self::Inventory, Self::Reservation, Self::Payments];

    /// The word for labels, reasons and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Reservation => "reservation",
            Self::Payments => "payments",
        }
    }

    /// The index in arrays with one entry per downstream.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a run learnt of one downstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Touch {
    /// It was not called.
    #[default]
    Not,
    /// It answered, possibly with an error.
    Answered,
    /// It did not answer.
    Silent,
}

/// What a run learnt of each downstream; the last call counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched([Touch; 3]);

impl Touched {
    /// What the run learnt of one.
    pub const fn get(self, downstream: Downstream) -> Touch {
        self.0[downstream.index()]
    }

    /// Whether any downstream did not answer.
    pub fn any_silent(self) -> bool {
        self.0.contains(&Touch::Silent)
    }
}

/// What a handler knows of the seats, from the event or from a lookup.
pub(super) struct KnownSeats {
    pub(super) show: Option<ShowId>,
    pub(super) seats: Vec<SeatId>,
    pub(super) quantity: Option<u32>,
    pub(super) person: Option<PersonId>,
    /// The reservation, if it had to be looked up.
    pub(super) view: Option<ReservationView>,
}

impl KnownSeats {
    /// Nothing but the reservation's id.
    pub(super) const fn none() -> Self {
        Self { show: None, seats: Vec::new(), quantity: None, person: None, view: None }
    }
}

pub(super) struct Calls<'p> {
    peers: &'p Peers,
    clock: &'p dyn Clock,
    cx: CallContext,
    call_max: Duration,
    pub(super) touched: Touched,
    pub(super) seats: Vec<SeatId>,
}

impl<'p> Calls<'p> {
    pub(super) fn new(peers: &'p Peers, clock: &'p dyn Clock, cx: CallContext, call_max: Duration) -> Self {
        Self { peers, clock, cx, call_max, touched: Touched::default(), seats: Vec::new() }
    }

    /// The seats of the event. Where it leaves out the show or the seats, the reservation is asked,
    /// because a payment provider cannot know seats.
    pub(super) async fn known_seats(
        &mut self,
        event: &Event,
    ) -> Result<Result<KnownSeats, NoSuchReservation>, Stop> {
        let hint = &event.seats;
        if hint.show.is_some() && !hint.seats.is_empty() {
            return Ok(Ok(KnownSeats {
                show: hint.show.clone(),
                quantity: hint.quantity.or(Some(hint.seats.len() as u32)),
                seats: hint.seats.clone(),
                person: event.person.clone(),
                view: None,
            }));
        }
        let view = match self.get(&event.reservation).await? {
            Ok(view) => view,
            Err(none) => return Ok(Err(none)),
        };
        let seats = if hint.seats.is_empty() { view.seats.clone() } else { hint.seats.clone() };
        Ok(Ok(KnownSeats {
            show: hint.show.clone().or_else(|| view.show.clone()),
            quantity: (!seats.is_empty()).then_some(seats.len() as u32).or(hint.quantity).or(view.quantity),
            seats,
            // The person of a payment is the payer, which need not be the person who reserved.
            person: match planted(Plant::PayerHolds) {
                true => event.person.clone(),
                false => view.person.clone().or_else(|| event.person.clone()),
            },
            view: Some(view),
        }))
    }

    pub(super) async fn get(
        &mut self,
        id: &ReservationId,
    ) -> Result<Result<ReservationView, NoSuchReservation>, Stop> {
        let peer = &*self.peers.reservations;
        let answer = self.limited(peer.get(&self.cx, id)).await;
        self.classify(Downstream::Reservation, answer)
    }

    pub(super) async fn end(
        &mut self,
        id: &ReservationId,
        end: End,
    ) -> Result<Result<Ended, EndRejection>, Stop> {
        let command = EndReservation { id: id.clone(), end, inventory_settled: true };
        let peer = &*self.peers.reservations;
        let answer = self.limited(peer.end(&self.cx, command)).await;
        self.classify(Downstream::Reservation, answer)
    }

    pub(super) async fn release(
        &mut self,
        id: &ReservationId,
        known: KnownSeats,
        cause: ReleaseCause,
    ) -> Result<Result<Released, Rejection>, Stop> {
        let KnownSeats { show, seats, quantity, .. } = known;
        let command = ReleaseSeats { reservation: id.clone(), show, seats, quantity, cause: Some(cause) };
        let peer = &*self.peers.inventory;
        let answer = self.limited(peer.release(&self.cx, command)).await;
        if let Ok(Released::Now { seats, .. }) = &answer {
            self.seats.clone_from(seats);
        }
        self.classify(Downstream::Inventory, answer)
    }

    pub(super) async fn commit(
        &mut self,
        id: &ReservationId,
        known: KnownSeats,
        intent: &PaymentIntentId,
    ) -> Result<Result<Committed, Rejection>, Stop> {
        let KnownSeats { show, seats, quantity, person, .. } = known;
        let intent = Some(intent.clone());
        let command = CommitSeats { reservation: id.clone(), show, seats, quantity, intent, person };
        let peer = &*self.peers.inventory;
        let answer = self.limited(peer.commit(&self.cx, command)).await;
        if let Ok(committed) = &answer {
            self.seats = committed.seats.iter().map(|seat| seat.id.clone()).collect();
        }
        self.classify(Downstream::Inventory, answer)
    }

    /// `None`: no payment provider is configured.
    pub(super) async fn cancel(
        &mut self,
        command: CancelPayment,
    ) -> Result<Option<Result<Cancelled, PaymentRejection>>, Stop> {
        let Some(peer) = &self.peers.payments else { return Ok(None) };
        let answer = self.limited(peer.cancel(&self.cx, command)).await;
        self.classify(Downstream::Payments, answer).map(Some)
    }

    /// The adapter has its own deadline; this one also stops a peer that ignores it.
    async fn limited<T, R>(
        &self,
        call: impl Future<Output = Result<T, PortError<R>>> + Send,
    ) -> Result<T, PortError<R>> {
        match ports::clock::timeout(self.clock, self.call_max, call).await {
            Ok(answer) => answer,
            Err(_) => {
                let limit = self.call_max.as_millis();
                Err(PortError::Failed(Fault::unavailable(format!("no answer within {limit} ms"))))
            }
        }
    }

    fn classify<T, R>(
        &mut self,
        on: Downstream,
        answer: Result<T, PortError<R>>,
    ) -> Result<Result<T, R>, Stop> {
        let fault = match answer {
            Ok(value) => {
                self.touched.0[on.index()] = Touch::Answered;
                return Ok(Ok(value));
            }
            Err(PortError::Rejected(no)) => {
                self.touched.0[on.index()] = Touch::Answered;
                return Ok(Err(no));
            }
            Err(PortError::Failed(fault)) => fault,
        };
        let error = fault.chain();
        self.touched.0[on.index()] = match fault.class {
            FaultClass::Unavailable => Touch::Silent,
            FaultClass::Transient | FaultClass::Conflict | FaultClass::Permanent => Touch::Answered,
        };
        Err(match fault.class {
            FaultClass::Unavailable => Stop::Silent { on, error },
            FaultClass::Transient | FaultClass::Conflict => {
                Stop::Transient { error: format!("{}: {error}", on.as_str()) }
            }
            FaultClass::Permanent => {
                Stop::Hopeless { reason: Reason::PermanentFault, error: format!("{}: {error}", on.as_str()) }
            }
        })
    }
}
