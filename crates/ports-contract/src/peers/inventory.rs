//! The suite of [`Inventory`].

mod ends;

use super::{refusal, result};
use async_trait::async_trait;
use core::time::Duration;
use domain::hold::{BadRequest, Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::seat::SeatStatus;
use domain::time::Timestamp;
use ports::fault::PortError;
use ports::inventory::{
    CommitSeats, Committed, Held, HeldState, HoldSeats, Inventory, PaymentRefused, RefusePayment,
    ReleaseSeats,
};
use ports::trace::CallContext;
use std::sync::Arc;

/// What the suite needs besides the port.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The port under test.
    fn inventory(&self) -> Arc<dyn Inventory>;
    /// Opens a show that no other case uses.
    async fn open_show(&self) -> OpenShow;
    /// The time of the inventory.
    fn now(&self) -> Timestamp;
    /// Returns when the time of the inventory is later than `at`.
    async fn pass(&self, at: Timestamp);
}

/// A show with one section of named seats and one of general admission, all at the price 10,000.
#[derive(Debug, Clone)]
pub struct OpenShow {
    /// The show.
    pub show: ShowId,
    /// Its named seats: at least 12, all in one section.
    pub seats: Vec<SeatId>,
    /// Its section of general admission.
    pub floor: SectionId,
    /// The places there: 3 to 10.
    pub places: u32,
}

/// The price of every seat of a [`OpenShow`].
pub const PRICE: u64 = 10_000;

const LONG: Duration = Duration::from_secs(3600);
/// Long enough for a loaded machine to place the hold before it is due, short enough to wait for.
const SHORT: Duration = Duration::from_secs(2);

/// Runs every case.
pub async fn check(harness: &dyn Harness) {
    a_hold_takes_every_seat_or_none(harness).await;
    a_hold_again_is_the_same_hold(harness).await;
    general_admission_takes_any_places(harness).await;
    an_impossible_hold_is_refused_with_its_reason(harness).await;
    a_commit_again_is_the_same_order(harness).await;
    a_committed_hold_is_not_released(harness).await;
    a_refused_payment_buys_nothing(harness).await;
    seats_sold_without_a_payment_are_adopted(harness).await;
    a_cancel_after_the_release_is_final(harness).await;
    a_repeated_release_answers_with_the_first_cause(harness).await;
    ends::check(harness).await;
    an_unknown_hold_is_refused(harness).await;
    a_stranger_is_refused(harness).await;
    one_of_many_gets_the_seat(harness).await;
    commit_and_release_agree_on_the_winner(harness).await;
}

/// One buyer with one reservation on an open show.
struct Buyer<'a> {
    harness: &'a dyn Harness,
    port: Arc<dyn Inventory>,
    opened: &'a OpenShow,
    reservation: ReservationId,
    person: PersonId,
}

impl<'a> Buyer<'a> {
    fn new(harness: &'a dyn Harness, opened: &'a OpenShow, name: &str) -> Self {
        let reservation = ReservationId::parse(&format!("rsv_{}_{name}", opened.show)).expect("a short id");
        let person = PersonId::parse(&format!("person_{name}")).expect("a short id");
        Self { harness, port: harness.inventory(), opened, reservation, person }
    }

    fn wish(&self, seats: &[usize], lasting: Duration) -> HoldSeats {
        HoldSeats {
            reservation: self.reservation.clone(),
            show: self.opened.show.clone(),
            section: None,
            seats: seats.iter().map(|&at| self.opened.seats[at].clone()).collect(),
            quantity: 0,
            person: self.person.clone(),
            until: self.harness.now().plus(lasting),
        }
    }

    async fn try_hold(&self, wish: HoldSeats) -> Result<Held, PortError<Rejection>> {
        self.port.hold(&CallContext::default(), wish).await
    }

    async fn hold(&self, seats: &[usize]) -> Held {
        result(self.try_hold(self.wish(seats, LONG)).await)
    }

    fn paid(&self) -> CommitSeats {
        CommitSeats {
            reservation: self.reservation.clone(),
            show: Some(self.opened.show.clone()),
            seats: Vec::new(),
            quantity: None,
            intent: Some(PaymentIntentId::parse(&format!("pay_{}", self.reservation)).expect("a short id")),
            person: Some(self.person.clone()),
        }
    }

    async fn commit(&self) -> Result<Committed, PortError<Rejection>> {
        self.port.commit(&CallContext::default(), self.paid()).await
    }

    /// The refusal of what comes after this buyer's commit.
    fn sold(&self, order: OrderId) -> Rejection {
        Rejection::AlreadyCommitted { order, intent: self.paid().intent }
    }

    async fn refuse(&self, intent: &str) -> Result<PaymentRefused, PortError<Rejection>> {
        let intent = PaymentIntentId::parse(intent).expect("a short id");
        let command = RefusePayment { reservation: self.reservation.clone(), intent };
        self.port.refuse(&CallContext::default(), command).await
    }

    async fn commit_by(&self, intent: Option<&str>) -> Result<Committed, PortError<Rejection>> {
        let intent = intent.map(|intent| PaymentIntentId::parse(intent).expect("a short id"));
        self.port.commit(&CallContext::default(), CommitSeats { intent, ..self.paid() }).await
    }

    async fn release(&self, cause: Option<ReleaseCause>) -> Result<Released, PortError<Rejection>> {
        let command = ReleaseSeats {
            reservation: self.reservation.clone(),
            show: None,
            seats: Vec::new(),
            quantity: None,
            cause,
        };
        self.port.release(&CallContext::default(), command).await
    }
}

fn ids(held: &[domain::seat::SeatView]) -> Vec<SeatId> {
    held.iter().map(|seat| seat.id.clone()).collect()
}

/// Trap T-S1: commit moved stock that nothing held.
async fn a_hold_takes_every_seat_or_none(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let (first, second, third) = (
        Buyer::new(harness, &opened, "first"),
        Buyer::new(harness, &opened, "second"),
        Buyer::new(harness, &opened, "third"),
    );
    let held = first.hold(&[1, 0]).await;
    assert_eq!(
        ids(&held.seats),
        [opened.seats[1].clone(), opened.seats[0].clone()],
        "in the order of the wish"
    );
    assert_eq!((held.total.amount, &held.state), (2 * PRICE, &HeldState::Live));
    assert!(held.seats.iter().all(|seat| seat.status == SeatStatus::Held && seat.price.amount == PRICE));
    let rejection = refusal(second.try_hold(second.wish(&[2, 1, 3], LONG)).await);
    assert_eq!(rejection, Rejection::SeatTaken(vec![opened.seats[1].clone()]));
    third.hold(&[2, 3]).await;
}

async fn a_hold_again_is_the_same_hold(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "again");
    let wish = buyer.wish(&[0, 1], LONG);
    let first = result(buyer.try_hold(wish.clone()).await);
    assert_eq!(result(buyer.try_hold(wish.clone()).await), first);
    let later = HoldSeats { until: wish.until.plus(LONG), ..wish.clone() };
    assert_eq!(result(buyer.try_hold(later).await).until, first.until, "a repetition does not extend a hold");
    let other = refusal(buyer.try_hold(buyer.wish(&[2], LONG)).await);
    assert_eq!(other, Rejection::BadRequest(BadRequest::DifferentSeats));
    let order = result(buyer.commit().await).order;
    assert_eq!(result(buyer.try_hold(wish).await).state, HeldState::Committed(order));
}

async fn general_admission_takes_any_places(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let (first, second) = (Buyer::new(harness, &opened, "first"), Buyer::new(harness, &opened, "second"));
    let any = |buyer: &Buyer<'_>, quantity| HoldSeats {
        section: Some(opened.floor.clone()),
        quantity,
        ..buyer.wish(&[], LONG)
    };
    let held = result(first.try_hold(any(&first, 2)).await);
    let mut places = ids(&held.seats);
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 2, "two different places");
    assert!(held.seats.iter().all(|seat| seat.section == opened.floor));
    assert_eq!(result(first.try_hold(any(&first, 2)).await), held);
    let rejection = refusal(second.try_hold(any(&second, opened.places)).await);
    assert_eq!(rejection, Rejection::SoldOut { remaining: opened.places - 2 });
    let rest = result(second.try_hold(any(&second, opened.places - 2)).await);
    assert!(ids(&rest.seats).iter().all(|place| !places.contains(place)));
}

/// Trap T-S6: seats that do not exist were sold.
async fn an_impossible_hold_is_refused_with_its_reason(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "odd");
    let no_show = ShowId::parse("evt_that_nobody_opened").expect("a short id");
    let no_section = SectionId::parse("no-such-section").expect("a short id");
    let no_seat = SeatId::parse("no-such-seat").expect("a short id");
    let wish = || buyer.wish(&[0, 1], LONG);
    let bad = Rejection::BadRequest;
    let cases = [
        (HoldSeats { show: no_show, ..wish() }, Rejection::NoSuchShow),
        (HoldSeats { seats: vec![no_seat.clone()], ..wish() }, Rejection::NoSuchSeat(no_seat)),
        (
            HoldSeats { seats: Vec::new(), section: Some(no_section), quantity: 1, ..wish() },
            Rejection::NoSuchSection,
        ),
        (HoldSeats { seats: Vec::new(), quantity: 1, ..wish() }, Rejection::NoSuchSection),
        (HoldSeats { seats: Vec::new(), quantity: 0, ..wish() }, bad(BadRequest::NoSeats)),
        (buyer.wish(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], LONG), bad(BadRequest::TooManySeats(11))),
        (
            HoldSeats { seats: Vec::new(), section: Some(opened.floor.clone()), quantity: 11, ..wish() },
            bad(BadRequest::TooManySeats(11)),
        ),
        (buyer.wish(&[0, 1, 0], LONG), bad(BadRequest::DuplicateSeat(opened.seats[0].clone()))),
        (HoldSeats { quantity: 3, ..wish() }, bad(BadRequest::QuantityMismatch { seats: 2, quantity: 3 })),
        (HoldSeats { until: Timestamp::from_millis(1), ..wish() }, bad(BadRequest::UntilInThePast)),
    ];
    for (wish, expected) in cases {
        assert_eq!(refusal(buyer.try_hold(wish.clone()).await), expected, "{wish:?}");
    }
    buyer.hold(&[0, 1]).await;
}

async fn a_commit_again_is_the_same_order(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "payer");
    buyer.hold(&[4, 5]).await;
    let first = result(buyer.commit().await);
    assert_eq!(first.order, OrderId::for_reservation(&buyer.reservation));
    assert_eq!(ids(&first.seats), [opened.seats[4].clone(), opened.seats[5].clone()]);
    assert!(first.seats.iter().all(|seat| seat.status == SeatStatus::Sold));
    assert_eq!(result(buyer.commit().await), first);
    let bare = CommitSeats { show: None, intent: None, person: None, ..buyer.paid() };
    assert_eq!(
        result(buyer.port.commit(&CallContext::default(), bare).await),
        first,
        "a repetition with fewer details gets the same answer"
    );
}

/// Trap T-S2: a late expiry gave a sold seat away.
/// Rules R2.
async fn a_refused_payment_buys_nothing(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "refuser");
    assert_eq!(result(buyer.refuse("pay_x").await), PaymentRefused::NoHold);
    buyer.hold(&[0]).await;
    for _ in 0..2 {
        assert_eq!(result(buyer.refuse("pay_x").await), PaymentRefused::Recorded);
    }
    assert_eq!(refusal(buyer.commit_by(Some("pay_x")).await), Rejection::PaymentRefused);
    let sold = result(buyer.commit_by(Some("pay_y")).await);
    let already = Rejection::AlreadyCommitted { order: sold.order, intent: sold.intent };
    assert_eq!(refusal(buyer.refuse("pay_y").await), already);
    assert_eq!(result(buyer.refuse("pay_z").await), PaymentRefused::Recorded);
    assert_eq!(refusal(buyer.commit_by(Some("pay_z")).await), Rejection::Expired);
}

/// Case P6.
async fn seats_sold_without_a_payment_are_adopted(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "earlier");
    buyer.hold(&[0]).await;
    assert_eq!(result(buyer.commit_by(None).await).intent, None);
    for by in ["pay_1", "pay_2"] {
        let sold = result(buyer.commit_by(Some(by)).await);
        assert_eq!(sold.intent, PaymentIntentId::parse("pay_1").ok(), "asked by {by}");
    }
}

/// Rules R6, case M3.
async fn a_cancel_after_the_release_is_final(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "leaver");
    buyer.hold(&[0]).await;
    result(buyer.release(Some(ReleaseCause::PaymentFailed)).await);
    let cancelled = result(buyer.release(Some(ReleaseCause::ByBuyer)).await);
    assert!(
        matches!(cancelled, Released::Before { cause: ReleaseCause::PaymentFailed, .. }),
        "{cancelled:?}"
    );
    assert_eq!(refusal(buyer.commit().await), Rejection::Expired);
}

async fn a_committed_hold_is_not_released(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyer = Buyer::new(harness, &opened, "payer");
    let held = result(buyer.try_hold(buyer.wish(&[0], SHORT)).await);
    let order = result(buyer.commit().await).order;
    harness.pass(held.until).await;
    for cause in
        [None, Some(ReleaseCause::Expired), Some(ReleaseCause::PaymentFailed), Some(ReleaseCause::ByBuyer)]
    {
        assert_eq!(refusal(buyer.release(cause).await), buyer.sold(order.clone()), "{cause:?}");
    }
    let next = Buyer::new(harness, &opened, "next");
    let rejection = refusal(next.try_hold(next.wish(&[0], LONG)).await);
    assert_eq!(rejection, Rejection::SeatTaken(vec![opened.seats[0].clone()]));
}

async fn a_repeated_release_answers_with_the_first_cause(harness: &dyn Harness) {
    for (first, answered) in [
        (Some(ReleaseCause::PaymentFailed), ReleaseCause::PaymentFailed),
        (Some(ReleaseCause::ByBuyer), ReleaseCause::ByBuyer),
    ] {
        let opened = harness.open_show().await;
        let (buyer, next) = (Buyer::new(harness, &opened, "gone"), Buyer::new(harness, &opened, "next"));
        buyer.hold(&[0, 1]).await;
        let released = result(buyer.release(first).await);
        let Released::Now { mut seats, at } = released else { panic!("the first release: {released:?}") };
        seats.sort();
        let mut expected = vec![opened.seats[0].clone(), opened.seats[1].clone()];
        expected.sort();
        assert_eq!(seats, expected);
        for again in [first, Some(ReleaseCause::ByBuyer), Some(ReleaseCause::Expired)] {
            assert_eq!(
                result(buyer.release(again).await),
                Released::Before { cause: answered, at },
                "{again:?}"
            );
        }
        next.hold(&[0, 1]).await;
        assert_eq!(result(buyer.release(first).await), Released::Before { cause: answered, at });
        assert_eq!(result(next.commit().await).order, OrderId::for_reservation(&next.reservation));
    }
}

async fn an_unknown_hold_is_refused(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let nobody = Buyer::new(harness, &opened, "nobody");
    assert_eq!(refusal(nobody.commit().await), Rejection::NoSuchHold);
    for cause in [None, Some(ReleaseCause::Expired), Some(ReleaseCause::ByBuyer)] {
        assert_eq!(refusal(nobody.release(cause).await), Rejection::NoSuchHold);
    }
}

async fn a_stranger_is_refused(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let (owner, stranger) = (Buyer::new(harness, &opened, "owner"), Buyer::new(harness, &opened, "stranger"));
    owner.hold(&[0]).await;
    let cx = CallContext::default();
    let theirs = CommitSeats { person: Some(stranger.person.clone()), ..owner.paid() };
    assert_eq!(refusal(owner.port.commit(&cx, theirs).await), Rejection::NotOwner);
    let others = CommitSeats { seats: vec![opened.seats[1].clone()], ..owner.paid() };
    assert_eq!(refusal(owner.port.commit(&cx, others).await), Rejection::NotOwner);
    result(owner.commit().await);
}

/// Invariant I1.
async fn one_of_many_gets_the_seat(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    let buyers: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| Buyer::new(harness, &opened, name)).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| buyers[at].try_hold(buyers[at].wish(&[at % 2, 7], LONG)));
    let answers = <[_; 4]>::from(tokio::join!(a, b, c, d));
    let winners = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(winners, 1, "{answers:?}");
    for (buyer, answer) in buyers.iter().zip(answers) {
        match answer {
            Ok(_) => drop(result(buyer.commit().await)),
            Err(PortError::Rejected(Rejection::SeatTaken(taken))) => {
                assert!(taken.contains(&opened.seats[7]))
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Invariant I4: a hold is committed or released, never both.
async fn commit_and_release_agree_on_the_winner(harness: &dyn Harness) {
    let opened = harness.open_show().await;
    for at in 0..8 {
        let buyer = Buyer::new(harness, &opened, &format!("torn{at}"));
        buyer.hold(&[at]).await;
        let (committed, released) = if at % 2 == 0 {
            tokio::join!(buyer.commit(), buyer.release(Some(ReleaseCause::ByBuyer)))
        } else {
            let (released, committed) =
                tokio::join!(buyer.release(Some(ReleaseCause::ByBuyer)), buyer.commit());
            (committed, released)
        };
        match committed {
            Ok(committed) => assert_eq!(refusal(released), buyer.sold(committed.order)),
            Err(_) => {
                assert_eq!(refusal(committed), Rejection::Expired);
                assert!(matches!(result(released), Released::Now { .. }));
            }
        }
    }
}
