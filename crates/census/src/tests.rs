use super::*;
use domain::hold::{HoldState, ReleaseCause};
use domain::reservation::Status;
use domain::time::Timestamp;
use inventory::rows::show_key;
use ports::store::Attributes;
use rows::{event, held, hold, payment, record, refund, reserved, rsv, seat, show, show_id, show_rows};

use Table::{Inventory, Payment, Reservation};

mod rows;

fn put(census: &mut Census, table: Table, row: &Row) {
    census.set(table, &row.key, Some(row)).unwrap();
}

fn delete(census: &mut Census, table: Table, row: &Row) {
    census.set(table, &row.key, None).unwrap();
}

/// A world as text that does not depend on the order of its lists.
fn lines(world: &World) -> Vec<String> {
    fn list<T: fmt::Debug>(items: &[T]) -> Vec<String> {
        items.iter().map(|item| format!("{item:?}")).collect()
    }
    let mut lines = list(&world.sections);
    lines.extend(list(&world.seats));
    lines.extend(list(&world.holds));
    lines.extend(list(&world.reservations));
    lines.extend(world.idempotency.iter().map(|id| format!("a key of {id}")));
    lines.extend(list(&world.payments));
    lines.extend(list(&world.refunds));
    lines.sort();
    lines.push(format!("{} events", world.outbox_pending));
    lines
}

#[test]
fn a_row_is_replaced_where_it_lies() {
    let mut census = Census::new();
    for n in 0..3 {
        put(&mut census, Inventory, &seat(n, held(n)));
        put(&mut census, Reservation, &reserved(n, Status::Hold));
        put(&mut census, Payment, &payment(n, "PENDING"));
    }
    put(&mut census, Inventory, &seat(1, SeatState::Available));
    put(&mut census, Reservation, &reserved(1, Status::Expired));
    put(&mut census, Payment, &payment(1, "FAILED"));
    let world = census.world();
    let owners: Vec<&Owner> = world.seats.iter().map(|seat| &seat.owner).collect();
    assert_eq!(owners, [&Owner::Held(rsv(0)), &Owner::Free, &Owner::Held(rsv(2))]);
    let statuses: Vec<Status> = world.reservations.iter().map(|reservation| reservation.status).collect();
    assert_eq!(statuses, [Status::Hold, Status::Expired, Status::Hold]);
    let failed: Vec<bool> =
        world.payments.iter().map(|payment| payment.status == domain::payment::Status::Failed).collect();
    assert_eq!(failed, [false, true, false]);
}

#[test]
fn a_row_that_was_moved_into_a_gap_is_still_found() {
    let mut census = Census::new();
    for n in 0..3 {
        put(&mut census, Inventory, &hold(n, HoldState::Live));
    }
    delete(&mut census, Inventory, &hold(0, HoldState::Live));
    let at = Timestamp::from_millis(60_000);
    let released = HoldState::Released { cause: ReleaseCause::Expired, at };
    put(&mut census, Inventory, &hold(2, released.clone()));
    let states = |census: &Census| -> Vec<_> {
        census.world().holds.iter().map(|hold| (hold.reservation.clone(), hold.state.clone())).collect()
    };
    assert_eq!(states(&census), [(rsv(2), released), (rsv(1), HoldState::Live)]);
    delete(&mut census, Inventory, &hold(2, HoldState::Live));
    delete(&mut census, Inventory, &hold(2, HoldState::Live));
    assert_eq!(states(&census), [(rsv(1), HoldState::Live)]);
}

#[test]
fn a_show_that_comes_after_its_seats_defines_them() {
    let rows = show_rows(&show(50));
    assert_eq!(rows.len(), 5, "two sections, two parts of one of them, and the show's own row");
    let backwards: Vec<Row> = rows.iter().rev().cloned().collect();
    for rows in [rows, backwards] {
        let mut census = Census::new();
        put(&mut census, Inventory, &seat(49, held(1)));
        put(&mut census, Inventory, &seat(50, held(1)));
        let (last, others) = rows.split_last().unwrap();
        for row in others {
            put(&mut census, Inventory, row);
            assert!(census.world().sections.is_empty(), "not all rows are there");
        }
        put(&mut census, Inventory, last);
        census.complete().unwrap();
        put(&mut census, Inventory, &seat(0, held(1)));
        let capacities: Vec<u64> = census.world().sections.iter().map(|section| section.capacity).collect();
        assert_eq!(capacities, [1_500, 50]);
        let defined: Vec<bool> = census.world().seats.iter().map(|seat| seat.defined).collect();
        assert_eq!(defined, [true, false, true]);

        delete(&mut census, Inventory, last);
        assert!(census.world().sections.is_empty());
        assert!(census.world().seats.iter().all(|seat| !seat.defined));
    }
}

#[test]
fn a_definition_that_lost_does_not_count() {
    let mut census = Census::new();
    for row in show_rows(&show(50)) {
        put(&mut census, Inventory, &row);
    }
    census.world_mut().sections[1].reported = Some(domain::invariant::Counts::default());
    let lost = show_rows(&show(70));
    for row in lost.iter().filter(|row| row.key != show_key(&show_id())) {
        put(&mut census, Inventory, row);
    }
    let floor = &census.world().sections[1];
    assert_eq!((floor.capacity, floor.reported.is_some()), (50, true));
}

#[test]
fn a_show_without_its_definition_is_reported() {
    let mut census = Census::new();
    let rows = show_rows(&show(50));
    for row in &rows {
        put(&mut census, Inventory, row);
    }
    census.complete().unwrap();
    delete(&mut census, Inventory, &rows[1]);
    let error = census.complete().unwrap_err();
    assert_eq!(error.to_string(), "the show a#show has no complete definition");
}

#[test]
fn an_unreadable_row_is_refused_by_its_key_and_changes_nothing() {
    let mut census = Census::new();
    let strange = |partition: &str, sort: &str| {
        let attributes = Attributes::new().with("status", "STRANGE");
        Row { key: Key::new(partition, sort), version: 1, attributes }
    };
    let rows = [
        (Inventory, seat(0, held(0))),
        (Inventory, hold(0, HoldState::Live)),
        (Reservation, reserved(0, Status::Hold)),
        (Reservation, event(0)),
        (Payment, payment(0, "PENDING")),
    ];
    for (table, row) in &rows {
        put(&mut census, *table, row);
    }
    let before = lines(census.world());
    for (table, row) in &rows {
        let damaged = strange(&row.key.partition, &row.key.sort);
        let error = census.set(*table, &row.key, Some(&damaged)).unwrap_err();
        assert!(error.to_string().contains(&*row.key.partition), "{error}");
    }
    // No service writes these rows; the inventory has no outbox.
    let foreign = [
        (Inventory, event(0)),
        (Inventory, reserved(0, Status::Hold)),
        (Reservation, seat(0, held(0))),
        (Payment, reserved(0, Status::Hold)),
        (Payment, strange("payment#pay_0", "strange")),
    ];
    for (table, row) in &foreign {
        let refused = census.set(*table, &row.key, Some(row));
        assert!(matches!(refused, Err(ReadError::Unknown { .. })), "{table} {:?}: {refused:?}", row.key);
    }
    assert_eq!(lines(census.world()), before);
}

#[test]
fn a_census_kept_up_to_date_equals_one_taken_at_the_end() {
    let mut census = Census::new();
    let mut stored: std::collections::BTreeMap<(Table, Key), Row> = Default::default();
    let mut state = 7u64;
    let mut below = |bound: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as u32) % bound
    };
    for step in 0..2_000 {
        let n = below(8);
        let second = below(2) == 0;
        let status = if second { Status::Expired } else { Status::Hold };
        let (table, row) = match below(9) {
            0 => (Inventory, seat(n, if second { SeatState::Blocked } else { held(n) })),
            1 => (Inventory, hold(n, HoldState::Live)),
            2 => (Reservation, reserved(n, status)),
            3 => (Reservation, record(n)),
            4 => (Reservation, event(n)),
            5 => (Payment, event(n)),
            6 => (Payment, payment(n, if second { "CAPTURED" } else { "PENDING" })),
            7 => (Payment, refund(n, u64::from(second))),
            _ => (Inventory, show_rows(&show(4)).swap_remove(n as usize % 5)),
        };
        let gone = below(3) == 0;
        census.set(table, &row.key, (!gone).then_some(&row)).unwrap();
        if gone {
            stored.remove(&(table, row.key.clone()));
        } else {
            stored.insert((table, row.key.clone()), row);
        }
        if step % 50 == 0 {
            let mut taken = Census::new();
            for ((table, key), row) in &stored {
                taken.set(*table, key, Some(row)).unwrap();
            }
            assert_eq!(lines(census.world()), lines(taken.world()), "after step {step}");
        }
    }
}
