//! A handler whose caller is gone is dropped at any await. Nothing may stay stuck.

use crate::world::{MINUTE, World, commit, hold, refusal, release};
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

/// Drops `command` after one poll, two, three, …, each time in a world of its own, until it
/// finishes.
async fn at_every_await<T>(
    prepare: impl AsyncFn(&World),
    command: impl AsyncFn(&World) -> T,
    afterwards: impl AsyncFn(&World),
) {
    for shared in [false, true] {
        let mut dropped = 0;
        loop {
            let world = if shared { World::shared().await } else { World::new().await };
            prepare(&world).await;
            let ended = poll_times(dropped, command(&world)).await.is_some();
            afterwards(&world).await;
            world.check(&[&world.service]).await;
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
        async |world| world.hold("r1", &["1", "2"]).await,
        async |world| {
            let rival = world.hold("r2", &["2", "3"]).await;
            let again = world.hold("r1", &["1", "2"]).await;
            assert!(rival.is_ok() != again.is_ok(), "{rival:?} {again:?}");
            world.clock.advance(MINUTE);
            world.hold("r3", &["1", "2", "3"]).await.unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn a_hold_of_any_places_that_is_dropped_loses_no_place() {
    at_every_await(
        async |_| {},
        async |world| hold(&world.service, world.any("r1", 2)).await,
        async |world| {
            hold(&world.service, world.any("r1", 2)).await.unwrap();
            hold(&world.service, world.any("r2", 1)).await.unwrap();
            assert_eq!(
                refusal(hold(&world.service, world.any("r3", 1)).await),
                Rejection::SoldOut { remaining: 0 }
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_commit_that_is_dropped_is_completed_by_its_repetition() {
    at_every_await(
        async |world| drop(world.hold("r1", &["1", "2"]).await.unwrap()),
        async |world| commit(&world.service, "r1", "pay").await,
        async |world| {
            commit(&world.service, "r1", "pay").await.unwrap();
            assert!(matches!(refusal(world.hold("r2", &["1"]).await), Rejection::SeatTaken(_)));
            assert_eq!(world.counts("A").await.sold, 2);
        },
    )
    .await;
}

#[tokio::test]
async fn a_release_that_is_dropped_is_completed_by_its_repetition() {
    at_every_await(
        async |world| drop(world.hold("r1", &["1", "2"]).await.unwrap()),
        async |world| release(&world.service, "r1", Some(ReleaseCause::PaymentFailed)).await,
        async |world| {
            release(&world.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
            world.hold("r2", &["1", "2"]).await.unwrap();
            assert_eq!(world.counts("A").await.held, 2);
        },
    )
    .await;
}

/// Trap T-M1.
#[tokio::test]
async fn a_retake_that_is_dropped_sells_once_or_not_at_all() {
    at_every_await(
        async |world| {
            world.hold("r1", &["1", "2"]).await.unwrap();
            release(&world.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
        },
        async |world| commit(&world.service, "r1", "pay").await,
        async |world| {
            let rival = world.hold("r2", &["2"]).await;
            match commit(&world.service, "r1", "pay").await {
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
        async |world| {
            world.hold("late", &["1", "2"]).await.unwrap();
            world.clock.advance(MINUTE);
        },
        async |world| world.hold("r1", &["2", "3"]).await,
        async |world| {
            world.hold("r1", &["2", "3"]).await.unwrap();
            world.hold("r2", &["1"]).await.unwrap();
            assert_eq!(world.counts("A").await.held, 3);
        },
    )
    .await;
}

/// A show that takes longer to read than a request may last still gets on sale.
#[tokio::test]
async fn a_reading_of_a_show_that_is_dropped_is_continued_by_the_next() {
    let world = World::new().await;
    let mut show = crate::world::show("large");
    show.sections[1].layout = domain::show::Layout::Places(64 * 40);
    world.service.create_show(&show).await.unwrap();
    let before = world.store.calls(Call::List);
    let fresh = world.another(crate::world::sole());
    let mut tries = 0;
    while poll_times(12, fresh.status(&show.id, None)).await.is_none() {
        tries += 1;
        assert!(tries < 200, "every reading began anew");
    }
    assert!(tries > 3, "the show is large enough to be interrupted: {tries}");
    let blocks = 41;
    let definitions = tries + 1;
    assert!(
        world.store.calls(Call::List) - before <= blocks + 2 * definitions,
        "no block is read twice without need"
    );
}
