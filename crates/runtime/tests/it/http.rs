//! What an HTTP caller sees.

use crate::wire::{Answer, Server};
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use http::HeaderMap;
use runtime::Reply;
use runtime::http::{Json, RawBody, internal_token, trace_of};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    seat_ids: Vec<String>,
    quantity: u32,
}

async fn order(Json(order): Json<Order>) -> Result<Json<Value>, Reply> {
    Ok(Json(json!({ "seats": order.seat_ids.len(), "quantity": order.quantity })))
}

async fn trace(headers: HeaderMap) -> Json<Value> {
    let (first, second) = (trace_of(&headers), trace_of(&headers));
    assert_eq!(first, second);
    Json(json!({ "trace_id": first.trace_id.as_deref(), "traceparent": first.traceparent.as_deref() }))
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

fn routes() -> Router {
    let token = Some(SecretString::from("the-internal-token"));
    Router::new()
        .route("/orders", post(order))
        .route("/raw", post(async |RawBody(bytes): RawBody| bytes.len().to_string()))
        .route("/bytes", post(async |bytes: bytes::Bytes| bytes.len().to_string()))
        .route("/trace", get(trace))
        .route("/panics", get(panics))
        .route("/numbers/{number}", get(async |Path(number): Path<u32>| number.to_string()))
        .merge(
            Router::new().route("/internal/thing", get(async || "inside")).route_layer(internal_token(token)),
        )
}

#[tokio::test]
async fn a_good_body_is_answered_in_json() {
    let server = Server::start(routes()).await;
    let body = br#"{"seat_ids":["A1","A2"],"quantity":2}"#;
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.tacos+json"] {
        let answer = server.post("/orders", kind, body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"seats": 2, "quantity": 2})), "{kind}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_400_in_the_error_shape() {
    let server = Server::start(routes()).await;
    let deep = format!(r#"{{"seat_ids":{}"#, "[".repeat(50_000));
    let long = format!(r#"{{"seat_ids":["A1"],"quantity":"{}"}}"#, "9".repeat(10_000));
    let bad = [
        "",
        "not json",
        "{",
        "null",
        r#" [["A1"],1]"#,
        &deep,
        &long,
        r#"{"seat_ids":["A1"],"quantity":-1}"#,
        r#"{"seat_ids":["A1"],"quantity":2147483648000}"#,
        r#"{"seat_ids":["A1"],"quantity":"1"}"#,
        r#"{"seat_ids":"A1","quantity":1}"#,
        r#"{"seat_ids":["A1"]}"#,
        r#"{"seat_ids":["A1"],"quantity":1,"price":1}"#,
        r#"{"seat_ids":["A1"],"quantity":1} trailing"#,
    ];
    for body in bad {
        let answer = server.post("/orders", "application/json", body.as_bytes()).await;
        assert_eq!((answer.status, &*answer.error_code()), (400, "INVALID_ARGUMENT"), "{answer:?}");
        assert!(answer.body.len() < 600, "the answer repeats the body: {}", answer.body.len());
    }
    let answer =
        server.post("/orders", "application/json", b"{\"seat_ids\":[\"\xff\"],\"quantity\":1}").await;
    assert_eq!((answer.status, &*answer.error_code()), (400, "INVALID_ARGUMENT"), "{answer:?}");
}

#[tokio::test]
async fn another_content_type_is_415() {
    let server = Server::start(routes()).await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = server.post("/orders", kind, br#"{"seat_ids":[],"quantity":0}"#).await;
        assert_eq!((answer.status, &*answer.error_code()), (415, "INVALID_ARGUMENT"), "{kind}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_the_caller_gets_to_read_it() {
    let server = Server::start(routes()).await;
    let at_limit = vec![b'x'; 64 * 1024];
    assert_eq!(server.post("/raw", "text/plain", &at_limit).await.body, "65536");
    for (path, length) in [("/raw", 64 * 1024 + 1), ("/orders", 10 * 1024 * 1024), ("/bytes", 64 * 1024 + 1)]
    {
        let answer = server.post(path, "application/json", &vec![b' '; length]).await;
        assert_eq!((answer.status, &*answer.error_code()), (413, "INVALID_ARGUMENT"), "{path} {length}");
    }
    // Without a length it is found out while reading.
    let mut chunked =
        b"POST /raw HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..80 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b'x'; 1024]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = server.raw(&chunked).await;
    assert_eq!((answer.status, &*answer.error_code()), (413, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn a_caller_that_asks_before_sending_too_much_is_refused_without_sending() {
    let server = Server::start(routes()).await;
    let head = "POST /raw HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n";
    assert_eq!(server.raw(head.as_bytes()).await.status, 413);
}

#[tokio::test]
async fn missing_routes_methods_and_bad_paths_are_answered_in_the_error_shape() {
    let server = Server::start(routes()).await;
    let answer = server.get("/nowhere").await;
    assert_eq!((answer.status, &*answer.error_code()), (404, "ROUTE_NOT_FOUND"));
    let answer = server.get("/orders").await;
    assert_eq!((answer.status, &*answer.error_code()), (405, "INVALID_ARGUMENT"));
    assert!(answer.head.contains("allow: post"), "{answer:?}");
    let answer = server.get("/numbers/many").await;
    assert_eq!((answer.status, &*answer.error_code()), (400, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn a_panic_is_500_in_the_error_shape_and_the_server_keeps_serving() {
    let server = Server::start(routes()).await;
    let answer = server.get("/panics").await;
    assert_eq!((answer.status, &*answer.error_code()), (500, "INTERNAL"));
    assert!(!answer.body.contains("on purpose"));
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn the_trace_of_a_request_is_the_one_it_names_or_a_new_one() {
    let server = Server::start(routes()).await;
    let with = async |header: &str| {
        let head = format!("GET /trace HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
        server.raw(head.as_bytes()).await.json()
    };
    let parent = "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01";
    let named = with(&format!("traceparent: {parent}\r\nx-trace-id: other\r\n")).await;
    assert_eq!(named, json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "traceparent": parent}));
    assert_eq!(with("x-trace-id: my-trace\r\n").await["trace_id"], "my-trace");
    let (one, two) = (with("").await, with("traceparent: nonsense\r\n").await);
    assert_ne!(one["trace_id"], two["trace_id"]);
    assert!(one["traceparent"].as_str().unwrap().contains(one["trace_id"].as_str().unwrap()));
}

#[tokio::test]
async fn internal_routes_require_the_token() {
    let server = Server::start(routes()).await;
    let with = async |header: &str| {
        let head = format!("GET /internal/thing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
        server.raw(head.as_bytes()).await
    };
    assert_eq!(with("X-Internal-Token: the-internal-token\r\n").await.body, "inside");
    for header in
        ["", "X-Internal-Token: \r\n", "X-Internal-Token: the-internal-toke\r\n", "X-Internal-Token: x\r\n"]
    {
        let answer = with(header).await;
        assert_eq!((answer.status, &*answer.error_code()), (401, "UNAUTHENTICATED"), "{header}");
    }
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn without_a_token_no_page_of_a_browser_may_call() {
    let inside = Router::new().route("/internal/thing", post(async || "inside"));
    let server = Server::start(inside.route_layer(internal_token(None))).await;
    let with = async |header: &str| {
        let head = format!("POST /internal/thing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
        server.raw(head.as_bytes()).await
    };
    assert_eq!(with("").await.body, "inside");
    assert_eq!(with("Sec-Fetch-Site: none\r\n").await.body, "inside", "typed");
    for page in
        ["Origin: https://elsewhere.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
    {
        let answer = with(page).await;
        assert_eq!((answer.status, &*answer.error_code()), (403, "FORBIDDEN"), "{page}");
    }
}

#[tokio::test]
async fn probes_tell_the_truth_with_reasons() {
    let server = Server::start(Router::new()).await;
    for path in ["/health", "/healthz", "/ready", "/readyz"] {
        assert_eq!((server.get(path).await.status, path), (200, path));
    }
    server.process.health.ready_set("store", Err("the folder is in use".into()));
    let answer = server.get("/ready").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["reasons"], json!(["store: the folder is in use"]));
    assert_eq!(server.get("/health").await.status, 200);
    let version = server.get("/version").await.json();
    assert_eq!((&version["name"], version["version"].is_string()), (&json!("test-api"), true));
}

#[tokio::test]
async fn metrics_are_by_route_and_a_caller_cannot_make_new_series() {
    let server = Server::start(routes()).await;
    for number in 0..5 {
        server.get(&format!("/numbers/{number}")).await;
        server.get(&format!("/nowhere/{number}")).await;
        let odd = format!("VERB{number} /trace HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        server.raw(odd.as_bytes()).await;
    }
    let answer = server.get("/metrics").await;
    assert!(answer.head.contains("content-type: application/openmetrics-text"), "{}", answer.head);
    let has = |line: &str| assert!(answer.body.contains(line), "{line} in {}", answer.body);
    has("http_server_requests_total{method=\"GET\",route=\"/numbers/{number}\",status_code=\"200\"} 5\n");
    has("http_server_requests_total{method=\"GET\",route=\"unmatched\",status_code=\"404\"} 5\n");
    has("http_server_requests_total{method=\"OTHER\",route=\"/trace\",status_code=\"405\"} 5\n");
    has(
        "http_server_requests_duration_seconds_count{method=\"GET\",route=\"/numbers/{number}\",status_code=\"200\"} 5\n",
    );
    assert!(!answer.body.contains("nowhere") && !answer.body.contains("VERB"), "{}", answer.body);
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_number() {
    let server = Server::start(routes()).await;
    let large = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-pad: {}\r\n\r\n", "x".repeat(32 * 1024));
    assert_eq!(server.raw(large.as_bytes()).await.status, 431);
    let many = format!("GET /health HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(150));
    assert_eq!(server.raw(many.as_bytes()).await.status, 431);
    // Nonsense is answered or closed, and the server continues.
    let mut stream = server.connect().await;
    stream.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    assert!(text.is_empty() || Answer::parse(&String::from_utf8_lossy(&text)).status == 400);
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let server = Server::start(routes()).await;
    let mut stream = server.connect().await;
    let head = "POST /raw HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so its time runs; from here on only time passes.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    tokio::time::pause();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let answer = Answer::parse(&text);
    assert_eq!((answer.status, &*answer.error_code()), (408, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let server = Server::start(routes()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    tokio::time::pause();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    assert!(!text.starts_with(b"HTTP/1.1 200"));
}
