//! The events of a test: each with its own id, trace and deduplication id; one or several to a
//! reservation.
//!
//! The events of one reservation follow each other as in a sale: an approved payment comes first,
//! and later events find the seats sold; without one, the seats are released once. So each call
//! downstream changes a reservation at most once if the events are handled in order, and the ledger
//! shows a call out of order.

use anyhow::{Context, Result};
use contracts::envelope;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;
use standin::Push;

/// Reservations whose events are interleaved, so that one receive returns several reservations.
const IN_TURN: u64 = 50;

/// An endless supply of events.
pub(crate) struct Events {
    fifo: bool,
    per_reservation: u64,
    reservations: u64,
    sent: u64,
    dice: SplitMix64,
    at: Timestamp,
}

impl Events {
    /// On a standard queue, which keeps no order, a reservation has one event.
    pub(crate) fn new(fifo: bool, per_reservation: u64, seed: u64, at: Timestamp) -> Self {
        let per_reservation = if fifo { per_reservation } else { 1 };
        Self { fifo, per_reservation, reservations: 0, sent: 0, dice: SplitMix64::new(seed), at }
    }

    /// At least `count` events, always of complete reservations.
    pub(crate) fn take(&mut self, count: u64) -> Result<Vec<Push>> {
        let mut messages = Vec::new();
        while (messages.len() as u64) < count {
            let missing = (count - messages.len() as u64).div_ceil(self.per_reservation);
            let first = self.reservations;
            self.reservations += missing.min(IN_TURN);
            let approved: Vec<bool> = (first..self.reservations).map(|_| self.dice.below(2) == 0).collect();
            for nth in 0..self.per_reservation {
                for (reservation, approved) in (first..self.reservations).zip(&approved) {
                    messages.push(self.message(reservation, nth == 0 && *approved)?);
                }
            }
        }
        Ok(messages)
    }

    fn message(&mut self, reservation: u64, approved: bool) -> Result<Push> {
        let number = self.sent;
        self.sent += 1;
        let intent = PaymentIntentId::parse(&format!("pay_{number:012}"))?;
        let fact = if approved {
            Fact::PaymentApproved { intent, amount: None }
        } else if self.dice.below(2) == 0 {
            Fact::ReservationExpired { expired_at: Some(self.at) }
        } else {
            Fact::PaymentFailed { intent, amount: None, error_code: None, error_message: None }
        };
        let event = Event {
            id: EventId::parse(&format!("evt_{number:012}"))?,
            source: "worker-tests".into(),
            at: self.at,
            // Never all zero, which is not a valid trace id.
            trace_id: Some(format!("{:032x}", number + 1).into()),
            reservation: ReservationId::parse(&name(reservation))?,
            seats: SeatsHint {
                show: Some(ShowId::parse("evt_show")?),
                seats: vec![SeatId::parse("A-1-1").context("a seat")?],
                quantity: Some(1),
            },
            person: Some(PersonId::parse("usr_tests")?),
            fact,
        };
        Ok(Push {
            body: envelope::encode(&event),
            group: self.fifo.then(|| name(reservation)),
            dedup_id: self.fifo.then(|| event.id.as_str().to_owned()),
            ..Push::default()
        })
    }
}

/// The id of reservation number `n`.
fn name(reservation: u64) -> String {
    format!("rsv_{reservation:012}")
}
