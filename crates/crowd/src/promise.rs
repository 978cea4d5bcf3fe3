//! Answers that must stay true, and their comparison with the stores.

use domain::id::{OrderId, PaymentIntentId, ReservationId, SeatId};
use domain::invariant::World;
use domain::payment::{self, Payment};
use domain::reservation::{Reservation, Status};
use std::collections::BTreeMap;

/// An answer that must stay true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// These seats are held under this reservation.
    Held {
        /// The reservation.
        reservation: ReservationId,
        /// Its seats.
        seats: Vec<SeatId>,
    },
    /// The reservation is confirmed as this order.
    Confirmed {
        /// The reservation.
        reservation: ReservationId,
        /// Its order.
        order: OrderId,
    },
    /// The reservation is cancelled.
    Cancelled {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The money was taken.
    Captured {
        /// The reservation that it pays for.
        reservation: ReservationId,
        /// The payment.
        intent: PaymentIntentId,
    },
    /// The card was declined.
    Declined {
        /// The payment.
        intent: PaymentIntentId,
    },
    /// There was nothing to buy.
    Refused {
        /// The error code.
        code: String,
    },
}

/// The reservations and payments of the stores, when nothing is on its way any more.
pub struct Stored<'w> {
    reservations: BTreeMap<&'w ReservationId, &'w Reservation>,
    payments: BTreeMap<&'w PaymentIntentId, &'w Payment>,
    late_payment_wins: bool,
}

impl<'w> Stored<'w> {
    /// Indexes a world. `late_payment_wins`: a reservation that a failed payment has cancelled may
    /// be confirmed by a later payment of the same buyer, so "cancelled" does not always last.
    pub fn new(world: &'w World, late_payment_wins: bool) -> Self {
        Self {
            reservations: world.reservations.iter().map(|known| (&known.id, known)).collect(),
            payments: world.payments.iter().map(|known| (&known.intent, known)).collect(),
            late_payment_wins,
        }
    }

    /// The status of a payment.
    pub fn payment_status(&self, intent: &PaymentIntentId) -> Option<payment::Status> {
        self.payments.get(intent).map(|payment| payment.status)
    }

    /// Whether the stores keep a promise; otherwise what contradicts it.
    pub fn keeps(&self, promise: &Promise) -> Result<(), String> {
        match promise {
            Promise::Held { reservation, seats } => {
                let stored = self.reservation(reservation)?;
                // A late payment for general admission may have been given other places of the same
                // section.
                let retaken = stored.section.is_some() && stored.seats.len() == seats.len();
                check(stored.seats == *seats || retaken, || format!("it has {:?}", stored.seats))
            }
            Promise::Confirmed { reservation, order } => {
                let stored = self.reservation(reservation)?;
                let kept = stored.status == Status::Confirmed && stored.order.as_ref() == Some(order);
                check(kept, || format!("it is {} as {:?}", stored.status.as_str(), stored.order))
            }
            Promise::Cancelled { reservation } => {
                let status = self.reservation(reservation)?.status;
                let kept = match status {
                    Status::Cancelled => true,
                    Status::Confirmed => self.late_payment_wins,
                    Status::Hold | Status::Expired => false,
                };
                check(kept, || format!("it is {}", status.as_str()))
            }
            Promise::Captured { reservation, intent } => self.money(reservation, intent),
            Promise::Declined { intent } => {
                let status = self.payment(intent)?.status;
                check(status == payment::Status::Failed, || format!("it is {status:?}"))
            }
            Promise::Refused { .. } => Ok(()),
        }
    }

    /// Money that was taken has its seats or was given back.
    fn money(&self, reservation: &ReservationId, intent: &PaymentIntentId) -> Result<(), String> {
        let payment = self.payment(intent)?;
        let stored = self.reservation(reservation)?;
        let seats = stored.status == Status::Confirmed && stored.intent.as_ref() == Some(intent);
        let kept = match payment.status {
            payment::Status::Captured => seats,
            payment::Status::Refunded => !seats,
            _ => false,
        };
        let (paid, status) = (payment.status, stored.status.as_str());
        check(kept, || format!("the payment is {paid:?} and the reservation {status}"))
    }

    fn reservation(&self, id: &ReservationId) -> Result<&Reservation, String> {
        self.reservations.get(id).copied().ok_or_else(|| "there is no such reservation".to_owned())
    }

    fn payment(&self, intent: &PaymentIntentId) -> Result<&Payment, String> {
        self.payments.get(intent).copied().ok_or_else(|| "there is no such payment".to_owned())
    }
}

fn check(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}
