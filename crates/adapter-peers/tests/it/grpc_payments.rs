//! What the payment provider's answers mean.

use crate::servers::{Peer, class, clock, patient, rejection};
use adapter_peers::PaymentsClient;
use contracts::common::v1 as common;
use contracts::error::{Code, WireError};
use contracts::payment::v1 as pay;
use domain::id::PaymentIntentId;
use domain::payment::Status;
use ports::payments::{CancelPayment, PaymentRejection, Payments};
use ports::{CallContext, FaultClass};

fn intent() -> PaymentIntentId {
    PaymentIntentId::parse("pay_1").unwrap()
}

fn cancel() -> CancelPayment {
    CancelPayment { intent: intent(), reason: "no seat".into(), idempotency_key: "late:rsv_1".into() }
}

#[tokio::test]
async fn a_payment_is_read_from_the_wire() {
    let (peer, address) = Peer::serve().await;
    let client = PaymentsClient::new(&address, patient(), clock()).unwrap();
    let cx = CallContext::default();
    for (wire, status) in [
        (pay::PaymentStatus::Pending, Status::Pending),
        (pay::PaymentStatus::Processing, Status::Authorized),
        (pay::PaymentStatus::Completed, Status::Captured),
        (pay::PaymentStatus::Failed, Status::Failed),
        (pay::PaymentStatus::Cancelled, Status::Voided),
        (pay::PaymentStatus::Refunded, Status::Refunded),
    ] {
        let payment = pay::Payment {
            payment_intent_id: "pay_1".into(),
            reservation_id: "rsv_1".into(),
            status: wire as i32,
            amount: Some(common::Money { amount: 5, currency: "KRW".into() }),
            ..Default::default()
        };
        peer.get_payment.message(pay::GetPaymentStatusResponse { payment: Some(payment), error: None });
        let view = client.get(&cx, &intent()).await.unwrap();
        assert_eq!((view.status, view.amount.unwrap().amount, view.person), (status, 5, None));
    }
}

#[tokio::test]
async fn a_cancel_has_its_key_and_its_answer_is_read() {
    let (peer, address) = Peer::serve().await;
    let client = PaymentsClient::new(&address, patient(), clock()).unwrap();
    let cx = CallContext::default();
    peer.cancel_payment.message(pay::CancelPaymentResponse {
        status: pay::PaymentStatus::Refunded as i32,
        refunded_amount: Some(common::Money { amount: 120_000, currency: "KRW".into() }),
        refund_id: "ref_1".into(),
        ..Default::default()
    });
    let cancelled = client.cancel(&cx, cancel()).await.unwrap();
    assert_eq!((cancelled.status, cancelled.refunded), (Status::Refunded, 120_000));
    let (request, _) = peer.cancel_payment.last();
    assert_eq!((request.idempotency_key.as_str(), request.refund_amount), ("late:rsv_1", None));
}

#[tokio::test]
async fn refusals_of_both_styles_are_understood() {
    let (peer, address) = Peer::serve().await;
    let client = PaymentsClient::new(&address, patient(), clock()).unwrap();
    let cx = CallContext::default();
    peer.get_payment.status(tonic::Status::not_found("?"));
    assert_eq!(class(client.get(&cx, &intent()).await), FaultClass::Transient, "no details of ours");
    peer.get_payment.status(WireError::new(Code::NotFound, "?").into());
    assert_eq!(rejection(client.get(&cx, &intent()).await), PaymentRejection::NoSuchPayment);
    let error = Some(WireError::new(Code::NotFound, "?").to_proto());
    peer.get_payment.message(pay::GetPaymentStatusResponse { payment: None, error });
    assert_eq!(rejection(client.get(&cx, &intent()).await), PaymentRejection::NoSuchPayment);
    peer.cancel_payment.status(WireError::new(Code::FailedPrecondition, "too old").into());
    assert_eq!(rejection(client.cancel(&cx, cancel()).await), PaymentRejection::Refused("too old".into()));
    peer.cancel_payment.status(tonic::Status::unimplemented("an older provider"));
    assert_eq!(class(client.cancel(&cx, cancel()).await), FaultClass::Unsupported);
    peer.cancel_payment.status(tonic::Status::internal("boom"));
    assert_eq!(class(client.cancel(&cx, cancel()).await), FaultClass::Transient);
    peer.cancel_payment.message(pay::CancelPaymentResponse::default());
    assert_eq!(
        class(client.cancel(&cx, cancel()).await),
        FaultClass::Transient,
        "an answer without a status"
    );
}
