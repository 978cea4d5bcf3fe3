//! Creating shows, and taking seats off sale.

use crate::fixture::{Fixture, commit, refusal, seat_id, show, sole};
use domain::hold::Rejection;
use domain::id::{SeatId, ShowId};
use domain::invariant::Counts;
use domain::seat::SeatStatus;
use domain::show::{Layout, Listed, RowRange, Rows, Show};
use inventory::{CreateShowError, Created};
use ports::PortError;
use testkit::Call;
use testkit::Fate::{AnswerLost, Lost};
use tokio::task::JoinSet;

/// A show whose definition needs several commits.
fn large(id: &str, price: u64) -> Show {
    let mut show = show(id);
    let rows = (0..2_500).map(|n| RowRange { row: format!("r{n}"), from: 1, to: 4 }).collect();
    show.sections[0].layout = Layout::Rows(Rows::new(rows));
    let listed = (0..1_500).map(|n| SeatId::parse(&format!("box {n}")).unwrap()).collect();
    show.sections[1].layout = Layout::Listed(Listed::new(listed));
    show.sections[1].price = price;
    show
}

#[tokio::test]
async fn the_same_show_again_is_the_same_and_another_is_refused() {
    let fixture = Fixture::new().await;
    let wanted = large("large", 5);
    assert_eq!(fixture.service.create_show(&wanted).await.unwrap(), Created::Now);
    assert_eq!(fixture.service.create_show(&wanted).await.unwrap(), Created::Before);
    let other = fixture.service.create_show(&large("large", 6)).await;
    assert!(matches!(other, Err(CreateShowError::Different)), "{other:?}");
    let restarted = fixture.another(sole());
    assert_eq!(*restarted.definition(&wanted.id).await.unwrap().unwrap(), wanted);
    assert_eq!(restarted.shows().await.unwrap().len(), 2);
    assert!(restarted.definition(&ShowId::parse("none").unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_wrong_definition_is_refused_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let mut wrong = show("wrong");
    wrong.sections[1].layout = Layout::Places(0);
    let answer = fixture.service.create_show(&wrong).await;
    assert!(matches!(answer, Err(CreateShowError::Invalid(_))), "{answer:?}");
    assert!(fixture.service.definition(&wrong.id).await.unwrap().is_none());
}

/// Two operators, one id: the show is one of theirs, not a mixture.
#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_two_shows_with_the_same_id_goes_on_sale() {
    for round in 0..5 {
        let fixture = Fixture::new().await;
        let other = fixture.another(inventory::Options::default());
        let mut operators = JoinSet::new();
        for n in 0..6 {
            let (service, show) =
                ([fixture.service.clone(), other.clone()][n % 2].clone(), large("x", n as u64));
            operators.spawn(async move { (service.create_show(&show).await, show) });
        }
        let answers = operators.join_all().await;
        let winners: Vec<&Show> =
            answers.iter().filter(|(answer, _)| answer.is_ok()).map(|(_, show)| show).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let stored = other.definition(&winners[0].id).await.unwrap().unwrap();
        assert_eq!(*stored, *winners[0]);
    }
}

/// The process died between the sections and the show's own row, or the answer was lost at any
/// step.
#[tokio::test]
async fn a_creation_that_was_cut_short_is_completed_by_its_repetition() {
    for step in 0..2 {
        for fate in [Lost, AnswerLost] {
            let fixture = Fixture::new().await;
            let wanted = large("large", 5);
            let fates = (0..=step).map(|n| if n == step { fate } else { testkit::Fate::Done });
            fixture.store.plan(Call::Commit, fates);
            match fixture.service.create_show(&wanted).await {
                Ok(_) => {}
                Err(CreateShowError::Failed(_)) => {
                    assert!(fixture.service.definition(&wanted.id).await.unwrap().is_none(), "not half");
                }
                Err(other) => panic!("{other:?}"),
            }
            fixture.service.create_show(&wanted).await.unwrap();
            assert_eq!(*fixture.another(sole()).definition(&wanted.id).await.unwrap().unwrap(), wanted);
        }
    }
}

#[tokio::test]
async fn a_show_is_found_as_soon_as_it_exists() {
    let fixture = Fixture::new().await;
    let wanted = show("later");
    let unknown = fixture.service.status(&wanted.id, None).await;
    assert!(matches!(unknown, Err(PortError::Rejected(Rejection::NoSuchShow))));
    fixture.service.create_show(&wanted).await.unwrap();
    assert_eq!(fixture.service.status(&wanted.id, None).await.unwrap().counts[0].available, 10);
}

#[tokio::test]
async fn only_free_seats_are_blocked_and_only_blocked_ones_unblocked() {
    let fixture = Fixture::new().await;
    let id = ShowId::parse("show").unwrap();
    fixture.hold("r1", &["1"]).await.unwrap();
    fixture.hold("r2", &["2"]).await.unwrap();
    commit(&fixture.service, "r2", "pay").await.unwrap();
    let wanted = ["1", "2", "3", "4", "nowhere"].map(seat_id);
    for _ in 0..2 {
        let outcomes: Vec<_> = fixture.service.set_blocked(&id, &wanted, true).await.unwrap();
        let outcomes: Vec<_> = outcomes.into_iter().map(|change| change.outcome).collect();
        let held = Err(Some(SeatStatus::Held));
        assert_eq!(outcomes, [held, Err(Some(SeatStatus::Sold)), Ok(()), Ok(()), Err(None)]);
    }
    assert_eq!(fixture.counts("A").await, Counts { available: 6, held: 1, sold: 1, blocked: 2 });
    assert_eq!(refusal(fixture.hold("r3", &["3"]).await), Rejection::SeatTaken(vec![seat_id("3")]));
    for fate in [Lost, AnswerLost] {
        fixture.store.plan(Call::Commit, [fate]);
        for blocked in [false, true] {
            let changes = fixture.service.set_blocked(&id, &wanted[2..3], blocked).await.unwrap();
            assert_eq!(changes[0].outcome, Ok(()));
        }
    }
    fixture.service.set_blocked(&id, &wanted[2..4], false).await.unwrap();
    fixture.hold("r3", &["3", "4"]).await.unwrap();
    fixture.check(&[&fixture.service]).await;
}
