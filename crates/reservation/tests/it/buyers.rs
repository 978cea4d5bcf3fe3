//! Confirm and cancel: an answer to a buyer stays true.

use crate::ends::{commit, release};
use crate::fixture::{Fixture, HOLD, cancelled, code, confirmed, expired, floor, intent, person};
use core::time::Duration;
use domain::hold::{HoldState, ReleaseCause};
use domain::id::{OrderId, ReservationId};
use domain::payment;
use domain::reservation::{Reservation, Status};
use ports::Trace;
use reservation::{NotPaid, Refusal};
use runtime::Refusal as _;

async fn confirm(fixture: &Fixture, id: &ReservationId, by: &str) -> Result<Reservation, Refusal> {
    fixture.service.confirm(id, &intent(by), None, &Trace::default()).await
}

async fn cancel(fixture: &Fixture, id: &ReservationId) -> Result<Reservation, Refusal> {
    fixture.service.cancel(id, None, &Trace::default()).await
}

#[tokio::test]
async fn a_paid_reservation_is_confirmed_and_confirmed_again_with_the_same_order() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    fixture.payments.put("pay_1", &id, payment::Status::Captured);
    let first = confirm(&fixture, &id, "pay_1").await.unwrap();
    assert_eq!((first.status, first.order.clone()), (Status::Confirmed, Some(OrderId::for_reservation(&id))));
    assert!(!fixture.is_announced(&id).await);
    fixture.inventory.calls();
    fixture.clock.advance(Duration::from_secs(3_600));
    assert_eq!(confirm(&fixture, &id, "pay_1").await.unwrap(), first);
    // Another payment changes nothing; this reservation is confirmed.
    assert_eq!(confirm(&fixture, &id, "pay_other").await.unwrap(), first);
    assert!(fixture.inventory.calls().is_empty());
    fixture.check().await;
}

/// The event and the confirm have one effect, whichever comes first.
#[tokio::test]
async fn the_event_and_the_confirm_give_the_same_order() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    fixture.payments.put("pay_1", &id, payment::Status::Captured);
    commit(&fixture, &id, "pay_1").await;
    let order = confirm(&fixture, &id, "pay_1").await.unwrap().order;
    let ended = fixture.end(&id, confirmed(&id, "pay_1"), true).await.unwrap();
    assert_eq!((ended.order, ended.intent), (order, Some(intent("pay_1"))));
}

#[tokio::test]
async fn an_unpaid_reservation_is_not_confirmed() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let other = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    fixture.payments.put("pay_other", &other, payment::Status::Captured);
    let statuses = payment::Status::ALL.into_iter().filter(|status| *status != payment::Status::Captured);
    for (n, status) in statuses.enumerate() {
        let name = format!("pay_{n}");
        fixture.payments.put(&name, &id, status);
        let refused = confirm(&fixture, &id, &name).await;
        assert!(matches!(refused, Err(Refusal::NotPaid(NotPaid::Status(s))) if s == status), "{refused:?}");
    }
    for (name, reason) in [("pay_other", "FOR_ANOTHER"), ("pay_nobody", "NO_SUCH_PAYMENT")] {
        let reply = confirm(&fixture, &id, name).await.unwrap_err().reply();
        assert_eq!(
            (reply.http_status().as_u16(), reply.error().code.as_str()),
            (412, "PAYMENT_NOT_APPROVED")
        );
        assert!(reply.error().find(reason).is_some(), "{:?}", reply.error());
    }
    assert_eq!(fixture.status(&id).await, Status::Hold);
    assert_eq!(fixture.inventory.calls(), ["hold", "hold"], "no seats were moved");
}

/// Trap T-M1: paid after the hold ran out. Free seats are taken again. If they are gone the record
/// stays as it is, and the payment's own event refunds the money.
#[tokio::test]
async fn a_late_confirm_takes_the_seats_again_or_is_refused() {
    let fixture = Fixture::new();
    let free = fixture.placed().await;
    let gone = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    fixture.clock.advance(HOLD);
    for id in [&free, &gone] {
        release(&fixture, id, ReleaseCause::Expired).await;
        fixture.end(id, expired(None), true).await.unwrap();
    }
    fixture.create("k3", ["A-3", "A-5"]).await.unwrap();
    fixture.payments.put("pay_1", &free, payment::Status::Captured);
    fixture.payments.put("pay_2", &gone, payment::Status::Captured);
    assert_eq!(confirm(&fixture, &free, "pay_1").await.unwrap().status, Status::Confirmed);
    let reply = confirm(&fixture, &gone, "pay_2").await.unwrap_err().reply();
    assert_eq!((reply.http_status().as_u16(), reply.error().code.as_str()), (409, "RESERVATION_EXPIRED"));
    assert_eq!(fixture.status(&gone).await, Status::Expired);
    fixture.check().await;
}

#[tokio::test]
async fn a_late_confirm_of_general_admission_lists_its_new_places() {
    let fixture = Fixture::new();
    let trace = Trace::default();
    let id = fixture.service.create(&floor("k", "kim", 2), &trace).await.unwrap().placed.id;
    let held = fixture.stored(&id).await.reservation.seats;
    fixture.clock.advance(HOLD);
    fixture.service.create(&floor("k2", "lee", 2), &trace).await.unwrap();
    fixture.payments.put("pay_1", &id, payment::Status::Captured);
    let sold = confirm(&fixture, &id, "pay_1").await.unwrap().seats;
    assert!(sold.len() == 2 && sold.iter().all(|seat| !held.contains(seat)), "{sold:?}");
}

#[tokio::test]
async fn a_cancelled_reservation_gives_its_seats_back_and_is_cancelled_again() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let first = cancel(&fixture, &id).await.unwrap();
    assert_eq!((first.status, first.cancel_reason.as_deref()), (Status::Cancelled, Some("user")));
    assert!(!fixture.is_announced(&id).await);
    assert_eq!(cancel(&fixture, &id).await.unwrap(), first);
    assert_eq!(fixture.inventory.calls(), ["hold", "release"]);
    assert!(fixture.create("k2", ["A-1", "A-2"]).await.is_ok());
    // Seats that the buyer returned are not taken again for them.
    fixture.payments.put("pay_1", &id, payment::Status::Captured);
    let reply = confirm(&fixture, &id, "pay_1").await.unwrap_err().reply();
    assert_eq!(reply.http_status().as_u16(), 409);
    assert_eq!(reply.error().find("CURRENT_STATUS").unwrap().value, "CANCELLED");
    fixture.check().await;
}

#[tokio::test]
async fn a_sold_or_ended_reservation_is_not_cancelled() {
    let fixture = Fixture::new();
    let sold = fixture.placed().await;
    commit(&fixture, &sold, "pay_1").await;
    // The record is late: the inventory refuses.
    assert_eq!(code(cancel(&fixture, &sold).await), "ALREADY_EXISTS");
    assert_eq!(fixture.status(&sold).await, Status::Hold);
    fixture.end(&sold, confirmed(&sold, "pay_1"), true).await.unwrap();
    let reply = cancel(&fixture, &sold).await.unwrap_err().reply();
    assert_eq!((reply.http_status().as_u16(), reply.error().code.as_str()), (409, "FAILED_PRECONDITION"));

    let over = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    fixture.clock.advance(HOLD);
    release(&fixture, &over, ReleaseCause::Expired).await;
    let reply = cancel(&fixture, &over).await.unwrap_err().reply();
    assert_eq!((reply.http_status().as_u16(), reply.error().code.as_str()), (409, "RESERVATION_EXPIRED"));
    assert_eq!(fixture.status(&over).await, Status::Expired, "the inventory's end is recorded");
    assert_eq!(code(cancel(&fixture, &over).await), "RESERVATION_EXPIRED");
    fixture.check().await;
}

/// The payment failed and the record is late: the cancel records that end and no other, so that a
/// second card may still pay, as the inventory will allow.
#[tokio::test]
async fn a_cancel_after_a_failed_payment_records_the_failed_payment() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    release(&fixture, &id, ReleaseCause::PaymentFailed).await;
    let ended = cancel(&fixture, &id).await.unwrap();
    assert_eq!(ended.cancel_reason.as_deref(), Some("payment_failed"));
    let ended = fixture.end(&id, cancelled("payment_failed", Some("CARD_DECLINED")), true).await.unwrap();
    assert_eq!(ended.error_code.as_deref(), Some("CARD_DECLINED"));
    fixture.payments.put("pay_2", &id, payment::Status::Captured);
    assert_eq!(confirm(&fixture, &id, "pay_2").await.unwrap().status, Status::Confirmed);
    fixture.check().await;
}

/// Trap T-S2 from this side: confirm and cancel at the same time end in one of the two, and both
/// answers are true.
#[tokio::test]
async fn confirm_and_cancel_at_the_same_time_end_in_one_of_them() {
    let fixture = Fixture::new();
    for n in 0..8 {
        let seats = [format!("A-{}", 2 * n + 1), format!("A-{}", 2 * n + 2)];
        let id = fixture.create(&format!("k{n}"), [&seats[0], &seats[1]]).await.unwrap().placed.id;
        let name = format!("pay_{n}");
        fixture.payments.put(&name, &id, payment::Status::Captured);
        let (confirmed, cancelled) = if n % 2 == 0 {
            tokio::join!(confirm(&fixture, &id, &name), cancel(&fixture, &id))
        } else {
            let (cancelled, confirmed) = tokio::join!(cancel(&fixture, &id), confirm(&fixture, &id, &name));
            (confirmed, cancelled)
        };
        let status = fixture.status(&id).await;
        assert_eq!(
            (confirmed.is_ok(), cancelled.is_ok()),
            (status == Status::Confirmed, status == Status::Cancelled)
        );
        assert_eq!(fixture.inventory.order_of(&id).is_some(), confirmed.is_ok());
        fixture.check().await;
    }
    assert_eq!(fixture.live_holds(), 0);
}

#[tokio::test]
async fn only_the_owner_is_answered_where_the_caller_names_a_person() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let lee = person("lee");
    let trace = Trace::default();
    fixture.payments.put("pay_1", &id, payment::Status::Captured);
    assert_eq!(code(fixture.service.get(&id, Some(&lee)).await), "FORBIDDEN");
    assert_eq!(code(fixture.service.cancel(&id, Some(&lee), &trace).await), "FORBIDDEN");
    assert_eq!(code(fixture.service.confirm(&id, &intent("pay_1"), Some(&lee), &trace).await), "FORBIDDEN");
    assert!(fixture.service.get(&id, Some(&person("kim"))).await.is_ok());
    let hold = fixture.inventory.hold_of(&id).unwrap();
    assert_eq!(hold.state, HoldState::Live);
}
