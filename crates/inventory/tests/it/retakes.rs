//! Payments that come after the release of their hold (trap T-M1).

use crate::world::{MINUTE, World, commit, hold, refusal, release, rsv, seat_id, sole};
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
        let world = World::new().await;
        world.hold("r1", &["1", "2"]).await.unwrap();
        world.clock.advance(MINUTE);
        release(&world.service, "r1", Some(cause)).await.unwrap();
        let sold = commit(&world.service, "r1", "pay").await.unwrap();
        assert_eq!(sold.order, OrderId::for_reservation(&rsv("r1")));
        assert_eq!(commit(&world.service, "r1", "pay").await.unwrap(), sold);
        assert_eq!(
            refusal(release(&world.service, "r1", Some(cause)).await),
            Rejection::AlreadyCommitted(sold.order.clone())
        );
        assert_eq!(world.hold("r1", &["1", "2"]).await.unwrap().state, HeldState::Committed(sold.order));
        let keys: Vec<HoldKey> =
            world.service.holds_of(&rsv("r1")).await.unwrap().iter().map(|hold| hold.key).collect();
        assert_eq!(keys, [HoldKey::First, HoldKey::Retake]);
        assert_eq!(world.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
        world.check(&[&world.service]).await;
    }
}

/// Trap T-M1.
#[tokio::test]
async fn late_money_for_general_admission_gets_other_places() {
    let world = World::new().await;
    let held = hold(&world.service, world.any("r1", 1)).await.unwrap();
    let place = held.seats[0].id.as_str().to_owned();
    world.clock.advance(MINUTE);
    release(&world.service, "r1", None).await.unwrap();
    world.hold("r2", &[&place]).await.unwrap();
    let sold = commit(&world.service, "r1", "pay").await.unwrap();
    assert_eq!(sold.seats.len(), 1);
    assert_ne!(sold.seats[0].id.as_str(), place);
    // A caller that names the seats of either hold asks for this order.
    for seat in [seat_id(&place), sold.seats[0].id.clone()] {
        let knows = CommitSeats { seats: vec![seat], quantity: Some(1), ..crate::world::paid("r1", "pay") };
        assert_eq!(world.service.commit(&Default::default(), knows).await.unwrap(), sold);
    }
    world.check(&[&world.service]).await;
}

/// Trap T-M1: the payer expects the money back, so a repetition must never answer "sold".
#[tokio::test]
async fn a_refused_payment_stays_refused_when_seats_come_free_and_after_a_restart() {
    let world = World::new().await;
    world.hold("r1", &["1"]).await.unwrap();
    hold(&world.service, world.any("r2", 2)).await.unwrap();
    for late in ["r1", "r2"] {
        release(&world.service, late, Some(ReleaseCause::PaymentFailed)).await.unwrap();
    }
    world.hold("next1", &["1"]).await.unwrap();
    hold(&world.service, world.any("next2", 2)).await.unwrap();
    for late in ["r1", "r2"] {
        assert_eq!(refusal(commit(&world.service, late, "pay").await), Rejection::Expired);
    }
    for next in ["next1", "next2"] {
        release(&world.service, next, Some(ReleaseCause::ByBuyer)).await.unwrap();
    }
    let restarted = world.another(sole());
    for late in ["r1", "r2"] {
        for service in [&world.service, &restarted] {
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
    world.check(&[&restarted]).await;
}

#[tokio::test]
async fn a_cancelled_hold_is_never_taken_again() {
    let world = World::new().await;
    world.hold("r1", &["1"]).await.unwrap();
    release(&world.service, "r1", Some(ReleaseCause::ByBuyer)).await.unwrap();
    for intent in ["pay", "another", ""] {
        assert_eq!(refusal(commit(&world.service, "r1", intent).await), Rejection::Expired);
    }
    assert_eq!(world.counts("A").await.available, 10);
}

#[tokio::test]
async fn a_retake_releases_what_is_due_in_its_way() {
    let world = World::new().await;
    world.hold("r1", &["1", "2"]).await.unwrap();
    release(&world.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
    world.hold("r2", &["2", "3"]).await.unwrap();
    world.clock.advance(MINUTE);
    commit(&world.service, "r1", "pay").await.unwrap();
    assert_eq!(world.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
    assert_eq!(refusal(commit(&world.service, "r2", "pay2").await), Rejection::Expired);
    world.check(&[&world.service]).await;
}

/// Seats that another process freed count before a payment is refused for good.
#[tokio::test]
async fn a_retake_is_not_refused_from_memory_that_is_old() {
    let world = World::shared().await;
    let other = world.another(Options::default());
    for (name, wish) in [("r1", world.wish("r1", &["1"])), ("r2", world.any("r2", 3))] {
        hold(&world.service, wish).await.unwrap();
        release(&world.service, name, Some(ReleaseCause::PaymentFailed)).await.unwrap();
    }
    world.hold("rival1", &["1"]).await.unwrap();
    hold(&world.service, world.any("rival2", 3)).await.unwrap();
    for rival in ["rival1", "rival2"] {
        release(&other, rival, Some(ReleaseCause::ByBuyer)).await.unwrap();
    }
    commit(&world.service, "r1", "pay1").await.unwrap();
    commit(&world.service, "r2", "pay2").await.unwrap();
    world.check(&[&world.service, &other]).await;
}
