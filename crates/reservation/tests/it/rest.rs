//! The HTTP API (docs/contracts.md#reservation-api), over real sockets.

use crate::fixture::{Fixture, HOLD, SECRET};
use crate::webhooks;
use crate::wire::{Answer, Server};
use contracts::IdempotencyKey;
use contracts::webhook_signature::sign;
use domain::id::{ID_BYTES_MAX, ReservationId};
use domain::payment;
use ports::Clock;
use reservation::Config;
use secrecy::SecretString;
use serde_json::json;

const TWO: &str =
    r#"{"event_id":"show-1","user_id":"kim","seat_ids":["A-1","A-2"],"quantity":2,"reservation_token":""}"#;

async fn create(server: &Server, key: &str, body: &str) -> Answer {
    server.post("/v1/reservations", &[("Idempotency-Key", key)], body).await
}

async fn placed(server: &Server) -> ReservationId {
    let answer = create(server, "k", TWO).await;
    ReservationId::parse(answer.json()["reservation_id"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_reservation_lives_from_the_first_request_to_the_order() {
    let server = Server::start().await;
    let answer = create(&server, "k", TWO).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    let id = body["reservation_id"].as_str().unwrap().to_owned();
    let expected = json!({
        "reservation_id": id, "status": "HOLD", "event_id": "show-1", "seat_ids": ["A-1", "A-2"], "quantity": 2,
        "hold_expires_at": "2025-06-15T15:07:40.000Z", "total_amount": 240_000, "currency": "KRW",
    });
    assert_eq!(body, expected);
    assert!(!answer.head.contains("x-idempotency-cached"));
    let again = create(&server, "k", TWO).await;
    assert_eq!((again.status, again.json()), (201, body), "the recorded answer");
    assert!(again.head.contains("x-idempotency-cached: true"));

    let shown = server.get(&format!("/v1/reservations/{id}")).await.json();
    assert_eq!(
        (&shown["status"], &shown["total_price"], &shown["user_id"]),
        (&json!("HOLD"), &json!(240_000), &json!("kim"))
    );
    assert_eq!(server.get(&format!("/internal/reservations/{id}")).await.json(), shown);

    let pay = format!("/v1/reservations/{id}/confirm");
    let unpaid = server.post(&pay, &[], r#"{"payment_intent_id":"pay_1"}"#).await;
    assert_eq!(unpaid.error(), (412, "PAYMENT_NOT_APPROVED".into()));
    server.fixture.payments.put("pay_1", &ReservationId::parse(&id).unwrap(), payment::Status::Captured);
    let confirmed = server.post(&pay, &[], r#"{"payment_intent_id":"pay_1"}"#).await.json();
    assert_eq!(confirmed["status"], "CONFIRMED");
    assert_eq!(server.post(&pay, &[], r#"{"payment_intent_id":"pay_1"}"#).await.json(), confirmed);
    let traced = server.get(&format!("/internal/trace/{id}")).await.json();
    let lines: Vec<&str> =
        traced["lines"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert!(lines[0] == "HOLD" && lines[1].starts_with("CONFIRMED ord_"), "{lines:?}");
    server.stop().await;
}

/// Rules R6: an expired reservation stays EXPIRED, and its buyer's cancel is accepted and final.
#[tokio::test]
async fn a_cancel_of_an_expired_reservation_is_accepted() {
    let server = Server::start().await;
    let id = placed(&server).await;
    server.fixture.clock.advance(HOLD);
    let expired = server.patch(id.as_str(), r#"{"status":"EXPIRED"}"#).await;
    assert_eq!(expired.status, 200, "{expired:?}");
    let path = format!("/v1/reservations/{id}/cancel");
    for _ in 0..2 {
        let cancelled = server.send("POST", &path, &[], "").await;
        assert_eq!((cancelled.status, cancelled.json()), (200, json!({"status": "EXPIRED"})));
    }
    let confirmed = server.patch(id.as_str(), r#"{"status":"CONFIRMED","payment_intent_id":"pay_1"}"#).await;
    assert_eq!((confirmed.error().0, &confirmed.json()["status"]), (409, &json!("EXPIRED")));
    server.stop().await;
}

/// Rules R1: a PATCH without a status records why a payment did not pay.
#[tokio::test]
async fn a_patch_without_a_status_records_an_error_code() {
    let server = Server::start().await;
    let id = placed(&server).await;
    let error_code = r#"{"error_code":"AMOUNT_MISMATCH"}"#;
    for body in [error_code, r#"{"status":"","error_code":"CURRENCY_MISMATCH","inventory_settled":true}"#] {
        let recorded = server.patch(id.as_str(), body).await;
        assert_eq!(recorded.status, 200, "{recorded:?}");
        let shown = recorded.json();
        assert_eq!(
            (&shown["status"], &shown["error_code"]),
            (&json!("HOLD"), &json!("AMOUNT_MISMATCH")),
            "the first code stays"
        );
    }
    assert!(server.fixture.is_announced(&id).await, "it still expires");
    let confirm = r#"{"status":"CONFIRMED","payment_intent_id":"pay_1"}"#;
    let confirmed = server.patch(id.as_str(), confirm).await.json();
    assert_eq!((&confirmed["status"], &confirmed["error_code"]), (&json!("CONFIRMED"), &json!(null)));
    assert_eq!(server.patch(id.as_str(), error_code).await.json(), confirmed, "an ended one stays as it is");
    let unknown = server.patch("rsv_nobody", error_code).await;
    assert_eq!(unknown.error(), (404, "NOT_FOUND".into()));
    assert_eq!(unknown.json()["error"]["details"][0]["reason"], "NO_SUCH_RESERVATION");
    server.stop().await;
}

#[tokio::test]
async fn a_cancel_needs_no_body_and_is_answered_again() {
    let server = Server::start().await;
    let id = placed(&server).await;
    let path = format!("/v1/reservations/{id}/cancel");
    assert_eq!(server.send("POST", &path, &[], "").await.json(), json!({"status": "CANCELLED"}));
    assert_eq!(
        server.post(&path, &[], r#"{"reason":"changed my mind"}"#).await.json(),
        json!({"status": "CANCELLED"})
    );
    assert_eq!(server.post(&path, &[], r#"{"why":1}"#).await.error().0, 400);
    assert_eq!(server.send("POST", &path, &[("content-type", "text/plain")], "x").await.error().0, 415);
    let confirm = format!("/v1/reservations/{id}/confirm");
    server.fixture.payments.put("pay_1", &id, payment::Status::Captured);
    let refused = server.post(&confirm, &[], r#"{"payment_intent_id":"pay_1"}"#).await;
    assert_eq!((refused.error().0, &refused.json()["status"]), (409, &json!("CANCELLED")));
    server.stop().await;
}

/// Every malformed create gets a precise error, stores nothing and moves no seat.
#[tokio::test]
async fn a_bad_create_is_a_clear_error_and_changes_nothing() {
    let server = Server::start().await;
    let with = |field: &str| format!(r#"{{"event_id":"show-1","user_id":"kim",{field}}}"#);
    let eleven = (1..=11).map(|n| format!("\"A-{n}\"")).collect::<Vec<_>>().join(",");
    let long_id = format!(r#""seat_ids":["{}"]"#, "x".repeat(ID_BYTES_MAX + 1));
    let deep = format!(r#"{{"event_id":{}"#, "[".repeat(20_000));
    let bad = [
        "not json".to_owned(),
        String::new(),
        deep,
        "[]".to_owned(),
        "null".to_owned(),
        r#"{"user_id":"kim","quantity":1}"#.to_owned(),
        r#"{"event_id":"","user_id":"kim","quantity":1}"#.to_owned(),
        r#"{"event_id":"show-1","user_id":"","quantity":1}"#.to_owned(),
        r#"{"event_id":7,"user_id":"kim","quantity":1}"#.to_owned(),
        with(r#""quantity":0"#),
        with(r#""quantity":-1"#),
        with(r#""quantity":2147483648"#),
        with(r#""quantity":"2""#),
        with(r#""quantity":1.5"#),
        with(r#""seats":["A-1"]"#),
        with(r#""seat_ids":["A-1","A-1"]"#),
        with(r#""seat_ids":["A-1"],"quantity":2"#),
        with(r#""seat_ids":[""]"#),
        with(r#""seat_ids":["A\n1"]"#),
        with(&long_id),
        with(&format!(r#""seat_ids":[{eleven}]"#)),
        with(r#""quantity":11,"section":"FLOOR""#),
    ];
    for body in &bad {
        let answer = create(&server, "k", body).await;
        assert_eq!(answer.error(), (400, "INVALID_ARGUMENT".into()), "{body:.80}");
    }
    let table = [
        (with(r#""seat_ids":["B-1"]"#), 404, "NOT_FOUND"),
        (r#"{"event_id":"no-show","user_id":"kim","quantity":1}"#.to_owned(), 404, "NOT_FOUND"),
    ];
    for (body, status, code) in table {
        assert_eq!(create(&server, "k", &body).await.error(), (status, code.into()), "{body}");
    }
    assert!(server.fixture.rows().await.is_empty() && server.fixture.inventory.holds().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn the_key_the_content_type_and_the_size_are_checked() {
    let server = Server::start().await;
    let missing = server.post("/v1/reservations", &[], TWO).await;
    assert_eq!(missing.error(), (400, "IDEMPOTENCY_REQUIRED".into()));
    assert_eq!(create(&server, "", TWO).await.error(), (400, "IDEMPOTENCY_REQUIRED".into()));
    assert_eq!(
        create(&server, &"x".repeat(IdempotencyKey::BYTES_MAX + 1), TWO).await.error(),
        (400, "INVALID_ARGUMENT".into())
    );
    assert_eq!(create(&server, "좌석", TWO).await.error(), (400, "INVALID_ARGUMENT".into()));
    let headers = [("Idempotency-Key", "k"), ("content-type", "text/plain")];
    assert_eq!(server.send("POST", "/v1/reservations", &headers, TWO).await.error().0, 415);
    let large = format!(r#"{{"event_id":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    assert_eq!(create(&server, "k", &large).await.error().0, 413);
    assert_eq!(server.send("DELETE", "/v1/reservations", &[], "").await.error().0, 405);
    assert_eq!(server.get("/v1/nothing").await.error().0, 404);
    assert!(server.fixture.rows().await.is_empty() && server.fixture.inventory.holds().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_or_impossible_reservation_is_a_clear_error() {
    let server = Server::start().await;
    let long = "x".repeat(ID_BYTES_MAX + 1);
    for (id, status) in [("rsv_nobody", 404), ("%0A", 400), (&*long, 400)] {
        for path in [
            format!("/v1/reservations/{id}"),
            format!("/internal/reservations/{id}"),
            format!("/internal/trace/{id}"),
        ] {
            assert_eq!(server.get(&path).await.error().0, status, "{path:.60}");
        }
        let confirm = format!("/v1/reservations/{id}/confirm");
        assert_eq!(server.post(&confirm, &[], r#"{"payment_intent_id":"p"}"#).await.error().0, status);
        assert_eq!(server.post(&format!("/v1/reservations/{id}/cancel"), &[], "{}").await.error().0, status);
        assert_eq!(server.patch(id, r#"{"status":"EXPIRED"}"#).await.error().0, status);
    }
    let id = placed(&server).await;
    for body in ["{}", r#"{"payment_intent_id":""}"#, r#"{"payment_intent_id":7}"#, "x"] {
        let answer = server.post(&format!("/v1/reservations/{id}/confirm"), &[], body).await;
        assert_eq!(answer.error(), (400, "INVALID_ARGUMENT".into()), "{body}");
    }
    server.stop().await;
}

/// PATCH: the same again is 200, an illegal move 409 with the current status, a malformed one 400.
#[tokio::test]
async fn a_patch_is_answered_as_the_contract_says() {
    let server = Server::start().await;
    let id = placed(&server).await;
    let id = id.as_str();
    for body in [
        "{}",
        r#"{"status":"HOLD"}"#,
        r#"{"status":"GONE"}"#,
        r#"{"status":"CONFIRMED","settled":true}"#,
        r#"{"status":"CONFIRMED","inventory_settled":"yes"}"#,
        r#"{"status":"CONFIRMED","payment_intent_id":"a\u0000b"}"#,
    ] {
        assert_eq!(server.patch(id, body).await.error().0, 400, "{body}");
    }
    let early = server.patch(id, r#"{"status":"EXPIRED"}"#).await;
    assert_eq!((early.error().0, &early.json()["status"]), (409, &json!("HOLD")));
    let confirm = r#"{"status":"CONFIRMED","payment_intent_id":"pay_1"}"#;
    let first = server.patch(id, confirm).await;
    assert_eq!((first.status, &first.json()["status"]), (200, &json!("CONFIRMED")), "{first:?}");
    assert_eq!(server.patch(id, confirm).await.json(), first.json());
    let illegal = server.patch(id, r#"{"status":"CANCELLED","inventory_settled":true}"#).await;
    assert_eq!(illegal.error(), (409, "FAILED_PRECONDITION".into()));
    let body = illegal.json();
    assert_eq!((&body["status"], &body["payment_intent_id"]), (&json!("CONFIRMED"), &json!("pay_1")));
    server.stop().await;
}

/// Trap T-O3: the internal API was reachable from outside.
#[tokio::test]
async fn internal_calls_need_the_token_when_one_is_set() {
    let token = Some(SecretString::from("internal-token"));
    let config = Config { internal_token: token, ..Config::new(SecretString::from(SECRET)) };
    let server = Server::with(Fixture::with(config)).await;
    let id = placed(&server).await;
    let path = format!("/internal/reservations/{id}");
    for headers in [&[][..], &[("X-Internal-Token", "wrong")]] {
        assert_eq!(server.send("GET", &path, headers, "").await.error(), (401, "UNAUTHENTICATED".into()));
        assert_eq!(server.send("PATCH", &path, headers, "{}").await.error().0, 401);
        assert_eq!(server.send("GET", &format!("/internal/trace/{id}"), headers, "").await.error().0, 401);
    }
    assert_eq!(server.send("GET", &path, &[("X-Internal-Token", "internal-token")], "").await.status, 200);
    assert_eq!(server.get(&format!("/v1/reservations/{id}")).await.status, 200);
    // The provider has the webhook's secret and not our token.
    assert_eq!(
        webhook(&server, "wh_1", &webhooks::body("payment.approved", &id, "pay_1"), SECRET).await.status,
        200
    );
    server.stop().await;
}

async fn webhook(server: &Server, id: &str, body: &str, secret: &str) -> Answer {
    let timestamp = (server.fixture.clock.now().as_millis() / 1_000).to_string();
    let signature = sign(secret.as_bytes(), &timestamp, body.as_bytes());
    let headers =
        [("X-Webhook-Id", id), ("X-Webhook-Timestamp", &timestamp), ("X-Webhook-Signature", &signature)];
    server.post("/internal/payment/webhook", &headers, body).await
}

/// Trap T-M5.
#[tokio::test]
async fn a_webhook_is_received_once_and_only_if_it_is_signed() {
    let server = Server::start().await;
    let id = placed(&server).await;
    let body = webhooks::body("payment.approved", &id, "pay_1");
    assert_eq!(
        webhook(&server, "wh_1", &body, "another secret").await.error(),
        (401, "UNAUTHENTICATED".into())
    );
    assert_eq!(server.post("/internal/payment/webhook", &[], &body).await.error().0, 401);
    for _ in 0..2 {
        let received = webhook(&server, "wh_1", &body, SECRET).await;
        assert_eq!((received.status, received.json()), (200, json!({"received": true})));
    }
    assert_eq!(webhook(&server, "wh_2", "{}", SECRET).await.error().0, 400);
    let nobody = webhooks::body("payment.approved", &ReservationId::parse("rsv_nobody").unwrap(), "pay_1");
    assert_eq!(webhook(&server, "wh_3", &nobody, SECRET).await.error().0, 404);
    let events = server.fixture.taken(1, std::time::Duration::ZERO).await;
    assert_eq!(events.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn probes_metrics_and_shutdown_are_those_of_every_process() {
    let server = Server::start().await;
    placed(&server).await;
    for path in ["/health", "/healthz", "/ready", "/readyz", "/version"] {
        testkit::until(&server.fixture.clock, std::time::Duration::ZERO, path, || async {
            server.get(path).await.status == 200
        })
        .await;
    }
    let metrics = server.get("/metrics").await.body;
    for name in
        ["reservations_created_total{outcome=\"placed\"} 1", "outbox_pending", "http_server_requests_total"]
    {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    let fixture = server.stop().await;
    assert_eq!(fixture.process.health.ready().status, "draining");
}
