//! What a run does before and instead of a commit: the payment against its price (rules R1), the
//! refusal before a refund (rules R2), and peers that are older or not reached (rules R8).

use crate::bench::{approved, expired, failed, without_seats};
use crate::peers::{Script, ScriptedPeers, captured, price, view};
use crate::table::{
    CANCELLED, COMMIT, CONFIRMED, EXPIRED, GIVE_BACK, REFUSE, RELEASE_EXPIRED, RELEASE_FAILED, TOO_LATE,
    buried, no, paid, row, run_with, sold,
};
use domain::event::Fact;
use domain::hold::Rejection;
use domain::id::PersonId;
use domain::money::{Currency, Money};
use domain::payment::Status as PaymentStatus;
use domain::reservation::Status;
use domain::retry::{Outcome, Reason};
use ports::payments::{PaymentRejection, PaymentView};
use ports::reservations::ReservationView;
use ports::{Fault, PortError, Trace};
use runtime::SystemClock;
use std::sync::Arc;
use std::time::Duration;
use worker::service::{Done, Downstream, Touch};
use worker::{Handlers, Peers};

/// Rules R1, cases M1, M2 and M4: the provider's report decides before any commit.
#[tokio::test]
async fn a_payment_is_compared_with_the_price_before_any_commit() {
    type Change = fn(&mut PaymentView);
    let report = |change: Change| {
        move |s: &mut Script| {
            let mut view = captured("pay_1", "rsv_1");
            change(&mut view);
            s.payment.push_back(Ok(view));
        }
    };
    let back = |code: &str| [REFUSE.to_owned(), GIVE_BACK.to_owned(), format!("record rsv_1 {code}")];
    let table: [(Change, &str); 3] = [
        (|view| view.amount = Some(Money { amount: 1, ..price() }), "AMOUNT_MISMATCH"),
        (
            |view| view.amount.as_mut().unwrap().currency = Currency::parse("EUR").unwrap(),
            "CURRENCY_MISMATCH",
        ),
        (|view| view.refunded = 1_000, "PARTLY_REFUNDED"),
    ];
    for (change, code) in table {
        let calls = back(code);
        let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
        let handled = paid(report(change), Outcome::Done, &calls).await;
        assert_eq!(handled.ending, Ok(Done::WrongPaymentReturned));
    }
    for status in [PaymentStatus::Failed, PaymentStatus::Voided, PaymentStatus::Refunded] {
        let write = |s: &mut Script| {
            s.payment.push_back(Ok(PaymentView { status, ..captured("pay_1", "rsv_1") }));
        };
        assert_eq!(paid(write, Outcome::Done, &[]).await.ending, Ok(Done::NothingLeft));
    }
    for status in [PaymentStatus::Pending, PaymentStatus::Authorized] {
        let write = |s: &mut Script| {
            s.payment.push_back(Ok(PaymentView { status, ..captured("pay_1", "rsv_1") }));
        };
        paid(write, Outcome::Transient, &[]).await;
    }
    let other = |s: &mut Script| s.payment.push_back(Ok(captured("pay_1", "rsv_2")));
    paid(other, buried(Reason::Contradiction), &[]).await;
    let invented = |s: &mut Script| s.payment.push_back(no(PaymentRejection::NoSuchPayment));
    paid(invented, buried(Reason::Contradiction), &[]).await;
}

/// Rules R1: an event that names another amount than the provider, or than the price where no
/// provider is configured, moves nothing.
#[tokio::test]
async fn an_event_with_another_amount_is_buried() {
    let event = |amount: u64| {
        let mut event = approved("rsv_1", "pay_1");
        let Fact::PaymentApproved { amount: said, .. } = &mut event.fact else { panic!("it is approved") };
        *said = Some(Money { amount, ..price() });
        event
    };
    let calls = ["get rsv_1", "payment pay_1"];
    row(event(1), |_| {}, buried(Reason::AmountMismatch), &calls).await;
    let without = |peers: Peers| Peers { payments: None, ..peers };
    let (handled, calls) = run_with(event(1), without, |_| {}).await;
    assert_eq!((handled.outcome(), calls), (buried(Reason::AmountMismatch), vec!["get rsv_1".to_owned()]));
    let (handled, _) = run_with(event(120_000), without, |_| {}).await;
    assert_eq!((handled.outcome(), handled.unverified), (Outcome::Done, false));
}

/// Case M9: the seats are committed for the person of the reservation, not for the payer.
#[tokio::test]
async fn the_holder_is_the_person_of_the_reservation() {
    let clock = Arc::new(SystemClock::new());
    let peers = ScriptedPeers::new(clock.clone());
    let mut event = approved("rsv_1", "pay_1");
    event.person = PersonId::parse("payer").ok();
    peers.pay(&event);
    let person = PersonId::parse("holder").ok();
    peers.script(|s| {
        s.get.push_back(Ok(ReservationView { person: person.clone(), ..view("rsv_1", Status::Hold, None) }));
    });
    let handlers = Handlers::new(peers.as_ports(), clock, Duration::from_secs(10));
    assert_eq!(handlers.handle(&event, &Trace::default()).await.outcome(), Outcome::Done);
    assert_eq!(peers.holders(), [person]);
}

/// Rules R2: the refund that was announced is carried out, and the live hold stays.
#[tokio::test]
async fn a_refused_payment_is_given_back_and_ends_nothing() {
    let refused = |s: &mut Script| s.commit.push_back(no(Rejection::PaymentRefused));
    let handled = paid(refused, Outcome::Done, &[COMMIT, REFUSE, GIVE_BACK]).await;
    assert_eq!(handled.ending, Ok(Done::RefusedPaymentReturned));
}

/// Rules R2: a payment that has bought the seats is never given back by itself.
#[tokio::test]
async fn a_payment_that_bought_the_seats_is_kept() {
    let partly = |s: &mut Script| {
        s.payment.push_back(Ok(PaymentView { refunded: 1, ..captured("pay_1", "rsv_1") }));
        s.refuse.push_back(no(sold(Some("pay_1"))));
    };
    let handled = paid(partly, Outcome::Done, &[REFUSE, CONFIRMED]).await;
    assert!(matches!(handled.ending, Ok(Done::Confirmed(_))), "the part was goodwill");
    let wrong = |s: &mut Script| {
        let amount = Some(Money { amount: 1, ..price() });
        s.payment.push_back(Ok(PaymentView { amount, ..captured("pay_1", "rsv_1") }));
        s.refuse.push_back(no(sold(Some("pay_1"))));
    };
    paid(wrong, buried(Reason::Contradiction), &[REFUSE]).await;
}

/// Rules R8: an older inventory has no RefusePayment, and an older provider no CancelPayment.
#[tokio::test]
async fn an_older_peer_is_asked_no_more_than_it_can_do() {
    fn older<T, R>() -> Result<T, PortError<R>> {
        Err(PortError::Failed(Fault::new(ports::FaultClass::Unsupported, "older")))
    }
    let write = |s: &mut Script| {
        s.commit.push_back(no(Rejection::Expired));
        s.refuse.push_back(older());
    };
    paid(write, Outcome::Done, &[COMMIT, REFUSE, GIVE_BACK, TOO_LATE]).await;
    let write = |s: &mut Script| {
        s.commit.push_back(no(Rejection::Expired));
        s.cancel.push_back(older());
    };
    paid(write, buried(Reason::PaidWithoutSeat), &[COMMIT, REFUSE, GIVE_BACK]).await;
}

/// Case P4: a peer with PATCH only. Seats go back by the reservation's id, and are sold by it.
#[tokio::test]
async fn a_reservation_that_cannot_be_read_is_handled_by_its_id() {
    let patch_only = |s: &mut Script| {
        s.get.push_back(Err(PortError::Failed(Fault::new(ports::FaultClass::Unsupported, "404"))));
    };
    let calls = ["get rsv_1", RELEASE_EXPIRED, EXPIRED];
    row(without_seats(expired("rsv_1")), patch_only, Outcome::Done, &calls).await;
    let calls = ["get rsv_1", RELEASE_FAILED, CANCELLED];
    row(without_seats(failed("rsv_1", "pay_1")), patch_only, Outcome::Done, &calls).await;
    let calls = ["get rsv_1", "payment pay_1", COMMIT, CONFIRMED];
    row(without_seats(approved("rsv_1", "pay_1")), patch_only, Outcome::Done, &calls).await;
}

/// Cases P1 to P3: what is not the peer decides nothing, wherever in a run it answers.
#[tokio::test]
async fn a_peer_that_is_not_reached_moves_no_money() {
    let elsewhere = || Fault::not_reached("status 404");
    let by_get = |s: &mut Script| s.get.push_back(Err(PortError::Failed(elsewhere())));
    row(approved("rsv_1", "pay_1"), by_get, Outcome::NotReached, &["get rsv_1"]).await;
    let by_provider = |s: &mut Script| s.payment.push_back(Err(PortError::Failed(elsewhere())));
    paid(by_provider, Outcome::NotReached, &[]).await;
    let by_commit = |s: &mut Script| s.commit.push_back(Err(PortError::Failed(elsewhere())));
    paid(by_commit, Outcome::NotReached, &[COMMIT]).await;
    let by_end = |s: &mut Script| s.end.push_back(Err(PortError::Failed(elsewhere())));
    let handled = paid(by_end, Outcome::NotReached, &[COMMIT, CONFIRMED]).await;
    assert_eq!(handled.touched.get(Downstream::Reservation), Touch::Silent);
}
