use super::*;
use core::time::Duration;

const BODY: &str = r#"{"id":"evt_1","type":"payment.approved","source":"payment-sim-api","detail":{"reservation_id":"rsv_1"},
    "time":"2025-01-23T10:00:00.750Z","version":"1.0"}"#;

fn outgoing(body: &str) -> Outgoing {
    Outgoing { body: body.to_owned(), ..Outgoing::default() }
}

fn permanent(outgoing: &Outgoing) -> bool {
    sized("bus", outgoing).is_err_and(|fault| fault.class == FaultClass::Permanent)
}

#[test]
fn an_event_is_taken_apart() {
    let (bytes, entry) = sized("bus", &outgoing(BODY)).unwrap();
    assert_eq!(entry.event_bus_name(), Some("bus"));
    assert_eq!(entry.source(), Some("payment-sim-api"));
    assert_eq!(entry.detail_type(), Some("payment.approved"));
    assert_eq!(entry.detail(), Some(r#"{"reservation_id":"rsv_1"}"#));
    assert_eq!(entry.time(), Some(&DateTime::from_secs(1_737_626_400)));
    assert_eq!(entry.trace_header(), None);
    assert_eq!(bytes, TIME_BYTES + "payment-sim-apipayment.approved".len() + 26);
}

#[test]
fn an_event_that_a_bus_cannot_carry_is_refused_as_permanent() {
    let delayed = Outgoing { delay: Duration::from_secs(1), ..outgoing(BODY) };
    assert!(permanent(&delayed));
    for part in ["\"type\"", "\"source\"", "\"detail\"", "\"time\""] {
        assert!(permanent(&outgoing(&BODY.replace(part, "\"other\""))), "without {part}");
    }
    assert!(permanent(&outgoing("not JSON")));
    assert!(permanent(&outgoing(&BODY.replace("2025-01-23", "yesterday"))));
    let large = "x".repeat(MESSAGE_BYTES_MAX);
    assert!(permanent(&outgoing(&BODY.replace("rsv_1", &large))));
}

#[test]
fn the_trace_is_sent_in_either_form() {
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parent = attribute(TRACEPARENT, "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01");
    let made = "Root=1-5b8aa5a2-d2c872e8321cf37308d69df2;Parent=051581bf3cb55c13;Sampled=1";
    assert_eq!(trace_header(std::slice::from_ref(&parent)).as_deref(), Some(made));
    let given = attribute(TRACE_HEADER, "Root=1-a-b");
    assert_eq!(trace_header(&[parent, given]).as_deref(), Some("Root=1-a-b"));
    for text in ["", "00-5b8a-0515-01", "00-5b8aa5a2d2c872e8321cf37308d69dé2-051581bf3cb55c13-01"] {
        assert_eq!(trace_header(&[attribute(TRACEPARENT, text)]), None, "{text}");
    }
}

#[test]
fn each_result_is_classed_by_its_code() {
    let failed = |code: &str| PutEventsResultEntry::builder().error_code(code).error_message("m").build();
    let class = |code: &str| result(failed(code)).unwrap_err().class;
    assert_eq!(class("ThrottlingException"), FaultClass::Unavailable);
    assert_eq!(class("InternalFailure"), FaultClass::Unavailable);
    assert_eq!(class("AccessDeniedException"), FaultClass::Permanent);
    assert_eq!(class("MalformedDetail"), FaultClass::Permanent);
    assert_eq!(class("SomethingNew"), FaultClass::Transient);
    let sent = result(PutEventsResultEntry::builder().event_id("e-1").build()).unwrap();
    assert_eq!(&*sent.message_id, "e-1");
    assert!(result(PutEventsResultEntry::builder().build()).is_err());
}
