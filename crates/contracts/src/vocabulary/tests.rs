use super::*;
use domain::id::ReservationId;

fn seat() -> SeatView {
    SeatView {
        id: SeatId::parse("floor-A-1").unwrap(),
        section: SectionId::parse("floor").unwrap(),
        row: "A".into(),
        number: "1".into(),
        price: Money { amount: 60_000, currency: Currency::krw() },
        status: SeatStatus::Held,
    }
}

#[test]
fn a_seat_round_trips() {
    for status in [SeatStatus::Available, SeatStatus::Held, SeatStatus::Sold, SeatStatus::Blocked] {
        let seat = SeatView { status, ..seat() };
        assert_eq!(seat_from_proto(seat_to_proto(&seat), SeatStatus::Available), Some(seat));
    }
}

#[test]
fn a_seat_of_an_earlier_peer_may_be_only_a_name() {
    let bare = common::Seat { id: "floor-A-1".into(), ..common::Seat::default() };
    let seat = seat_from_proto(bare, SeatStatus::Sold).unwrap();
    assert_eq!((seat.section.as_str(), seat.price.amount, seat.status), ("floor", 0, SeatStatus::Sold));
    let odd = common::Seat { id: "-1".into(), ..common::Seat::default() };
    assert_eq!(seat_from_proto(odd, SeatStatus::Sold).unwrap().section.as_str(), "-1");
    assert_eq!(seat_from_proto(common::Seat::default(), SeatStatus::Sold), None);
}

#[test]
fn money_is_never_negative_and_has_a_currency() {
    let wire = |amount, currency: &str| common::Money { amount, currency: currency.into() };
    assert_eq!(money_from_proto(&wire(5, "")).unwrap().currency, Currency::krw());
    assert_eq!(money_from_proto(&wire(-1, "KRW")), None);
    assert_eq!(money_from_proto(&wire(5, "won")), None);
    assert_eq!(money_to_proto(&Money { amount: u64::MAX, currency: Currency::krw() }).amount, i64::MAX);
}

#[test]
fn a_bad_field_of_a_request_is_named() {
    let error = required(ReservationId::parse, "reservation_id", "").unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::InvalidArgument, "reservation_id must not be empty")
    );
    assert_eq!(error.find("MISSING").unwrap().field, "reservation_id");
    assert!(required(ReservationId::parse, "reservation_id", "a\u{7f}b").is_err());
    assert_eq!(optional(ReservationId::parse, "reservation_id", "").unwrap(), None);
    assert!(seat_ids(&["A-1", ""]).is_err());
    for bad in [-1, i64::MIN, i64::from(u32::MAX) + 1] {
        assert_eq!(quantity(bad).unwrap_err().find("OUT_OF_RANGE").unwrap().value, bad.to_string());
    }
}

#[test]
fn every_status_of_a_reservation_is_read_back() {
    for status in [Status::Hold, Status::Confirmed, Status::Cancelled, Status::Expired] {
        assert_eq!(reservation_status_from_proto(reservation_status_to_proto(status) as i32), Some(status));
    }
    assert_eq!(reservation_status_from_proto(1), Some(Status::Hold));
    assert!([0, 6, 7, 99, -1].into_iter().all(|number| reservation_status_from_proto(number).is_none()));
}
