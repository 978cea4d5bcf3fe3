//! A handler whose caller is gone is dropped at any await. Nothing may stay stuck.

use crate::fixture::{Fixture, MINUTE, commit, hold, refusal, release};
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use domain::hold::{Rejection, ReleaseCause};
use ports::PortError;
use testkit::Call;

/// Polls a future this often and drops it; returns its result if it was ready before.
async fn poll_times<T>(times: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Drops `command` after one poll, two, three, …, each time on a new fixture, until it
/// finishes.
async fn at_every_await<T>(
    prepare: impl AsyncFn(&Fixture),
    command: impl AsyncFn(&Fixture) -> T,
    afterwards: impl AsyncFn(&Fixture),
) {
    for shared in [false, true] {
        let mut dropped = 0;
        loop {
            let fixture = if shared { Fixture::shared().await } else { Fixture::new().await };
            prepare(&fixture).await;
            let ended = poll_times(dropped, command(&fixture)).await.is_some();
            afterwards(&fixture).await;
            fixture.check(&[&fixture.service]).await;
            if ended {
                break;
            }
            dropped += 1;
        }
        assert!(dropped >= 3, "dropped at {dropped} awaits only");
    }
}

#[tokio::test]
async fn a_hold_that_is_dropped_can_be_repeated_and_its_seats_are_not_stuck() {
    at_every_await(
        async |_| {},
        async |fixture| fixture.hold("r1", &["1", "2"]).await,
        async |fixture| {
            let rival = fixture.hold("r2", &["2", "3"]).await;
            let again = fixture.hold("r1", &["1", "2"]).await;
            assert!(rival.is_ok() != again.is_ok(), "{rival:?} {again:?}");
            fixture.clock.advance(MINUTE);
            fixture.hold("r3", &["1", "2", "3"]).await.unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn a_hold_of_any_places_that_is_dropped_loses_no_place() {
    at_every_await(
        async |_| {},
        async |fixture| hold(&fixture.service, fixture.any("r1", 2)).await,
        async |fixture| {
            hold(&fixture.service, fixture.any("r1", 2)).await.unwrap();
            hold(&fixture.service, fixture.any("r2", 1)).await.unwrap();
            assert_eq!(
                refusal(hold(&fixture.service, fixture.any("r3", 1)).await),
                Rejection::SoldOut { remaining: 0 }
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_commit_that_is_dropped_is_completed_by_its_repetition() {
    at_every_await(
        async |fixture| drop(fixture.hold("r1", &["1", "2"]).await.unwrap()),
        async |fixture| commit(&fixture.service, "r1", "pay").await,
        async |fixture| {
            commit(&fixture.service, "r1", "pay").await.unwrap();
            assert!(matches!(refusal(fixture.hold("r2", &["1"]).await), Rejection::SeatTaken(_)));
            assert_eq!(fixture.counts("A").await.sold, 2);
        },
    )
    .await;
}

#[tokio::test]
async fn a_release_that_is_dropped_is_completed_by_its_repetition() {
    at_every_await(
        async |fixture| drop(fixture.hold("r1", &["1", "2"]).await.unwrap()),
        async |fixture| release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed)).await,
        async |fixture| {
            release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
            fixture.hold("r2", &["1", "2"]).await.unwrap();
            assert_eq!(fixture.counts("A").await.held, 2);
        },
    )
    .await;
}

/// Trap T-M1.
#[tokio::test]
async fn a_retake_that_is_dropped_sells_once_or_not_at_all() {
    at_every_await(
        async |fixture| {
            fixture.hold("r1", &["1", "2"]).await.unwrap();
            release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
        },
        async |fixture| commit(&fixture.service, "r1", "pay").await,
        async |fixture| {
            let rival = fixture.hold("r2", &["2"]).await;
            match commit(&fixture.service, "r1", "pay").await {
                Ok(sold) => {
                    assert!(rival.is_err());
                    assert_eq!(sold.seats.len(), 2);
                }
                Err(PortError::Rejected(rejection)) => {
                    assert!(rival.is_ok());
                    assert_eq!(rejection, Rejection::Expired);
                }
                Err(other) => panic!("{other:?}"),
            }
        },
    )
    .await;
}

/// A buyer who takes a due hold over disappears in between.
#[tokio::test]
async fn taking_over_a_due_hold_can_be_dropped_anywhere() {
    at_every_await(
        async |fixture| {
            fixture.hold("late", &["1", "2"]).await.unwrap();
            fixture.clock.advance(MINUTE);
        },
        async |fixture| fixture.hold("r1", &["2", "3"]).await,
        async |fixture| {
            fixture.hold("r1", &["2", "3"]).await.unwrap();
            fixture.hold("r2", &["1"]).await.unwrap();
            assert_eq!(fixture.counts("A").await.held, 3);
        },
    )
    .await;
}

/// A show that takes longer to read than a request may last still gets on sale.
#[tokio::test]
async fn a_reading_of_a_show_that_is_dropped_is_continued_by_the_next() {
    let fixture = Fixture::new().await;
    let mut show = crate::fixture::show("large");
    show.sections[1].layout = domain::show::Layout::Places(64 * 40);
    fixture.service.create_show(&show).await.unwrap();
    let before = fixture.store.calls(Call::List);
    let fresh = fixture.another(crate::fixture::sole());
    let mut tries = 0;
    while poll_times(12, fresh.status(&show.id, None)).await.is_none() {
        tries += 1;
        assert!(tries < 200, "every reading began anew");
    }
    assert!(tries > 3, "the show is large enough to be interrupted: {tries}");
    let blocks = 41;
    let definitions = tries + 1;
    assert!(
        fixture.store.calls(Call::List) - before <= blocks + 2 * definitions,
        "no block is read twice without need"
    );
}
