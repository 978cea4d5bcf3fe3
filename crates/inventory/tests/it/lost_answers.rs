//! Answers of the engine that are lost or late, or that report a conflict (trap T-S9).

use crate::fixture::{Answer, Fixture, MINUTE, commit, counts, failure, hold, refusal, release, seat_id};
use core::time::Duration;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::invariant::Counts;
use ports::FaultClass;
use ports::inventory::HeldState;
use testkit::Call;
use testkit::Fate::{AnswerLost, Conflict, Failed, Hangs, Late, Lost};

const DEADLINE: Duration = Duration::from_millis(250);

/// Runs a command whose commit hangs until its deadline has passed.
async fn past_the_deadline<T: core::fmt::Debug>(fixture: &Fixture, command: impl Future<Output = Answer<T>>) {
    let pass = async {
        while fixture.store.late() == 0 {
            tokio::task::yield_now().await;
        }
        fixture.clock.advance(DEADLINE);
    };
    fixture.store.plan(Call::Commit, [Hangs]);
    let (answer, ()) = tokio::join!(command, pass);
    assert_eq!(failure(answer), FaultClass::Unavailable);
}

/// Trap T-S9: the stored rows show whether a write was lost or applied.
#[tokio::test]
async fn a_hold_whose_answer_was_lost_is_found_by_its_caller() {
    let fixture = Fixture::new().await;
    fixture.store.plan(Call::Commit, [AnswerLost]);
    assert_eq!(fixture.hold("r1", &["1", "2"]).await.unwrap().state, HeldState::Live);
    fixture.store.plan(Call::Commit, [Lost]);
    assert_eq!(failure(fixture.hold("r2", &["3"]).await), FaultClass::Unavailable);
    assert_eq!(fixture.counts("A").await, Counts { available: 8, held: 2, ..Counts::default() });
    fixture.hold("r2", &["3"]).await.unwrap();
    fixture.check(&[&fixture.service]).await;
}

/// Trap T-S9.
#[tokio::test]
async fn commit_and_release_whose_answers_were_lost_are_decided_again() {
    for fate in [AnswerLost, Lost] {
        let fixture = Fixture::new().await;
        fixture.hold("r1", &["1"]).await.unwrap();
        fixture.hold("r2", &["2"]).await.unwrap();
        fixture.store.plan(Call::Commit, [fate]);
        commit(&fixture.service, "r1", "pay").await.unwrap();
        fixture.store.plan(Call::Commit, [fate]);
        release(&fixture.service, "r2", Some(ReleaseCause::PaymentFailed)).await.unwrap();
        fixture.store.plan(Call::Commit, [fate]);
        commit(&fixture.service, "r2", "late").await.unwrap();
        assert_eq!(fixture.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
        fixture.check(&[&fixture.service]).await;
    }
}

/// Trap T-S9.
#[tokio::test]
async fn a_refusal_whose_answer_was_lost_is_still_final() {
    for fate in [AnswerLost, Lost] {
        let fixture = Fixture::new().await;
        fixture.hold("r1", &["1"]).await.unwrap();
        release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed)).await.unwrap();
        fixture.hold("r2", &["1"]).await.unwrap();
        fixture.store.plan(Call::Commit, [fate]);
        assert_eq!(refusal(commit(&fixture.service, "r1", "pay").await), Rejection::Expired);
        release(&fixture.service, "r2", Some(ReleaseCause::ByBuyer)).await.unwrap();
        assert_eq!(refusal(commit(&fixture.service, "r1", "pay").await), Rejection::Expired);
    }
}

/// Trap T-S9: the write lands after the row was read again, and nobody touches the seat in between.
#[tokio::test]
async fn a_hold_that_lands_late_is_in_the_next_status_and_can_be_ended() {
    let fixture = Fixture::new().await;
    fixture.store.plan(Call::Commit, [Late]);
    assert_eq!(failure(fixture.hold("r1", &["1"]).await), FaultClass::Unavailable);
    assert_eq!(fixture.counts("A").await.available, 10, "it may land yet");
    assert_eq!(fixture.store.land().await, 1);
    assert_eq!(fixture.counts("A").await, Counts { available: 9, held: 1, ..Counts::default() });
    assert_eq!(refusal(fixture.hold("r2", &["1"]).await), Rejection::SeatTaken(vec![seat_id("1")]));
    assert_eq!(fixture.hold("r1", &["1"]).await.unwrap().state, HeldState::Live);
    commit(&fixture.service, "r1", "pay").await.unwrap();
    fixture.check(&[&fixture.service]).await;
}

/// Trap T-S9: memory says that the seat is held, but the release landed after all.
#[tokio::test]
async fn a_release_that_lands_late_frees_the_seat_for_the_next_buyer() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    let command = release(&fixture.service, "r1", Some(ReleaseCause::PaymentFailed));
    past_the_deadline(&fixture, command).await;
    assert_eq!(refusal(fixture.hold("r2", &["1"]).await), Rejection::SeatTaken(vec![seat_id("1")]));
    assert_eq!(fixture.store.land().await, 1);
    fixture.hold("r2", &["1"]).await.unwrap();
    let before = release(&fixture.service, "r1", None).await.unwrap();
    assert!(matches!(before, Released::Before { cause: ReleaseCause::PaymentFailed, .. }));
    fixture.check(&[&fixture.service]).await;
}

/// Trap T-S9: even if it lands so late that the seat was due meanwhile and nobody asked for it.
#[tokio::test]
async fn a_late_release_with_a_lost_answer_frees_every_seat() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    past_the_deadline(&fixture, release(&fixture.service, "r1", Some(ReleaseCause::ByBuyer))).await;
    assert_eq!(fixture.counts("A").await.held, 1);
    assert_eq!(fixture.store.land().await, 1);
    fixture.clock.advance(2 * MINUTE);
    fixture.hold("r2", &["1"]).await.unwrap();
    assert_eq!(fixture.counts("A").await, Counts { available: 9, held: 1, ..Counts::default() });
    fixture.check(&[&fixture.service]).await;
}

/// The answer comes within the deadline or is UNAVAILABLE, and leaves no mark on the seats.
#[tokio::test]
async fn a_command_past_its_deadline_fails_and_blocks_no_other() {
    let fixture = Fixture::new().await;
    past_the_deadline(&fixture, fixture.hold("r1", &["1"])).await;
    fixture.hold("r2", &["1"]).await.unwrap();
    assert_eq!(fixture.store.land().await, 0, "the version has moved on");
    past_the_deadline(&fixture, commit(&fixture.service, "r2", "pay")).await;
    past_the_deadline(&fixture, hold(&fixture.service, fixture.any("r3", 3))).await;
    assert_eq!(fixture.store.land().await, 2);
    assert_eq!(
        refusal(hold(&fixture.service, fixture.any("r4", 1)).await),
        Rejection::SoldOut { remaining: 0 }
    );
    let late = release(&fixture.service, "r2", Some(ReleaseCause::Expired)).await;
    assert!(matches!(refusal(late), Rejection::AlreadyCommitted { .. }), "the slow commit was carried out");
    fixture.check(&[&fixture.service]).await;
}

/// A caller that waits for a hanging change is answered at its own deadline, or continues when the
/// change is given up.
#[tokio::test]
async fn a_caller_behind_a_slow_rival_continues_when_the_rival_gives_up() {
    let fixture = Fixture::new().await;
    let rival = async {
        past_the_deadline(&fixture, fixture.hold("r1", &["1"])).await;
    };
    let next = async {
        while fixture.store.late() == 0 {
            tokio::task::yield_now().await;
        }
        fixture.hold("r2", &["1"]).await
    };
    let ((), next) = tokio::join!(rival, next);
    match next {
        Ok(held) => assert_eq!(held.state, HeldState::Live),
        // Its own deadline was the same moment.
        Err(error) => assert_eq!(failure::<()>(Err(error)), FaultClass::Unavailable),
    }
    fixture.hold("r2", &["1"]).await.unwrap();
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn a_storm_of_conflicts_ends_in_a_transient_failure_and_then_in_success() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    for at in [1, 0] {
        fixture.store.plan(Call::Commit, [Conflict(at); 40]);
        if at == 1 {
            assert_eq!(failure(fixture.hold("r2", &["2"]).await), FaultClass::Transient);
        }
        assert_eq!(failure(commit(&fixture.service, "r1", "pay").await), FaultClass::Transient);
        fixture.store.heal();
    }
    fixture.hold("r2", &["2"]).await.unwrap();
    fixture.store.plan(Call::Commit, [Conflict(0), Conflict(1), Conflict(1)]);
    commit(&fixture.service, "r1", "pay").await.unwrap();
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn an_engine_out_of_order_changes_nothing() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    fixture.store.plan(Call::Commit, [Failed, Failed, Failed]);
    assert_eq!(failure(fixture.hold("r2", &["2"]).await), FaultClass::Unavailable);
    assert_eq!(failure(commit(&fixture.service, "r1", "pay").await), FaultClass::Unavailable);
    let cancel = Some(ReleaseCause::ByBuyer);
    assert_eq!(failure(release(&fixture.service, "r1", cancel).await), FaultClass::Unavailable);
    assert_eq!(counts(&fixture.service, "A").await, Counts { available: 9, held: 1, ..Counts::default() });
    fixture.hold("r2", &["2"]).await.unwrap();
    commit(&fixture.service, "r1", "pay").await.unwrap();
    fixture.check(&[&fixture.service]).await;
}
