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
    let mut refunds: BTreeMap<&PaymentIntentId, (u64, u64)> = BTreeMap::new();
    for refund in &world.refunds {
        let (count, sum) = refunds.entry(&refund.intent).or_default();
        *count += 1;
        *sum += refund.amount;
    }
    for payment in &world.payments {
        let intent = &payment.intent;
        let (count, sum) = refunds.get(intent).copied().unwrap_or_default();
        report.expect(Name::M2, payment.refunded <= payment.amount.amount, || {
            format!("{intent}: {} refunded of {:?}", payment.refunded, payment.amount)
        });
        report.expect(Name::M3, count <= 1 && sum == payment.refunded, || {
            format!("{intent}: {count} refunds of {sum}, the payment says {}", payment.refunded)
        });
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
