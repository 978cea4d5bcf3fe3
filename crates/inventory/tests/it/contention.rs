//! Many buyers at once, on every core.

use crate::world::{Answer, World, commit, counts, hold, release, rsv, seat_id};
use domain::hold::{Rejection, ReleaseCause};
use domain::invariant::Counts;
use inventory::Service;
use ports::PortError;
use ports::inventory::{Held, HoldSeats};
use tokio::task::JoinSet;

/// All requests at once; the answers in the order of the requests.
async fn rush(service: &Service, wishes: impl IntoIterator<Item = HoldSeats>) -> Vec<Answer<Held>> {
    let mut buyers = JoinSet::new();
    for wish in wishes {
        let service = service.clone();
        buyers.spawn(async move { hold(&service, wish).await });
    }
    buyers.join_all().await
}

fn taken(answers: &[Answer<Held>]) -> usize {
    for answer in answers {
        let refused =
            |rejection: &Rejection| matches!(rejection, Rejection::SeatTaken(_) | Rejection::SoldOut { .. });
        assert!(
            answer.is_ok() || matches!(answer, Err(PortError::Rejected(why)) if refused(why)),
            "{answer:?}"
        );
    }
    answers.iter().flatten().map(|held| held.seats.len()).sum()
}

/// Trap T-S4: one counter per show was the hot row. Trap T-S5: "sold out" was unreachable.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_get_ten_seats_by_name() {
    for shared in [false, true] {
        let world = if shared { World::shared().await } else { World::new().await };
        let wish = |n: u32| {
            let pair = [(n % 10 + 1).to_string(), ((n * 3 + 1) % 10 + 1).to_string()];
            let seats = if pair[0] == pair[1] { &pair[..1] } else { &pair[..] };
            world.wish(&format!("r{n}"), &seats.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let sold = taken(&rush(&world.service, (0..200).map(wish)).await);
        let mut last = 0;
        for n in 1..=10 {
            last += usize::from(world.hold(&format!("last{n}"), &[&n.to_string()]).await.is_ok());
        }
        assert_eq!(sold + last, 10);
        assert_eq!(world.counts("A").await, Counts { held: 10, ..Counts::default() });
        world.check(&[&world.service]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_get_the_last_places_of_general_admission() {
    for shared in [false, true] {
        let world = if shared { World::shared().await } else { World::new().await };
        let answers = rush(&world.service, (0..200).map(|n| world.any(&format!("r{n}"), 1))).await;
        assert_eq!(taken(&answers), 3, "the very last place is found, and none twice");
        assert_eq!(world.counts("floor").await, Counts { held: 3, ..Counts::default() });
        world.check(&[&world.service]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn due_holds_go_to_the_crowd_once() {
    for shared in [false, true] {
        let world = if shared { World::shared().await } else { World::new().await };
        hold(&world.service, world.any("late1", 2)).await.unwrap();
        hold(&world.service, world.any("late2", 1)).await.unwrap();
        world.hold("late3", &["1", "2"]).await.unwrap();
        world.clock.advance(crate::world::MINUTE);
        let wishes = (0..100).map(|n| match n % 2 {
            0 => world.any(&format!("r{n}"), 1),
            _ => world.wish(&format!("r{n}"), &["1"]),
        });
        assert_eq!(taken(&rush(&world.service, wishes).await), 4);
        world.check(&[&world.service]).await;
    }
}

/// Trap T-S2, invariant I4.
#[tokio::test(flavor = "multi_thread")]
async fn of_commit_and_release_one_wins_and_the_other_is_refused() {
    for shared in [false, true] {
        let world = if shared { World::shared().await } else { World::new().await };
        for n in 0..40 {
            let name = format!("r{n}");
            let seats = [(n % 10 + 1).to_string()];
            world.hold(&name, &[&seats[0]]).await.unwrap();
            let mut both = JoinSet::new();
            for _ in 0..3 {
                let (service, name) = (world.service.clone(), name.clone());
                both.spawn(async move { commit(&service, &name, "pay").await.map(|sold| Some(sold.order)) });
                let (service, name) = (world.service.clone(), format!("r{n}"));
                both.spawn(async move {
                    release(&service, &name, Some(ReleaseCause::ByBuyer)).await.map(|_| None)
                });
            }
            let answers = both.join_all().await;
            let sold = answers.iter().any(|answer| matches!(answer, Ok(Some(_))));
            let released = answers.iter().any(|answer| matches!(answer, Ok(None)));
            assert!(sold != released, "{answers:?}");
            for answer in answers {
                match answer {
                    Ok(_) => {}
                    Err(PortError::Rejected(Rejection::AlreadyCommitted(_))) => assert!(sold),
                    Err(PortError::Rejected(Rejection::Expired)) => assert!(released),
                    Err(other) => panic!("{other:?}"),
                }
            }
            if sold {
                // A sold seat stays sold, so the next rounds continue without it.
                let taken = world.hold("other", &[&seats[0]]).await;
                assert!(matches!(taken, Err(PortError::Rejected(Rejection::SeatTaken(_)))), "{taken:?}");
                break;
            }
        }
        world.check(&[&world.service]).await;
    }
}

/// The same command many times at once has one effect and one answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_sent_many_times_at_once_has_one_effect() {
    let world = World::new().await;
    let wish = world.wish("r1", &["1", "2", "3"]);
    let answers = rush(&world.service, (0..50).map(|_| wish.clone())).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    let any = world.any("r2", 2);
    let answers = rush(&world.service, (0..50).map(|_| any.clone())).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    assert_eq!(world.counts("floor").await, Counts { available: 1, held: 2, ..Counts::default() });
    let mut commits = JoinSet::new();
    for _ in 0..50 {
        let service = world.service.clone();
        commits.spawn(async move { commit(&service, "r1", "pay").await.unwrap() });
    }
    let sold = commits.join_all().await;
    assert!(sold.iter().all(|answer| *answer == sold[0]));
    world.check(&[&world.service]).await;
}

/// Two processes and a crowd in front of each.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_sell_each_seat_once() {
    let world = World::shared().await;
    let other = world.another(inventory::Options::default());
    let wishes = |name: &str| {
        let (world, name) = (&world, name.to_owned());
        (0..60u32)
            .map(move |n| match n % 3 {
                0 => world.any(&format!("{name}{n}"), 1),
                _ => world.wish(&format!("{name}{n}"), &[&(n % 10 + 1).to_string()]),
            })
            .collect::<Vec<_>>()
    };
    let (a, b) = tokio::join!(rush(&world.service, wishes("a")), rush(&other, wishes("b")));
    assert_eq!(taken(&a) + taken(&b), 13);
    for (n, answer) in a.iter().flatten().chain(b.iter().flatten()).enumerate() {
        assert!(answer.seats.iter().all(|seat| seat.id != seat_id("99")), "{n}");
    }
    assert_eq!(counts(&world.service, "A").await, counts(&other, "A").await);
    world.check(&[&world.service, &other]).await;
    assert!(world.service.holds_of(&rsv("nobody")).await.unwrap().is_empty());
}
