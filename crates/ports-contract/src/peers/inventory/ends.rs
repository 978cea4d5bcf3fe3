//! What happens to a hold when its time is over, and when the money arrives late.

use super::super::{refusal, result};
use super::{Buyer, Harness, LONG, SHORT, ids};
use core::time::Duration;
use domain::hold::{Rejection, ReleaseCause, Released};
use ports::inventory::HoldSeats;

pub(super) async fn check(harness: &dyn Harness) {
    a_hold_does_not_expire_before_its_time(harness).await;
    a_due_hold_is_committed_if_nobody_took_it(harness).await;
    a_due_hold_can_be_taken_by_the_next_buyer(harness).await;
    a_late_commit_takes_free_seats_again(harness).await;
    a_late_commit_without_seats_stays_refused(harness).await;
    a_cancelled_hold_is_not_taken_again(harness).await;
}

/// Invariant I7, trap T-S7.
async fn a_hold_does_not_expire_before_its_time(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "slow");
    buyer.hold(&[0]).await;
    match refusal(buyer.release(Some(ReleaseCause::Expired)).await) {
        Rejection::NotDue { left } => assert!(left > Duration::ZERO && left <= LONG, "{left:?}"),
        other => panic!("{other:?}"),
    }
    let short = Buyer::new(harness, &opened, "short");
    let held = result(short.try_hold(short.wish(&[1], SHORT)).await);
    harness.pass(held.until).await;
    assert!(matches!(result(short.release(None).await), Released::Now { .. }), "due, so it expires");
    let again = result(short.release(Some(ReleaseCause::Expired)).await);
    assert!(matches!(again, Released::Before { cause: ReleaseCause::Expired, .. }), "{again:?}");
}

async fn a_due_hold_is_committed_if_nobody_took_it(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "late");
    let held = result(buyer.try_hold(buyer.wish(&[0], SHORT)).await);
    harness.pass(held.until).await;
    let order = result(buyer.commit().await).order;
    assert_eq!(refusal(buyer.release(Some(ReleaseCause::Expired)).await), buyer.sold(order));
}

/// Trap T-S7: holds expired late or never.
async fn a_due_hold_can_be_taken_by_the_next_buyer(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let (late, next) = (Buyer::new(harness, &opened, "late"), Buyer::new(harness, &opened, "next"));
    let held = result(late.try_hold(late.wish(&[0, 1], SHORT)).await);
    harness.pass(held.until).await;
    next.hold(&[1]).await;
    assert_eq!(refusal(late.commit().await), Rejection::Expired);
    let released = result(late.release(Some(ReleaseCause::Expired)).await);
    assert!(matches!(released, Released::Before { cause: ReleaseCause::Expired, .. }), "{released:?}");
    let third = Buyer::new(harness, &opened, "third");
    third.hold(&[0]).await;
    result(next.commit().await);
}

/// Trap T-M1: money without a seat.
async fn a_late_commit_takes_free_seats_again(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let named = Buyer::new(harness, &opened, "named");
    named.hold(&[0, 1]).await;
    result(named.release(Some(ReleaseCause::PaymentFailed)).await);
    let first = result(named.commit().await);
    assert_eq!(ids(&first.seats), [opened.seats[0].clone(), opened.seats[1].clone()]);
    assert_eq!(result(named.commit().await), first);
    let rejection = refusal(named.release(Some(ReleaseCause::PaymentFailed)).await);
    assert_eq!(rejection, named.sold(first.order));
    let open = Buyer::new(harness, &opened, "open");
    let wish = HoldSeats { section: Some(opened.floor.clone()), quantity: 2, ..open.wish(&[], SHORT) };
    let held = result(open.try_hold(wish).await);
    harness.pass(held.until).await;
    result(open.release(Some(ReleaseCause::Expired)).await);
    let retaken = result(open.commit().await);
    assert_eq!(retaken.seats.len(), 2);
    assert!(retaken.seats.iter().all(|seat| seat.section == opened.floor));
    assert_eq!(result(open.commit().await), retaken);
}

async fn a_late_commit_without_seats_stays_refused(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let (late, next) = (Buyer::new(harness, &opened, "late"), Buyer::new(harness, &opened, "next"));
    late.hold(&[0, 1]).await;
    result(late.release(Some(ReleaseCause::PaymentFailed)).await);
    next.hold(&[1]).await;
    assert_eq!(refusal(late.commit().await), Rejection::Expired);
    result(next.release(Some(ReleaseCause::ByBuyer)).await);
    assert_eq!(
        refusal(late.commit().await),
        Rejection::Expired,
        "its payer was refused and is being refunded"
    );
}

async fn a_cancelled_hold_is_not_taken_again(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "gone");
    buyer.hold(&[0]).await;
    result(buyer.release(Some(ReleaseCause::ByBuyer)).await);
    assert_eq!(refusal(buyer.commit().await), Rejection::Expired);
    Buyer::new(harness, &opened, "next").hold(&[0]).await;
}
