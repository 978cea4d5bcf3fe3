//! Each command on its own: idempotent, all or none, typed refusals.

use crate::fixture::{Fixture, MINUTE, commit, hold, refusal, release, rsv, seat_id};
use domain::hold::{BadRequest, Rejection, ReleaseCause, Released};
use domain::id::{OrderId, SectionId};
use domain::invariant::Counts;
use domain::seat::SeatStatus;
use ports::Clock;
use ports::inventory::{HeldState, HoldSeats};

/// Trap T-S1: stock moved on commit only, and release added stock that was never taken.
#[tokio::test]
async fn a_hold_takes_a_commit_seals_and_a_release_returns() {
    let fixture = Fixture::new().await;
    let held = fixture.hold("r1", &["1", "2"]).await.unwrap();
    assert_eq!((held.total.amount, held.state), (240_000, HeldState::Live));
    fixture.hold("r2", &["3"]).await.unwrap();
    assert_eq!(fixture.counts("A").await, Counts { available: 7, held: 3, ..Counts::default() });
    let sold = commit(&fixture.service, "r1", "pay_1").await.unwrap();
    assert_eq!(sold.order, OrderId::for_reservation(&rsv("r1")));
    release(&fixture.service, "r2", Some(ReleaseCause::PaymentFailed)).await.unwrap();
    assert_eq!(fixture.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
    for _ in 0..3 {
        commit(&fixture.service, "r1", "pay_1").await.unwrap();
        release(&fixture.service, "r2", Some(ReleaseCause::PaymentFailed)).await.unwrap();
        refusal(release(&fixture.service, "r1", None).await);
        refusal(release(&fixture.service, "nobody", None).await);
    }
    assert_eq!(fixture.counts("A").await, Counts { available: 8, sold: 2, ..Counts::default() });
    fixture.check(&[&fixture.service]).await;
}

/// A repetition that finds its hold due must not release it and take the seats anew.
#[tokio::test]
async fn a_late_repetition_of_a_hold_leaves_it_to_its_owner() {
    let fixture = Fixture::new().await;
    let first = fixture.hold("r1", &["1", "2"]).await.unwrap();
    fixture.clock.advance(2 * MINUTE);
    let again = fixture.hold("r1", &["1", "2"]).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(commit(&fixture.service, "r1", "pay_1").await.unwrap().seats.len(), 2);
}

#[tokio::test]
async fn a_repeated_hold_for_other_seats_is_refused() {
    let fixture = Fixture::new().await;
    hold(&fixture.service, fixture.any("r1", 2)).await.unwrap();
    let different = Rejection::BadRequest(BadRequest::DifferentSeats);
    let elsewhere = HoldSeats { section: SectionId::parse("A").ok(), ..fixture.any("r1", 2) };
    for wish in [fixture.any("r1", 1), fixture.wish("r1", &["1", "2"]), elsewhere] {
        assert_eq!(refusal(hold(&fixture.service, wish.clone()).await), different, "{wish:?}");
    }
    let stranger = HoldSeats { person: domain::id::PersonId::parse("lee").unwrap(), ..fixture.any("r1", 2) };
    assert_eq!(refusal(hold(&fixture.service, stranger).await), Rejection::NotOwner);
    fixture.check(&[&fixture.service]).await;
}

/// Trap T-S7: the next buyer can take a due hold at once.
#[tokio::test]
async fn the_next_buyer_takes_a_due_hold_but_never_an_earlier_one() {
    let fixture = Fixture::new().await;
    hold(&fixture.service, fixture.any("late", 3)).await.unwrap();
    let sold_out = Rejection::SoldOut { remaining: 0 };
    assert_eq!(refusal(hold(&fixture.service, fixture.any("next", 2)).await), sold_out);
    let left = match refusal(release(&fixture.service, "late", Some(ReleaseCause::Expired)).await) {
        Rejection::NotDue { left } => left,
        other => panic!("{other:?}"),
    };
    assert_eq!(left, MINUTE);
    fixture.clock.advance(MINUTE);
    hold(&fixture.service, fixture.any("next", 2)).await.unwrap();
    let late = release(&fixture.service, "late", None).await.unwrap();
    assert_eq!(late, Released::Before { cause: ReleaseCause::Expired, at: fixture.clock.now() });
    assert_eq!(fixture.counts("floor").await, Counts { available: 1, held: 2, ..Counts::default() });
    fixture.check(&[&fixture.service]).await;
}

/// Trap T-S6: seats that do not exist could be sold. Trap T-S5: "sold out" was unreachable.
#[tokio::test]
async fn unknown_seats_cannot_be_held() {
    let fixture = Fixture::new().await;
    for stranger in ["11", "0", "A-2-1", "floor-4", "A-1-01", "B-1"] {
        let refused = refusal(fixture.hold("r1", &["1", stranger]).await);
        assert_eq!(refused, Rejection::NoSuchSeat(seat_id(stranger)));
    }
    assert_eq!(
        refusal(hold(&fixture.service, fixture.any("r1", 4)).await),
        Rejection::SoldOut { remaining: 3 }
    );
    fixture.hold("r1", &["floor-1", "1"]).await.unwrap();
    assert_eq!(
        refusal(hold(&fixture.service, fixture.any("r2", 3)).await),
        Rejection::SoldOut { remaining: 2 }
    );
    hold(&fixture.service, fixture.any("r2", 2)).await.unwrap();
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn a_status_lists_seats_as_they_are() {
    let fixture = Fixture::new().await;
    fixture.hold("r1", &["1"]).await.unwrap();
    fixture.hold("r2", &["2"]).await.unwrap();
    commit(&fixture.service, "r2", "pay").await.unwrap();
    let show = fixture.wish("x", &[]).show;
    fixture.service.set_blocked(&show, &[seat_id("3")], true).await.unwrap();
    let seats = fixture.service.seats(&show, &SectionId::parse("A").unwrap()).await.unwrap();
    let statuses: Vec<SeatStatus> = seats.iter().take(4).map(|seat| seat.status).collect();
    use SeatStatus::{Available, Blocked, Held, Sold};
    assert_eq!(statuses, [Held, Sold, Blocked, Available]);
    let (known, unknown) =
        fixture.service.look_up(&show, &[seat_id("2"), seat_id("99"), seat_id("4")]).await.unwrap();
    assert_eq!(known.iter().map(|seat| seat.status).collect::<Vec<_>>(), [Sold, Available]);
    assert_eq!(unknown, [seat_id("99")]);
}
