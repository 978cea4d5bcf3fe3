use super::*;
use crate::request::Fingerprint;
use domain::event::Kind;
use domain::reservation::{Decision, End, apply};
use domain::seat::{SeatStatus, SeatView};

pub(crate) fn hold() -> Reservation {
    Reservation {
        id: ReservationId::parse("rsv_1").unwrap(),
        show: ShowId::parse("show").unwrap(),
        section: Some(SectionId::parse("FLOOR").unwrap()),
        person: PersonId::parse("kim").unwrap(),
        status: Status::Hold,
        seats: vec![SeatId::parse("FLOOR-1").unwrap(), SeatId::parse("FLOOR-2").unwrap()],
        total: Money { amount: 240_000, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(61_000),
        created_at: Timestamp::from_millis(1_000),
        updated_at: Timestamp::from_millis(1_000),
        order: None,
        intent: None,
        cancel_reason: None,
        error_code: None,
    }
}

/// The row that a write makes, with its version and the names of its indexes.
fn written(write: Write) -> (Row, Vec<&'static str>) {
    let Write::Put { key, expect, attributes, indexes } = write else { panic!("a put") };
    let version = match expect {
        Expect::Version(version) => version + 1,
        Expect::Absent | Expect::Any => 1,
    };
    (Row { key, version, attributes }, indexes.iter().map(|entry| entry.index).collect())
}

#[test]
fn a_reservation_is_read_back_as_it_was_written() {
    let placed = Stored::placed(hold());
    let (row, indexes) = written(placed.write());
    assert_eq!(indexes, [BY_PERSON, DUE]);
    let stored = Stored::read(&row).unwrap();
    assert_eq!(stored, Stored { version: 1, ..placed });

    let end = End::Confirmed {
        order: Some(OrderId::parse("ord_1").unwrap()),
        intent: Some(PaymentIntentId::parse("pay_1").unwrap()),
    };
    let Decision::Changed(next) = apply(&stored.reservation, end, Timestamp::from_millis(5_000)) else {
        panic!("changed")
    };
    let next = stored.followed_by(next);
    let (row, indexes) = written(next.write());
    assert_eq!(indexes, [BY_PERSON], "an ended reservation is not due any more");
    let read = Stored::read(&row).unwrap();
    assert_eq!(read, Stored { version: 2, ..next });
    let texts: Vec<_> = read.history.entries().iter().map(|entry| entry.text.to_string()).collect();
    assert_eq!(texts, ["HOLD", "CONFIRMED ord_1 pay_1"]);
}

#[test]
fn the_newest_reservation_of_a_person_comes_first() {
    let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(2_000));
    assert!(newest_first(late) < newest_first(early));
    assert_eq!(newest_first(Timestamp::MAX), Timestamp::EPOCH);
}

#[test]
fn a_recorded_answer_is_read_back_as_it_was_written() {
    let seat = |number: &str| SeatView {
        id: SeatId::parse(&format!("A-1-{number}")).unwrap(),
        section: SectionId::parse("A").unwrap(),
        row: "1".to_owned(),
        number: number.to_owned(),
        price: Money { amount: 120_000, currency: Currency::krw() },
        status: SeatStatus::Held,
    };
    let answer = Placed {
        id: hold().id,
        show: hold().show,
        seats: vec![seat("1"), seat("2")],
        total: Money { amount: 240_000, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(61_000),
    };
    let record = IdempotencyRow {
        fingerprint: Fingerprint("ab".into()),
        answer,
        created_at: Timestamp::from_millis(1_000),
    };
    let (row, indexes) = written(record.write());
    assert_eq!(indexes, [FORGET]);
    assert_eq!(row.attributes.number("expires_at"), Some(1 + 14 * 24 * 3_600));
    assert_eq!(IdempotencyRow::read(&row), Some(record));
}

#[test]
fn a_webhook_is_read_back_as_it_was_written() {
    let webhook = WebhookRow {
        id: "wh_1".into(),
        kind: Kind::Failed,
        intent: PaymentIntentId::parse("pay_1").unwrap(),
        reservation: hold().id,
        amount: hold().total,
        received_at: Timestamp::from_millis(1_000),
    };
    let (row, _) = written(webhook.write());
    assert_eq!(AnyRow::read(&row), Some(AnyRow::Webhook(webhook)));
}

#[test]
fn rows_of_others_are_not_taken_for_ours() {
    let foreign = |partition: &str, sort: &str| Row {
        key: Key::new(partition, sort),
        version: 1,
        attributes: Attributes::new(),
    };
    for (partition, sort) in
        [("rsv#rsv_1", "reservation"), ("outbox#evt_1", "event"), ("rsv#rsv_1", "idem"), ("", "")]
    {
        assert_eq!(AnyRow::read(&foreign(partition, sort)), None, "{partition} {sort}");
    }
}
