//! M1 to M3: the money.

use super::{Name, Phase, Report, World};
use crate::id::{PaymentIntentId, ReservationId};
use crate::payment::Status;
use crate::reservation::{self, Reservation};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(world: &World, phase: Phase, report: &mut Report) {
    let reservations: BTreeMap<&ReservationId, &Reservation> =
        world.reservations.iter().map(|reservation| (&reservation.id, reservation)).collect();
    let buried: BTreeSet<&ReservationId> = world.buried.iter().collect();
    let mut refunds: BTreeMap<&PaymentIntentId, (BTreeSet<&str>, u64)> = BTreeMap::new();
    let mut twice: BTreeSet<&PaymentIntentId> = BTreeSet::new();
    for refund in &world.refunds {
        let (keys, sum) = refunds.entry(&refund.intent).or_default();
        if !keys.insert(&refund.key) {
            twice.insert(&refund.intent);
        }
        *sum += refund.amount;
    }
    for payment in &world.payments {
        let intent = &payment.intent;
        let sum = refunds.get(intent).map_or(0, |(_, sum)| *sum);
        let fits = match payment.status {
            Status::Refunded => payment.refunded == payment.amount.amount,
            _ => payment.refunded < payment.amount.amount || payment.amount.amount == 0,
        };
        report.expect(Name::M2, fits, || {
            let status = payment.status.as_str();
            format!("{intent}: {} refunded of {:?}, and it is {status}", payment.refunded, payment.amount)
        });
        report.expect(Name::M3, !twice.contains(intent) && sum == payment.refunded, || {
            format!("{intent}: refunds of {sum}, the payment says {}", payment.refunded)
        });
        let confirms = reservations.get(&payment.reservation).filter(|reservation| {
            reservation.status == reservation::Status::Confirmed
                && reservation.intent.as_ref() == Some(intent)
        });
        if let Some(reservation) = confirms {
            report.expect(Name::M2, payment.amount == reservation.total, || {
                format!(
                    "{intent} of {:?} confirms {} of {:?}",
                    payment.amount, reservation.id, reservation.total
                )
            });
        }
        if phase == Phase::AtRest && !buried.contains(&payment.reservation) {
            let paid_for = reservations.get(&payment.reservation).is_some_and(|reservation| {
                reservation.status == reservation::Status::Confirmed
                    && reservation.intent.as_ref() == Some(intent)
            });
            match payment.status {
                Status::Captured => report.expect(Name::M1, paid_for, || {
                    format!("{intent} is captured, {} is not confirmed by it", payment.reservation)
                }),
                Status::Refunded => report.expect(Name::M1, !paid_for, || {
                    format!("{intent} is refunded and still confirms {}", payment.reservation)
                }),
                _ => {}
            }
        }
    }
}
