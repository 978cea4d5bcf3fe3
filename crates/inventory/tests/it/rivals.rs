//! Two services on one store, each with its own memory.

use crate::fixture::{Fixture, MINUTE, commit, counts, hold, refusal, release, seat_id};
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::invariant::Counts;
use domain::seat::SeatStatus;
use inventory::{Options, Service};
use testkit::{Call, Fate};

async fn two() -> (Fixture, Service) {
    let fixture = Fixture::shared().await;
    let other = fixture.another(Options::default());
    // Both load their memory before anything happens.
    assert_eq!(counts(&other, "A").await.available, 10);
    (fixture, other)
}

#[tokio::test]
async fn each_service_sees_the_writes_of_the_other() {
    let (fixture, other) = two().await;
    fixture.hold("r1", &["1", "2"]).await.unwrap();
    assert_eq!(counts(&other, "A").await, Counts { available: 8, held: 2, ..Counts::default() });
    let taken = refusal(hold(&other, fixture.wish("r2", &["3", "2", "1"])).await);
    assert_eq!(taken, Rejection::SeatTaken(vec![seat_id("2"), seat_id("1")]));
    commit(&other, "r1", "pay").await.unwrap();
    assert_eq!(counts(&fixture.service, "A").await, Counts { available: 8, sold: 2, ..Counts::default() });
    let late = release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed)).await;
    assert!(matches!(refusal(late), Rejection::AlreadyCommitted { .. }));
    fixture.check(&[&fixture.service, &other]).await;
}

#[tokio::test]
async fn no_seat_that_the_other_freed_is_refused() {
    let (fixture, other) = two().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("r2", 3)).await.unwrap();
    for name in ["r1", "r2"] {
        release(&other, name, Some(ReleaseCause::ByBuyer)).await.unwrap();
    }
    fixture.hold("r3", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("r4", 3)).await.unwrap();
    assert_eq!(refusal(hold(&other, fixture.any("r5", 1)).await), Rejection::SoldOut { remaining: 0 });
    fixture.check(&[&fixture.service, &other]).await;
}

/// The memory of one says "held and due", but the seat is sold.
#[tokio::test]
async fn a_due_hold_that_the_other_committed_is_taken_not_contended() {
    let (fixture, other) = two().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("r2", 3)).await.unwrap();
    for name in ["r1", "r2"] {
        commit(&other, name, "pay").await.unwrap();
    }
    fixture.clock.advance(MINUTE);
    let taken = refusal(fixture.hold("r3", &["1"]).await);
    assert_eq!(taken, Rejection::SeatTaken(vec![seat_id("1")]));
    assert_eq!(
        refusal(hold(&fixture.service, fixture.any("r4", 1)).await),
        Rejection::SoldOut { remaining: 0 }
    );
    fixture.check(&[&fixture.service, &other]).await;
}

/// The memory of one says "held and due", but the seat is free.
#[tokio::test]
async fn a_due_hold_that_the_other_released_is_available_at_once() {
    let (fixture, other) = two().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("r2", 3)).await.unwrap();
    fixture.clock.advance(MINUTE);
    for name in ["r1", "r2"] {
        let released = release(&other, name, None).await.unwrap();
        assert!(matches!(released, Released::Now { .. }));
    }
    fixture.hold("r3", &["1"]).await.unwrap();
    hold(&fixture.service, fixture.any("r4", 3)).await.unwrap();
    fixture.check(&[&fixture.service, &other]).await;
}

#[tokio::test]
async fn a_seat_that_the_other_blocked_is_neither_sold_nor_reported_free() {
    let (fixture, other) = two().await;
    let show = fixture.wish("x", &[]).show;
    let changed = other.set_blocked(&show, &[seat_id("1"), seat_id("floor-1")], true).await.unwrap();
    assert!(changed.iter().all(|change| change.outcome == Ok(())));
    assert_eq!(refusal(fixture.hold("r1", &["1"]).await), Rejection::SeatTaken(vec![seat_id("1")]));
    assert_eq!(
        refusal(hold(&fixture.service, fixture.any("r2", 3)).await),
        Rejection::SoldOut { remaining: 2 }
    );
    let (seats, _) = fixture.service.look_up(&show, &[seat_id("1")]).await.unwrap();
    assert_eq!(seats[0].status, SeatStatus::Blocked);
    let changed = fixture.service.set_blocked(&show, &[seat_id("1")], false).await.unwrap();
    assert_eq!(changed[0].outcome, Ok(()));
    let again = other.set_blocked(&show, &[seat_id("1")], false).await.unwrap();
    assert_eq!(again[0].outcome, Ok(()), "it is as asked already");
    hold(&other, fixture.wish("r1", &["1"])).await.unwrap();
    fixture.check(&[&fixture.service, &other]).await;
}

/// A status comes from a reading that began after the request, and a failed reading serves nobody.
#[tokio::test]
async fn a_reading_that_failed_is_not_shared() {
    let (fixture, other) = two().await;
    hold(&other, fixture.any("r1", 2)).await.unwrap();
    fixture.store.plan(Call::List, [Fate::Failed]);
    let show = fixture.wish("x", &[]).show;
    let (first, second, third) = tokio::join!(
        fixture.service.status(&show, None),
        fixture.service.status(&show, None),
        fixture.service.status(&show, None)
    );
    let answers = [first, second, third];
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1, "only the one that read");
    for status in answers.iter().flatten() {
        assert_eq!(status.counts[1], Counts { available: 1, held: 2, ..Counts::default() });
    }
}

#[tokio::test]
async fn concurrent_requests_share_readings() {
    let (fixture, other) = two().await;
    hold(&other, fixture.any("r1", 2)).await.unwrap();
    let before = fixture.store.calls(Call::List);
    let show = fixture.wish("x", &[]).show;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (service, show) = (fixture.service.clone(), show.clone());
        asking.spawn(async move { service.status(&show, None).await.unwrap().counts[1].held });
    }
    assert!(asking.join_all().await.iter().all(|held| *held == 2));
    let read = fixture.store.calls(Call::List) - before;
    assert!(read <= 20, "{read} lists for 50 who asked for 2 sections");
}
