//! One run's calls to its peers: each has a limit, each is recorded for the breaker of its
//! downstream, each failure is classified.

use super::{Peers, Stop};
use core::time::Duration;
use domain::event::Event;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::reservation::End;
use domain::retry::Reason;
use ports::inventory::{CommitSeats, Committed, RefusePayment, ReleaseSeats};
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};
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

    /// The setting that names its address.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Inventory => "INVENTORY_GRPC_ADDR",
            Self::Reservation => "RESERVATION_API_BASE",
            Self::Payments => "PAYMENT_GRPC_ADDR",
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

    /// What a run learnt that touched only one.
    #[cfg(test)]
    pub(crate) fn only(downstream: Downstream, touch: Touch) -> Self {
        let mut touched = Self::default();
        touched.0[downstream.index()] = touch;
        touched
    }

    /// Whether any downstream did not answer.
    pub fn any_silent(self) -> bool {
        self.0.contains(&Touch::Silent)
    }
}

/// What a GET of a reservation found.
pub(super) enum Lookup {
    /// The reservation.
    Found(ReservationView),
    /// No such reservation, in the peer's own words.
    None,
    /// The peer has no GET: nothing but the event is known (rules R8).
    Unsupported,
}

/// What a handler knows of the seats, from the event or from a lookup.
#[derive(Default)]
pub(super) struct KnownSeats {
    pub(super) show: Option<ShowId>,
    pub(super) seats: Vec<SeatId>,
    pub(super) quantity: Option<u32>,
    pub(super) person: Option<PersonId>,
    /// The reservation, if it had to be looked up.
    pub(super) view: Option<ReservationView>,
}

impl KnownSeats {
    /// What the event says, completed by the reservation. The holder is the reservation's person:
    /// the person of a payment is the payer, who need not be the same (case M9).
    pub(super) fn of(event: &Event, view: ReservationView) -> Self {
        let hint = &event.seats;
        let seats = if hint.seats.is_empty() { view.seats.clone() } else { hint.seats.clone() };
        Self {
            show: hint.show.clone().or_else(|| view.show.clone()),
            quantity: (!seats.is_empty()).then_some(seats.len() as u32).or(hint.quantity).or(view.quantity),
            seats,
            person: match planted(Plant::PayerHolds) {
                true => event.person.clone(),
                false => view.person.clone(),
            },
            view: Some(view),
        }
    }

    /// What the event alone says of its seats.
    pub(super) fn hinted(event: &Event) -> Self {
        let hint = &event.seats;
        Self {
            show: hint.show.clone(),
            quantity: (!hint.seats.is_empty()).then_some(hint.seats.len() as u32).or(hint.quantity),
            seats: hint.seats.clone(),
            ..Self::default()
        }
    }
}

pub(super) struct Calls<'p> {
    peers: &'p Peers,
    clock: &'p dyn Clock,
    cx: CallContext,
    call_max: Duration,
    pub(super) touched: Touched,
    pub(super) seats: Vec<SeatId>,
    /// No provider was there to ask, and the event does not tell the price.
    pub(super) unverified: bool,
}

impl<'p> Calls<'p> {
    pub(super) fn new(peers: &'p Peers, clock: &'p dyn Clock, cx: CallContext, call_max: Duration) -> Self {
        Self { peers, clock, cx, call_max, touched: Touched::default(), seats: Vec::new(), unverified: false }
    }

    /// The seats of an event that gives seats back. Where it leaves out the show or the seats, the
    /// reservation is asked, because a payment provider cannot know seats. A peer without GET
    /// leaves the reservation's id, which is enough for the inventory.
    pub(super) async fn known_seats(
        &mut self,
        event: &Event,
    ) -> Result<Result<KnownSeats, NoSuchReservation>, Stop> {
        let hint = &event.seats;
        if hint.show.is_some() && !hint.seats.is_empty() {
            return Ok(Ok(KnownSeats::hinted(event)));
        }
        Ok(match self.get(&event.reservation).await? {
            Lookup::Found(view) => Ok(KnownSeats::of(event, view)),
            Lookup::None => Err(NoSuchReservation),
            Lookup::Unsupported => Ok(KnownSeats::default()),
        })
    }

    pub(super) async fn get(&mut self, id: &ReservationId) -> Result<Lookup, Stop> {
        let peer = &*self.peers.reservations;
        let answer = self.limited(peer.get(&self.cx, id)).await;
        if is_unsupported(&answer) {
            return Ok(Lookup::Unsupported);
        }
        if planted(Plant::UntypedIsNo) && is_not_reached(&answer) {
            return Ok(Lookup::None);
        }
        Ok(match self.classify(Downstream::Reservation, answer)? {
            Ok(view) => Lookup::Found(view),
            Err(NoSuchReservation) => Lookup::None,
        })
    }

    /// Records why a payment did not pay. That it cannot be recorded changes nothing (rules R1).
    pub(super) async fn record_error_code(&mut self, id: &ReservationId, error_code: &str) {
        let peer = &*self.peers.reservations;
        let answer = self.limited(peer.record_error_code(&self.cx, id, error_code.into())).await;
        if let Err(error) = answer {
            tracing::warn!(reservation_id = %id, error_code, ?error, "the reservation does not record why its payment did not pay");
        }
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

    /// Announces the refund of a payment. `false`: an older inventory, which has no such call
    /// (rules R8).
    pub(super) async fn refuse(
        &mut self,
        id: &ReservationId,
        intent: &PaymentIntentId,
    ) -> Result<Result<bool, Rejection>, Stop> {
        let command = RefusePayment { reservation: id.clone(), intent: intent.clone() };
        let peer = &*self.peers.inventory;
        let answer = self.limited(peer.refuse(&self.cx, command)).await;
        if is_unsupported(&answer) {
            return Ok(Ok(false));
        }
        Ok(self.classify(Downstream::Inventory, answer)?.map(|_| true))
    }

    /// What the provider reports of a payment; `None`: no provider is configured.
    pub(super) async fn payment(
        &mut self,
        intent: &PaymentIntentId,
    ) -> Result<Option<Result<PaymentView, PaymentRejection>>, Stop> {
        let Some(peer) = &self.peers.payments else { return Ok(None) };
        let answer = self.limited(peer.get(&self.cx, intent)).await;
        self.classify(Downstream::Payments, answer).map(Some)
    }

    /// Gives a payment back; `None`: no provider is configured, or it is too old for that.
    pub(super) async fn cancel(
        &mut self,
        command: CancelPayment,
    ) -> Result<Option<Result<Cancelled, PaymentRejection>>, Stop> {
        let Some(peer) = &self.peers.payments else { return Ok(None) };
        let answer = self.limited(peer.cancel(&self.cx, command)).await;
        if is_unsupported(&answer) {
            return Ok(None);
        }
        self.classify(Downstream::Payments, answer).map(Some)
    }

    /// Whether a payment provider is configured.
    pub(super) const fn has_provider(&self) -> bool {
        self.peers.payments.is_some()
    }

    /// Whether a peer that was not reached by this run says of itself that it can serve.
    pub(super) async fn is_healthy(&self, on: Downstream) -> bool {
        let check = async {
            match on {
                Downstream::Inventory => self.peers.inventory.health(&self.cx).await,
                Downstream::Reservation => self.peers.reservations.health(&self.cx).await,
                Downstream::Payments => match &self.peers.payments {
                    Some(peer) => peer.health(&self.cx).await,
                    None => Ok(()),
                },
            }
        };
        matches!(ports::clock::timeout(self.clock, self.call_max, check).await, Ok(Ok(())))
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
            FaultClass::Unavailable | FaultClass::NotReached => Touch::Silent,
            FaultClass::Transient
            | FaultClass::Conflict
            | FaultClass::Permanent
            | FaultClass::Unsupported => Touch::Answered,
        };
        Err(match fault.class {
            FaultClass::Unavailable => Stop::Silent { on, error },
            FaultClass::NotReached => Stop::NotReached { on, error },
            FaultClass::Transient | FaultClass::Conflict => {
                Stop::Transient { error: format!("{}: {error}", on.as_str()) }
            }
            FaultClass::Permanent | FaultClass::Unsupported => {
                Stop::Hopeless { reason: Reason::PermanentFault, error: format!("{}: {error}", on.as_str()) }
            }
        })
    }
}

fn is_not_reached<T, R>(answer: &Result<T, PortError<R>>) -> bool {
    matches!(answer, Err(PortError::Failed(fault)) if fault.class == FaultClass::NotReached)
}

/// Whether the peer is older than this call.
fn is_unsupported<T, R>(answer: &Result<T, PortError<R>>) -> bool {
    matches!(answer, Err(PortError::Failed(fault)) if fault.class == FaultClass::Unsupported)
}
