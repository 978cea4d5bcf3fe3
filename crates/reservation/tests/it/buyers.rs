//! Confirm and cancel: an answer to a buyer stays true.

use crate::ends::{commit, release};
use crate::fixture::{Fixture, HOLD, cancelled, code, confirmed, expired, floor, intent, person};
use crate::inventory::{PRICE, show};
use core::time::Duration;
use domain::hold::{HoldState, Rejection, ReleaseCause};
use domain::id::{OrderId, ReservationId, ShowId};
use domain::money::{Currency, Money};
use domain::payment;
use domain::reservation::{End, Reservation, Status};
use ports::inventory::CommitSeats;
use ports::{CallContext, Inventory, PortError, Trace};
use reservation::request::Create;
use reservation::{NotPaid, Refusal};
use runtime::Refusal as _;

async fn confirm(fixture: &Fixture, id: &ReservationId, by: &str) -> Result<Reservation, Refusal> {
    fixture.service.confirm(id, Some(&intent(by)), None, &Trace::default()).await
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

/// Rules R1: only a captured payment of exactly the total, for this reservation, sells the seats.
#[tokio::test]
async fn an_unpaid_reservation_is_not_confirmed() {
    use payment::Status::{Authorized, Captured, Failed, Pending, Refunded, Voided};
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let other = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    let krw = |amount| Money { amount, currency: Currency::krw() };
    let put = |intent: &str, status, amount| fixture.payments.put_with(intent, &id, status, amount);
    fixture.payments.put("pay_other", &other, Captured);
    for (name, status) in [("pay_pending", Pending), ("pay_authorized", Authorized)] {
        put(name, status, krw(2 * PRICE));
        let refused = confirm(&fixture, &id, name).await;
        assert!(
            matches!(refused, Err(Refusal::NotPaid(NotPaid::Undecided(s))) if s == status),
            "{refused:?}"
        );
    }
    put("pay_failed", Failed, krw(2 * PRICE));
    put("pay_voided", Voided, krw(2 * PRICE));
    put("pay_refunded", Refunded, krw(2 * PRICE));
    put("pay_1_won", Captured, krw(1));
    put("pay_too_much", Captured, krw(2 * PRICE + 1));
    put("pay_1_xxx", Captured, Money { amount: 1, currency: Currency::parse("EUR").unwrap() });
    put("pay_dollars", Captured, Money { amount: 2 * PRICE, currency: Currency::parse("USD").unwrap() });
    fixture.payments.put_refunded("pay_less", &id, 1_000);
    for (name, reason) in [
        ("pay_pending", "STATUS"),
        ("pay_other", "OTHER_RESERVATION"),
        ("pay_invented", "NO_SUCH_PAYMENT"),
        ("pay_failed", "RETURNED"),
        ("pay_voided", "RETURNED"),
        ("pay_refunded", "RETURNED"),
        ("pay_less", "PARTLY_REFUNDED"),
        ("pay_1_won", "AMOUNT_MISMATCH"),
        ("pay_too_much", "AMOUNT_MISMATCH"),
        ("pay_1_xxx", "CURRENCY_MISMATCH"),
        ("pay_dollars", "CURRENCY_MISMATCH"),
    ] {
        let reply = confirm(&fixture, &id, name).await.unwrap_err().reply();
        let error = reply.error();
        assert_eq!((reply.http_status().as_u16(), error.code.as_str()), (412, "PAYMENT_NOT_APPROVED"));
        assert!(error.find(reason).is_some(), "{name}: {error:?}");
        assert!(error.message.contains("payment not approved"), "{name}: {}", error.message);
    }
    assert_eq!(fixture.status(&id).await, Status::Hold);
    assert_eq!(fixture.inventory.calls(), ["hold", "hold"], "no seats were moved");
}

/// Rules R1: a reservation that costs nothing is confirmed without a payment.
#[tokio::test]
async fn a_reservation_that_costs_nothing_needs_no_payment() {
    let fixture = Fixture::new();
    let gift = ShowId::parse("gift").unwrap();
    fixture.inventory.put_on_sale(gift.clone(), 0, 3);
    let trace = Trace::default();
    let wish = |key: &str| Create { show: gift.clone(), ..floor(key, "kim", 1) };
    let free = fixture.service.create(&wish("k1"), &trace).await.unwrap().placed.id;
    let first = fixture.service.confirm(&free, None, None, &trace).await.unwrap();
    assert_eq!((first.status, first.intent.clone()), (Status::Confirmed, None));
    assert_eq!(first.order, fixture.inventory.order_of(&free));
    assert_eq!(fixture.service.confirm(&free, None, None, &trace).await.unwrap(), first);
    // A named payment is not looked up, and is not recorded as the one that paid.
    let named = fixture.service.create(&wish("k2"), &trace).await.unwrap().placed.id;
    assert_eq!(confirm(&fixture, &named, "pay_invented").await.unwrap().intent, None);
    // Every other reservation needs one.
    let id = fixture.placed().await;
    assert_eq!(code(fixture.service.confirm(&id, None, None, &trace).await), "INVALID_ARGUMENT");
    assert_eq!(fixture.status(&id).await, Status::Hold);
    fixture.check().await;
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
async fn a_sold_reservation_is_not_cancelled() {
    let fixture = Fixture::new();
    let sold = fixture.placed().await;
    commit(&fixture, &sold, "pay_1").await;
    // The record is late: the inventory refuses.
    assert_eq!(code(cancel(&fixture, &sold).await), "ALREADY_EXISTS");
    assert_eq!(fixture.status(&sold).await, Status::Hold);
    fixture.end(&sold, confirmed(&sold, "pay_1"), true).await.unwrap();
    let reply = cancel(&fixture, &sold).await.unwrap_err().reply();
    assert_eq!((reply.http_status().as_u16(), reply.error().code.as_str()), (409, "FAILED_PRECONDITION"));

    // Expired, and taken again by a late payment, of which the record does not know yet.
    let retaken = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    fixture.clock.advance(HOLD);
    release(&fixture, &retaken, ReleaseCause::Expired).await;
    fixture.end(&retaken, expired(None), true).await.unwrap();
    commit(&fixture, &retaken, "pay_2").await;
    let reply = cancel(&fixture, &retaken).await.unwrap_err().reply();
    assert_eq!((reply.http_status().as_u16(), reply.error().code.as_str()), (409, "ALREADY_EXISTS"));
    let recorded = fixture.end(&retaken, confirmed(&retaken, "pay_2"), true).await.unwrap();
    assert_eq!(recorded.status, Status::Confirmed);
    fixture.check().await;
}

/// Rules R6: a buyer's cancel is final, whatever ended the reservation before, and whether or not
/// the record was late. The answer is the current status, and the same again.
#[tokio::test]
async fn a_cancel_after_another_end_is_final() {
    for (released, status) in
        [(ReleaseCause::Expired, Status::Expired), (ReleaseCause::PaymentFailed, Status::Cancelled)]
    {
        for record_is_late in [true, false] {
            let fixture = Fixture::new();
            let id = fixture.placed().await;
            fixture.clock.advance(HOLD);
            release(&fixture, &id, released).await;
            if !record_is_late {
                fixture.end(&id, End::after_release(released, None), true).await.unwrap();
            }
            let first = cancel(&fixture, &id).await.unwrap();
            assert_eq!((first.status, first.cancel_reason.as_deref()), (status, Some("user")));
            assert_eq!(fixture.inventory.calls(), ["release"], "the inventory closes re-takes");
            assert!(!fixture.is_announced(&id).await);
            assert_eq!(cancel(&fixture, &id).await.unwrap(), first);
            assert!(fixture.inventory.calls().is_empty());
            // The declined card's event comes late and adds its code.
            if released == ReleaseCause::PaymentFailed {
                let end = cancelled("payment_failed", Some("CARD_DECLINED"));
                let ended = fixture.end(&id, end, true).await.unwrap();
                assert_eq!(ended.error_code.as_deref(), Some("CARD_DECLINED"));
                assert_eq!(ended.cancel_reason.as_deref(), Some("user"));
            }
            // A second, open payment is approved.
            fixture.payments.put("pay_2", &id, payment::Status::Captured);
            let reply = confirm(&fixture, &id, "pay_2").await.unwrap_err().reply();
            assert_eq!(reply.http_status().as_u16(), 409);
            let late = fixture.end(&id, confirmed(&id, "pay_2"), true).await;
            assert!(matches!(late, Err(Refusal::Illegal { current, .. }) if current == status), "{late:?}");
            let command = CommitSeats {
                reservation: id.clone(),
                show: Some(show()),
                seats: Vec::new(),
                quantity: None,
                intent: Some(intent("pay_2")),
                person: None,
            };
            let refused = fixture.inventory.commit(&CallContext::default(), command).await;
            assert!(matches!(refused, Err(PortError::Rejected(Rejection::Expired))), "{refused:?}");
            assert_eq!(fixture.status(&id).await, status);
            fixture.check().await;
        }
    }
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
    assert_eq!(
        code(fixture.service.confirm(&id, Some(&intent("pay_1")), Some(&lee), &trace).await),
        "FORBIDDEN"
    );
    assert!(fixture.service.get(&id, Some(&person("kim"))).await.is_ok());
    let hold = fixture.inventory.hold_of(&id).unwrap();
    assert_eq!(hold.state, HoldState::Live);
}
