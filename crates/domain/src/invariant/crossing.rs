//! X1, X2, X3, Q1 and L1: invariants across the inventory, the reservations and the queue.

use super::{Holds, Name, Phase, Report, World};
use crate::hold::{Hold, HoldKey, HoldState};
use crate::id::{OrderId, ReservationId};
use crate::payment;
use crate::reservation::{Reservation, Status};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(world: &World, holds: &Holds<'_>, phase: Phase, report: &mut Report) {
    let reservations: BTreeMap<&ReservationId, &Reservation> =
        world.reservations.iter().map(|reservation| (&reservation.id, reservation)).collect();
    let buried: BTreeSet<&ReservationId> = world.buried.iter().collect();
    for reservation in &world.reservations {
        agreement(reservation, holds, report);
    }
    idempotency(world, &reservations, report);
    if phase == Phase::AtRest {
        ends(world, holds, &reservations, &buried, report);
        effects(world, &reservations, &buried, report);
    }
}

/// The order of a reservation's committed hold, if it has one.
fn committed<'w>(holds: &Holds<'w>, id: &'w ReservationId) -> Option<&'w OrderId> {
    [HoldKey::First, HoldKey::Retake].into_iter().find_map(|key| match holds.get(&(id, key)) {
        Some(Hold { state: HoldState::Committed { order, .. }, .. }) => Some(order),
        _ => None,
    })
}

fn is_live(holds: &Holds<'_>, id: &ReservationId) -> bool {
    [HoldKey::First, HoldKey::Retake]
        .into_iter()
        .any(|key| holds.get(&(id, key)).is_some_and(|hold| hold.state == HoldState::Live))
}

/// The part of X1 that holds at every instant.
fn agreement(reservation: &Reservation, holds: &Holds<'_>, report: &mut Report) {
    let id = &reservation.id;
    match reservation.status {
        Status::Confirmed => {
            let order = committed(holds, id);
            report.expect(Name::X1, order.is_some() && order == reservation.order.as_ref(), || {
                format!("{id} is CONFIRMED as {:?}, the inventory committed {order:?}", reservation.order)
            });
        }
        Status::Expired | Status::Cancelled => {
            report.expect(Name::X1, !is_live(holds, id), || {
                format!("{id} is {} but its hold is live", reservation.status.as_str())
            });
        }
        Status::Hold => report.note(Name::X1, None),
    }
}

/// X2: every idempotency record names one existing reservation, and no reservation has two records.
fn idempotency(world: &World, reservations: &BTreeMap<&ReservationId, &Reservation>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for id in &world.idempotency {
        report.expect(Name::X2, reservations.contains_key(id), || {
            format!("a key answers with {id}, which is not there")
        });
        report.expect(Name::X2, seen.insert(id), || format!("{id} was made under two keys"));
    }
}

/// L1 and the converse of X1: nothing is left unfinished.
fn ends(
    world: &World,
    holds: &Holds<'_>,
    reservations: &BTreeMap<&ReservationId, &Reservation>,
    buried: &BTreeSet<&ReservationId>,
    report: &mut Report,
) {
    report.expect(Name::L1, world.outbox_pending == 0, || {
        format!("{} events unpublished", world.outbox_pending)
    });
    report.expect(Name::L1, world.queued == 0, || format!("{} messages in the queue", world.queued));
    for reservation in &world.reservations {
        let id = &reservation.id;
        report.expect(Name::L1, reservation.status.is_terminal() || buried.contains(id), || {
            format!("{id} is still {}", reservation.status.as_str())
        });
        let held = reservation.status != Status::Hold || is_live(holds, id) || buried.contains(id);
        report.expect(Name::X1, held, || format!("{id} is HOLD without a live hold"));
    }
    for hold in &world.holds {
        let id = &hold.reservation;
        if let HoldState::Committed { .. } = hold.state {
            let status = reservations.get(id).map(|reservation| reservation.status);
            report.expect(Name::X1, status == Some(Status::Confirmed) || buried.contains(id), || {
                format!("the seats of {id} are sold, the reservation is {status:?}")
            });
        }
    }
}

/// X3 and Q1: with the outbox and the queue empty, each resolved payment shows its effect.
fn effects(
    world: &World,
    reservations: &BTreeMap<&ReservationId, &Reservation>,
    buried: &BTreeSet<&ReservationId>,
    report: &mut Report,
) {
    for payment in &world.payments {
        let id = &payment.reservation;
        let Some(reservation) = reservations.get(id) else { continue };
        let effect = match payment.status {
            payment::Status::Captured => reservation.status == Status::Confirmed,
            payment::Status::Failed | payment::Status::Refunded => reservation.status.is_terminal(),
            _ => continue,
        };
        for name in [Name::X3, Name::Q1] {
            report.expect(name, effect || buried.contains(id), || {
                format!(
                    "payment {} is {:?}, {id} is {}",
                    payment.intent,
                    payment.status,
                    reservation.status.as_str()
                )
            });
        }
    }
}
