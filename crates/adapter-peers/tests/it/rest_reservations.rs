//! What reservation-api's answers mean, and the requests to it.

use crate::servers::{TRACEPARENT, class, clock, fault, go, hasty, listen, nobody, rejection, rude, traced};
use adapter_peers::{PeerOptions, ReservationsClient};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use core::time::Duration;
use domain::id::{OrderId, PaymentIntentId, ReservationId};
use domain::reservation::{End, Status};
use parking_lot::Mutex;
use ports::reservations::{EndRejection, EndReservation, NoSuchReservation, Reservations};
use ports::{CallContext, FaultClass};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

#[derive(Clone)]
struct Seen {
    method: Method,
    id: String,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Default)]
struct Api {
    answers: Mutex<VecDeque<(u16, String)>>,
    seen: Mutex<Vec<Seen>>,
}

impl Api {
    async fn serve() -> (Arc<Self>, String) {
        let api = Arc::new(Self::default());
        let router = Router::new()
            .route("/base/internal/reservations/{id}", axum::routing::any(Self::answer))
            .with_state(Arc::clone(&api));
        let (listener, address) = listen().await;
        go(async move { axum::serve(listener, router).await.unwrap() });
        (api, format!("http://{address}/base/"))
    }

    async fn answer(
        State(api): State<Arc<Self>>,
        Path(id): Path<String>,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        api.seen.lock().push(Seen { method, id, headers, body });
        let answer = api.answers.lock().pop_front();
        match answer {
            Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
            None => std::future::pending().await,
        }
    }

    fn then(&self, status: u16, body: &str) {
        self.answers.lock().push_back((status, body.to_owned()));
    }

    fn last(&self) -> Seen {
        self.seen.lock().last().expect("a call was made").clone()
    }
}

fn patient() -> PeerOptions {
    PeerOptions { timeout: Duration::from_secs(60), ..PeerOptions::rest() }
}

fn id() -> ReservationId {
    ReservationId::parse("rsv_1").unwrap()
}

/// reservation-api's own 404.
const NO_SUCH: &str = r#"{"error":{"code":"NOT_FOUND","message":"no reservation rsv_1","details":[
    {"field":"reservation_id","reason":"NO_SUCH_RESERVATION","value":"rsv_1"}]}}"#;

fn confirm() -> EndReservation {
    let end = End::Confirmed {
        order: Some(OrderId::parse("ord_1").unwrap()),
        intent: Some(PaymentIntentId::parse("pay_1").unwrap()),
    };
    EndReservation { id: id(), end, inventory_settled: true }
}

#[tokio::test]
async fn a_reservation_of_any_age_is_read() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, Some("secret"), patient(), clock()).unwrap();
    api.then(
        200,
        r#"{"reservation_id":"rsv_1","event_id":"evt_1","status":"HOLD","seat_ids":["A1"],"qty":1,"new":{"x":1}}"#,
    );
    let view = client.get(&traced(), &id()).await.unwrap();
    assert_eq!((view.status, view.quantity, view.person), (Some(Status::Hold), Some(1), None));
    let seen = api.last();
    assert_eq!((seen.method, seen.id.as_str()), (Method::GET, "rsv_1"));
    assert_eq!(seen.headers["x-internal-token"], "secret");
    assert_eq!(seen.headers["traceparent"], TRACEPARENT);
    assert_eq!(seen.headers["x-trace-id"], "5b8aa5a2d2c872e8321cf37308d69df2");
    api.then(200, r#"{"status":"SOMETHING_NEW"}"#);
    assert_eq!(client.get(&traced(), &id()).await.unwrap().status, None);
}

#[tokio::test]
async fn an_end_is_sent_as_the_contract_says() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    let cx = CallContext::default();
    api.then(200, "");
    assert_eq!(client.end(&cx, confirm()).await.unwrap().reservation, None);
    let seen = api.last();
    assert_eq!((seen.method, seen.headers.get("x-internal-token")), (Method::PATCH, None));
    assert_eq!(seen.headers["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    let expected = serde_json::json!({
        "status": "CONFIRMED", "order_id": "ord_1", "payment_intent_id": "pay_1", "inventory_settled": true
    });
    assert_eq!(body, expected);
    api.then(200, r#"{"reservation_id":"rsv_1","status":"CONFIRMED","order_id":"ord_1"}"#);
    let view = client.end(&cx, confirm()).await.unwrap().reservation.unwrap();
    assert_eq!((view.status, view.order), (Some(Status::Confirmed), OrderId::parse("ord_1").ok()));
}

#[tokio::test]
async fn an_identifier_is_one_segment_of_the_path() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    for text in ["a/b", "50% off?", "좌석 1", "x#y;z", "a+b&c"] {
        api.then(404, NO_SUCH);
        let id = ReservationId::parse(text).unwrap();
        assert_eq!(rejection(client.get(&CallContext::default(), &id).await), NoSuchReservation);
        assert_eq!(api.last().id, text);
    }
}

#[tokio::test]
async fn refusals_are_understood() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    let cx = CallContext::default();
    api.then(404, NO_SUCH);
    assert_eq!(rejection(client.end(&cx, confirm()).await), EndRejection::NoSuchReservation);
    let intent = PaymentIntentId::parse("pay_x").unwrap();
    let ours = r#"{"error":{"code":"FAILED_PRECONDITION","message":"m","trace_id":"t","details":[
        {"field":"status","reason":"CURRENT_STATUS","value":"CONFIRMED"},
        {"field":"payment_intent_id","reason":"CURRENT","value":"pay_x"}]}}"#;
    for (body, current, intent) in [
        (r#"{"status":"EXPIRED"}"#, Some(Status::Expired), None),
        (ours, Some(Status::Confirmed), Some(intent)),
    ] {
        api.then(409, body);
        let rejected = rejection(client.end(&cx, confirm()).await);
        assert_eq!(rejected, EndRejection::Illegal { current, intent }, "{body}");
    }
}

/// Case P7: a 409 that does not say the current status is explained by a GET.
#[tokio::test]
async fn a_409_without_the_current_status_is_looked_up() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    let cx = CallContext::default();
    for body in ["", "conflict", r#"{"status":409,"error":"Conflict"}"#] {
        api.then(409, body);
        api.then(200, r#"{"status":"CONFIRMED","payment_intent_id":"pay_1"}"#);
        let ended = client.end(&cx, confirm()).await.unwrap().reservation.unwrap();
        assert_eq!(ended.status, Some(Status::Confirmed), "{body}: the very end asked for");
        assert_eq!(api.last().method, Method::GET);
        api.then(409, body);
        api.then(200, r#"{"status":"EXPIRED"}"#);
        let current = Some(Status::Expired);
        assert_eq!(
            rejection(client.end(&cx, confirm()).await),
            EndRejection::Illegal { current, intent: None }
        );
    }
    let patch_only = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    api.then(409, "");
    api.then(404, "");
    assert_eq!(class(patch_only.end(&cx, confirm()).await), FaultClass::Transient);
    api.then(409, r#"{"error":{"code":"CONCURRENT_MODIFICATION","message":"again"}}"#);
    assert_eq!(class(client.end(&cx, confirm()).await), FaultClass::Transient, "a code that means again");
}

/// Cases P1 to P3: what proxies, gateways and wrong addresses answer decides nothing.
#[tokio::test]
async fn an_answer_that_is_not_the_peers_means_that_it_was_not_reached() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    let cx = CallContext::default();
    let token = r#"{"error":{"code":"UNAUTHENTICATED","message":"the token is not known"}}"#;
    let route = r#"{"error":{"code":"ROUTE_NOT_FOUND","message":"there is nothing under this path"}}"#;
    for (status, body) in [
        (404, "default backend - 404"),
        (404, ""),
        (404, r#"{"error":{"code":"NOT_FOUND","message":"?"}}"#),
        (404, route),
        (301, ""),
        (302, "<html>"),
        (401, token),
        (403, "<html>"),
        (405, ""),
        (407, ""),
        (415, ""),
        (421, ""),
        (426, ""),
        (429, ""),
        (500, r#"{"error":{"code":"INTERNAL","message":"internal error"}}"#),
        (502, "<html>"),
        (503, r#"{"error":{"code":"NOT_FOUND","message":"from a proxy"}}"#),
        (504, ""),
        (200, "<html>sign in</html>"),
        (200, "ok"),
        (200, "[]"),
    ] {
        api.then(status, body);
        assert_eq!(class(client.end(&cx, confirm()).await), FaultClass::NotReached, "{status} {body}");
    }
}

/// Case P4: a peer with PATCH only.
#[tokio::test]
async fn a_get_that_the_peer_does_not_have_is_told_apart() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    let cx = CallContext::default();
    for (status, body) in [
        (404, ""),
        (405, ""),
        (404, r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/internal/reservations/rsv_1"}"#),
    ] {
        api.then(status, body);
        assert_eq!(class(client.get(&cx, &id()).await), FaultClass::Unsupported, "{status} {body}");
    }
    let route = r#"{"error":{"code":"ROUTE_NOT_FOUND","message":"there is nothing under this path"}}"#;
    api.then(404, route);
    assert_eq!(class(client.get(&cx, &id()).await), FaultClass::NotReached, "our service, a wrong path");
    api.then(200, r#"{"status":"HOLD"}"#);
    client.get(&cx, &id()).await.unwrap();
    api.then(404, "");
    assert_eq!(class(client.get(&cx, &id()).await), FaultClass::NotReached, "it has answered a GET before");
}

#[tokio::test]
async fn other_failures_have_their_class() {
    let (api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    let cx = CallContext::default();
    let ours = r#"{"error":{"code":"INVALID_ARGUMENT","message":"status is missing"}}"#;
    for (status, body, expected) in [
        (400, ours, FaultClass::Permanent),
        (400, "<html>", FaultClass::Transient),
        (408, "", FaultClass::Transient),
        (410, "", FaultClass::Transient),
        (412, "", FaultClass::Transient),
    ] {
        api.then(status, body);
        assert_eq!(class(client.end(&cx, confirm()).await), expected, "{status}");
        api.then(status, body);
        assert_eq!(class(client.get(&cx, &id()).await), expected, "{status}");
    }
    api.then(200, "{}");
    assert_eq!(client.get(&cx, &id()).await.unwrap().status, None);
    api.then(200, "");
    assert_eq!(class(client.get(&cx, &id()).await), FaultClass::Transient);
    let small = PeerOptions { answer_bytes_max: 100, ..patient() };
    let client = ReservationsClient::new(&base, None, small, clock()).unwrap();
    api.then(200, &" ".repeat(101));
    let fault = fault(client.get(&cx, &id()).await);
    assert_eq!(fault.class, FaultClass::Transient);
    assert!(fault.message.contains("more than 100 bytes"), "{fault}");
}

/// Trap T-T11.
#[tokio::test]
async fn no_answer_is_an_outage() {
    let (_api, base) = Api::serve().await;
    let client = ReservationsClient::new(&base, None, patient(), clock()).unwrap();
    assert_eq!(class(client.get(&hasty(), &id()).await), FaultClass::Unavailable);
    assert_eq!(class(client.end(&hasty(), confirm()).await), FaultClass::Unavailable);
    for address in [nobody().await, rude().await, broken_off().await] {
        let client = ReservationsClient::new(&address, None, patient(), clock()).unwrap();
        for _ in 0..2 {
            let fault = fault(client.get(&CallContext::default(), &id()).await);
            assert_eq!(fault.class, FaultClass::NotReached, "{}", fault.chain());
        }
    }
}

/// A server that promises more of a body than it sends.
async fn broken_off() -> String {
    let router = Router::new().fallback(|| async {
        let part = Ok::<_, std::io::Error>(Bytes::from_static(b"{\"status\":"));
        let cut = Err(std::io::Error::other("cut"));
        Body::from_stream(tokio_stream::iter([part, cut]))
    });
    let (listener, address) = listen().await;
    go(async move { axum::serve(listener, router).await.unwrap() });
    address.to_string()
}

#[tokio::test]
async fn the_number_of_calls_at_once_is_bounded() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let router = Router::new().fallback({
        let (now, most, gate) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&gate));
        move || async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            now.fetch_sub(1, Ordering::SeqCst);
            "{}"
        }
    });
    let (listener, address) = listen().await;
    go(async move { axum::serve(listener, router).await.unwrap() });
    let options = PeerOptions { connections: 3, ..patient() };
    let client = Arc::new(ReservationsClient::new(&address.to_string(), None, options, clock()).unwrap());
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = Arc::clone(&client);
            go(async move { drop(client.get(&CallContext::default(), &id()).await.unwrap()) })
        })
        .collect();
    while now.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(12);
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

/// Trap T-O2.
#[tokio::test]
async fn every_problem_of_the_peer_is_reported_at_once() {
    let options = PeerOptions { connections: 0, ..PeerOptions::rest() };
    let Err(why) = ReservationsClient::new("reservation-api", Some("line\nbreak"), options, clock()) else {
        panic!("made")
    };
    assert_eq!(why.problems.len(), 3, "{why}");
    assert!(!why.to_string().contains("break"), "the token is a secret: {why}");
}
