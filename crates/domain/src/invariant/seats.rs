//! I1 to I7 and X4: the seats, and the holds that own them.

use super::{Counts, Holds, Name, Owner, Report, SeatRow, World};
use crate::hold::{HoldKey, HoldState, ReleaseCause};
use crate::id::{SeatId, SectionId, ShowId};
use std::collections::BTreeMap;

type SeatKey<'w> = (&'w ShowId, &'w SeatId);

pub(super) fn check(world: &World, holds: &Holds<'_>, report: &mut Report) {
    let seats: BTreeMap<SeatKey<'_>, &SeatRow> =
        world.seats.iter().map(|row| ((&row.show, &row.seat), row)).collect();
    sections(world, report);
    claims(world, report);
    for hold in &world.holds {
        resolution(hold, holds, report);
        ownership(hold, &seats, report);
    }
    owners_exist(world, holds, report);
}

/// I2 on rows, and X4: the service's counts are the fold of the rows.
fn sections(world: &World, report: &mut Report) {
    let mut counts: BTreeMap<(&ShowId, &SectionId), Counts> = BTreeMap::new();
    for row in &world.seats {
        let count = counts.entry((&row.show, &row.section)).or_default();
        match row.owner {
            Owner::Free => count.available += 1,
            Owner::Held(_) => count.held += 1,
            Owner::Sold(_) => count.sold += 1,
            Owner::Blocked => count.blocked += 1,
        }
        report.expect(Name::I2, row.defined, || {
            format!("seat {} of {} is not in its definition", row.seat, row.show)
        });
    }
    for section in &world.sections {
        let rows = counts.get(&(&section.show, &section.section)).copied().unwrap_or_default();
        let stored = rows.available + rows.held + rows.sold + rows.blocked;
        let id = &section.section;
        report.expect(Name::I2, stored <= section.capacity, || {
            format!("section {id} has {stored} rows for {} seats", section.capacity)
        });
        let fold = Counts { available: section.capacity.saturating_sub(stored) + rows.available, ..rows };
        if let Some(reported) = section.reported {
            report.expect(Name::X4, reported == fold, || {
                format!("section {id} reports {reported:?}, its rows are {fold:?}")
            });
        }
    }
}

/// I1 and I3: no two committed holds claim a seat, and no two live holds.
fn claims(world: &World, report: &mut Report) {
    let mut sold: BTreeMap<SeatKey<'_>, &str> = BTreeMap::new();
    let mut live: BTreeMap<SeatKey<'_>, &str> = BTreeMap::new();
    for hold in &world.holds {
        let (name, claimed) = match hold.state {
            HoldState::Committed { .. } => (Name::I1, &mut sold),
            HoldState::Live => (Name::I3, &mut live),
            HoldState::Released { .. } => continue,
        };
        for seat in &hold.seats {
            let other = claimed.insert((&hold.show, seat), hold.reservation.as_str());
            report.note(name, other.map(|other| format!("seat {seat}: {} and {other}", hold.reservation)));
        }
    }
}

/// I4 and I7: a hold resolves once, and expires no earlier than due.
fn resolution(hold: &crate::hold::Hold, holds: &Holds<'_>, report: &mut Report) {
    let id = &hold.reservation;
    if hold.key == HoldKey::Retake {
        let first = holds.get(&(id, HoldKey::First)).map(|first| &first.state);
        let released = matches!(
            first,
            Some(HoldState::Released { cause: ReleaseCause::Expired | ReleaseCause::PaymentFailed, .. })
        );
        report.expect(Name::I4, released, || format!("{id} was re-taken over a hold that is {first:?}"));
        report.expect(Name::I4, matches!(hold.state, HoldState::Committed { .. }), || {
            format!("the re-take of {id} is {:?}", hold.state)
        });
    } else {
        report.note(Name::I4, None);
    }
    if let HoldState::Released { cause: ReleaseCause::Expired, at } = hold.state {
        report.expect(Name::I7, at >= hold.until, || {
            format!("{id} expired at {at:?}, due at {:?}", hold.until)
        });
    }
}

/// I5 and I6: a live hold has all its seats, a committed one keeps them, a released one has none.
fn ownership(hold: &crate::hold::Hold, seats: &BTreeMap<SeatKey<'_>, &SeatRow>, report: &mut Report) {
    let id = &hold.reservation;
    for seat in &hold.seats {
        let owner = seats.get(&(&hold.show, seat)).map(|row| &row.owner);
        match &hold.state {
            HoldState::Live => report.expect(Name::I5, owner == Some(&Owner::Held(id.clone())), || {
                format!("{id} holds {seat}, which is {owner:?}")
            }),
            HoldState::Committed { order, .. } => {
                report.expect(Name::I6, owner == Some(&Owner::Sold(order.clone())), || {
                    format!("{id} bought {seat}, which is {owner:?}")
                });
            }
            HoldState::Released { .. } => {
                report.expect(Name::I5, owner != Some(&Owner::Held(id.clone())), || {
                    format!("{id} was released but still holds {seat}")
                });
            }
        }
    }
}

/// I1 and I5 from the side of the seat: the owner in a row really has that seat.
fn owners_exist(world: &World, holds: &Holds<'_>, report: &mut Report) {
    let mut buyers: BTreeMap<(&crate::id::OrderId, SeatKey<'_>), ()> = BTreeMap::new();
    for hold in &world.holds {
        if let HoldState::Committed { order, .. } = &hold.state {
            buyers.extend(hold.seats.iter().map(|seat| ((order, (&hold.show, seat)), ())));
        }
    }
    for row in &world.seats {
        let seat = &row.seat;
        match &row.owner {
            Owner::Held(reservation) => {
                let hold = holds.get(&(reservation, HoldKey::First));
                let has = hold.is_some_and(|hold| hold.state == HoldState::Live && hold.seats.contains(seat));
                report.expect(Name::I5, has, || {
                    format!("{seat} is held by {reservation}, which does not hold it")
                });
            }
            Owner::Sold(order) => {
                let has = buyers.contains_key(&(order, (&row.show, seat)));
                report.expect(Name::I1, has, || format!("{seat} is sold to {order}, which did not buy it"));
            }
            Owner::Free | Owner::Blocked => {}
        }
    }
}
