//! The decisions on a small stock: by hand, in every order of a small case, and at random in larger ones.

use super::*;
use crate::hold::HoldKey;
use crate::id::SectionId;
use crate::invariant::{self, Counts, Owner, Phase, SeatRow, Section, World};
use core::time::Duration;
use proptest::prelude::*;
use std::collections::BTreeMap;

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
        retakes_closed: false,
    }
}

fn released(cause: ReleaseCause) -> Hold {
    Hold { state: HoldState::Released { cause, at: at(7) }, ..live(&[0, 1], 5) }
}

/// What buyers do to the model; everything else follows from the decisions.
#[derive(Debug, Clone, Copy)]
enum Command {
    Hold { buyer: usize, first: usize, count: usize },
    Commit { buyer: usize, intent: u8 },
    Release { buyer: usize, cause: Option<ReleaseCause> },
    Pass,
}

/// Rows as the inventory stores them, changed only by decisions.
#[derive(Clone)]
struct Model {
    now: u64,
    seats: Vec<Seat>,
    holds: BTreeMap<(ReservationId, HoldKey), Hold>,
}

impl Model {
    fn new(seats: usize) -> Self {
        Self { now: 0, seats: vec![Seat::UNWRITTEN; seats], holds: BTreeMap::new() }
    }

    fn of(&self, reservation: &ReservationId) -> (Option<Hold>, Option<Hold>) {
        let get = |key| self.holds.get(&(reservation.clone(), key)).cloned();
        (get(HoldKey::First), get(HoldKey::Retake))
    }

    fn put(&mut self, hold: Hold) {
        self.holds.insert((hold.reservation.clone(), hold.key), hold);
    }

    fn write(&mut self, seats: &[SeatId], state: &SeatState) {
        for id in seats {
            let n: usize = id.as_str()[1..].parse().expect("a number");
            let version = self.seats[n].version + 1;
            self.seats[n] = Seat { version, state: state.clone() };
        }
    }

    /// Releases what is due in the way; whether all of these can be had.
    fn clear(&mut self, wanted: &[SeatId]) -> bool {
        let seats = self.seats.clone();
        let of = |id: &SeatId| id.as_str()[1..].parse::<usize>().expect("a number");
        match take(wanted.iter().map(|id| (id, &seats[of(id)])), at(self.now)) {
            Take::Now => true,
            Take::Taken(_) => false,
            Take::After(due) => {
                for reservation in due {
                    self.release(&reservation, Some(ReleaseCause::Expired));
                }
                true
            }
        }
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Pass => self.now += 1,
            Command::Release { buyer, cause } => self.release(&rsv(buyer), cause),
            Command::Commit { buyer, intent: n } => self.commit(&rsv(buyer), &intent(&format!("pay{n}"))),
            Command::Hold { buyer, first, count } => {
                let len = self.seats.len();
                let wanted: Vec<SeatId> = (0..count.min(len)).map(|n| seat((first + n) % len)).collect();
                assert!(check_request(&wanted, 0).is_ok());
                if self.of(&rsv(buyer)).0.is_some() || !self.clear(&wanted) {
                    return;
                }
                let until = at(self.now + HOLD);
                self.write(&wanted, &SeatState::Held { by: rsv(buyer), until });
                self.put(Hold { reservation: rsv(buyer), seats: wanted, until, ..live(&[], 0) });
            }
        }
    }

    fn release(&mut self, reservation: &ReservationId, cause: Option<ReleaseCause>) {
        let (first, retake) = self.of(reservation);
        let decision = release(first.as_ref(), retake.as_ref(), NOBODY, cause, at(self.now));
        if let (ReleaseDecision::Release(cause), Some(mut hold)) = (decision, first) {
            hold.state = HoldState::Released { cause, at: at(self.now) };
            self.write(&hold.seats, &SeatState::Available);
            self.put(hold);
        }
    }

    fn commit(&mut self, reservation: &ReservationId, by: &PaymentIntentId) {
        let (first, retake) = self.of(reservation);
        let decision = commit(first.as_ref(), retake.as_ref(), NOBODY, Some(by));
        let Some(mut hold) = first else { return };
        let sold = |order: &OrderId, now| HoldState::Committed {
            order: order.clone(),
            intent: Some(by.clone()),
            at: at(now),
        };
        match decision {
            CommitDecision::Already(_) | CommitDecision::Reject(_) => {}
            CommitDecision::Seal { order } => {
                hold.state = sold(&order, self.now);
                self.write(&hold.seats, &SeatState::Sold { order });
                self.put(hold);
            }
            CommitDecision::Retake { order } => {
                if self.clear(&hold.seats) {
                    let state = sold(&order, self.now);
                    self.write(&hold.seats, &SeatState::Sold { order });
                    self.put(Hold { key: HoldKey::Retake, state, ..hold });
                } else {
                    hold.refuse(Some(by));
                    self.put(hold);
                }
            }
        }
    }

    /// I1, I2, I4, I5, I6, I7 and the live half of I3 on the rows.
    fn check(&self) {
        let section = SectionId::parse("a").expect("an id");
        let row = |(n, row): (usize, &Seat)| SeatRow {
            show: show(),
            section: section.clone(),
            seat: seat(n),
            defined: true,
            owner: match &row.state {
                SeatState::Available => Owner::Free,
                SeatState::Held { by, .. } => Owner::Held(by.clone()),
                SeatState::Sold { order } => Owner::Sold(order.clone()),
                SeatState::Blocked => Owner::Blocked,
            },
        };
        let world = World {
            sections: vec![Section {
                show: show(),
                section: section.clone(),
                capacity: self.seats.len() as u64,
                reported: None::<Counts>,
            }],
            seats: self.seats.iter().enumerate().map(row).collect(),
            holds: self.holds.values().cloned().collect(),
            ..World::default()
        };
        let report = invariant::check(&world, Phase::Running);
        let seats = ["I1", "I2", "I3", "I4", "I5", "I6", "I7"];
        for (name, verdict) in report.verdicts() {
            let ours = seats.contains(&name.to_string().as_str());
            assert!(!ours || verdict.violations == 0, "{name}: {:?}", verdict.examples);
        }
    }

    /// Between two instants: versions only grow (I3), what is resolved stays so (I4), what is sold stays sold (I6).
    fn check_step(&self, before: &Self) {
        for (now, then) in self.seats.iter().zip(&before.seats) {
            assert!(now.version >= then.version && (now.version > then.version || now == then));
            if matches!(then.state, SeatState::Sold { .. }) {
                assert_eq!(now, then);
            }
        }
        for (key, then) in &before.holds {
            let now = &self.holds[key];
            assert!(then.state == HoldState::Live || now.state == then.state, "{then:?} became {now:?}");
            assert!(now.refused.starts_with(&then.refused));
            assert!(now.retakes_closed || !then.retakes_closed);
            // Who was told that the money comes back is never sold the seats by the same payment.
            let (_, retake) = self.of(&then.reservation);
            if let Some(HoldState::Committed { intent, .. }) = retake.map(|hold| hold.state)
                && before.of(&then.reservation).1.is_none()
            {
                assert!(!then.refuses(intent.as_ref()));
            }
        }
    }
}

/// Every command of the smallest case: three seats, three buyers who each want the two seats from their own on.
fn smallest() -> Vec<Command> {
    let mut commands = vec![Command::Pass];
    for buyer in 0..3 {
        commands.push(Command::Hold { buyer, first: buyer, count: 2 });
        commands.push(Command::Commit { buyer, intent: 0 });
        commands.push(Command::Release { buyer, cause: None });
        commands.push(Command::Release { buyer, cause: Some(ReleaseCause::Expired) });
    }
    commands
}

/// Traps S1 and S2: three seats, three buyers, every order of up to nine commands. Orders that lead to the same rows at
/// the same time go on as one.
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
fn a_request_that_contradicts_itself_is_told_how() {
    let seats = |n: usize| (0..n).map(seat).collect::<Vec<_>>();
    let cases = [
        (seats(0), 0, Err(BadRequest::NoSeats)),
        (seats(0), 10, Ok(10)),
        (seats(0), 11, Err(BadRequest::TooManySeats(11))),
        (seats(0), u32::MAX, Err(BadRequest::TooManySeats(u32::MAX))),
        (seats(10), 0, Ok(10)),
        (seats(11), 11, Err(BadRequest::TooManySeats(11))),
        (seats(2), 3, Err(BadRequest::QuantityMismatch { seats: 2, quantity: 3 })),
        (vec![seat(1), seat(2), seat(1)], 3, Err(BadRequest::DuplicateSeat(seat(1)))),
    ];
    for (seats, quantity, expected) in cases {
        assert_eq!(check_request(&seats, quantity), expected, "{seats:?} {quantity}");
    }
}

#[test]
fn seats_are_had_now_after_a_release_or_not() {
    let free = Seat::UNWRITTEN;
    let held = Seat { version: 1, state: SeatState::Held { by: rsv(1), until: at(5) } };
    let sold = Seat { version: 2, state: SeatState::Sold { order: OrderId::of(&rsv(2)) } };
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

/// Trap S2.
#[test]
fn a_commit_finds_one_of_its_typed_answers() {
    let pay = intent("pay");
    let by = |first: Option<&Hold>, retake| commit(first, retake, NOBODY, Some(&pay));
    let order = OrderId::of(&rsv(1));
    assert_eq!(by(None, None), CommitDecision::Reject(Rejection::NoSuchHold));
    assert_eq!(by(Some(&live(&[0], 5)), None), CommitDecision::Seal { order: order.clone() });
    let state = HoldState::Committed { order: order.clone(), intent: None, at: at(3) };
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
fn what_a_caller_says_of_a_hold_must_be_right() {
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

/// Invariant I7, trap S7.
#[test]
fn an_expiry_before_its_time_is_refused_with_the_time_left() {
    let hold = live(&[0], 5);
    let by = |cause, now| release(Some(&hold), None, NOBODY, cause, at(now));
    let left = Duration::from_millis(1);
    let expired = Some(ReleaseCause::Expired);
    assert_eq!(by(expired, 4), ReleaseDecision::Reject(Rejection::NotDue { left }));
    assert_eq!(by(expired, 5), ReleaseDecision::Release(ReleaseCause::Expired));
    assert_eq!(by(None, 4), ReleaseDecision::Release(ReleaseCause::PaymentFailed));
    assert_eq!(by(None, 5), ReleaseDecision::Release(ReleaseCause::Expired));
    assert_eq!(by(Some(ReleaseCause::ByBuyer), 9), ReleaseDecision::Release(ReleaseCause::ByBuyer));
}

/// Trap S2: a late expiry gave a sold seat away.
#[test]
fn a_release_after_a_commit_or_a_release_changes_nothing() {
    let order = OrderId::of(&rsv(1));
    let state = HoldState::Committed { order: order.clone(), intent: None, at: at(3) };
    let sold = Hold { state: state.clone(), ..live(&[0], 5) };
    let retake = Hold { key: HoldKey::Retake, state, ..live(&[0], 5) };
    let gone = released(ReleaseCause::PaymentFailed);
    for cause in
        [None, Some(ReleaseCause::Expired), Some(ReleaseCause::PaymentFailed), Some(ReleaseCause::ByBuyer)]
    {
        let already = ReleaseDecision::Reject(Rejection::AlreadyCommitted(order.clone()));
        assert_eq!(release(Some(&sold), None, NOBODY, cause, at(9)), already);
        assert_eq!(release(Some(&gone), Some(&retake), NOBODY, cause, at(9)), already);
        let before = ReleaseDecision::Before { cause: ReleaseCause::PaymentFailed, at: at(7) };
        assert_eq!(release(Some(&gone), None, NOBODY, cause, at(9)), before);
        let unknown = ReleaseDecision::Reject(Rejection::NoSuchHold);
        assert_eq!(release(None, None, NOBODY, cause, at(9)), unknown);
    }
}

/// Trap M1: a payment whose payer was told that the money comes back is never sold the seats after all.
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
    assert!(by(&hold, None), "who says no payment may be the one that was refused");
    for n in 1..REFUSALS_MAX {
        hold.refuse(Some(&intent(&n.to_string())));
    }
    assert!(!by(&hold, Some("b")), "{REFUSALS_MAX} are remembered one by one");
    hold.refuse(Some(&intent("b")));
    assert!(by(&hold, Some("b")) && by(&hold, Some("c")), "beyond that all are refused");
    let mut nameless = released(ReleaseCause::PaymentFailed);
    nameless.refuse(None);
    assert!(by(&nameless, Some("a")) && by(&nameless, None));
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
