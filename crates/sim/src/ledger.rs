//! The ledger: the answers to each buyer, kept apart from everything that the platform stores, and
//! compared with it.
//!
//! An answer is a promise. It must be true at the moment it is given, as far as it states a fact,
//! and it must still be true when nothing is on its way any more.

use crowd::{Promise, Stored};
use domain::id::{PaymentIntentId, PersonId};
use domain::invariant::World;
use domain::payment;
use domain::reservation::Status;
use std::collections::BTreeMap;

/// The answers to one buyer.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The buyer.
    pub person: PersonId,
    /// Each answer that promised something.
    pub promises: Vec<Promise>,
    /// Every intent that the buyer opened, answered or not.
    pub intents: Vec<PaymentIntentId>,
}

/// The answers to all buyers.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The answers to each.
    pub receipts: BTreeMap<PersonId, Receipt>,
    /// Payments for reservations that do not exist.
    for_nothing: Vec<PaymentIntentId>,
}

impl Ledger {
    /// Records an answer.
    pub fn promise(&mut self, person: &PersonId, promise: Promise) {
        self.receipt(person).promises.push(promise);
    }

    /// Records that a buyer opened an intent.
    pub fn opened(&mut self, person: &PersonId, intent: &PaymentIntentId) {
        self.receipt(person).intents.push(intent.clone());
    }

    /// Records a payment for nothing.
    pub fn must_be_given_back(&mut self, intent: &PaymentIntentId) {
        self.for_nothing.push(intent.clone());
    }

    fn receipt(&mut self, person: &PersonId) -> &mut Receipt {
        self.receipts.entry(person.clone()).or_insert_with(|| Receipt {
            person: person.clone(),
            promises: Vec::new(),
            intents: Vec::new(),
        })
    }

    /// The first promise that is broken, when nothing is on its way any more.
    pub fn broken(&self, world: &World) -> Option<String> {
        let stored = Stored::new(world, true);
        for receipt in self.receipts.values() {
            for promise in &receipt.promises {
                if let Err(problem) = stored.keeps(promise) {
                    return Some(format!("{} was promised {promise:?}, but {problem}", receipt.person));
                }
            }
        }
        for intent in &self.for_nothing {
            let status = stored.payment_status(intent);
            // An operator may have decided it first.
            if !matches!(status, Some(payment::Status::Refunded | payment::Status::Failed)) {
                return Some(format!("{intent} was for nothing and is {status:?}"));
            }
        }
        // No buyer has seats without a payment of theirs.
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
