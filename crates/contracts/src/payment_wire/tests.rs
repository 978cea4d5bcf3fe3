use super::*;

const ALL: [Status; 6] =
    [Status::Pending, Status::Authorized, Status::Captured, Status::Failed, Status::Voided, Status::Refunded];

fn intent() -> PaymentIntentId {
    PaymentIntentId::parse("pay_abc").unwrap()
}

fn payment(status: Status, person: Option<PersonId>) -> Payment {
    Payment {
        intent: intent(),
        reservation: ReservationId::parse("rsv_456").unwrap(),
        person,
        amount: Money { amount: 120_000, currency: Currency::krw() },
        status,
        refunded: 0,
        error_code: None,
        created_at: Timestamp::from_millis(1_000),
        updated_at: Timestamp::from_millis(2_000),
    }
}

#[test]
fn every_status_is_read_back() {
    for status in ALL {
        assert_eq!(status_from_proto(status_to_proto(status) as i32), Some(status));
        assert_eq!(status_to_proto(status).as_str_name(), format!("PAYMENT_STATUS_{}", status_text(status)));
    }
    assert_eq!(status_from_proto(proto::PaymentStatus::Expired as i32), Some(Status::Voided));
    assert_eq!(status_from_proto(0), None);
    assert_eq!(status_from_proto(99), None);
}

/// The answer to GetPaymentStatus.
fn get_response(
    intent: &PaymentIntentId,
    answer: Result<&Payment, &PaymentRejection>,
) -> proto::GetPaymentStatusResponse {
    match answer {
        Ok(payment) => {
            proto::GetPaymentStatusResponse { payment: Some(payment_to_proto(payment)), error: None }
        }
        Err(rejection) => proto::GetPaymentStatusResponse {
            payment: None,
            error: Some(rejection_to_error(intent, rejection).to_proto()),
        },
    }
}

#[test]
fn a_payment_round_trips() {
    for status in ALL {
        for person in [None, Some(PersonId::parse("u_1").unwrap())] {
            let payment = payment(status, person);
            let view = view_from_proto(get_response(&payment.intent, Ok(&payment))).unwrap();
            assert_eq!(
                view,
                PaymentView {
                    intent: payment.intent,
                    reservation: payment.reservation,
                    person: payment.person,
                    status,
                    amount: Some(payment.amount),
                    refunded: payment.refunded,
                }
            );
        }
    }
}

#[test]
fn every_refusal_round_trips() {
    for rejection in [PaymentRejection::NoSuchPayment, PaymentRejection::Refused("it is refunded".into())] {
        let got = view_from_proto(get_response(&intent(), Err(&rejection))).unwrap_err();
        assert_eq!(got, Refusal::Rejected(rejection.clone()));
        let got = cancelled_from_proto(cancel_response(&intent(), Err(&rejection))).unwrap_err();
        assert_eq!(got, Refusal::Rejected(rejection));
    }
}

#[test]
fn a_cancel_round_trips() {
    let command = CancelPayment { intent: intent(), reason: "no seat".into(), idempotency_key: "k1".into() };
    assert_eq!(cancel_from_proto(&cancel_to_proto(&command)).unwrap(), (command, None));
    for (status, refunded) in [(Status::Voided, 0), (Status::Refunded, 120_000), (Status::Failed, 0)] {
        let cancelled = Cancelled { status, refunded };
        let sent = cancel_response(&intent(), Ok((&cancelled, &Currency::krw(), Timestamp::from_millis(5))));
        assert_eq!(sent.refund_id.is_empty(), refunded == 0);
        assert_eq!(cancelled_from_proto(sent).unwrap(), cancelled);
    }
}

#[test]
fn a_cancel_of_an_earlier_caller_has_the_key_of_its_intent() {
    let request = proto::CancelPaymentRequest { payment_intent_id: "pay_abc".into(), ..Default::default() };
    let (command, amount) = cancel_from_proto(&request).unwrap();
    assert_eq!((command.idempotency_key.as_ref(), amount), ("cancel:pay_abc", None));
    let negative = proto::CancelPaymentRequest {
        refund_amount: Some(crate::common::v1::Money { amount: -5, currency: String::new() }),
        ..request
    };
    assert_eq!(cancel_from_proto(&negative).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn answers_that_make_no_sense_are_unreadable() {
    assert!(matches!(view_from_proto(Default::default()), Err(Refusal::Unreadable(_))));
    assert!(matches!(cancelled_from_proto(Default::default()), Err(Refusal::Unreadable(_))));
    let error = WireError::new(Code::Unavailable, "later").to_proto();
    let failed =
        cancelled_from_proto(proto::CancelPaymentResponse { error: Some(error), ..Default::default() });
    assert!(matches!(failed, Err(Refusal::Failed(error)) if error.code == Code::Unavailable));
    let unknown = crate::common::v1::Error { code: 77, message: "odd".into(), ..Default::default() };
    let failed = view_from_proto(proto::GetPaymentStatusResponse { payment: None, error: Some(unknown) });
    assert!(matches!(failed, Err(Refusal::Failed(error)) if error.code == Code::Internal));
}

#[test]
fn an_empty_error_beside_a_result_is_no_error() {
    let payment = payment(Status::Captured, None);
    let mut response = get_response(&payment.intent, Ok(&payment));
    response.error = Some(crate::common::v1::Error::default());
    assert!(view_from_proto(response).is_ok());
}
