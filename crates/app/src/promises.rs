//! Holds the platform to what it told its buyers: every acknowledged answer is still true in the stores.

use crate::crowd::{Promise, Receipt};
use domain::invariant::World;
use domain::reservation::{Reservation, Status};
use domain::{payment, payment::Payment};
use std::collections::BTreeMap;

/// The broken promises, each in words that name the buyer. Everything must have reached its end.
pub fn broken(receipts: &[Receipt], world: &World) -> Vec<String> {
    let stored = Stored {
        reservations: world.reservations.iter().map(|r| (r.id.as_str(), r)).collect(),
        payments: world.payments.iter().map(|p| (p.intent.as_str(), p)).collect(),
    };
    let mut broken = Vec::new();
    for receipt in receipts {
        let who = format!("buyer {} ({:?})", receipt.number, receipt.behaviour);
        broken.extend(receipt.complaints.iter().map(|complaint| format!("{who}: {complaint}")));
        for promise in &receipt.promises {
            if let Err(problem) = stored.keeps(promise) {
                broken.push(format!("{who} was told {promise:?}, but {problem}"));
            }
        }
    }
    broken
}

struct Stored<'w> {
    reservations: BTreeMap<&'w str, &'w Reservation>,
    payments: BTreeMap<&'w str, &'w Payment>,
}

impl Stored<'_> {
    fn keeps(&self, promise: &Promise) -> Result<(), String> {
        match promise {
            Promise::Held { reservation, seats } => {
                let stored = self.reservation(reservation)?;
                let same = stored.seats.iter().map(|seat| seat.as_str()).eq(seats.iter().map(String::as_str));
                // A late payment for general admission may have been given other places of the same section.
                let retaken = stored.section.is_some() && stored.seats.len() == seats.len();
                (same || retaken).then_some(()).ok_or_else(|| format!("it has {:?}", stored.seats))
            }
            Promise::Confirmed { reservation, order } => {
                let stored = self.reservation(reservation)?;
                let kept = stored.status == Status::Confirmed
                    && stored.order.as_ref().is_some_and(|stored| stored.as_str() == order);
                kept.then_some(())
                    .ok_or_else(|| format!("it is {} as {:?}", stored.status.as_str(), stored.order))
            }
            Promise::Cancelled { reservation } => {
                let status = self.reservation(reservation)?.status;
                (status == Status::Cancelled)
                    .then_some(())
                    .ok_or_else(|| format!("it is {}", status.as_str()))
            }
            Promise::Captured { reservation, intent } => self.money(reservation, intent),
            Promise::Declined { intent } => {
                let status = self.payment(intent)?.status;
                (status == payment::Status::Failed).then_some(()).ok_or_else(|| format!("it is {status:?}"))
            }
            Promise::Refused { .. } => Ok(()),
        }
    }

    /// Money that was taken has its seats or was given back.
    fn money(&self, reservation: &str, intent: &str) -> Result<(), String> {
        let payment = self.payment(intent)?;
        let stored = self.reservation(reservation)?;
        let seats = stored.status == Status::Confirmed
            && stored.intent.as_ref().is_some_and(|confirmed_by| confirmed_by.as_str() == intent);
        match payment.status {
            payment::Status::Captured if seats => Ok(()),
            payment::Status::Refunded if !seats => Ok(()),
            status => {
                Err(format!("the payment is {status:?} and the reservation {}", stored.status.as_str()))
            }
        }
    }

    fn reservation(&self, id: &str) -> Result<&Reservation, String> {
        self.reservations.get(id).copied().ok_or_else(|| "there is no such reservation".to_owned())
    }

    fn payment(&self, id: &str) -> Result<&Payment, String> {
        self.payments.get(id).copied().ok_or_else(|| "there is no such payment".to_owned())
    }
}
