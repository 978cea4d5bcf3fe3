use super::*;
use contracts::error::{Code, WireError};
use runtime::Refusal as _;

fn key() -> IdempotencyKey {
    IdempotencyKey::parse("k").unwrap()
}

fn body(text: &str) -> rest::Create {
    serde_json::from_str(text).unwrap()
}

fn refused(text: &str) -> WireError {
    let refusal = Create::from_rest(&body(text), key()).unwrap_err();
    refusal.reply().error().clone()
}

#[test]
fn a_request_names_seats_or_a_section_and_a_quantity() {
    let named = Create::from_rest(&body(r#"{"event_id":"e","user_id":"u","seat_ids":["A-1","A-2"]}"#), key())
        .unwrap();
    assert_eq!((named.quantity, named.section.is_none(), named.pass.is_none()), (2, true, true));
    let same = body(r#"{"event_id":"e","user_id":"v","seat_ids":["A-1","A-2"],"quantity":2,"section":"A"}"#);
    let same = Create::from_rest(&same, key()).unwrap();
    assert_eq!(Fingerprint::from_request(&named), Fingerprint::from_request(&same));
    let other = body(r#"{"event_id":"e","user_id":"u","seat_ids":["A-2","A-1"]}"#);
    assert_ne!(
        Fingerprint::from_request(&named),
        Fingerprint::from_request(&Create::from_rest(&other, key()).unwrap())
    );
    let any = body(r#"{"event_id":"e","user_id":"u","quantity":3,"section":"FLOOR","reservation_token":""}"#);
    let any = Create::from_rest(&any, key()).unwrap();
    assert_eq!((any.quantity, any.seats.len(), any.pass), (3, 0, None));
    assert_eq!(any.section.map(|id| id.to_string()).as_deref(), Some("FLOOR"));
}

#[test]
fn a_malformed_request_gets_a_precise_error() {
    let table = [
        (r#"{"event_id":"","user_id":"u","quantity":1}"#, "MISSING"),
        (r#"{"event_id":"e","user_id":"","quantity":1}"#, "MISSING"),
        (r#"{"event_id":"e","user_id":"u\n","quantity":1}"#, "CONTROL_CHARACTER"),
        (r#"{"event_id":"e","user_id":"u","seat_ids":[""]}"#, "MISSING"),
        (r#"{"event_id":"e","user_id":"u"}"#, "NO_SEATS"),
        (r#"{"event_id":"e","user_id":"u","quantity":0}"#, "NO_SEATS"),
        (r#"{"event_id":"e","user_id":"u","quantity":-1}"#, "OUT_OF_RANGE"),
        (r#"{"event_id":"e","user_id":"u","quantity":11}"#, "TOO_MANY_SEATS"),
        (r#"{"event_id":"e","user_id":"u","quantity":2147483648}"#, "TOO_MANY_SEATS"),
        (r#"{"event_id":"e","user_id":"u","quantity":4294967296}"#, "OUT_OF_RANGE"),
        (r#"{"event_id":"e","user_id":"u","seat_ids":["a","b","a"]}"#, "DUPLICATE_SEAT"),
        (r#"{"event_id":"e","user_id":"u","seat_ids":["a","b"],"quantity":3}"#, "QUANTITY_MISMATCH"),
    ];
    for (text, reason) in table {
        let error = refused(text);
        assert_eq!(error.code, Code::InvalidArgument, "{text}");
        assert!(error.find(reason).is_some(), "{text}: {error:?}");
    }
    let eleven = (0..11).map(|n| format!("\"a{n}\"")).collect::<Vec<_>>().join(",");
    let error = refused(&format!(r#"{{"event_id":"e","user_id":"u","seat_ids":[{eleven}]}}"#));
    assert!(error.find("TOO_MANY_SEATS").is_some());
}
