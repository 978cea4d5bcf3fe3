//! Many buyers at once, on every core.

use crate::fixture::{Answer, Fixture, commit, counts, hold, release, rsv, seat_id};
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
        let fixture = if shared { Fixture::shared().await } else { Fixture::new().await };
        let wish = |n: u32| {
            let pair = [(n % 10 + 1).to_string(), ((n * 3 + 1) % 10 + 1).to_string()];
            let seats = if pair[0] == pair[1] { &pair[..1] } else { &pair[..] };
            fixture.wish(&format!("r{n}"), &seats.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let sold = taken(&rush(&fixture.service, (0..200).map(wish)).await);
        let mut last = 0;
        for n in 1..=10 {
            last += usize::from(fixture.hold(&format!("last{n}"), &[&n.to_string()]).await.is_ok());
        }
        assert_eq!(sold + last, 10);
        assert_eq!(fixture.counts("A").await, Counts { held: 10, ..Counts::default() });
        fixture.check(&[&fixture.service]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_get_the_last_places_of_general_admission() {
    for shared in [false, true] {
        let fixture = if shared { Fixture::shared().await } else { Fixture::new().await };
        let answers = rush(&fixture.service, (0..200).map(|n| fixture.any(&format!("r{n}"), 1))).await;
        assert_eq!(taken(&answers), 3, "the very last place is found, and none twice");
        assert_eq!(fixture.counts("floor").await, Counts { held: 3, ..Counts::default() });
        fixture.check(&[&fixture.service]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn due_holds_go_to_the_crowd_once() {
    for shared in [false, true] {
        let fixture = if shared { Fixture::shared().await } else { Fixture::new().await };
        hold(&fixture.service, fixture.any("late1", 2)).await.unwrap();
        hold(&fixture.service, fixture.any("late2", 1)).await.unwrap();
        fixture.hold("late3", &["1", "2"]).await.unwrap();
        fixture.clock.advance(crate::fixture::MINUTE);
        let wishes = (0..100).map(|n| match n % 2 {
            0 => fixture.any(&format!("r{n}"), 1),
            _ => fixture.wish(&format!("r{n}"), &["1"]),
        });
        assert_eq!(taken(&rush(&fixture.service, wishes).await), 4);
        fixture.check(&[&fixture.service]).await;
    }
}

/// Trap T-S2, invariant I4.
#[tokio::test(flavor = "multi_thread")]
async fn either_commit_or_release_wins_and_the_other_is_refused() {
    for shared in [false, true] {
        let fixture = if shared { Fixture::shared().await } else { Fixture::new().await };
        for n in 0..40 {
            let name = format!("r{n}");
            let seats = [(n % 10 + 1).to_string()];
            fixture.hold(&name, &[&seats[0]]).await.unwrap();
            let mut both = JoinSet::new();
            for _ in 0..3 {
                let (service, name) = (fixture.service.clone(), name.clone());
                both.spawn(async move { commit(&service, &name, "pay").await.map(|sold| Some(sold.order)) });
                let (service, name) = (fixture.service.clone(), format!("r{n}"));
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
                    Err(PortError::Rejected(Rejection::AlreadyCommitted { .. })) => assert!(sold),
                    Err(PortError::Rejected(Rejection::Expired)) => assert!(released),
                    Err(other) => panic!("{other:?}"),
                }
            }
            if sold {
                // A sold seat stays sold, so the next rounds continue without it.
                let taken = fixture.hold("other", &[&seats[0]]).await;
                assert!(matches!(taken, Err(PortError::Rejected(Rejection::SeatTaken(_)))), "{taken:?}");
                break;
            }
        }
        fixture.check(&[&fixture.service]).await;
    }
}

/// The same command many times at once has one effect and one answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_sent_many_times_at_once_has_one_effect() {
    let fixture = Fixture::new().await;
    let wish = fixture.wish("r1", &["1", "2", "3"]);
    let answers = rush(&fixture.service, (0..50).map(|_| wish.clone())).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    let any = fixture.any("r2", 2);
    let answers = rush(&fixture.service, (0..50).map(|_| any.clone())).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    assert_eq!(fixture.counts("floor").await, Counts { available: 1, held: 2, ..Counts::default() });
    let mut commits = JoinSet::new();
    for _ in 0..50 {
        let service = fixture.service.clone();
        commits.spawn(async move { commit(&service, "r1", "pay").await.unwrap() });
    }
    let sold = commits.join_all().await;
    assert!(sold.iter().all(|answer| *answer == sold[0]));
    fixture.check(&[&fixture.service]).await;
}

/// Two processes and a crowd in front of each.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_sell_each_seat_once() {
    let fixture = Fixture::shared().await;
    let other = fixture.another(inventory::Options::default());
    let wishes = |name: &str| {
        let (fixture, name) = (&fixture, name.to_owned());
        (0..60u32)
            .map(move |n| match n % 3 {
                0 => fixture.any(&format!("{name}{n}"), 1),
                _ => fixture.wish(&format!("{name}{n}"), &[&(n % 10 + 1).to_string()]),
            })
            .collect::<Vec<_>>()
    };
    let (a, b) = tokio::join!(rush(&fixture.service, wishes("a")), rush(&other, wishes("b")));
    assert_eq!(taken(&a) + taken(&b), 13);
    for (n, answer) in a.iter().flatten().chain(b.iter().flatten()).enumerate() {
        assert!(answer.seats.iter().all(|seat| seat.id != seat_id("99")), "{n}");
    }
    assert_eq!(counts(&fixture.service, "A").await, counts(&other, "A").await);
    fixture.check(&[&fixture.service, &other]).await;
    assert!(fixture.service.holds_of(&rsv("nobody")).await.unwrap().is_empty());
}
