//! Payments that come after the release of their hold (trap T-M1).

use crate::fixture::{Fixture, MINUTE, commit, hold, refusal, release, rsv, seat_id, sole};
use domain::hold::{HoldKey, Rejection, ReleaseCause};
use domain::id::OrderId;
use domain::invariant::Counts;
use inventory::Options;
use ports::Inventory;
use ports::inventory::{CommitSeats, HeldState};

/// Trap T-M1.
#[tokio::test]
async fn late_money_gets_its_named_seats_again_once() {
    for cause in [ReleaseCause::PaymentFailed, ReleaseCause::Expired] {
        let fixture = Fixture::new().await;
        fixture.hold("r1", &["1", "2"]).await.unwrap();
        fixture.clock.advance(MINUTE);
        release(&fixture.service, "r1", Some(cause)).await.unwrap();
        let sold = commit(&fixture.service, "r1", "pay").await.unwrap();
        assert_eq!(sold.order, OrderId::for_reservation(&rsv("r1")));
        assert_eq!(commit(&fixture.service, "r1", "pay").await.unwrap(), sold);
        assert_eq!(
            refusal(release(&fixture.service, "r1", Some(cause)).await),
            Rejection::AlreadyCommitted { order: sold.order.clone(), intent: sold.intent.clone() }
        );
        assert_eq!(fixture.hold("r1", &["1", "2"]).await.unwrap().state, HeldState::Committed(sold.order));
        let keys: Vec<HoldKey> =
            fixture.service.holds_of(&rsv("r1")).await.unwrap().iter().map(|hold| hold.key).collect();
        assert_eq!(keys, [HoldKey::First, HoldKey::Retake]);
        assert_eq!(fixture.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
        fixture.check(&[&fixture.service]).await;
    }
}

/// Trap T-M1.
#[tokio::test]
async fn late_money_for_general_admission_gets_other_places() {
    let fixture = Fixture::new().await;
    let held = hold(&fixture.service, fixture.any("r1", 1)).await.unwrap();
    let place = held.seats[0].id.as_str().to_owned();
    fixture.clock.advance(MINUTE);
    release(&fixture.service, "r1", None).await.unwrap();
    fixture.hold("r2", &[&place]).await.unwrap();
    let sold = commit(&fixture.service, "r1", "pay").await.unwrap();
    assert_eq!(sold.seats.len(), 1);
    assert_ne!(sold.seats[0].id.as_str(), place);
    // A caller that names the seats of either hold asks for this order.
    for seat in [seat_id(&place), sold.seats[0].id.clone()] {
        let knows = CommitSeats { seats: vec![seat], quantity: Some(1), ..crate::fixture::paid("r1", "pay") };
        assert_eq!(fixture.service.commit(&Default::default(), knows).await.unwrap(), sold);
    }
    fixture.check(&[&fixture.service]).await;
}

/// Trap T-M1: the payer expects the money back, so a repetition must never answer "sold".
#[tokio::test]
async fn a_refused_payment_stays_refused_when_seats_come_free_and_after_a_restart() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("r2", 2)).await.unwrap();
    for late in ["r1", "r2"] {
        release(&fixture.service, late, Some(ReleaseCause::PaymentFailed)).await.unwrap();
    }
    fixture.hold("next1", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("next2", 2)).await.unwrap();
    for late in ["r1", "r2"] {
        assert_eq!(refusal(commit(&fixture.service, late, "pay").await), Rejection::Expired);
    }
    for next in ["next1", "next2"] {
        release(&fixture.service, next, Some(ReleaseCause::ByBuyer)).await.unwrap();
    }
    let restarted = fixture.another(sole());
    for late in ["r1", "r2"] {
        for service in [&fixture.service, &restarted] {
            assert_eq!(refusal(commit(service, late, "pay").await), Rejection::Expired);
            assert_eq!(
                refusal(commit(service, late, "").await),
                Rejection::Expired,
                "a commit without a payment"
            );
        }
    }
    let sold = commit(&restarted, "r1", "another").await.unwrap();
    assert_eq!(sold.seats[0].id, seat_id("1"), "a payment that nobody refused may buy");
    fixture.check(&[&restarted]).await;
}

#[tokio::test]
async fn a_cancelled_hold_is_never_taken_again() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    release(&fixture.service, "r1", Some(ReleaseCause::ByBuyer)).await.unwrap();
    for intent in ["pay", "another", ""] {
        assert_eq!(refusal(commit(&fixture.service, "r1", intent).await), Rejection::Expired);
    }
    assert_eq!(fixture.counts("A").await.available, 10);
}

#[tokio::test]
async fn a_retake_releases_due_holds_on_its_seats() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1", "2"]).await.unwrap();
    release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
    fixture.hold("r2", &["2", "3"]).await.unwrap();
    fixture.clock.advance(MINUTE);
    commit(&fixture.service, "r1", "pay").await.unwrap();
    assert_eq!(fixture.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
    assert_eq!(refusal(commit(&fixture.service, "r2", "pay2").await), Rejection::Expired);
    fixture.check(&[&fixture.service]).await;
}

/// Seats that another process freed count before a payment is refused for good.
#[tokio::test]
async fn a_retake_is_not_refused_from_memory_that_is_old() {
    let fixture = Fixture::shared().await;
    let other = fixture.another(Options::default());
    for (name, wish) in [("r1", fixture.wish("r1", &["1"])), ("r2", fixture.any("r2", 3))] {
        hold(&fixture.service, wish).await.unwrap();
        release(&fixture.service, name, Some(ReleaseCause::PaymentFailed)).await.unwrap();
    }
    fixture.hold("rival1", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("rival2", 3)).await.unwrap();
    for rival in ["rival1", "rival2"] {
        release(&other, rival, Some(ReleaseCause::ByBuyer)).await.unwrap();
    }
    commit(&fixture.service, "r1", "pay1").await.unwrap();
    commit(&fixture.service, "r2", "pay2").await.unwrap();
    fixture.check(&[&fixture.service, &other]).await;
}
