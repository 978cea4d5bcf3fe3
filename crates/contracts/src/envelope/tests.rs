use super::*;
use proptest::prelude::*;

/// The example of `docs/contracts.md#events`, byte for byte.
const EXAMPLE: &str = r#"{ "id": "evt_…", "type": "payment.approved", "source": "payment-sim-api",
  "detail": { "reservation_id": "rsv_456", "event_id": "evt_2025_1001", "qty": 2, "seat_ids": ["A1","A2"],
              "payment_intent_id": "pay_abc", "amount": 120000, "currency": "KRW" },
  "time": "2025-01-23T10:00:00Z", "trace_id": "5b8aa5a2d2c872e8321cf37308d69df2",
  "version": "1.0", "region": "ap-northeast-2", "account": "137406935518" }"#;

fn show(text: &str) -> ShowId {
    ShowId::parse(text).unwrap()
}

fn reservation(text: &str) -> ReservationId {
    ReservationId::parse(text).unwrap()
}

fn read(body: &str) -> Event {
    decode(body, "m-1", &[]).unwrap_or_else(|why| panic!("{why}: {body}")).0
}

fn refused(body: &str) -> (&'static str, &'static str) {
    match decode(body, "m-1", &[]) {
        Err(why) => (why.reason.label(), why.kind_label),
        Ok((event, _)) => panic!("{body}: {event:?}"),
    }
}

#[test]
fn the_documented_example_is_decoded() {
    let (event, trace) = decode(EXAMPLE, "m-1", &[]).unwrap();
    assert_eq!(
        event,
        Event {
            id: EventId::parse("evt_…").unwrap(),
            source: "payment-sim-api".into(),
            at: Timestamp::from_millis(1_737_626_400_000),
            trace_id: Some("5b8aa5a2d2c872e8321cf37308d69df2".into()),
            reservation: reservation("rsv_456"),
            seats: SeatsHint {
                show: Some(show("evt_2025_1001")),
                seats: vec![SeatId::parse("A1").unwrap(), SeatId::parse("A2").unwrap()],
                quantity: Some(2),
            },
            person: None,
            fact: Fact::PaymentApproved {
                intent: PaymentIntentId::parse("pay_abc").unwrap(),
                amount: Some(Money { amount: 120_000, currency: Currency::krw() }),
            },
        }
    );
    assert_eq!(trace, Trace { trace_id: event.trace_id, traceparent: None });
}

#[test]
fn an_encoded_event_has_the_documented_form() {
    let text = encode(&read(EXAMPLE));
    assert_eq!(
        text,
        concat!(
            r#"{"id":"evt_…","type":"payment.approved","source":"payment-sim-api","#,
            r#""detail":{"reservation_id":"rsv_456","event_id":"evt_2025_1001","qty":2,"seat_ids":["A1","A2"],"#,
            r#""payment_intent_id":"pay_abc","amount":120000,"currency":"KRW"},"#,
            r#""time":"2025-01-23T10:00:00.000Z","trace_id":"5b8aa5a2d2c872e8321cf37308d69df2","version":"1.0"}"#
        )
    );
}

#[test]
fn a_real_eventbridge_envelope_is_equivalent() {
    let event = read(
        r#"{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"reservation.expired",
            "source":"reservation-api","account":"137406935518","time":"2025-01-23T10:00:00Z",
            "region":"ap-northeast-2","resources":["arn:aws:x"],
            "detail":{"reservation_id":"rsv_1","event_id":"evt_1","qty":1,"seat_ids":["A1"],"user_id":"u_1",
                      "expires_at":"2025-01-23T09:59:59.500Z"}}"#,
    );
    assert_eq!(event.id.as_str(), "17793124-05d4-b198-2fde-7ededc63b103");
    assert_eq!(event.person.unwrap().as_str(), "u_1");
    let expired_at = Some(Timestamp::from_millis(1_737_626_399_500));
    assert_eq!(event.fact, Fact::ReservationExpired { expired_at });
}

#[test]
fn the_accepted_spellings_mean_the_same() {
    let kinds = [
        (r#""type":"reservation.expired""#, Kind::Expired),
        (r#""type":"reservation.hold.expired""#, Kind::Expired),
        (r#""detail-type":"reservation.hold.expired""#, Kind::Expired),
        (r#""type":"payment.approved","detail-type":"payment.failed""#, Kind::Approved),
        (r#""type":null,"detail-type":"payment.failed""#, Kind::Failed),
        (r#""type":"","detail-type":"payment.failed""#, Kind::Failed),
        (r#""type":"payment\u002efailed""#, Kind::Failed),
    ];
    for (name, kind) in kinds {
        let body = format!(r#"{{{name},"detail":{{"reservation_id":"r","payment_intent_id":"p"}}}}"#);
        assert_eq!(read(&body).fact.kind(), kind, "{name}");
    }
}

#[test]
fn optional_fields_may_be_missing_null_or_empty() {
    for rest in [
        "",
        r#","qty":0,"seat_ids":[],"event_id":"","user_id":"""#,
        r#","qty":null,"seat_ids":null,"event_id":null,"user_id":null,"amount":null,"currency":null"#,
        r#","new":{"a":[1,{"b":null}]},"new2":1e400"#,
    ] {
        let body = format!(
            r#"{{"id":null,"type":"payment.approved","detail":{{"reservation_id":"r","payment_intent_id":"p"{rest}}}}}"#
        );
        let event = read(&body);
        assert_eq!(event.id.as_str(), "m-1", "the queue's id stands in");
        assert_eq!((event.seats, event.person), (SeatsHint::default(), None), "{rest}");
        assert!(matches!(event.fact, Fact::PaymentApproved { amount: None, .. }));
    }
    let body =
        r#"{"type":"payment.failed","detail":{"reservation_id":"r","payment_intent_id":"p","amount":5}}"#;
    assert!(
        matches!(read(body).fact, Fact::PaymentFailed { amount: Some(money), .. } if money.currency == Currency::krw())
    );
}

#[test]
fn the_trace_comes_from_the_attributes_first() {
    let attributes = vec![(
        "traceparent".to_owned(),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
    )];
    let (event, trace) = decode(EXAMPLE, "m-1", &attributes).unwrap();
    assert_eq!(trace.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(event.trace_id.as_deref(), Some("5b8aa5a2d2c872e8321cf37308d69df2"), "as it was written");
    let bare = r#"{"type":"reservation.expired","detail":{"reservation_id":"r"}}"#;
    let (event, trace) = decode(bare, "m-1", &attributes).unwrap();
    assert_eq!(event.trace_id, trace.trace_id);
}

#[test]
fn a_trace_id_that_is_not_hexadecimal_is_kept() {
    let body = r#"{"type":"reservation.expired","trace_id":"run 7 / é","detail":{"reservation_id":"r"}}"#;
    let (event, trace) = decode(body, "m-1", &[]).unwrap();
    assert_eq!(event.trace_id.as_deref(), Some("run 7 / é"));
    assert_eq!(trace.trace_id, event.trace_id);
}

/// Trap T-T12: bad payloads were retried, and unknown types became metric labels.
#[test]
fn each_kind_of_bad_payload_has_its_reason_and_a_fixed_label() {
    let approved = |detail: &str| format!(r#"{{"type":"payment.approved","detail":{detail}}}"#);
    let field =
        |field: &str| approved(&format!(r#"{{"reservation_id":"r","payment_intent_id":"p",{field}}}"#));
    for (body, expected) in [
        (String::new(), ("not_json", "unknown")),
        ("hello".into(), ("not_json", "unknown")),
        (r#"{"type":"payment.approved","#.into(), ("not_json", "unknown")),
        (format!("{} x", approved("{}")), ("not_json", "unknown")),
        ("null".into(), ("bad_field", "unknown")),
        ("[]".into(), ("bad_field", "unknown")),
        (
            r#"["e","payment.approved",null,"s",{"reservation_id":"r","payment_intent_id":"p"},null,null]"#
                .into(),
            ("bad_field", "unknown"),
        ),
        ("42".into(), ("bad_field", "unknown")),
        ("{}".into(), ("missing_field", "unknown")),
        (r#"{"type":"payment.refunded","detail":{}}"#.into(), ("unknown_type", "unknown")),
        (r#"{"type":"PAYMENT.APPROVED","detail":{}}"#.into(), ("unknown_type", "unknown")),
        (r#"{"type":7,"detail":{}}"#.into(), ("bad_field", "unknown")),
        (r#"{"type":"payment.approved"}"#.into(), ("missing_field", "approved")),
        (approved("null"), ("missing_field", "approved")),
        (approved("[]"), ("bad_field", "approved")),
        (approved(r#"["r","e",1,[],null,null,"p",null,null,null,null]"#), ("bad_field", "approved")),
        (approved("7"), ("bad_field", "approved")),
        (approved(r#"{"payment_intent_id":"p"}"#), ("missing_field", "approved")),
        (approved(r#"{"reservation_id":"","payment_intent_id":"p"}"#), ("missing_field", "approved")),
        (approved(r#"{"reservation_id":"r"}"#), ("missing_field", "approved")),
        (approved(r#"{"reservation_id":"r","payment_intent_id":""}"#), ("missing_field", "approved")),
        (approved(r#"{"reservation_id":7,"payment_intent_id":"p"}"#), ("bad_field", "approved")),
        (approved(r#"{"reservation_id":"a\u0000b","payment_intent_id":"p"}"#), ("invalid_id", "approved")),
        (approved(r#"{"reservation_id":"a\nb","payment_intent_id":"p"}"#), ("invalid_id", "approved")),
        (approved(r#"{"reservation_id":"r","reservation_id":"s"}"#), ("bad_field", "approved")),
        (field(r#""qty":"2""#), ("bad_field", "approved")),
        (field(r#""qty":-1"#), ("bad_field", "approved")),
        (field(r#""qty":4294967296"#), ("bad_field", "approved")),
        (field(r#""qty":2.5"#), ("bad_field", "approved")),
        (field(r#""seat_ids":"A1""#), ("bad_field", "approved")),
        (field(r#""seat_ids":[1]"#), ("bad_field", "approved")),
        (field(r#""seat_ids":[null]"#), ("bad_field", "approved")),
        (field(r#""seat_ids":[""]"#), ("invalid_id", "approved")),
        (field(r#""event_id":{}"#), ("bad_field", "approved")),
        (field(r#""user_id":"a\tb""#), ("invalid_id", "approved")),
        (field(r#""amount":-1"#), ("bad_field", "approved")),
        (field(r#""amount":1,"currency":"won""#), ("bad_field", "approved")),
        (
            r#"{"type":"reservation.hold.expired","time":"yesterday","detail":{"reservation_id":"r"}}"#
                .into(),
            ("bad_time", "expired"),
        ),
        (
            r#"{"detail-type":"payment.failed","time":1737626400,"detail":{"reservation_id":"r"}}"#.into(),
            ("bad_field", "failed"),
        ),
        (
            r#"{"type":"reservation.expired","id":"\u0007","detail":{"reservation_id":"r"}}"#.into(),
            ("invalid_id", "expired"),
        ),
    ] {
        assert_eq!(refused(&body), expected, "{body}");
    }
    let long = format!(r#"{{"reservation_id":"{}","payment_intent_id":"p"}}"#, "r".repeat(129));
    assert_eq!(refused(&approved(&long)), ("invalid_id", "approved"));
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let padded = |len: usize| {
        let head = r#"{"type":"reservation.expired","detail":{"reservation_id":"r"}}"#;
        format!("{head}{}", " ".repeat(len - head.len()))
    };
    assert!(decode(&padded(MESSAGE_BYTES_MAX), "m-1", &[]).is_ok());
    assert_eq!(refused(&padded(MESSAGE_BYTES_MAX + 1)), ("too_large", "unknown"));
    assert_eq!(refused(&"x".repeat(10 * 1024 * 1024)), ("too_large", "unknown"));
}

#[test]
fn deep_nesting_is_refused_wherever_it_occurs() {
    let deep = "[".repeat(100_000);
    assert_eq!(refused(&deep), ("too_deep", "unknown"));
    assert_eq!(refused(&r#"{"a":"#.repeat(40_000)), ("too_deep", "unknown"));
    let field = format!(
        r#"{{"type":"reservation.expired","detail":{{"reservation_id":"r","x":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    assert_eq!(refused(&field), ("too_deep", "unknown"));
    let wide = format!(
        r#"{{"type":"reservation.expired","detail":{{"reservation_id":"r","x":[{}[]],"y":"{}\""}}}}"#,
        "[],".repeat(200),
        "[".repeat(200)
    );
    assert_eq!(read(&wide).reservation, reservation("r"));
}

#[test]
fn reasons_quote_little_of_the_message() {
    let secret = "s".repeat(10_000);
    for body in [
        format!(r#"{{"type":"{secret}","detail":{{}}}}"#),
        format!(r#"{{"type":"payment.failed","detail":{{"qty":"{secret}"}}}}"#),
        format!(r#"{{"type":"payment.failed","detail":{{"qty":"{}"}}}}"#, "é".repeat(5_000)),
    ] {
        let why = decode(&body, "m-1", &[]).unwrap_err();
        assert!(why.to_string().len() < 300, "{why}");
    }
}

#[test]
fn a_providers_message_is_cut_at_a_character() {
    let body = format!(
        r#"{{"type":"payment.failed","detail":{{"reservation_id":"r","payment_intent_id":"p","error_code":"x{}"}}}}"#,
        "é".repeat(1_000)
    );
    let Fact::PaymentFailed { error_code: Some(code), .. } = read(&body).fact else { panic!("no code") };
    assert_eq!(code.len(), 1_023);
}

fn any_id() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,20}"
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let money = proptest::option::of((any::<u64>(), "[A-Z]{3}")).prop_map(|money| {
        money.map(|(amount, currency)| Money { amount, currency: Currency::parse(&currency).unwrap() })
    });
    let words = || proptest::option::of("\\PC{1,30}").prop_map(|text| text.map(Arc::<str>::from));
    let moment = proptest::option::of(0_u64..253_402_207_200_000);
    (0..3, any_id(), money, words(), words(), moment).prop_map(|(kind, intent, amount, code, message, at)| {
        let intent = PaymentIntentId::parse(&intent).unwrap();
        match kind {
            0 => Fact::ReservationExpired { expired_at: at.map(Timestamp::from_millis) },
            1 => Fact::PaymentApproved { intent, amount },
            _ => Fact::PaymentFailed { intent, amount, error_code: code, error_message: message },
        }
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    (
        (any_id(), "\\PC{0,20}", 0_u64..253_402_207_200_000, proptest::option::of("\\S{1,40}")),
        (any_id(), proptest::option::of(any_id()), proptest::collection::vec(any_id(), 0..10)),
        (proptest::option::of(1..u32::MAX), proptest::option::of(any_id()), any_fact()),
    )
        .prop_map(|((id, source, at, trace), (owner, show_id, seats), (quantity, person, fact))| Event {
            id: EventId::parse(&id).unwrap(),
            source: source.into(),
            at: Timestamp::from_millis(at),
            trace_id: trace.map(Arc::from),
            reservation: reservation(&owner),
            seats: SeatsHint {
                show: show_id.as_deref().map(show),
                seats: seats.iter().map(|seat| SeatId::parse(seat).unwrap()).collect(),
                quantity,
            },
            person: person.map(|person| PersonId::parse(&person).unwrap()),
            fact,
        })
}

proptest! {
    #[test]
    fn an_event_round_trips(event in any_event()) {
        let (read, _) = decode(&encode(&event), "m-1", &[]).unwrap();
        prop_assert_eq!(read, event);
    }

    #[test]
    fn no_body_makes_the_reader_panic(body in "\\PC{0,200}") {
        let _ = decode(&body, "m-1", &[]);
    }

    #[test]
    fn no_damage_to_a_good_body_makes_the_reader_panic(at in 0..EXAMPLE.len(), byte in any::<char>()) {
        let mut body = EXAMPLE.to_owned();
        let at = body.floor_char_boundary(at);
        body.remove(at);
        body.insert(at, byte);
        let _ = decode(&body, "m-1", &[]);
    }
}
