//! The suite of [`Payments`].

use super::{refusal, result};
use async_trait::async_trait;
use domain::id::{PaymentIntentId, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::Status;
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView, Payments};
use ports::trace::CallContext;
use std::sync::Arc;

/// What the suite needs besides the port.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The port under test.
    fn payments(&self) -> Arc<dyn Payments>;
    /// Makes a new intent for `reservation` and brings it to `status`: Pending, Captured or Failed.
    async fn intent(&self, reservation: &ReservationId, amount: &Money, status: Status) -> PaymentIntentId;
    /// The refunds that the provider has made for an intent, one by one.
    async fn refunds(&self, intent: &PaymentIntentId) -> Vec<u64>;
}

/// Runs every case.
pub async fn check(harness: &dyn Harness) {
    a_payment_shows_its_present_state(harness).await;
    an_unknown_payment_is_refused(harness).await;
    a_captured_payment_is_refunded_once(harness).await;
    an_uncaptured_payment_is_not_refunded(harness).await;
    cancels_at_the_same_time_refund_once(harness).await;
}

fn price() -> Money {
    Money { amount: 120_000, currency: Currency::krw() }
}

async fn intent(harness: &dyn Harness, name: &str, status: Status) -> (PaymentIntentId, ReservationId) {
    let reservation = ReservationId::parse(&format!("rsv_payments_{name}")).expect("a short id");
    (harness.intent(&reservation, &price(), status).await, reservation)
}

fn command(intent: &PaymentIntentId, key: &str) -> CancelPayment {
    CancelPayment { intent: intent.clone(), reason: "no seat was left".into(), idempotency_key: key.into() }
}

async fn a_payment_shows_its_present_state(harness: &dyn Harness) {
    for (name, status) in
        [("pending", Status::Pending), ("captured", Status::Captured), ("failed", Status::Failed)]
    {
        let (intent, reservation) = intent(harness, name, status).await;
        let view = result(harness.payments().get(&CallContext::default(), &intent).await);
        let PaymentView { person, .. } = view.clone();
        let amount = Some(price());
        let expected = PaymentView { intent, reservation, person, status, amount, refunded: 0 };
        assert_eq!(view, expected);
    }
}

async fn an_unknown_payment_is_refused(harness: &dyn Harness) {
    let (port, cx) = (harness.payments(), CallContext::default());
    let nobody = PaymentIntentId::parse("pay_nobody").expect("a short id");
    assert_eq!(refusal(port.get(&cx, &nobody).await), PaymentRejection::NoSuchPayment);
    assert_eq!(refusal(port.cancel(&cx, command(&nobody, "k")).await), PaymentRejection::NoSuchPayment);
}

/// Invariants M2 and M3, trap T-M2.
async fn a_captured_payment_is_refunded_once(harness: &dyn Harness) {
    let (port, cx) = (harness.payments(), CallContext::default());
    let (intent, _) = intent(harness, "refund", Status::Captured).await;
    let expected = Cancelled { status: Status::Refunded, refunded: price().amount };
    for key in ["first", "first", "another"] {
        assert_eq!(result(port.cancel(&cx, command(&intent, key)).await), expected, "{key}");
    }
    assert_eq!(result(port.get(&cx, &intent).await).status, Status::Refunded);
    assert_eq!(harness.refunds(&intent).await, [price().amount]);
}

async fn an_uncaptured_payment_is_not_refunded(harness: &dyn Harness) {
    let (port, cx) = (harness.payments(), CallContext::default());
    for (name, before, after) in
        [("void", Status::Pending, Status::Voided), ("declined", Status::Failed, Status::Failed)]
    {
        let (intent, _) = intent(harness, name, before).await;
        for _ in 0..2 {
            let cancelled = result(port.cancel(&cx, command(&intent, "k")).await);
            assert_eq!(cancelled, Cancelled { status: after, refunded: 0 }, "{name}");
        }
        assert_eq!(result(port.get(&cx, &intent).await).status, after);
        assert!(harness.refunds(&intent).await.is_empty());
    }
}

async fn cancels_at_the_same_time_refund_once(harness: &dyn Harness) {
    let (port, cx) = (harness.payments(), CallContext::default());
    let (intent, _) = intent(harness, "race", Status::Captured).await;
    let [a, b, c] = ["a", "b", "c"].map(|key| port.cancel(&cx, command(&intent, key)));
    let answers = <[_; 3]>::from(tokio::join!(a, b, c));
    let expected = Cancelled { status: Status::Refunded, refunded: price().amount };
    for answer in answers {
        assert_eq!(result(answer), expected);
    }
    assert_eq!(harness.refunds(&intent).await, [price().amount]);
}
