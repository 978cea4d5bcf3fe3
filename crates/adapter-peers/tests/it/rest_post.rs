//! The POST that carries webhooks.

use crate::servers::{clock, go, listen, nobody, rude};
use adapter_peers::{HttpPost, PeerOptions};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use core::time::Duration;
use domain::time::Timestamp;
use parking_lot::Mutex;
use ports::{FaultClass, WebhookPost, WebhookRequest};
use std::sync::Arc;

const SECRET: &[u8] = b"whsec_test";
const BODY: &str = r#"{"type":"payment.approved"}"#;

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver() -> (Seen, String) {
    let seen = Seen::default();
    let take = |State(seen): State<Seen>, headers: HeaderMap, body: Bytes| async move {
        seen.lock().push((headers, body));
        r#"{"received":true}"#
    };
    let router = Router::new()
        .route("/hook", axum::routing::post(take))
        .route(
            "/busy",
            axum::routing::post(|| async { (StatusCode::SERVICE_UNAVAILABLE, "x".repeat(5_000_000)) }),
        )
        .route("/moved", axum::routing::post(|| async { Redirect::temporary("/hook").into_response() }))
        .route("/never", axum::routing::post(std::future::pending::<&'static str>))
        .with_state(Arc::clone(&seen));
    let (listener, address) = listen().await;
    go(async move { axum::serve(listener, router).await.unwrap() });
    (seen, format!("http://{address}"))
}

fn post(timeout: Duration) -> HttpPost {
    HttpPost::new(PeerOptions { timeout, ..PeerOptions::rest() }, clock()).unwrap()
}

fn to(url: &str) -> WebhookRequest {
    WebhookRequest { url: url.into(), headers: Vec::new(), body: BODY.into() }
}

#[tokio::test]
async fn a_signed_webhook_is_accepted_by_its_receiver() {
    let (seen, base) = receiver().await;
    let now = Timestamp::from_millis(1_737_626_400_000);
    let stamp = contracts::webhook_signature::timestamp(now);
    let signature = contracts::webhook_signature::sign(SECRET, &stamp, BODY.as_bytes());
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("X-Webhook-Id", "whk_1".to_owned()),
        ("X-Webhook-Timestamp", stamp),
        ("X-Webhook-Signature", signature),
    ];
    let request = WebhookRequest { headers, ..to(&format!("{base}/hook?a=1")) };
    assert_eq!(post(Duration::from_secs(60)).post(request).await.unwrap(), 200);
    let (headers, body) = seen.lock().pop().unwrap();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(text("x-webhook-id"), Some("whk_1"));
    let (stamp, signature) = (text("x-webhook-timestamp"), text("x-webhook-signature"));
    assert_eq!(contracts::webhook_signature::verify(SECRET, stamp, signature, &body, now), Ok(()));
}

#[tokio::test]
async fn any_status_is_returned() {
    let (seen, base) = receiver().await;
    let post = post(Duration::from_secs(60));
    for (path, status) in [("/busy", 503), ("/moved", 307), ("/nowhere", 404)] {
        assert_eq!(post.post(to(&format!("{base}{path}"))).await.unwrap(), status, "{path}");
    }
    assert!(seen.lock().is_empty(), "a redirect is not followed");
}

#[tokio::test]
async fn no_answer_is_unavailable_and_an_impossible_target_permanent() {
    let (_seen, base) = receiver().await;
    let hasty = post(Duration::from_millis(100));
    let class = async |url: String| hasty.post(to(&url)).await.unwrap_err().class;
    assert_eq!(class(format!("{base}/never")).await, FaultClass::Unavailable);
    assert_eq!(class(format!("http://{}/", nobody().await)).await, FaultClass::NotReached);
    assert_eq!(class(format!("http://{}/", rude().await)).await, FaultClass::NotReached);
    for bad in ["", "https://example.com/hook", "ftp://x:1/"] {
        assert_eq!(class(bad.to_owned()).await, FaultClass::Permanent, "{bad}");
    }
    let headers = vec![("X-Odd", "line\nbreak".to_owned())];
    let odd = WebhookRequest { headers, ..to(&format!("{base}/hook")) };
    assert_eq!(hasty.post(odd).await.unwrap_err().class, FaultClass::Permanent);
}
