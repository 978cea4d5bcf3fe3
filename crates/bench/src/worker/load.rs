//! The events: approved payments, expired holds and failed payments as they come in a sale,
//! with all their details.

use super::Kind;
use anyhow::Result;
use contracts::envelope;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::money::{Currency, Money};
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;
use standin::Push;
use std::sync::Arc;

/// Of a hundred events, so many are approved payments, and so many of the rest expired holds;
/// the others failed payments.
const APPROVED: u64 = 60;
const EXPIRED: u64 = 30;

/// An endless supply of events, each with an id, a trace and, by default, a reservation of its
/// own.
pub struct Load {
    kind: Kind,
    per_group: u64,
    next: u64,
    dice: SplitMix64,
    at: Timestamp,
    source: [Arc<str>; 2],
}

impl Load {
    /// `per_group` events for each reservation. `at` is when all of them happened.
    pub fn new(kind: Kind, per_group: u64, seed: u64, at: Timestamp) -> Self {
        let source = ["payment-sim-api".into(), "reservation-api".into()];
        Self { kind, per_group: per_group.max(1), next: 0, dice: SplitMix64::new(seed), at, source }
    }

    /// The next event, as a message of the queue.
    pub fn message(&mut self) -> Result<Push> {
        let event = self.event()?;
        let fifo = self.kind == Kind::Fifo;
        Ok(Push {
            body: envelope::encode(&event),
            group: fifo.then(|| event.reservation.as_str().to_owned()),
            dedup_id: fifo.then(|| event.id.as_str().to_owned()),
            ..Push::default()
        })
    }

    fn event(&mut self) -> Result<Event> {
        let number = self.next;
        self.next += 1;
        let group = number / self.per_group;
        let luck = self.dice.below(100);
        let intent = PaymentIntentId::parse(&format!("pay_{number:012}"))?;
        let amount = Some(Money { amount: 240_000, currency: Currency::krw() });
        let fact = match luck {
            luck if luck < APPROVED => Fact::PaymentApproved { intent, amount },
            luck if luck < APPROVED + EXPIRED => Fact::ReservationExpired { expired_at: Some(self.at) },
            _ => Fact::PaymentFailed {
                intent,
                amount,
                error_code: Some("CARD_DECLINED".into()),
                error_message: Some("the card was declined".into()),
            },
        };
        let expired = matches!(fact, Fact::ReservationExpired { .. });
        let seat = |n| SeatId::parse(&format!("A-{}-{}", group % 500 + 1, n));
        Ok(Event {
            id: EventId::parse(&format!("evt_{number:012}"))?,
            source: self.source[usize::from(expired)].clone(),
            at: self.at,
            // Never all zero, which would be no trace id.
            trace_id: Some(format!("{:032x}", number + 1).into()),
            reservation: ReservationId::parse(&format!("rsv_{group:012}"))?,
            seats: SeatsHint {
                show: Some(ShowId::parse("evt_2025_1001")?),
                seats: vec![seat(1)?, seat(2)?],
                quantity: Some(2),
            },
            person: Some(PersonId::parse(&format!("usr_{group:012}"))?),
            fact,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_understood_and_the_mix_is_as_promised() {
        let mut load = Load::new(Kind::Fifo, 2, 1, Timestamp::EPOCH);
        let mut approved = 0;
        for number in 0..2_000 {
            let push = load.message().unwrap();
            let (event, trace) = envelope::decode(&push.body, "m", &push.attributes).unwrap();
            assert_eq!(push.group.as_deref(), Some(event.reservation.as_str()));
            assert_eq!(event.reservation.as_str(), format!("rsv_{:012}", number / 2));
            assert_eq!(trace.trace_id.as_deref(), Some(&*format!("{:032x}", number + 1)));
            assert_eq!(event.seats.seats.len(), 2);
            approved += u32::from(matches!(event.fact, Fact::PaymentApproved { .. }));
        }
        assert!((1_120..1_280).contains(&approved), "{approved} of 2000");
    }
}
