//! Each check fails on a world that breaks its invariant, and passes on a sound world.

use super::*;
use crate::hold::{HoldState, ReleaseCause};
use crate::id::PersonId;
use crate::money::{Currency, Money};
use crate::time::Timestamp;
use crate::{payment, reservation};

fn id<T>(parse: impl Fn(&str) -> Result<T, crate::id::InvalidId>, text: &str) -> T {
    parse(text).expect("a valid id")
}

fn hold(name: &str, seats: &[&str], state: HoldState) -> Hold {
    Hold {
        reservation: id(ReservationId::parse, name),
        key: HoldKey::First,
        show: id(ShowId::parse, "show"),
        any_of: None,
        seats: seats.iter().map(|seat| id(SeatId::parse, seat)).collect(),
        person: id(PersonId::parse, "p"),
        until: Timestamp::from_millis(60_000),
        placed_at: Timestamp::EPOCH,
        state,
        refused: Vec::new(),
        closed: false,
    }
}

fn sold(name: &str) -> HoldState {
    HoldState::Committed {
        order: OrderId::for_reservation(&id(ReservationId::parse, name)),
        intent: None,
        at: Timestamp::EPOCH,
    }
}

fn released(cause: ReleaseCause, at: u64) -> HoldState {
    HoldState::Released { cause, at: Timestamp::from_millis(at) }
}

fn seat(name: &str, owner: Owner) -> SeatRow {
    SeatRow {
        show: id(ShowId::parse, "show"),
        section: id(SectionId::parse, "A"),
        seat: id(SeatId::parse, name),
        defined: true,
        owner,
    }
}

fn reserved(name: &str, status: reservation::Status) -> Reservation {
    let confirmed = status == reservation::Status::Confirmed;
    Reservation {
        id: id(ReservationId::parse, name),
        show: id(ShowId::parse, "show"),
        section: None,
        person: id(PersonId::parse, "p"),
        status,
        seats: vec![id(SeatId::parse, "A-1")],
        total: Money { amount: 10, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(60_000),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        order: confirmed.then(|| OrderId::for_reservation(&id(ReservationId::parse, name))),
        intent: confirmed.then(|| id(PaymentIntentId::parse, "pay")),
        cancel_reason: None,
        error_code: None,
    }
}

fn paid(status: payment::Status, refunded: u64) -> Payment {
    Payment {
        intent: id(PaymentIntentId::parse, "pay"),
        reservation: id(ReservationId::parse, "rsv_1"),
        person: None,
        amount: Money { amount: 10, currency: Currency::krw() },
        status,
        refunded,
        error_code: None,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

/// One confirmed and paid reservation of one seat: every invariant holds.
fn sound() -> World {
    let one = id(ReservationId::parse, "rsv_1");
    World {
        sections: vec![Section {
            show: id(ShowId::parse, "show"),
            section: id(SectionId::parse, "A"),
            capacity: 2,
            reported: Some(Counts { available: 1, held: 0, sold: 1, blocked: 0 }),
        }],
        seats: vec![seat("A-1", Owner::Sold(OrderId::for_reservation(&one)))],
        holds: vec![hold("rsv_1", &["A-1"], sold("rsv_1"))],
        reservations: vec![reserved("rsv_1", reservation::Status::Confirmed)],
        idempotency: vec![one],
        payments: vec![paid(payment::Status::Captured, 0)],
        ..World::default()
    }
}

/// Checks that the named invariant reports one way to break a sound world.
fn breaks(name: Name, breakage: impl FnOnce(&mut World)) {
    let mut world = sound();
    assert!(check(&world, Phase::AtRest).holds(), "the sound world is sound");
    breakage(&mut world);
    let report = check(&world, Phase::AtRest);
    let verdict = report.get(name).expect("it was checked");
    assert!(verdict.violations > 0 && !verdict.examples.is_empty(), "{name} saw nothing: {report:?}");
}

#[test]
fn a_sound_world_is_checked_by_every_state_invariant() {
    let report = check(&sound(), Phase::AtRest);
    for name in [Name::I1, Name::I2, Name::I4, Name::I6, Name::X1, Name::X2, Name::X3, Name::X4] {
        assert!(report.get(name).is_some_and(|verdict| verdict.checked > 0), "{name}");
    }
    for name in [Name::M1, Name::M2, Name::M3, Name::Q1, Name::L1] {
        assert!(report.get(name).is_some_and(|verdict| verdict.checked > 0), "{name}");
    }
}

#[test]
fn i1_sees_a_seat_sold_twice() {
    breaks(Name::I1, |world| world.holds.push(hold("rsv_2", &["A-1"], sold("rsv_2"))));
    breaks(Name::I1, |world| world.holds.clear());
}

#[test]
fn i2_sees_seats_that_the_definition_does_not_have() {
    breaks(Name::I2, |world| world.seats[0].defined = false);
    breaks(Name::I2, |world| world.sections[0].capacity = 0);
}

#[test]
fn i3_sees_two_live_holds_on_one_seat() {
    breaks(Name::I3, |world| {
        world.holds.push(hold("rsv_2", &["A-2"], HoldState::Live));
        world.holds.push(hold("rsv_3", &["A-2"], HoldState::Live));
    });
}

#[test]
fn i4_sees_a_retake_over_a_committed_hold() {
    breaks(Name::I4, |world| {
        let mut again = hold("rsv_1", &["A-2"], sold("rsv_1"));
        again.key = HoldKey::Retake;
        world.holds.push(again);
    });
}

#[test]
fn i5_sees_half_a_hold_and_a_hold_that_outlived_its_release() {
    breaks(Name::I5, |world| world.holds.push(hold("rsv_2", &["A-2"], HoldState::Live)));
    breaks(Name::I5, |world| {
        world.seats.push(seat("A-2", Owner::Held(id(ReservationId::parse, "rsv_2"))));
        world.holds.push(hold("rsv_2", &["A-2"], released(ReleaseCause::PaymentFailed, 1)));
    });
}

#[test]
fn i6_sees_a_sold_seat_that_went_back() {
    breaks(Name::I6, |world| world.seats[0].owner = Owner::Free);
}

#[test]
fn i7_sees_an_expiry_before_its_time() {
    breaks(Name::I7, |world| world.holds.push(hold("rsv_2", &[], released(ReleaseCause::Expired, 59_999))));
}

#[test]
fn x1_sees_confirmed_without_commit_and_expired_with_a_live_hold() {
    breaks(Name::X1, |world| world.holds[0].state = released(ReleaseCause::Expired, 60_000));
    breaks(Name::X1, |world| {
        world.seats.push(seat("A-2", Owner::Held(id(ReservationId::parse, "rsv_2"))));
        world.holds.push(hold("rsv_2", &["A-2"], HoldState::Live));
        world.reservations.push(reserved("rsv_2", reservation::Status::Expired));
    });
    breaks(Name::X1, |world| world.reservations[0].status = reservation::Status::Expired);
}

#[test]
fn x2_sees_a_key_without_its_reservation_and_two_keys_for_one() {
    breaks(Name::X2, |world| world.idempotency.push(id(ReservationId::parse, "rsv_9")));
    breaks(Name::X2, |world| world.idempotency.push(id(ReservationId::parse, "rsv_1")));
}

#[test]
fn x4_sees_a_report_that_is_not_the_fold_of_the_rows() {
    breaks(Name::X4, |world| world.sections[0].reported = Some(Counts { available: 2, ..Counts::default() }));
}

#[test]
fn m1_sees_money_without_seats_and_seats_with_their_refund() {
    breaks(Name::M1, |world| {
        world.reservations[0].intent = Some(id(PaymentIntentId::parse, "another"));
    });
    breaks(Name::M1, |world| {
        world.payments[0] = paid(payment::Status::Refunded, 10);
        world.refunds.push(refund(10));
    });
}

fn refund(amount: u64) -> Refund {
    Refund { intent: id(PaymentIntentId::parse, "pay"), amount, key: "k".into() }
}

#[test]
fn m2_and_m3_see_too_much_and_too_many_refunds() {
    breaks(Name::M2, |world| world.payments[0].refunded = 11);
    breaks(Name::M2, |world| world.payments[0].amount.amount = 9);
    breaks(Name::M2, |world| world.payments[0].status = payment::Status::Refunded);
    breaks(Name::M3, |world| {
        world.payments[0].refunded = 4;
        world.refunds.extend([refund(2), refund(2)]);
    });
    breaks(Name::M3, |world| world.refunds.push(refund(1)));
}

#[test]
fn x3_and_q1_see_an_acknowledged_event_without_its_effect() {
    for name in [Name::X3, Name::Q1] {
        breaks(name, |world| world.reservations[0].status = reservation::Status::Expired);
    }
}

#[test]
fn l1_sees_what_is_left_on_its_way() {
    breaks(Name::L1, |world| world.outbox_pending = 1);
    breaks(Name::L1, |world| world.queued = 1);
    breaks(Name::L1, |world| world.reservations.push(reserved("rsv_2", reservation::Status::Hold)));
}

#[test]
fn a_buried_event_leaves_its_reservation_to_the_operator() {
    let mut world = sound();
    world.reservations.push(reserved("rsv_2", reservation::Status::Hold));
    world.buried.push(id(ReservationId::parse, "rsv_2"));
    assert!(check(&world, Phase::AtRest).holds());
}
