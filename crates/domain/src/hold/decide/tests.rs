//! The decisions on a small stock: by hand, in every order of a small case, and at random in larger
//! ones.

use super::*;
use crate::hold::HoldKey;
use crate::id::SectionId;
use core::time::Duration;
use model::{Command, Model};
use proptest::prelude::*;

mod model;

fn seat(n: usize) -> SeatId {
    SeatId::parse(&format!("s{n}")).expect("an id")
}

fn rsv(buyer: usize) -> ReservationId {
    ReservationId::parse(&format!("rsv_{buyer}")).expect("an id")
}

fn intent(name: &str) -> PaymentIntentId {
    PaymentIntentId::parse(name).expect("an id")
}

fn show() -> ShowId {
    ShowId::parse("show").expect("an id")
}

fn person() -> PersonId {
    PersonId::parse("kim").expect("an id")
}

const NOBODY: Claim<'static> = Claim { show: None, seats: &[], quantity: None, person: None };
const HOLD: u64 = 2;

fn at(now: u64) -> Timestamp {
    Timestamp::from_millis(now)
}

fn live(seats: &[usize], until: u64) -> Hold {
    Hold {
        reservation: rsv(1),
        key: HoldKey::First,
        show: show(),
        any_of: None,
        seats: seats.iter().map(|n| seat(*n)).collect(),
        person: person(),
        until: at(until),
        placed_at: at(0),
        state: HoldState::Live,
        refused: Vec::new(),
        closed: false,
    }
}

fn released(cause: ReleaseCause) -> Hold {
    Hold { state: HoldState::Released { cause, at: at(7) }, ..live(&[0, 1], 5) }
}

/// Trap T-M1, found by simulation: the money of a refused payment is on its way back, so a commit
/// of it must not answer "sold" after another payment has bought the seats.
#[test]
fn a_refused_payment_stays_refused_when_another_has_bought_the_seats() {
    let mut first = released(ReleaseCause::Expired);
    first.refuse(Some(&intent("refused")));
    let order = OrderId::for_reservation(&first.reservation);
    let sold = HoldState::Committed { order, intent: Some(intent("bought")), at: at(9) };
    let retake = Hold { key: HoldKey::Retake, state: sold, refused: Vec::new(), ..first.clone() };
    let decide = |payment: Option<&PaymentIntentId>| commit(Some(&first), Some(&retake), NOBODY, payment);
    assert_eq!(decide(Some(&intent("refused"))), CommitDecision::Reject(Rejection::Expired));
    assert_eq!(decide(Some(&intent("bought"))), CommitDecision::Already(retake.clone()));
    assert_eq!(decide(Some(&intent("third"))), CommitDecision::Already(retake.clone()));
    assert_eq!(decide(None), CommitDecision::Already(retake.clone()));
}

/// Every command of the smallest case: three seats, and three buyers who each want two seats,
/// starting at their own.
fn smallest() -> Vec<Command> {
    let mut commands = vec![Command::Pass];
    for buyer in 0..3 {
        commands.push(Command::Hold { buyer, first: buyer, count: 2 });
        commands.push(Command::Commit { buyer, intent: 0 });
        commands.push(Command::Release { buyer, cause: Some(ReleaseCause::PaymentFailed) });
        commands.push(Command::Release { buyer, cause: Some(ReleaseCause::Expired) });
    }
    commands
}

/// Traps T-S1 and T-S2: three seats, three buyers, every order of up to nine commands. Orders with
/// the same rows at the same time continue as one.
#[test]
fn in_every_order_of_the_smallest_case_the_invariants_hold() {
    let mut frontier = vec![Model::new(3)];
    let mut seen = BTreeSet::new();
    let mut steps = 0;
    for _ in 0..9 {
        let mut next_frontier = Vec::new();
        for model in &frontier {
            for command in smallest() {
                let mut next = model.clone();
                next.apply(command);
                steps += 1;
                next.check_step(model);
                if seen.insert(format!("{} {:?} {:?}", next.now, next.seats, next.holds)) {
                    next.check();
                    next_frontier.push(next);
                }
            }
        }
        frontier = next_frontier;
    }
    assert!(steps > 50_000, "{steps} steps");
}

fn command() -> impl Strategy<Value = Command> {
    let cause = prop_oneof![
        Just(None),
        Just(Some(ReleaseCause::Expired)),
        Just(Some(ReleaseCause::PaymentFailed)),
        Just(Some(ReleaseCause::ByBuyer)),
    ];
    prop_oneof![
        3 => (0..3usize, 0..6usize, 1..5usize)
            .prop_map(|(buyer, first, count)| Command::Hold { buyer, first, count }),
        3 => (0..3usize, 0..20u8).prop_map(|(buyer, intent)| Command::Commit { buyer, intent }),
        3 => (0..3usize, cause).prop_map(|(buyer, cause)| Command::Release { buyer, cause }),
        1 => (0..3usize, 0..20u8).prop_map(|(buyer, intent)| Command::Refuse { buyer, intent }),
        2 => Just(Command::Pass),
    ]
}

proptest! {
    #[test]
    fn at_random_the_invariants_hold_after_each_step(
        seats in 3..7usize, commands in prop::collection::vec(command(), 1..80),
    ) {
        let mut model = Model::new(seats);
        for command in commands {
            let before = model.clone();
            model.apply(command);
            model.check_step(&before);
            model.check();
        }
    }
}

#[test]
fn a_contradictory_request_is_refused_with_the_reason() {
    let seats = |n: usize| (0..n).map(seat).collect::<Vec<_>>();
    let cases = [
        (seats(0), 0, Err(BadRequest::NoSeats)),
        (seats(0), 10, Ok(10)),
        (seats(0), 11, Err(BadRequest::TooManySeats(11))),
        (seats(0), u32::MAX, Err(BadRequest::TooManySeats(u32::MAX))),
        (seats(10), 0, Ok(10)),
        (seats(11), 11, Err(BadRequest::TooManySeats(11))),
        (seats(2), 3, Err(BadRequest::QuantityMismatch { seats: 2, quantity: 3 })),
        (seats(2), 11, Err(BadRequest::TooManySeats(11))),
        (vec![seat(1), seat(1)], 1, Err(BadRequest::DuplicateSeat(seat(1)))),
        (vec![seat(1), seat(2), seat(1)], 3, Err(BadRequest::DuplicateSeat(seat(1)))),
    ];
    for (seats, quantity, expected) in cases {
        assert_eq!(check_request(&seats, quantity), expected, "{seats:?} {quantity}");
    }
}

#[test]
fn seats_are_available_now_or_after_a_release_or_not() {
    let free = Seat::UNWRITTEN;
    let held = Seat { version: 1, state: SeatState::Held { by: rsv(1), until: at(5) } };
    let sold = Seat { version: 2, state: SeatState::Sold { order: OrderId::for_reservation(&rsv(2)) } };
    let blocked = Seat { version: 1, state: SeatState::Blocked };
    let ids = [seat(0), seat(1)];
    let both = |a, b, now| take([(&ids[0], a), (&ids[1], b)], at(now));
    assert_eq!(both(&free, &free, 9), Take::Now);
    assert_eq!(both(&free, &held, 5), Take::After(vec![rsv(1)]));
    assert_eq!(both(&held, &held, 5), Take::After(vec![rsv(1)]), "once");
    assert_eq!(both(&free, &held, 4), Take::Taken(vec![seat(1)]));
    assert_eq!(both(&held, &sold, 9), Take::Taken(vec![seat(1)]));
    assert_eq!(both(&blocked, &held, 4), Take::Taken(vec![seat(0), seat(1)]));
}

/// Trap T-S2.
#[test]
fn a_commit_finds_one_of_its_typed_answers() {
    let pay = intent("pay");
    let by = |first: Option<&Hold>, retake| commit(first, retake, NOBODY, Some(&pay));
    let order = OrderId::for_reservation(&rsv(1));
    assert_eq!(by(None, None), CommitDecision::Reject(Rejection::NoSuchHold));
    assert_eq!(by(Some(&live(&[0], 5)), None), CommitDecision::Seal { order: order.clone() });
    let state = HoldState::Committed { order: order.clone(), intent: Some(pay.clone()), at: at(3) };
    let sold = Hold { state: state.clone(), ..live(&[0], 5) };
    assert_eq!(by(Some(&sold), None), CommitDecision::Already(sold.clone()));
    for cause in [ReleaseCause::Expired, ReleaseCause::PaymentFailed] {
        assert_eq!(by(Some(&released(cause)), None), CommitDecision::Retake { order: order.clone() });
    }
    let cancelled = by(Some(&released(ReleaseCause::ByBuyer)), None);
    assert_eq!(cancelled, CommitDecision::Reject(Rejection::Expired));
    let retake = Hold { key: HoldKey::Retake, state, ..live(&[3], 5) };
    let again = by(Some(&released(ReleaseCause::Expired)), Some(&retake));
    assert_eq!(again, CommitDecision::Already(retake));
}

#[test]
fn a_claim_about_a_hold_must_match_it() {
    let hold = live(&[0, 1], 5);
    let (other_show, other_person) =
        (ShowId::parse("other").expect("an id"), PersonId::parse("lee").expect("an id"));
    let (reversed, one, third) = ([seat(1), seat(0)], [seat(0)], [seat(0), seat(2)]);
    let right = Claim { seats: &reversed, quantity: Some(2), ..NOBODY };
    assert!(matches!(commit(Some(&hold), None, right, None), CommitDecision::Seal { .. }));
    for wrong in [
        Claim { show: Some(&other_show), ..NOBODY },
        Claim { person: Some(&other_person), ..NOBODY },
        Claim { quantity: Some(1), ..NOBODY },
        Claim { seats: &one, ..NOBODY },
        Claim { seats: &third, ..NOBODY },
    ] {
        let commit = commit(Some(&hold), None, wrong, None);
        assert_eq!(commit, CommitDecision::Reject(Rejection::NotOwner), "{wrong:?}");
        let release = release(Some(&hold), None, wrong, None, at(9));
        assert_eq!(release, ReleaseDecision::Reject(Rejection::NotOwner), "{wrong:?}");
    }
}

/// Invariant I7, trap T-S7.
#[test]
fn an_expiry_before_its_time_is_refused_with_the_time_left() {
    let hold = live(&[0], 5);
    let by = |cause, now| release(Some(&hold), None, NOBODY, cause, at(now));
    let left = Duration::from_millis(1);
    let expired = Some(ReleaseCause::Expired);
    assert_eq!(by(expired, 4), ReleaseDecision::Reject(Rejection::NotDue { left }));
    assert_eq!(by(expired, 5), ReleaseDecision::Release(ReleaseCause::Expired));
    assert_eq!(by(None, 4), ReleaseDecision::Reject(Rejection::NotDue { left }), "case P16");
    assert_eq!(by(None, 5), ReleaseDecision::Release(ReleaseCause::Expired));
    assert_eq!(by(Some(ReleaseCause::ByBuyer), 9), ReleaseDecision::Release(ReleaseCause::ByBuyer));
}

/// Trap T-S2: a late expiry gave a sold seat away.
#[test]
fn a_release_after_a_commit_or_a_release_changes_nothing() {
    let order = OrderId::for_reservation(&rsv(1));
    let state = HoldState::Committed { order: order.clone(), intent: None, at: at(3) };
    let sold = Hold { state: state.clone(), ..live(&[0], 5) };
    let retake = Hold { key: HoldKey::Retake, state, ..live(&[0], 5) };
    let gone = released(ReleaseCause::PaymentFailed);
    for cause in
        [None, Some(ReleaseCause::Expired), Some(ReleaseCause::PaymentFailed), Some(ReleaseCause::ByBuyer)]
    {
        let already =
            ReleaseDecision::Reject(Rejection::AlreadyCommitted { order: order.clone(), intent: None });
        assert_eq!(release(Some(&sold), None, NOBODY, cause, at(9)), already);
        assert_eq!(release(Some(&gone), Some(&retake), NOBODY, cause, at(9)), already);
        let (failed, at7) = (ReleaseCause::PaymentFailed, at(7));
        let before = match cause {
            Some(ReleaseCause::ByBuyer) => ReleaseDecision::Close { cause: failed, at: at7 },
            _ => ReleaseDecision::Before { cause: failed, at: at7 },
        };
        assert_eq!(release(Some(&gone), None, NOBODY, cause, at(9)), before);
        let closed = Hold { closed: true, ..gone.clone() };
        let before = ReleaseDecision::Before { cause: failed, at: at7 };
        assert_eq!(release(Some(&closed), None, NOBODY, cause, at(9)), before);
        let unknown = ReleaseDecision::Reject(Rejection::NoSuchHold);
        assert_eq!(release(None, None, NOBODY, cause, at(9)), unknown);
    }
}

/// Trap T-M1: a payment that was refused, so that its payer gets the money back, never gets the
/// seats later.
#[test]
fn a_refused_payment_stays_refused_and_refuses_nobody_else() {
    let mut hold = released(ReleaseCause::Expired);
    hold.refuse(Some(&intent("a")));
    let by = |hold: &Hold, pay: Option<&str>| {
        commit(Some(hold), None, NOBODY, pay.map(intent).as_ref())
            == CommitDecision::Reject(Rejection::Expired)
    };
    assert!(by(&hold, Some("a")));
    assert!(!by(&hold, Some("b")));
    assert!(by(&hold, None), "a commit without a payment may be the refused one");
    for n in 2..REFUSALS_MAX {
        hold.refuse(Some(&intent(&n.to_string())));
    }
    assert!(!by(&hold, Some("b")));
    hold.refuse(Some(&intent("c")));
    assert!(by(&hold, Some("b")), "after {REFUSALS_MAX} refusals no payment is accepted");
    let mut nameless = released(ReleaseCause::PaymentFailed);
    nameless.refuse(None);
    assert!(by(&nameless, Some("a")) && by(&nameless, None));
}

/// Rules R2: whichever of a refusal and a commit comes first decides.
#[test]
fn a_refused_payment_buys_nothing_and_a_payment_that_bought_is_not_refused() {
    let (mine, other) = (intent("a"), intent("b"));
    assert_eq!(refuse(None, None, &mine), RefuseDecision::NoHold);
    let RefuseDecision::Record(refused) = refuse(Some(&live(&[0], 5)), None, &mine) else {
        panic!("a live hold remembers it");
    };
    assert_eq!(refuse(Some(&refused), None, &mine), RefuseDecision::Before);
    let no = CommitDecision::Reject(Rejection::PaymentRefused);
    assert_eq!(commit(Some(&refused), None, NOBODY, Some(&mine)), no);
    assert!(matches!(commit(Some(&refused), None, NOBODY, Some(&other)), CommitDecision::Seal { .. }));
    let order = OrderId::for_reservation(&rsv(1));
    let sold = |by: Option<&PaymentIntentId>| Hold {
        state: HoldState::Committed { order: order.clone(), intent: by.cloned(), at: at(3) },
        ..live(&[0], 5)
    };
    let already =
        |intent| RefuseDecision::Reject(Rejection::AlreadyCommitted { order: order.clone(), intent });
    assert_eq!(refuse(Some(&sold(Some(&mine))), None, &mine), already(Some(mine.clone())));
    assert_eq!(refuse(Some(&sold(None)), None, &mine), already(None), "it may be this one's");
    assert!(matches!(refuse(Some(&sold(Some(&other))), None, &mine), RefuseDecision::Record(_)));
    let retake = Hold { key: HoldKey::Retake, ..sold(Some(&mine)) };
    let gone = released(ReleaseCause::Expired);
    assert_eq!(refuse(Some(&gone), Some(&retake), &mine), already(Some(mine.clone())));
}

/// Case P6: seats that were sold without naming a payment belong to the first payment that asks.
#[test]
fn a_commit_without_a_payment_is_adopted_by_the_first_that_names_one() {
    let order = OrderId::for_reservation(&rsv(1));
    let state = HoldState::Committed { order, intent: None, at: at(3) };
    let sold = Hold { state, ..live(&[0], 5) };
    let CommitDecision::Adopt(adopted) = commit(Some(&sold), None, NOBODY, Some(&intent("a"))) else {
        panic!("nobody's payment is known");
    };
    assert_eq!(commit(Some(&sold), None, NOBODY, None), CommitDecision::Already(sold.clone()));
    let second = commit(Some(&adopted), None, NOBODY, Some(&intent("b")));
    assert_eq!(second, CommitDecision::Already(adopted));
}

/// Rules R6, case M3: after a cancel no payment takes the seats again.
#[test]
fn a_cancel_after_the_release_closes_the_hold() {
    for cause in [ReleaseCause::Expired, ReleaseCause::PaymentFailed] {
        let gone = released(cause);
        let cancel = release(Some(&gone), None, NOBODY, Some(ReleaseCause::ByBuyer), at(9));
        assert_eq!(cancel, ReleaseDecision::Close { cause, at: at(7) });
        let closed = Hold { closed: true, ..gone };
        let late = commit(Some(&closed), None, NOBODY, Some(&intent("a")));
        assert_eq!(late, CommitDecision::Reject(Rejection::Expired));
    }
}

#[test]
fn a_repeated_hold_is_compared_with_the_first() {
    let named = live(&[0, 1], 5);
    let any = Hold { any_of: SectionId::parse("a").ok(), ..named.clone() };
    let seats = [seat(0), seat(1)];
    let lee = PersonId::parse("lee").expect("an id");
    let different = Err(Rejection::BadRequest(BadRequest::DifferentSeats));
    assert_eq!(named.same_request(&show(), &seats, 2, &person()), Ok(()));
    assert_eq!(any.same_request(&show(), &[], 2, &person()), Ok(()));
    assert_eq!(named.same_request(&show(), &seats, 2, &lee), Err(Rejection::NotOwner));
    assert_eq!(named.same_request(&show(), &[], 2, &person()), different);
    assert_eq!(any.same_request(&show(), &seats, 2, &person()), different);
    assert_eq!(any.same_request(&show(), &[], 1, &person()), different);
    let elsewhere = ShowId::parse("other").expect("an id");
    assert_eq!(named.same_request(&elsewhere, &seats, 2, &person()), different);
}

#[test]
fn a_cause_is_read_as_it_is_written() {
    for cause in [ReleaseCause::Expired, ReleaseCause::PaymentFailed, ReleaseCause::ByBuyer] {
        assert_eq!(ReleaseCause::parse(cause.as_str()), Some(cause));
        assert_eq!(ReleaseCause::parse(&cause.as_str().to_lowercase()), Some(cause));
    }
    assert_eq!(ReleaseCause::parse("because"), None);
}
