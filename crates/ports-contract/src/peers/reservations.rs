//! The suite of [`Reservations`].

use super::{refusal, result};
use async_trait::async_trait;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::money::Money;
use domain::reservation::{CancelCause, End, Status};
use ports::fault::PortError;
use ports::reservations::{
    EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView, Reservations,
};
use ports::trace::CallContext;
use std::sync::Arc;

/// What the suite needs besides the port.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The port under test.
    fn reservations(&self) -> Arc<dyn Reservations>;
    /// Makes a new reservation of two seats, on HOLD and with its live hold in the inventory.
    async fn reserve(&self) -> Reserved;
    /// Brings the inventory to the state that `end` needs, as the worker does before it reports to
    /// the reservation: a commit (also of a hold that was released before), or a release. For an
    /// expiry the hold may be released for another cause. Returns the order of a commit.
    async fn settle_inventory(&self, reserved: &Reserved, end: &End) -> Option<OrderId>;
    /// The order to which the inventory has committed the seats, if it has.
    async fn order_in_inventory(&self, reserved: &Reserved) -> Option<OrderId>;
}

/// A reservation that was made for the suite.
#[derive(Debug, Clone)]
pub struct Reserved {
    /// Its id.
    pub id: ReservationId,
    /// The show.
    pub show: ShowId,
    /// The two seats.
    pub seats: Vec<SeatId>,
    /// The person who reserved.
    pub person: PersonId,
    /// The price of the two seats.
    pub total: Money,
}

/// Runs every case.
pub async fn check(harness: &dyn Harness) {
    a_new_reservation_is_on_hold(harness).await;
    an_unknown_reservation_is_refused(harness).await;
    every_end_is_reached_once_and_answered_again(harness).await;
    a_confirmed_reservation_stays(harness).await;
    a_late_approval_confirms_an_unpaid_end(harness).await;
    the_buyers_cancellation_is_final(harness).await;
    ends_without_money_do_not_replace_each_other(harness).await;
    a_late_payment_given_back_is_recorded(harness).await;
    a_sender_that_did_not_settle_is_made_safe(harness).await;
    a_note_changes_no_status(harness).await;
}

struct Case<'a> {
    harness: &'a dyn Harness,
    port: Arc<dyn Reservations>,
    reserved: Reserved,
}

impl<'a> Case<'a> {
    async fn new(harness: &'a dyn Harness) -> Self {
        Self { harness, port: harness.reservations(), reserved: harness.reserve().await }
    }

    fn intent(&self) -> PaymentIntentId {
        PaymentIntentId::parse(&format!("pay_{}", self.reserved.id)).expect("a short id")
    }

    fn confirmed(&self) -> End {
        End::Confirmed {
            order: Some(OrderId::for_reservation(&self.reserved.id)),
            intent: Some(self.intent()),
        }
    }

    async fn get(&self) -> ReservationView {
        result(self.port.get(&CallContext::default(), &self.reserved.id).await)
    }

    async fn report(&self, end: End, inventory_settled: bool) -> Result<Ended, PortError<EndRejection>> {
        let command = EndReservation { id: self.reserved.id.clone(), end, inventory_settled };
        self.port.end(&CallContext::default(), command).await
    }

    /// As the worker does it: the inventory first, the reservation follows.
    async fn end(&self, end: End) -> ReservationView {
        self.harness.settle_inventory(&self.reserved, &end).await;
        let status = end.status();
        result(self.report(end, true).await);
        let view = self.get().await;
        assert_eq!(view.status, Some(status));
        view
    }

    async fn refused(&self, end: End) -> EndRejection {
        let before = self.get().await;
        let rejection = refusal(self.report(end, true).await);
        assert_eq!(self.get().await, before, "a refused end changes nothing");
        rejection
    }
}

fn cancelled(cause: CancelCause) -> End {
    End::Cancelled { reason: Some(cause.as_str().into()), error_code: None }
}

fn expired() -> End {
    End::Expired { error_code: None }
}

async fn a_new_reservation_is_on_hold(harness: &dyn Harness) {
    let case = Case::new(harness).await;
    let Reserved { id, show, seats, person, total } = case.reserved.clone();
    let expected = ReservationView {
        id,
        status: Some(Status::Hold),
        show: Some(show),
        seats,
        quantity: Some(2),
        person: Some(person),
        order: None,
        intent: None,
        total: Some(total),
    };
    assert_eq!(case.get().await, expected);
}

async fn an_unknown_reservation_is_refused(harness: &dyn Harness) {
    let port = harness.reservations();
    let cx = CallContext::default();
    for text in ["rsv_nobody", "a/b", "50% off?", "좌석"] {
        let id = ReservationId::parse(text).expect("a short id");
        assert_eq!(refusal(port.get(&cx, &id).await), NoSuchReservation, "{text}");
        let command = EndReservation { id, end: expired(), inventory_settled: true };
        assert_eq!(refusal(port.end(&cx, command).await), EndRejection::NoSuchReservation, "{text}");
        let id = ReservationId::parse(text).expect("a short id");
        let recorded = port.record_error_code(&cx, &id, "AMOUNT_MISMATCH".into()).await;
        assert_eq!(refusal(recorded), NoSuchReservation, "{text}");
    }
}

async fn every_end_is_reached_once_and_answered_again(harness: &dyn Harness) {
    for at in 0..4 {
        let case = Case::new(harness).await;
        let end = match at {
            0 => case.confirmed(),
            1 => expired(),
            2 => cancelled(CancelCause::PaymentFailed),
            _ => cancelled(CancelCause::ByBuyer),
        };
        let view = case.end(end.clone()).await;
        if at == 0 {
            assert_eq!(
                (view.order.clone(), view.intent.clone()),
                (Some(OrderId::for_reservation(&view.id)), Some(case.intent()))
            );
        }
        result(case.report(end, true).await);
        assert_eq!(case.get().await, view, "the same end again changes nothing");
    }
}

/// Trap T-M3: a late "failed" undid an "approved".
async fn a_confirmed_reservation_stays(harness: &dyn Harness) {
    let case = Case::new(harness).await;
    case.end(case.confirmed()).await;
    for end in [expired(), cancelled(CancelCause::PaymentFailed), cancelled(CancelCause::ByBuyer)] {
        let expected =
            EndRejection::Illegal { current: Some(Status::Confirmed), intent: Some(case.intent()) };
        assert_eq!(case.refused(end).await, expected);
    }
}

async fn a_late_approval_confirms_an_unpaid_end(harness: &dyn Harness) {
    for first in [expired(), cancelled(CancelCause::PaymentFailed)] {
        let case = Case::new(harness).await;
        case.end(first).await;
        let view = case.end(case.confirmed()).await;
        assert_eq!(view.order, Some(OrderId::for_reservation(&view.id)));
        assert_eq!(harness.order_in_inventory(&case.reserved).await, view.order);
    }
}

async fn the_buyers_cancellation_is_final(harness: &dyn Harness) {
    let case = Case::new(harness).await;
    case.end(cancelled(CancelCause::ByBuyer)).await;
    for end in [case.confirmed(), expired()] {
        match case.refused(end).await {
            EndRejection::Illegal { current, .. } => assert_eq!(current, Some(Status::Cancelled)),
            other => panic!("{other:?}"),
        }
    }
}

async fn ends_without_money_do_not_replace_each_other(harness: &dyn Harness) {
    for (first, second) in [
        (expired(), cancelled(CancelCause::PaymentFailed)),
        (cancelled(CancelCause::PaymentFailed), expired()),
    ] {
        let case = Case::new(harness).await;
        let status = first.status();
        case.end(first).await;
        match case.refused(second).await {
            EndRejection::Illegal { current, .. } => assert_eq!(current, Some(status)),
            other => panic!("{other:?}"),
        }
    }
}

async fn a_late_payment_given_back_is_recorded(harness: &dyn Harness) {
    let case = Case::new(harness).await;
    let view = case.end(expired()).await;
    let recorded = End::Expired { error_code: Some("PAID_TOO_LATE".into()) };
    result(case.report(recorded, true).await);
    assert_eq!(case.get().await, view, "the status and its order stay");
}

/// Trap T-S3: the reservation was CONFIRMED first, and the commit of the seats failed or never
/// came.
async fn a_sender_that_did_not_settle_is_made_safe(harness: &dyn Harness) {
    let case = Case::new(harness).await;
    let end = End::Confirmed { order: None, intent: Some(case.intent()) };
    result(case.report(end, false).await);
    let order = harness.order_in_inventory(&case.reserved).await;
    assert!(order.is_some(), "CONFIRMED implies that the seats are sold");
    assert_eq!(case.get().await.order, order);
    let case = Case::new(harness).await;
    case.harness.settle_inventory(&case.reserved, &case.confirmed()).await;
    let rejection = refusal(case.report(cancelled(CancelCause::PaymentFailed), false).await);
    assert!(matches!(rejection, EndRejection::Illegal { .. }), "{rejection:?}");
    assert_ne!(case.get().await.status, Some(Status::Cancelled), "the seats are sold");
}

/// Rules R1: a payment of another amount is recorded, and its buyer may still pay correctly.
async fn a_note_changes_no_status(harness: &dyn Harness) {
    let cx = CallContext::default();
    let case = Case::new(harness).await;
    let held = case.get().await;
    for _ in 0..2 {
        result(case.port.record_error_code(&cx, &held.id, "AMOUNT_MISMATCH".into()).await);
        assert_eq!(case.get().await, held, "the seats stay held");
    }
    let sold = case.end(case.confirmed()).await;
    result(case.port.record_error_code(&cx, &held.id, "CURRENCY_MISMATCH".into()).await);
    assert_eq!(case.get().await, sold);
}
