//! Bad input over real sockets gets a clear error in the one format and changes nothing.

use crate::running::Running;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use domain::id::ID_BYTES_MAX;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::Command;

/// One request in raw bytes, because a JSON client cannot send invalid JSON.
async fn raw(
    address: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<(StatusCode, Value)> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let tasks = ports::Tasks::new();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    let mut request = Request::builder().method(method).uri(path).header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = send.send_request(request.body(Full::new(body))?).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    let json = serde_json::from_slice(&bytes).with_context(|| format!("{status}: not JSON: {bytes:?}"))?;
    Ok((status, json))
}

/// A request, and the expected status.
type Case = (&'static str, Vec<(&'static str, &'static str)>, Bytes, u16);

const JSON: (&str, &str) = ("content-type", "application/json");
const KEY: (&str, &str) = ("idempotency-key", "bad-input");

async fn platform() -> Result<(tempfile::TempDir, Running)> {
    let folder = tempfile::tempdir()?;
    let platform = Running::start(folder.path(), "60s").await?;
    let show = json!({"event_id": "s", "name": "S", "sections": [
        {"id": "A", "price": 100, "rows": [{"row": "1", "from": 1, "to": 20}]},
        {"id": "F", "price": 50, "capacity": 20}]});
    let opened = platform.post("inventory_http", "/admin/shows", &[], &show).await?;
    ensure!(opened.status == StatusCode::CREATED, "{opened:?}");
    Ok((folder, platform))
}

fn reserve(changes: &Value) -> Value {
    let mut body = json!({
        "event_id": "s", "seat_ids": ["A-1-1"], "quantity": 1, "user_id": "u", "reservation_token": "",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

fn is_error(status: StatusCode, body: &Value, code: &str) -> bool {
    let error = &body["error"];
    status.is_client_error()
        && error["code"] == code
        && error["message"].as_str().is_some_and(|words| words.len() > 5)
        && error["trace_id"].is_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_reservation_is_refused_in_words_and_changes_nothing() -> Result<()> {
    let (_folder, platform) = platform().await?;
    let many: Vec<String> = (1..=11).map(|n| format!("A-1-{n}")).collect();
    let cases = [
        ("empty show", json!({"event_id": ""}), "INVALID_ARGUMENT"),
        ("empty person", json!({"user_id": ""}), "INVALID_ARGUMENT"),
        ("control character", json!({"user_id": "a\u{0}b"}), "INVALID_ARGUMENT"),
        ("long id", json!({"user_id": "x".repeat(ID_BYTES_MAX + 1)}), "INVALID_ARGUMENT"),
        ("empty seat id", json!({"seat_ids": [""]}), "INVALID_ARGUMENT"),
        ("duplicate seats", json!({"seat_ids": ["A-1-1", "A-1-1"], "quantity": 2}), "INVALID_ARGUMENT"),
        ("quantity 0", json!({"seat_ids": [], "section": "F", "quantity": 0}), "INVALID_ARGUMENT"),
        ("quantity -1", json!({"seat_ids": [], "section": "F", "quantity": -1}), "INVALID_ARGUMENT"),
        (
            "quantity 2^31",
            json!({"seat_ids": [], "section": "F", "quantity": 2_147_483_648u64}),
            "INVALID_ARGUMENT",
        ),
        ("quantity of 11", json!({"seat_ids": [], "section": "F", "quantity": 11}), "INVALID_ARGUMENT"),
        ("11 seats", json!({"seat_ids": many, "quantity": 11}), "INVALID_ARGUMENT"),
        ("quantity and seats differ", json!({"quantity": 2}), "INVALID_ARGUMENT"),
        ("a text for a number", json!({"quantity": "one"}), "INVALID_ARGUMENT"),
        ("a number for a list", json!({"seat_ids": 5}), "INVALID_ARGUMENT"),
        ("an unknown field", json!({"seat_idz": []}), "INVALID_ARGUMENT"),
        ("no such show", json!({"event_id": "nope"}), "NOT_FOUND"),
        ("no such seat", json!({"seat_ids": ["A-9-9"]}), "NOT_FOUND"),
        ("no such section", json!({"seat_ids": [], "section": "Z"}), "NOT_FOUND"),
    ];
    for (number, (what, changes, code)) in cases.into_iter().enumerate() {
        let key = format!("case-{number}");
        let answer = platform
            .post("reservation_http", "/v1/reservations", &[("idempotency-key", &key)], &reserve(&changes))
            .await?;
        ensure!(is_error(answer.status, &answer.body, code), "{what}: {answer:?}");
    }
    let answer = platform.post("reservation_http", "/v1/reservations", &[], &reserve(&json!({}))).await?;
    ensure!(is_error(answer.status, &answer.body, "IDEMPOTENCY_REQUIRED"), "no key: {answer:?}");
    untouched(&platform).await
}

/// Every seat is still free.
async fn untouched(platform: &Running) -> Result<()> {
    let show = platform.get("inventory_http", "/admin/shows/s").await?;
    for section in show.body["sections"].as_array().context("sections")? {
        ensure!(section["remaining"] == section["total"], "{section}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_request_are_refused_in_the_same_shape() -> Result<()> {
    let (_folder, platform) = platform().await?;
    let address = platform.address("reservation_http");
    let path = "/v1/reservations";
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_in_bounds = format!("{{\"event_id\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000));
    let cases: [Case; 6] = [
        ("not JSON", vec![JSON, KEY], Bytes::from_static(b"{event"), 400),
        ("not UTF-8", vec![JSON, KEY], Bytes::from_static(b"{\"event_id\":\"\xff\"}"), 400),
        ("nested too deep", vec![JSON, KEY], Bytes::from(deep_in_bounds), 400),
        ("nested too deep and too large", vec![JSON, KEY], Bytes::from(deep), 413),
        ("10 MB", vec![JSON, KEY], Bytes::from(vec![b' '; 10_000_000]), 413),
        (
            "a wrong content type",
            vec![("content-type", "text/plain"), KEY],
            Bytes::from(reserve(&json!({})).to_string()),
            415,
        ),
    ];
    for (what, headers, body, expected) in cases {
        let (status, body) =
            raw(address, Method::POST, path, &headers, body).await.with_context(|| what.to_owned())?;
        ensure!(status.as_u16() == expected && body["error"]["code"].is_string(), "{what}: {status} {body}");
    }
    let (status, body) = raw(address, Method::GET, "/nowhere", &[], Bytes::new()).await?;
    ensure!(status == StatusCode::NOT_FOUND && body["error"]["code"] == "ROUTE_NOT_FOUND", "{status} {body}");
    let (status, body) = raw(address, Method::PUT, path, &[], Bytes::new()).await?;
    ensure!(status == StatusCode::METHOD_NOT_ALLOWED && body["error"]["code"].is_string(), "{status} {body}");
    untouched(&platform).await
}

/// A request that fits the gateway may be too long for the next service. That is the sender's
/// mistake and not an outage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_refuses_values_too_long_for_the_next_hop() -> Result<()> {
    let (_folder, platform) = platform().await?;
    let kim = platform.bearer("kim")?;
    let call = async |path: &str, body: Value| {
        let headers = [("authorization", kim.as_str()), KEY];
        platform.post("gateway_http", &format!("/api/v1{path}"), &headers, &body).await
    };
    let long = || "x".repeat(65_400);
    let wish = json!({"event_id": "s", "seat_ids": ["A-1-1"]});
    let with = |name: &str, value: Value| {
        let mut wish = wish.clone();
        wish[name] = value;
        wish
    };
    for (what, body, code) in [
        ("a pass", with("reservation_token", json!(long())), "FORBIDDEN"),
        ("a section", with("section", json!(long())), "INVALID_ARGUMENT"),
        ("a seat", with("seat_ids", json!([long()])), "INVALID_ARGUMENT"),
    ] {
        let answer = call("/reservations", body).await?;
        ensure!(is_error(answer.status, &answer.body, code), "{what}: {answer:?}");
    }
    let held = call("/reservations", wish.clone()).await?;
    ensure!(held.status == StatusCode::CREATED, "{held:?}");
    let path = format!("/reservations/{}", held.text("reservation_id"));
    for (to, body) in
        [("confirm", json!({"payment_intent_id": long()})), ("cancel", json!({"reason": long()}))]
    {
        let answer = call(&format!("{path}/{to}"), body).await?;
        ensure!(is_error(answer.status, &answer.body, "INVALID_ARGUMENT"), "{to}: {answer:?}");
    }
    let cancelled = call(&format!("{path}/cancel"), json!({"reason": "other plans"})).await?;
    ensure!(cancelled.status == StatusCode::OK, "{cancelled:?}");
    let over = call(&format!("{path}/confirm"), json!({})).await?;
    ensure!(over.status == StatusCode::CONFLICT && over.code() == "FAILED_PRECONDITION", "{over:?}");
    untouched(&platform).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_reservation_and_an_illegal_move_are_refused() -> Result<()> {
    let (_folder, platform) = platform().await?;
    for (method, path, body) in [
        (Method::GET, "/v1/reservations/rsv_none", None),
        (Method::GET, "/internal/reservations/rsv_none", None),
        (Method::PATCH, "/internal/reservations/rsv_none", Some(json!({"status": "EXPIRED"}))),
        (Method::POST, "/v1/reservations/rsv_none/confirm", Some(json!({"payment_intent_id": "pay_1"}))),
        (Method::POST, "/v1/reservations/rsv_none/cancel", Some(json!({}))),
    ] {
        let url = format!("http://{}{path}", platform.address("reservation_http"));
        let answer = platform.http.call(method, &url, &[], body.as_ref()).await?;
        ensure!(is_error(answer.status, &answer.body, "NOT_FOUND"), "{path}: {answer:?}");
    }
    let held = platform.post("reservation_http", "/v1/reservations", &[KEY], &reserve(&json!({}))).await?;
    ensure!(held.status == StatusCode::CREATED, "{held:?}");
    let internal = format!(
        "http://{}/internal/reservations/{}",
        platform.address("reservation_http"),
        held.text("reservation_id")
    );
    for body in [json!({"status": "HOLD"}), json!({"status": "SOLD"}), json!({}), json!({"status": 5})] {
        let answer = platform.http.call(Method::PATCH, &internal, &[], Some(&body)).await?;
        ensure!(answer.status == StatusCode::BAD_REQUEST, "{body}: {answer:?}");
    }
    // An expiry before its time: the inventory refuses it, so the reservation does not change.
    let early =
        platform.http.call(Method::PATCH, &internal, &[], Some(&json!({"status": "EXPIRED"}))).await?;
    ensure!(early.status == StatusCode::CONFLICT, "{early:?}");
    let cancelled =
        platform.http.call(Method::PATCH, &internal, &[], Some(&json!({"status": "CANCELLED"}))).await?;
    ensure!(cancelled.status == StatusCode::OK, "{cancelled:?}");
    let again =
        platform.http.call(Method::PATCH, &internal, &[], Some(&json!({"status": "CANCELLED"}))).await?;
    ensure!(again.status == StatusCode::OK, "the same again: {again:?}");
    let illegal =
        platform.http.call(Method::PATCH, &internal, &[], Some(&json!({"status": "EXPIRED"}))).await?;
    ensure!(illegal.status == StatusCode::CONFLICT && illegal.body["status"] == "CANCELLED", "{illegal:?}");
    untouched(&platform).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsigned_or_outdated_webhook_is_refused() -> Result<()> {
    let (_folder, platform) = platform().await?;
    let body = json!({"type": "payment.approved", "reservation_id": "rsv_1", "payment_intent_id": "pay_1",
                      "amount": 100, "currency": "KRW", "ts": 1});
    for headers in [
        vec![],
        vec![
            ("x-webhook-id", "w1"),
            ("x-webhook-timestamp", "1700000000"),
            ("x-webhook-signature", "sha256=00"),
        ],
        vec![("x-webhook-id", "w1"), ("x-webhook-timestamp", "soon"), ("x-webhook-signature", "none")],
    ] {
        let answer = platform.post("reservation_http", "/internal/payment/webhook", &headers, &body).await?;
        ensure!(answer.status == StatusCode::UNAUTHORIZED, "{answer:?}");
        ensure!(answer.code() == "UNAUTHENTICATED", "{answer:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_with_three_mistakes_names_all_three_and_binds_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(env!("CARGO_BIN_EXE_tacos"))
        .args(["up", "--free-ports", "--data"])
        .arg(folder.path().join("data"))
        .env("WORKER_CONCURRENCY", "many")
        .env("MAX_RETRIES", "-3")
        .env("SHUTDOWN_TIMEOUT", "soon")
        .stdin(Stdio::null())
        .output()
        .await?;
    let words = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(64), "{:?}: {words}", output.status);
    for name in ["WORKER_CONCURRENCY", "MAX_RETRIES", "SHUTDOWN_TIMEOUT"] {
        ensure!(words.contains(name), "{name} is not named in: {words}");
    }
    ensure!(output.stdout.is_empty(), "no ready line");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_in_use_and_a_folder_of_a_newer_format_are_refused_in_words() -> Result<()> {
    let (folder, platform) = platform().await?;
    let (code, words) = refused(folder.path()).await?;
    ensure!(code == Some(64) && words.contains("in use"), "{code:?}: {words}");
    ensure!(platform.terminate().await? == 0, "the first platform still runs");

    let format = folder.path().join("tacos.format");
    let before = std::fs::read_to_string(&format)?;
    let newer: String = before.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    std::fs::write(&format, newer)?;
    let (code, words) = refused(folder.path()).await?;
    ensure!(code == Some(64) && words.contains('9') && words.contains("newer"), "{code:?}: {words}");
    std::fs::write(&format, before)?;
    let again = Running::start(folder.path(), "60s").await?;
    untouched(&again).await
}

async fn refused(folder: &std::path::Path) -> Result<(Option<i32>, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_tacos"))
        .args(["up", "--free-ports", "--data"])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .await?;
    Ok((output.status.code(), String::from_utf8(output.stderr)?))
}
