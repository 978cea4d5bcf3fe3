//! Every row of the handlers' tables, and answers outside them.

use crate::bench::{approved, expired, failed, without_seats};
use crate::peers::{Script, ScriptedPeers, view};
use domain::event::Event;
use domain::hold::Rejection;
use domain::id::{OrderId, PaymentIntentId};
use domain::reservation::Status;
use domain::retry::{Outcome, Reason};
use domain::time::Timestamp;
use ports::inventory::Committed;
use ports::payments::PaymentRejection;
use ports::reservations::{EndRejection, Ended, NoSuchReservation};
use ports::{Fault, PortError, Trace};
use runtime::SystemClock;
use std::sync::Arc;
use std::time::Duration;
use worker::service::{Done, Downstream, Handled, Touch};
use worker::{Handlers, Peers};

pub(crate) async fn run_with(
    event: Event,
    change: impl FnOnce(Peers) -> Peers,
    write: impl FnOnce(&mut Script),
) -> (Handled, Vec<String>) {
    let clock = Arc::new(SystemClock::new());
    let peers = ScriptedPeers::new(clock.clone());
    peers.pay(&event);
    peers.script(write);
    let handlers = Handlers::new(change(peers.as_ports()), clock, Duration::from_secs(10));
    let handled = handlers.handle(&event, &Trace::default()).await;
    (handled, peers.calls())
}

async fn run(event: Event, write: impl FnOnce(&mut Script)) -> (Handled, Vec<String>) {
    run_with(event, |peers| peers, write).await
}

pub(crate) fn no<T, R>(rejection: R) -> Result<T, PortError<R>> {
    Err(PortError::Rejected(rejection))
}

fn illegal(current: Option<Status>, intent: Option<&str>) -> EndRejection {
    EndRejection::Illegal {
        current,
        intent: intent.map(|intent| PaymentIntentId::parse(intent).expect("valid")),
    }
}

/// The refusal of what comes after the commit of this payment; an older inventory does not name it.
pub(crate) fn sold(by: Option<&str>) -> Rejection {
    let intent = by.map(|intent| PaymentIntentId::parse(intent).expect("valid"));
    Rejection::AlreadyCommitted { order: order(), intent }
}

/// The answer to a commit, with the payment that bought the seats.
fn bought_by(intent: Option<&str>) -> Committed {
    let intent = intent.map(|intent| PaymentIntentId::parse(intent).expect("valid"));
    Committed { order: order(), seats: Vec::new(), at: Timestamp::EPOCH, intent }
}

fn order() -> OrderId {
    OrderId::parse("ord_1").expect("valid")
}

pub(crate) const RELEASE_EXPIRED: &str = "release EXPIRED rsv_1";
pub(crate) const RELEASE_FAILED: &str = "release FAILED_PAYMENT rsv_1";
pub(crate) const EXPIRED: &str = "end rsv_1 EXPIRED None";
pub(crate) const CANCELLED: &str = "end rsv_1 CANCELLED Some(\"payment_failed\") Some(\"DECLINED\")";
pub(crate) const COMMIT: &str = "commit rsv_1";
pub(crate) const CONFIRMED: &str = "end rsv_1 CONFIRMED Some(ord_1) Some(pay_1)";
pub(crate) const REFUSE: &str = "refuse rsv_1 pay_1";
pub(crate) const GIVE_BACK: &str = "cancel pay_1 cancel:pay_1";
pub(crate) const TOO_LATE: &str = "end rsv_1 EXPIRED Some(\"PAID_TOO_LATE\")";

/// Runs one row and compares the ending and the calls, in order.
pub(crate) async fn row(
    event: Event,
    write: impl FnOnce(&mut Script),
    ending: Outcome,
    calls: &[&str],
) -> Handled {
    let (handled, made) = run(event, write).await;
    assert_eq!(handled.outcome(), ending, "{:?}", handled.ending);
    assert_eq!(made, calls);
    handled
}

/// The same for an approved payment: reservation and provider are asked before anything else.
pub(crate) async fn paid(write: impl FnOnce(&mut Script), ending: Outcome, calls: &[&str]) -> Handled {
    let calls: Vec<&str> = ["get rsv_1", "payment pay_1"].iter().chain(calls).copied().collect();
    row(approved("rsv_1", "pay_1"), write, ending, &calls).await
}

pub(crate) fn buried(reason: Reason) -> Outcome {
    Outcome::Hopeless(reason)
}

#[tokio::test]
async fn expired_releases_and_then_ends_the_reservation() {
    let handled = row(expired("rsv_1"), |_| {}, Outcome::Done, &[RELEASE_EXPIRED, EXPIRED]).await;
    assert_eq!(handled.ending, Ok(Done::Expired));
}

/// The approved event may be gone: the reservation is made CONFIRMED if the inventory names the
/// payment.
#[tokio::test]
async fn expired_after_the_commit_completes_a_missing_confirmed() {
    let refusals =
        [None, Some(EndRejection::NoSuchReservation), Some(illegal(Some(Status::Cancelled), None))];
    for refusal in refusals {
        let write = |s: &mut Script| {
            s.release.push_back(no(sold(Some("pay_1"))));
            s.end.extend(refusal.map(no));
        };
        let handled = row(expired("rsv_1"), write, Outcome::Done, &[RELEASE_EXPIRED, CONFIRMED]).await;
        assert_eq!(handled.ending, Ok(Done::AlreadyCommitted));
    }
}

#[tokio::test]
async fn expired_after_the_commit_is_done() {
    let write = |s: &mut Script| s.release.push_back(no(sold(None)));
    let handled = row(expired("rsv_1"), write, Outcome::Done, &[RELEASE_EXPIRED]).await;
    assert_eq!(handled.ending, Ok(Done::AlreadyCommitted));
}

#[tokio::test]
async fn an_early_expired_event_is_retried_after_the_remaining_time() {
    let left = Duration::from_millis(2_500);
    let write = |s: &mut Script| s.release.push_back(no(Rejection::NotDue { left }));
    row(expired("rsv_1"), write, Outcome::NotYet(left), &[RELEASE_EXPIRED]).await;
    let far =
        |s: &mut Script| s.release.push_back(no(Rejection::NotDue { left: Duration::from_secs(1 << 40) }));
    row(expired("rsv_1"), far, Outcome::NotYet(Duration::from_secs(900)), &[RELEASE_EXPIRED]).await;
}

#[tokio::test]
async fn expired_without_a_hold_still_ends_the_reservation() {
    let write = |s: &mut Script| s.release.push_back(no(Rejection::NoSuchHold));
    row(expired("rsv_1"), write, Outcome::Done, &[RELEASE_EXPIRED, EXPIRED]).await;
}

#[tokio::test]
async fn an_end_without_seats_that_came_before_is_not_a_contradiction() {
    for status in [Status::Cancelled, Status::Expired] {
        let write = |s: &mut Script| s.end.push_back(no(illegal(Some(status), None)));
        let handled = row(expired("rsv_1"), write, Outcome::Done, &[RELEASE_EXPIRED, EXPIRED]).await;
        assert_eq!(handled.ending, Ok(Done::EndedBefore));
        let write = |s: &mut Script| s.end.push_back(no(illegal(Some(status), None)));
        let handled = row(failed("rsv_1", "pay_1"), write, Outcome::Done, &[RELEASE_FAILED, CANCELLED]).await;
        assert_eq!(handled.ending, Ok(Done::EndedBefore));
    }
}

#[tokio::test]
async fn confirmed_after_a_release_is_a_contradiction() {
    for event in [expired("rsv_1"), failed("rsv_1", "pay_1")] {
        let (handled, _) = run(event, |s| s.end.push_back(no(illegal(Some(Status::Confirmed), None)))).await;
        assert_eq!(handled.outcome(), buried(Reason::Contradiction));
    }
}

#[tokio::test]
async fn expired_or_failed_for_an_unknown_reservation_is_done_with_a_warning() {
    for event in [expired("rsv_1"), failed("rsv_1", "pay_1")] {
        let (handled, _) = run(event.clone(), |s| s.end.push_back(no(EndRejection::NoSuchReservation))).await;
        assert_eq!(handled.ending, Ok(Done::NoReservation));
        let (handled, calls) = run(without_seats(event), |s| s.get.push_back(no(NoSuchReservation))).await;
        assert_eq!(handled.ending, Ok(Done::NoReservation));
        assert_eq!(calls, ["get rsv_1"]);
    }
}

#[tokio::test]
async fn approved_commits_and_then_confirms() {
    let handled = paid(|_| {}, Outcome::Done, &[COMMIT, CONFIRMED]).await;
    assert_eq!(handled.ending, Ok(Done::Confirmed(order())));
}

#[tokio::test]
async fn seats_that_a_payment_provider_cannot_know_are_looked_up() {
    let event = without_seats(approved("rsv_1", "pay_1"));
    row(event, |_| {}, Outcome::Done, &["get rsv_1", "payment pay_1", COMMIT, CONFIRMED]).await;
}

/// Trap T-M1: money without a seat is given back, and the reservation says why.
#[tokio::test]
async fn a_payment_that_came_too_late_is_given_back() {
    let late = |s: &mut Script| s.commit.push_back(no(Rejection::Expired));
    let handled = paid(late, Outcome::Done, &[COMMIT, REFUSE, GIVE_BACK, TOO_LATE]).await;
    assert_eq!(handled.ending, Ok(Done::LatePaymentReturned));
    for refused in [
        illegal(Some(Status::Expired), None),
        illegal(Some(Status::Cancelled), None),
        EndRejection::NoSuchReservation,
    ] {
        let write = |s: &mut Script| {
            s.commit.push_back(no(Rejection::Expired));
            s.end.push_back(no(refused));
        };
        paid(write, Outcome::Done, &[COMMIT, REFUSE, GIVE_BACK, TOO_LATE]).await;
    }
}

#[tokio::test]
async fn a_second_payment_is_given_back_wherever_it_is_detected() {
    let by_lookup = |s: &mut Script| s.get.push_back(Ok(view("rsv_1", Status::Confirmed, Some("pay_0"))));
    let event = without_seats(approved("rsv_1", "pay_1"));
    let calls = ["get rsv_1", "payment pay_1", REFUSE, GIVE_BACK];
    let handled = row(event, by_lookup, Outcome::Done, &calls).await;
    assert_eq!(handled.ending, Ok(Done::SecondPaymentReturned));

    let by_inventory = |s: &mut Script| s.commit.push_back(Ok(bought_by(Some("pay_0"))));
    paid(by_inventory, Outcome::Done, &[COMMIT, REFUSE, GIVE_BACK]).await;

    // An older inventory does not say whose payment bought the seats.
    let by_answer = |s: &mut Script| {
        s.commit.push_back(Ok(bought_by(None)));
        s.end.push_back(Ok(Ended { reservation: Some(view("rsv_1", Status::Confirmed, Some("pay_0"))) }));
    };
    paid(by_answer, Outcome::Done, &[COMMIT, CONFIRMED, REFUSE, GIVE_BACK]).await;

    let by_refusal = |s: &mut Script| {
        s.commit.push_back(Ok(bought_by(None)));
        s.end.push_back(no(illegal(Some(Status::Confirmed), Some("pay_0"))));
    };
    paid(by_refusal, Outcome::Done, &[COMMIT, CONFIRMED, REFUSE, GIVE_BACK]).await;
}

#[tokio::test]
async fn the_same_payment_again_is_done_and_keeps_its_money() {
    let same = |s: &mut Script| s.end.push_back(no(illegal(Some(Status::Confirmed), Some("pay_1"))));
    paid(same, Outcome::Done, &[COMMIT, CONFIRMED]).await;
    let answer = |s: &mut Script| {
        s.end.push_back(Ok(Ended { reservation: Some(view("rsv_1", Status::Confirmed, Some("pay_1"))) }));
    };
    paid(answer, Outcome::Done, &[COMMIT, CONFIRMED]).await;
}

#[tokio::test]
async fn approved_for_an_unknown_reservation_gives_back_and_buries() {
    let unknown = |s: &mut Script| s.get.push_back(no(NoSuchReservation));
    let event = without_seats(approved("rsv_1", "pay_1"));
    let calls = ["get rsv_1", "payment pay_1", REFUSE, GIVE_BACK];
    row(event, unknown, buried(Reason::Contradiction), &calls).await;
}

/// Rules R8: after a commit no money moves by itself.
#[tokio::test]
async fn nothing_is_given_back_after_a_commit() {
    let unknown = |s: &mut Script| s.end.push_back(no(EndRejection::NoSuchReservation));
    paid(unknown, buried(Reason::Contradiction), &[COMMIT, CONFIRMED]).await;
    let another = |s: &mut Script| s.end.push_back(no(illegal(Some(Status::Confirmed), Some("pay_0"))));
    paid(another, buried(Reason::Contradiction), &[COMMIT, CONFIRMED]).await;
    let nobody_says = |s: &mut Script| {
        s.commit.push_back(Ok(bought_by(None)));
        s.end.push_back(no(illegal(Some(Status::Confirmed), None)));
    };
    paid(nobody_says, buried(Reason::Contradiction), &[COMMIT, CONFIRMED]).await;
}

#[tokio::test]
async fn approved_without_its_hold_gives_back_and_buries() {
    for rejection in [Rejection::NoSuchHold, Rejection::NotOwner] {
        let write = |s: &mut Script| s.commit.push_back(no(rejection));
        paid(write, buried(Reason::Contradiction), &[COMMIT, REFUSE, GIVE_BACK]).await;
    }
}

#[tokio::test]
async fn sold_seats_under_an_ended_reservation_are_buried_and_the_money_stays() {
    for status in [Some(Status::Cancelled), Some(Status::Expired), None] {
        let write = |s: &mut Script| s.end.push_back(no(illegal(status, None)));
        paid(write, buried(Reason::Contradiction), &[COMMIT, CONFIRMED]).await;
    }
}

#[tokio::test]
async fn without_a_payment_provider_paid_without_a_seat_is_buried() {
    let late = |s: &mut Script| s.commit.push_back(no(Rejection::Expired));
    let without = |peers: Peers| Peers { payments: None, ..peers };
    let (handled, calls) = run_with(approved("rsv_1", "pay_1"), without, late).await;
    assert_eq!(handled.outcome(), buried(Reason::PaidWithoutSeat));
    assert_eq!(calls, [COMMIT, REFUSE]);
    assert!(handled.unverified, "the event names no amount");
}

#[tokio::test]
async fn money_that_cannot_go_back_is_buried() {
    for refusal in [PaymentRejection::NoSuchPayment, PaymentRejection::Refused("settled".into())] {
        let write = |s: &mut Script| {
            s.commit.push_back(no(Rejection::Expired));
            s.cancel.push_back(no(refusal));
        };
        paid(write, buried(Reason::PaidWithoutSeat), &[COMMIT, REFUSE, GIVE_BACK]).await;
    }
}

#[tokio::test]
async fn failed_releases_and_then_cancels_with_the_code() {
    let handled = row(failed("rsv_1", "pay_1"), |_| {}, Outcome::Done, &[RELEASE_FAILED, CANCELLED]).await;
    assert_eq!(handled.ending, Ok(Done::Cancelled));
}

/// An inventory that names the payment leaves nothing to look up.
#[tokio::test]
async fn a_failure_of_another_payment_than_the_buying_one_is_done_at_once() {
    let other = |s: &mut Script| s.release.push_back(no(sold(Some("pay_0"))));
    let handled = row(failed("rsv_1", "pay_1"), other, Outcome::Done, &[RELEASE_FAILED]).await;
    assert_eq!(handled.ending, Ok(Done::Stale));
    let own = |s: &mut Script| s.release.push_back(no(sold(Some("pay_1"))));
    row(failed("rsv_1", "pay_1"), own, buried(Reason::Contradiction), &[RELEASE_FAILED]).await;
}

/// Trap T-M3: a late failure does not undo another payment's approval.
#[tokio::test]
async fn a_failure_after_another_payment_confirmed_is_stale() {
    let write = |s: &mut Script| {
        s.release.push_back(no(sold(None)));
        s.get.push_back(Ok(view("rsv_1", Status::Confirmed, Some("pay_0"))));
    };
    let handled = row(failed("rsv_1", "pay_1"), write, Outcome::Done, &[RELEASE_FAILED, "get rsv_1"]).await;
    assert_eq!(handled.ending, Ok(Done::Stale));
}

#[tokio::test]
async fn seats_sold_against_the_failed_payment_itself_are_a_contradiction() {
    for intent in [Some("pay_1"), None] {
        let write = |s: &mut Script| {
            s.release.push_back(no(sold(None)));
            s.get.push_back(Ok(view("rsv_1", Status::Confirmed, intent)));
        };
        row(failed("rsv_1", "pay_1"), write, buried(Reason::Contradiction), &[RELEASE_FAILED, "get rsv_1"])
            .await;
    }
}

#[tokio::test]
async fn seats_sold_and_not_confirmed_yet_are_looked_at_again() {
    let write = |s: &mut Script| {
        s.release.push_back(no(sold(None)));
        s.get.push_back(Ok(view("rsv_1", Status::Hold, None)));
    };
    row(failed("rsv_1", "pay_1"), write, Outcome::Transient, &[RELEASE_FAILED, "get rsv_1"]).await;
}

#[tokio::test]
async fn an_impossible_refusal_is_a_contradiction() {
    for event in [expired("rsv_1"), failed("rsv_1", "pay_1")] {
        let (handled, _) = run(event, |s| s.release.push_back(no(Rejection::NotOwner))).await;
        assert_eq!(handled.outcome(), buried(Reason::Contradiction));
    }
}

#[tokio::test]
async fn faults_are_classified_and_recorded_for_their_downstream() {
    for (fault, outcome, touch) in [
        (Fault::unavailable("refused"), Outcome::Infrastructure, Touch::Silent),
        (Fault::not_reached("refused"), Outcome::NotReached, Touch::Silent),
        (Fault::transient("busy"), Outcome::Transient, Touch::Answered),
        (Fault::new(ports::FaultClass::Conflict, "raced"), Outcome::Transient, Touch::Answered),
        (Fault::permanent("no such method"), buried(Reason::PermanentFault), Touch::Answered),
    ] {
        let (handled, _) =
            run(expired("rsv_1"), |s| s.release.push_back(Err(PortError::Failed(fault)))).await;
        assert_eq!(handled.outcome(), outcome);
        assert_eq!(handled.touched.get(Downstream::Inventory), touch);
        assert_eq!(handled.touched.get(Downstream::Reservation), Touch::Not);
    }
}

/// Trap T-T11: a peer that never answers is silent after its limit.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_ends_at_its_limit() {
    let clock = Arc::new(SystemClock::new());
    let peers = ScriptedPeers::new(clock.clone());
    peers.slow(Duration::from_secs(86_400));
    let handlers = Handlers::new(peers.as_ports(), clock, Duration::from_secs(10));
    let handled = handlers.handle(&expired("rsv_1"), &Trace::default()).await;
    assert_eq!(handled.outcome(), Outcome::Infrastructure);
    assert_eq!(handled.touched.get(Downstream::Inventory), Touch::Silent);
}
