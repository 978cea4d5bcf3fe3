use super::*;
use crate::answer::Refusal;
use crate::error::ErrorBody;
use domain::id::{PersonId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::time::Timestamp;
use http::StatusCode;
use ports::reservations::{EndRejection, Ended, NoSuchReservation, ReservationView};

fn answer(status: StatusCode, body: &[u8]) -> http::Response<&[u8]> {
    let mut answer = http::Response::new(body);
    *answer.status_mut() = status;
    answer
}

fn id() -> ReservationId {
    ReservationId::parse("rsv_456").unwrap()
}

fn intent() -> PaymentIntentId {
    PaymentIntentId::parse("pay_x").unwrap()
}

fn reservation(status: Status) -> Reservation {
    Reservation {
        id: id(),
        show: ShowId::parse("evt_1").unwrap(),
        section: Some(SectionId::parse("floor").unwrap()),
        person: PersonId::parse("u_1").unwrap(),
        status,
        seats: vec![SeatId::parse("A1").unwrap(), SeatId::parse("A2").unwrap()],
        total: Money { amount: 120_000, currency: Currency::krw() },
        hold_expires_at: Timestamp::from_millis(3_000),
        created_at: Timestamp::from_millis(1_000),
        updated_at: Timestamp::from_millis(2_000),
        order: (status == Status::Confirmed).then(|| OrderId::for_reservation(&id())),
        intent: (status == Status::Confirmed).then(intent),
        cancel_reason: None,
        error_code: None,
    }
}

const STATUSES: [Status; 4] = [Status::Hold, Status::Confirmed, Status::Cancelled, Status::Expired];

#[test]
fn every_end_round_trips() {
    let text = |text: &str| Some(Arc::<str>::from(text));
    for end in [
        End::Confirmed { order: Some(OrderId::for_reservation(&id())), intent: Some(intent()) },
        End::Confirmed { order: None, intent: None },
        End::Cancelled { reason: text("payment_failed"), error_code: text("CARD_DECLINED") },
        End::Cancelled { reason: None, error_code: None },
        End::Expired { error_code: text("PAID_TOO_LATE") },
        End::Expired { error_code: None },
    ] {
        for inventory_settled in [true, false] {
            let command = EndReservation { id: id(), end: end.clone(), inventory_settled };
            let body = serde_json::to_string(&patch_of(&command)).unwrap();
            assert_eq!(command_of(id(), &serde_json::from_str(&body).unwrap()).unwrap(), command);
        }
    }
}

#[test]
fn a_patch_to_a_status_that_is_not_an_end_is_refused() {
    for status in ["", "HOLD", "confirmed", "REFUNDED"] {
        let patch = Patch { status: status.into(), ..Patch::default() };
        assert_eq!(command_of(id(), &patch).unwrap_err().code, Code::InvalidArgument, "{status}");
    }
    let patch = Patch { status: "CONFIRMED".into(), order_id: Some("a\nb".into()), ..Patch::default() };
    assert_eq!(command_of(id(), &patch).unwrap_err().details[0].field, "order_id");
}

/// Earlier senders fill every field and do not say that the inventory is settled.
#[test]
fn a_patch_of_an_earlier_sender_leaves_the_inventory_to_the_receiver() {
    let patch: Patch = serde_json::from_str(
        r#"{"status":"CONFIRMED","order_id":"","cancel_reason":"","payment_intent_id":null}"#,
    )
    .unwrap();
    let command = command_of(id(), &patch).unwrap();
    assert_eq!(command.end, End::Confirmed { order: None, intent: None });
    assert!(!command.inventory_settled);
}

#[test]
fn a_reservation_round_trips() {
    for status in STATUSES {
        let reservation = reservation(status);
        let body = serde_json::to_vec(&shown(&reservation)).unwrap();
        let expected = ReservationView {
            id: id(),
            status: Some(status),
            show: Some(reservation.show),
            seats: reservation.seats,
            quantity: Some(2),
            person: Some(reservation.person),
            order: reservation.order,
            intent: reservation.intent,
            total: Some(reservation.total),
        };
        assert_eq!(view_from_rest(&id(), &answer(StatusCode::OK, &body)).unwrap(), expected);
        let ended = ended_from_rest(&id(), &answer(StatusCode::OK, &body)).unwrap();
        assert_eq!(ended, Ended { reservation: Some(expected) });
    }
}

/// Rules R1: an error code without a status is recorded, and is no end.
#[test]
fn a_note_round_trips_and_is_no_end() {
    let body = serde_json::to_string(&error_code_patch("AMOUNT_MISMATCH")).unwrap();
    assert_eq!(body, r#"{"error_code":"AMOUNT_MISMATCH"}"#);
    let read = |body: &str| error_code_of(&serde_json::from_str(body).unwrap());
    assert_eq!(read(&body).as_deref(), Some("AMOUNT_MISMATCH"));
    assert_eq!(read(r#"{"status":"","error_code":"X","inventory_settled":true}"#).as_deref(), Some("X"));
    for no_note in ["{}", r#"{"error_code":""}"#, r#"{"status":"EXPIRED","error_code":"X"}"#] {
        assert_eq!(read(no_note), None, "{no_note}");
    }
    for status in [StatusCode::OK, StatusCode::NO_CONTENT] {
        assert_eq!(recorded_from_rest(&answer(status, b"")), Ok(()));
    }
    let (status, body) = end_rejection_to_rest(&id(), &EndRejection::NoSuchReservation, None);
    let gone = recorded_from_rest(&answer(status, body.to_string().as_bytes()));
    assert_eq!(gone, Err(Refusal::Rejected(NoSuchReservation)));
    // An earlier service refuses a PATCH without a status.
    let refused = answer(StatusCode::BAD_REQUEST, br#"{"error":{"code":"INVALID_ARGUMENT"}}"#);
    assert!(matches!(recorded_from_rest(&refused), Err(Refusal::Failed(_))));
}

#[test]
fn the_total_is_read_from_any_service_that_says_it() {
    let total = |body: &str| {
        let view = view_from_rest(&id(), &answer(StatusCode::OK, body.as_bytes())).unwrap();
        view.total.map(|total| (total.amount, total.currency.as_str().to_owned()))
    };
    let krw = |amount| Some((amount, "KRW".to_owned()));
    for (body, expected) in [
        (r#"{"status":"HOLD","total_price":7,"currency":"KRW"}"#, krw(7)),
        (r#"{"status":"HOLD","total_price":7,"currency":"KRW","total_amount":9}"#, krw(7)),
        (r#"{"status":"HOLD","total_amount":7,"currency":"KRW"}"#, krw(7)),
        (r#"{"status":"HOLD","total_amount":{"amount":7,"currency":"KRW"}}"#, krw(7)),
        (r#"{"status":"HOLD","total_amount":{"amount":7},"currency":"KRW"}"#, krw(7)),
        (r#"{"status":"HOLD","total_price":7}"#, None),
        (r#"{"status":"HOLD","total_price":"7","currency":"KRW"}"#, None),
        (r#"{"status":"HOLD","total_price":7,"currency":"won"}"#, None),
        (r#"{"status":"HOLD"}"#, None),
    ] {
        assert_eq!(total(body), expected, "{body}");
    }
}

/// Every refusal of the PATCH as HTTP status and JSON body.
fn end_rejection_to_rest(
    id: &ReservationId,
    rejection: &EndRejection,
    trace_id: Option<Arc<str>>,
) -> (StatusCode, serde_json::Value) {
    match rejection {
        EndRejection::NoSuchReservation => {
            let error = no_such_reservation(id).traced(trace_id);
            (StatusCode::NOT_FOUND, json(&error.to_json()))
        }
        EndRejection::Illegal { current: Some(current), intent } => {
            let error = illegal_move(*current, intent.as_ref()).traced(trace_id);
            (StatusCode::CONFLICT, json(&illegal_body(&error, *current, intent.as_ref())))
        }
        EndRejection::Illegal { current: None, .. } => {
            let error =
                WireError::new(Code::FailedPrecondition, "the reservation does not allow this change")
                    .traced(trace_id);
            (StatusCode::CONFLICT, json::<ErrorBody>(&error.to_json()))
        }
    }
}

fn json<T: serde::Serialize>(body: &T) -> serde_json::Value {
    serde_json::to_value(body).expect("bodies have text keys and no failing Serialize")
}

#[test]
fn every_refusal_round_trips() {
    let mut all =
        vec![EndRejection::NoSuchReservation, EndRejection::Illegal { current: None, intent: None }];
    for status in STATUSES {
        all.push(EndRejection::Illegal { current: Some(status), intent: None });
        all.push(EndRejection::Illegal { current: Some(status), intent: Some(intent()) });
    }
    for rejection in all {
        let (status, body) = end_rejection_to_rest(&id(), &rejection, Some("abc".into()));
        let got = ended_from_rest(&id(), &answer(status, body.to_string().as_bytes()));
        assert_eq!(got, Err(Refusal::Rejected(rejection)));
    }
}

#[test]
fn the_409_has_the_documented_shape() {
    let rejection = EndRejection::Illegal { current: Some(Status::Confirmed), intent: Some(intent()) };
    let (status, body) = end_rejection_to_rest(&id(), &rejection, Some("abc".into()));
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(
        body,
        serde_json::json!({
            "error": {
                "code": "FAILED_PRECONDITION",
                "message": "the reservation is CONFIRMED and does not allow this change",
                "trace_id": "abc",
                "details": [
                    {"field": "status", "reason": "CURRENT_STATUS", "value": "CONFIRMED"},
                    {"field": "payment_intent_id", "reason": "CURRENT", "value": "pay_x"}
                ]
            },
            "status": "CONFIRMED",
            "payment_intent_id": "pay_x"
        })
    );
}

#[test]
fn answers_of_earlier_services_are_read_with_any_body_or_none() {
    let illegal = |body: &str| match ended_from_rest(&id(), &answer(StatusCode::CONFLICT, body.as_bytes())) {
        Err(Refusal::Rejected(EndRejection::Illegal { current, .. })) => current,
        other => panic!("{body}: {other:?}"),
    };
    for (body, current) in [
        ("", None),
        ("already confirmed", None),
        ("[]", None),
        (r#"{"status":409,"error":"Conflict","path":"/internal"}"#, None),
        (r#"{"status":"SOMETHING"}"#, None),
        (r#"{"status":"EXPIRED"}"#, Some(Status::Expired)),
        (r#"{"current_status":"CANCELLED"}"#, Some(Status::Cancelled)),
        (r#"{"error":{"code":"X","message":"m","current_status":"CONFIRMED"}}"#, Some(Status::Confirmed)),
    ] {
        assert_eq!(illegal(body), current, "{body}");
    }
    for body in ["", "not found", "{}", r#"{"error":"Not Found","status":404}"#] {
        let got = view_from_rest(&id(), &answer(StatusCode::NOT_FOUND, body.as_bytes()));
        assert!(matches!(got, Err(Refusal::Unsupported(_))), "{body}");
    }
    for body in ["", "{}", r#"{"success":true}"#] {
        assert_eq!(
            ended_from_rest(&id(), &answer(StatusCode::OK, body.as_bytes())),
            Ok(Ended { reservation: None })
        );
    }
    assert_eq!(ended_from_rest(&id(), &answer(StatusCode::NO_CONTENT, b"")), Ok(Ended { reservation: None }));
    assert!(matches!(view_from_rest(&id(), &answer(StatusCode::OK, b"ok")), Err(Refusal::NotReached(_))));
}

#[test]
fn the_grpc_message_has_every_field() {
    let message = reservation_to_proto(&reservation(Status::Confirmed));
    assert_eq!(message.order_id, "ord_456");
    assert_eq!(message.quantity, 2);
    assert_eq!(message.seats[1].id, "A2");
    assert_eq!(message.total_amount.unwrap().amount, 120_000);
}
