//! PATCH: the record follows the inventory, the first record wins, and nothing else is recorded.

use crate::fixture::{Fixture, HOLD, cancelled, code, confirmed, expired, floor, intent};
use crate::inventory::show;
use core::time::Duration;
use domain::hold::{HoldState, ReleaseCause};
use domain::id::{OrderId, ReservationId};
use domain::reservation::{End, Status};
use ports::inventory::{CommitSeats, ReleaseSeats};
use ports::reservations::EndRejection;
use ports::{CallContext, Clock, Inventory, PortError, Trace};
use reservation::Refusal;
use runtime::Refusal as _;

pub(crate) async fn release(fixture: &Fixture, id: &ReservationId, cause: ReleaseCause) {
    let command = ReleaseSeats {
        reservation: id.clone(),
        show: Some(show()),
        seats: Vec::new(),
        quantity: None,
        cause: Some(cause),
    };
    fixture.inventory.release(&CallContext::default(), command).await.unwrap();
    fixture.inventory.calls();
}

pub(crate) async fn commit(fixture: &Fixture, id: &ReservationId, by: &str) {
    let command = CommitSeats {
        reservation: id.clone(),
        show: Some(show()),
        seats: Vec::new(),
        quantity: None,
        intent: Some(intent(by)),
        person: None,
    };
    fixture.inventory.commit(&CallContext::default(), command).await.unwrap();
    fixture.inventory.calls();
}

#[tokio::test]
async fn an_end_is_recorded_withdraws_the_announcement_and_may_be_repeated() {
    for n in 0..3 {
        let fixture = Fixture::new();
        let id = fixture.placed().await;
        assert!(fixture.is_announced(&id).await);
        let end = match n {
            0 => {
                commit(&fixture, &id, "pay_1").await;
                confirmed(&id, "pay_1")
            }
            1 => {
                release(&fixture, &id, ReleaseCause::PaymentFailed).await;
                cancelled("payment_failed", Some("CARD_DECLINED"))
            }
            _ => {
                fixture.clock.advance(HOLD);
                release(&fixture, &id, ReleaseCause::Expired).await;
                expired(None)
            }
        };
        let status = end.status();
        let first = fixture.end(&id, end.clone(), true).await.unwrap();
        assert_eq!(first.status, status);
        assert!(!fixture.is_announced(&id).await, "an ended reservation does not expire");
        let rows = fixture.rows().await;
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(fixture.end(&id, end, true).await.unwrap(), first);
        assert_eq!(fixture.rows().await, rows, "the same end again changes nothing");
        fixture.inventory.calls();
        fixture.check().await;
    }
}

/// Trap T-S3: the reservation was CONFIRMED first and the seats never committed.
#[tokio::test]
async fn a_sender_that_did_not_settle_finds_the_inventory_settled_first() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let end = End::Confirmed { order: None, intent: Some(intent("pay_1")) };
    let recorded = fixture.end(&id, end, false).await.unwrap();
    assert_eq!(
        (recorded.order.clone(), fixture.inventory.order_of(&id)),
        (Some(OrderId::for_reservation(&id)), recorded.order)
    );

    let other = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    fixture.end(&other, cancelled("user", None), false).await.unwrap();
    let hold = fixture.inventory.hold_of(&other).unwrap();
    assert!(
        matches!(hold.state, HoldState::Released { cause: ReleaseCause::ByBuyer, .. }),
        "{:?}",
        hold.state
    );
    fixture.check().await;
}

/// Trap T-S3: an end that the inventory refuses is not recorded.
#[tokio::test]
async fn an_end_that_the_inventory_refuses_is_not_recorded() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let rows = fixture.rows().await;
    // Not due yet.
    let refused = fixture.end(&id, expired(None), false).await.unwrap_err();
    let reply = refused.reply();
    assert_eq!(reply.http_status().as_u16(), 409);
    assert!(
        reply.error().find("NOT_DUE").is_some() && reply.error().find("CURRENT_STATUS").is_some(),
        "{:?}",
        reply.error()
    );
    // Sold already.
    commit(&fixture, &id, "pay_1").await;
    for end in [expired(None), cancelled("payment_failed", None)] {
        let refused = fixture.end(&id, end, false).await;
        assert!(matches!(refused, Err(Refusal::NotMoved { current: Status::Hold, .. })), "{refused:?}");
    }
    assert_eq!(fixture.rows().await, rows);
    // Gone: released and sold to another person.
    let gone = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    release(&fixture, &gone, ReleaseCause::PaymentFailed).await;
    fixture.create("k3", ["A-3", "A-5"]).await.unwrap();
    let refused =
        fixture.end(&gone, End::Confirmed { order: None, intent: Some(intent("pay_2")) }, false).await;
    assert_eq!(code(refused), "RESERVATION_EXPIRED");
    assert_eq!(fixture.status(&gone).await, Status::Hold);
    fixture.check().await;
}

#[tokio::test]
async fn an_illegal_move_reports_the_current_status_and_touches_no_seats() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    commit(&fixture, &id, "pay_1").await;
    fixture.end(&id, confirmed(&id, "pay_1"), true).await.unwrap();
    for settled in [true, false] {
        for end in [expired(None), cancelled("user", None)] {
            let port: Result<_, PortError<EndRejection>> = ports::Reservations::end(
                &fixture.service,
                &CallContext::default(),
                ports::reservations::EndReservation { id: id.clone(), end, inventory_settled: settled },
            )
            .await;
            let Err(PortError::Rejected(rejection)) = port else { panic!("{port:?}") };
            let expected =
                EndRejection::Illegal { current: Some(Status::Confirmed), intent: Some(intent("pay_1")) };
            assert_eq!(rejection, expected);
        }
    }
    assert!(fixture.inventory.calls().is_empty());
    let nobody = ReservationId::parse("rsv_nobody").unwrap();
    assert_eq!(code(fixture.end(&nobody, expired(None), true).await), "NOT_FOUND");
}

/// A second payment of the same reservation: the first stays, and the caller can see that it is
/// another one.
#[tokio::test]
async fn the_first_payment_to_confirm_stays_recorded() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    commit(&fixture, &id, "pay_1").await;
    fixture.end(&id, confirmed(&id, "pay_1"), true).await.unwrap();
    let ended = fixture.end(&id, confirmed(&id, "pay_2"), true).await.unwrap();
    assert_eq!(ended.intent, Some(intent("pay_1")));
}

/// Trap T-M1: the seats were taken again, and the reason of the earlier end is gone.
#[tokio::test]
async fn a_late_approval_turns_an_end_without_seats_into_a_confirmation() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    release(&fixture, &id, ReleaseCause::PaymentFailed).await;
    fixture.end(&id, cancelled("payment_failed", Some("CARD_DECLINED")), true).await.unwrap();
    commit(&fixture, &id, "pay_2").await;
    let recorded = fixture.end(&id, confirmed(&id, "pay_2"), true).await.unwrap();
    assert_eq!(
        (recorded.status, recorded.error_code, recorded.cancel_reason),
        (Status::Confirmed, None, None)
    );
    let ended: Vec<_> =
        fixture.stored(&id).await.history.entries().iter().map(|entry| entry.text.to_string()).collect();
    let order = OrderId::for_reservation(&id);
    let expected = [
        "HOLD".to_owned(),
        "CANCELLED payment_failed CARD_DECLINED".to_owned(),
        format!("CONFIRMED {order} pay_2"),
    ];
    assert_eq!(ended, expected);
    fixture.check().await;
}

/// Places of general admission that were taken again are others; the reservation lists the sold
/// ones.
#[tokio::test]
async fn a_reservation_of_general_admission_lists_the_sold_places() {
    let fixture = Fixture::new();
    let trace = Trace::default();
    let id = fixture.service.create(&floor("k", "kim", 2), &trace).await.unwrap().placed.id;
    let first: Vec<_> = fixture.stored(&id).await.reservation.seats;
    fixture.clock.advance(HOLD);
    release(&fixture, &id, ReleaseCause::Expired).await;
    fixture.end(&id, expired(None), true).await.unwrap();
    fixture.service.create(&floor("k2", "lee", 2), &trace).await.unwrap();
    commit(&fixture, &id, "pay_1").await;
    let recorded = fixture.end(&id, confirmed(&id, "pay_1"), true).await.unwrap();
    assert_eq!(recorded.seats.len(), 2);
    assert!(
        recorded.seats.iter().all(|seat| !first.contains(seat)),
        "{:?} were taken by another buyer",
        first
    );
    assert_eq!(fixture.stored(&id).await.reservation.seats, recorded.seats);
    // Sent again, with the present state of the reservation.
    fixture.end(&id, confirmed(&id, "pay_1"), true).await.unwrap();
    fixture.check().await;
}

/// A hold that a failed payment has released early is taken again before its time, while its record
/// is still HOLD: no two reservations show one place.
#[tokio::test]
async fn places_that_were_taken_again_early_are_recorded() {
    let fixture = Fixture::new();
    let trace = Trace::default();
    let first = fixture.service.create(&floor("k", "kim", 2), &trace).await.unwrap().placed.id;
    release(&fixture, &first, ReleaseCause::PaymentFailed).await;
    let second = fixture.service.create(&floor("k2", "lee", 2), &trace).await.unwrap().placed.id;
    let held = |stored: &reservation::rows::Stored| stored.reservation.seats.clone();
    assert_eq!(
        held(&fixture.stored(&first).await),
        held(&fixture.stored(&second).await),
        "the same places, one after the other"
    );
    for (id, by) in [(&first, "pay_1"), (&second, "pay_2")] {
        commit(&fixture, id, by).await;
        let recorded = fixture.end(id, confirmed(id, by), true).await.unwrap();
        assert_eq!(recorded.status, Status::Confirmed);
    }
    let mut places = held(&fixture.stored(&first).await);
    places.extend(held(&fixture.stored(&second).await));
    let different: std::collections::BTreeSet<_> = places.iter().collect();
    assert_eq!(different.len(), 4, "{places:?}");
    fixture.check().await;
}

/// The inventory had reached another end before: that one is recorded and reported to the sender.
#[tokio::test]
async fn the_inventorys_own_cause_is_recorded() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    release(&fixture, &id, ReleaseCause::ByBuyer).await;
    fixture.clock.advance(HOLD);
    let refused = fixture.end(&id, expired(None), false).await;
    assert!(matches!(refused, Err(Refusal::Illegal { current: Status::Cancelled, .. })), "{refused:?}");
    let recorded = fixture.stored(&id).await.reservation;
    assert_eq!((recorded.status, recorded.cancel_reason.as_deref()), (Status::Cancelled, Some("user")));
    fixture.check().await;
}

#[tokio::test]
async fn a_reservation_without_a_hold_can_expire() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    fixture.inventory.forget(&id);
    fixture.clock.advance(HOLD);
    assert_eq!(fixture.end(&id, expired(None), false).await.unwrap().status, Status::Expired);
}

#[tokio::test]
async fn a_reason_may_be_added_once_and_moves_no_seats() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    fixture.clock.advance(HOLD);
    release(&fixture, &id, ReleaseCause::Expired).await;
    fixture.end(&id, expired(None), true).await.unwrap();
    let ended = fixture.end(&id, expired(Some("PAID_TOO_LATE")), false).await.unwrap();
    assert_eq!(ended.error_code.as_deref(), Some("PAID_TOO_LATE"));
    let again = fixture.end(&id, expired(Some("OTHER")), false).await.unwrap();
    assert_eq!(again.error_code.as_deref(), Some("PAID_TOO_LATE"));
    assert!(fixture.inventory.calls().is_empty());
}

#[tokio::test]
async fn texts_of_senders_are_kept_short() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    release(&fixture, &id, ReleaseCause::PaymentFailed).await;
    let long = "좌".repeat(20_000);
    let recorded = fixture.end(&id, cancelled(&long, Some(&long)), true).await.unwrap();
    assert!(recorded.error_code.unwrap().chars().count() <= 129);
    assert!(recorded.cancel_reason.unwrap().chars().count() <= 129);
    assert!(fixture.clock.now() >= recorded.updated_at);
}
