//! Rows as the services write them.

use domain::event::{Event, Fact, SeatsHint};
use domain::hold::{Hold, HoldKey, HoldState};
use domain::id::{PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::reservation::{Reservation, Status};
use domain::seat::SeatState;
use domain::show::{Layout, Listed, Section, Show};
use domain::time::Timestamp;
use inventory::rows::{hold_put, seat_key, seat_put, section_rows, show_put};
use ports::store::{Attributes, Row, Write};
use reservation::rows::{IdempotencyRow, Placed, Stored};

fn written(write: Write) -> Row {
    let Write::Put { key, attributes, .. } = write else { panic!("a put") };
    Row { key, version: 1, attributes }
}

pub(super) fn rsv(n: u32) -> ReservationId {
    ReservationId::parse(&format!("rsv_{n}")).unwrap()
}

pub(super) fn show_id() -> ShowId {
    ShowId::parse("a#show").unwrap()
}

fn section_id(name: &str) -> SectionId {
    SectionId::parse(name).unwrap()
}

/// 50 places, and more listed seats than fit in one row.
pub(super) fn show(places: u32) -> Show {
    let listed = (0..1_500).map(|n| SeatId::parse(&format!("box-{n}")).unwrap()).collect();
    let section = |name: &str, layout| Section { id: section_id(name), name: name.into(), price: 10, layout };
    Show {
        id: show_id(),
        name: "A show".into(),
        currency: Currency::krw(),
        sections: vec![
            section("BOX", Layout::Listed(Listed::new(listed))),
            section("FLOOR", Layout::Places(places)),
        ],
        waiting_room: None,
    }
}

pub(super) fn show_rows(show: &Show) -> Vec<Row> {
    let sections = section_rows(show).into_iter();
    let mut rows: Vec<Row> = sections.map(|(key, attributes)| Row { key, version: 1, attributes }).collect();
    rows.push(written(show_put(show)));
    rows
}

pub(super) fn seat(n: u32, state: SeatState) -> Row {
    let (show, section) = (show_id(), section_id("FLOOR"));
    let id = SeatId::parse(&format!("FLOOR-{}", n + 1)).unwrap();
    written(seat_put(seat_key(&show, &section, n), &show, &section, &id, &state, 0))
}

pub(super) fn held(n: u32) -> SeatState {
    SeatState::Held { by: rsv(n), until: Timestamp::from_millis(60_000) }
}

pub(super) fn hold(n: u32, state: HoldState) -> Row {
    let hold = Hold {
        reservation: rsv(n),
        key: HoldKey::First,
        show: show_id(),
        any_of: None,
        seats: vec![SeatId::parse("FLOOR-1").unwrap()],
        person: PersonId::parse("kim").unwrap(),
        until: Timestamp::from_millis(60_000),
        placed_at: Timestamp::EPOCH,
        state,
        refused: Vec::new(),
        closed: false,
    };
    written(hold_put(&hold, 0))
}

pub(super) fn reserved(n: u32, status: Status) -> Row {
    let reservation = Reservation {
        id: rsv(n),
        show: show_id(),
        section: None,
        person: PersonId::parse("kim").unwrap(),
        status,
        seats: vec![SeatId::parse("FLOOR-1").unwrap()],
        total: Money { amount: 10, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(60_000),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        order: None,
        intent: None,
        cancel_reason: None,
        error_code: None,
    };
    written(Stored::placed(reservation).write())
}

pub(super) fn record(n: u32) -> Row {
    let answer = Placed {
        id: rsv(n),
        show: show_id(),
        seats: Vec::new(),
        total: Money { amount: 10, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(60_000),
    };
    let fingerprint = reservation::request::Fingerprint("f".into());
    written(IdempotencyRow { fingerprint, answer, created_at: Timestamp::EPOCH }.write())
}

pub(super) fn event(n: u32) -> Row {
    let event = Event {
        id: outbox::expired_event_id(&rsv(n)),
        source: "reservation-api".into(),
        at: Timestamp::EPOCH,
        trace_id: None,
        reservation: rsv(n),
        seats: SeatsHint::default(),
        person: None,
        fact: Fact::ReservationExpired { expired_at: None },
    };
    written(outbox::row_write(&event, Timestamp::from_millis(60_000), 16))
}

fn intent(n: u32) -> PaymentIntentId {
    PaymentIntentId::parse(&format!("pay_{n}")).unwrap()
}

/// A row like those of payment-sim-api, whose writers are private.
pub(super) fn payment(n: u32, status: &str) -> Row {
    let attributes = Attributes::new()
        .with("payment_intent_id", intent(n).as_str())
        .with("reservation_id", rsv(n).as_str())
        .with("status", status)
        .with("amount", 10u64)
        .with("currency", "KRW")
        .with("refunded", 0u64)
        .with("created_at", Timestamp::EPOCH)
        .with("updated_at", Timestamp::EPOCH)
        .with("scenario", "APPROVE")
        .with("method", "PAYMENT_METHOD_CREDIT_CARD")
        .with("webhooks", 0u32);
    Row { key: payment::rows::payment_key(&intent(n)), version: 1, attributes }
}

pub(super) fn refund(n: u32, amount: u64) -> Row {
    let attributes = Attributes::new()
        .with("payment_intent_id", intent(n).as_str())
        .with("amount", amount)
        .with("currency", "KRW")
        .with("reason", "no seat")
        .with("idempotency_key", "k")
        .with("refunded_at", Timestamp::EPOCH);
    Row { key: payment::rows::refund_key(&intent(n), "k"), version: 1, attributes }
}
