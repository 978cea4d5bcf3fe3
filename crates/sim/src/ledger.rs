//! The ledger: what each buyer was answered, kept apart from everything that the platform stores, and held against it.
//!
//! An answer is a promise. It must be true at the moment it is given, as far as it states a fact, and it must still be
//! true when nothing is on its way any more.

use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId};
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
}

/// What one buyer was told.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Who.
    pub person: PersonId,
    /// Each answer that promised something.
    pub promises: Vec<Promise>,
    /// Every intent that the buyer opened, answered or not.
    pub intents: Vec<PaymentIntentId>,
}

/// What all buyers were told.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The story of each.
    pub receipts: BTreeMap<PersonId, Receipt>,
    /// Payments for reservations that nobody made.
    for_nothing: Vec<PaymentIntentId>,
}

impl Ledger {
    /// Notes an answer.
    pub fn promise(&mut self, person: &PersonId, promise: Promise) {
        self.of(person).promises.push(promise);
    }

    /// Notes that a buyer opened an intent.
    pub fn opened(&mut self, person: &PersonId, intent: &PaymentIntentId) {
        self.of(person).intents.push(intent.clone());
    }

    /// Notes a payment that was for nothing.
    pub fn must_be_given_back(&mut self, intent: &PaymentIntentId) {
        self.for_nothing.push(intent.clone());
    }

    fn of(&mut self, person: &PersonId) -> &mut Receipt {
        self.receipts.entry(person.clone()).or_insert_with(|| Receipt {
            person: person.clone(),
            promises: Vec::new(),
            intents: Vec::new(),
        })
    }

    /// The first promise that is broken, when nothing is on its way any more.
    pub fn broken(&self, world: &World) -> Option<String> {
        let stored = Stored {
            reservations: world.reservations.iter().map(|known| (&known.id, known)).collect(),
            payments: world.payments.iter().map(|known| (&known.intent, known)).collect(),
        };
        for receipt in self.receipts.values() {
            for promise in &receipt.promises {
                if let Err(problem) = stored.keeps(promise) {
                    return Some(format!("{} was told {promise:?}, but {problem}", receipt.person));
                }
            }
        }
        for intent in &self.for_nothing {
            let status = stored.payments.get(intent).map(|payment| payment.status);
            // An operator may have decided it first.
            if !matches!(status, Some(payment::Status::Refunded | payment::Status::Failed)) {
                return Some(format!("{intent} was for nothing and is {status:?}"));
            }
        }
        // Nobody has seats that they did not pay for.
        let confirmed = world.reservations.iter().filter(|known| known.status == Status::Confirmed);
        for reservation in confirmed {
            let paid = self.receipts.get(&reservation.person).is_some_and(|receipt| {
                reservation.intent.as_ref().is_some_and(|intent| receipt.intents.contains(intent))
            });
            if !paid {
                return Some(format!(
                    "{} has seats by {:?}, not theirs",
                    reservation.person, reservation.intent
                ));
            }
        }
        None
    }
}

struct Stored<'w> {
    reservations: BTreeMap<&'w ReservationId, &'w Reservation>,
    payments: BTreeMap<&'w PaymentIntentId, &'w Payment>,
}

impl Stored<'_> {
    fn keeps(&self, promise: &Promise) -> Result<(), String> {
        match promise {
            Promise::Held { reservation, seats } => {
                let stored = self.reservation(reservation)?;
                // A late payment for general admission may have been given other places of the same section.
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
                // A failed payment had cancelled it, and a later one was approved.
                check(matches!(status, Status::Cancelled | Status::Confirmed), || {
                    format!("it is {}", status.as_str())
                })
            }
            Promise::Captured { reservation, intent } => self.money(reservation, intent),
            Promise::Declined { intent } => {
                let status = self.payment(intent)?.status;
                check(status == payment::Status::Failed, || format!("it is {status:?}"))
            }
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
