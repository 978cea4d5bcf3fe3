//! A receiver of webhooks on a real socket, and the HTTP client that posts to it.

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use contracts::rest::webhook::{ID_HEADER, PaymentWebhook, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use domain::time::Timestamp;
use http::{HeaderMap, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ports::{Clock, Fault, WebhookPost, WebhookRequest};
use std::sync::{Arc, Mutex};
use testkit::ManualClock;

pub(crate) const SECRET: &str = "whsec_test";

/// A received webhook with a valid signature.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) body: PaymentWebhook,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: Arc<str>,
    seen: Arc<Mutex<Vec<Received>>>,
    status: Arc<Mutex<StatusCode>>,
    clock: Arc<ManualClock>,
}

impl Receiver {
    /// Listens on a free port for as long as the test's runtime lives.
    pub(crate) async fn start(clock: Arc<ManualClock>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap()).into();
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let receiver = Self { url, seen: Arc::default(), status, clock };
        let router = Router::new().route("/hook", post(receive)).with_state(receiver.clone());
        #[allow(
            clippy::disallowed_methods,
            reason = "the other side of the socket is no part of the service"
        )]
        tokio::spawn(async move { axum_serve(listener, router).await });
        receiver
    }

    /// From now on webhooks get this status.
    pub(crate) fn answer(&self, status: StatusCode) {
        *self.status.lock().unwrap() = status;
    }

    pub(crate) fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }
}

async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    let shutdown = tokio_util::sync::CancellationToken::new();
    runtime::http::serve(listener, router, shutdown, &ports::Tasks::new()).await.unwrap();
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = receiver.clock.now();
    let verified = contracts::webhook_signature::verify(
        SECRET.as_bytes(),
        header(TIMESTAMP_HEADER),
        header(SIGNATURE_HEADER),
        &body,
        now,
    );
    if verified.is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let id = header(ID_HEADER).unwrap().to_owned();
    let body = serde_json::from_slice(&body).unwrap();
    receiver.seen.lock().unwrap().push(Received { id, at: now, body });
    *receiver.status.lock().unwrap()
}

/// A plain HTTP client.
pub(crate) struct HttpPost(Client<HttpConnector, Full<Bytes>>);

impl HttpPost {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

#[async_trait]
impl WebhookPost for HttpPost {
    async fn post(&self, request: WebhookRequest) -> Result<u16, Fault> {
        let mut call = http::Request::post(&*request.url);
        for (name, value) in request.headers {
            call = call.header(name, value);
        }
        let call = call.body(Full::from(request.body.to_string())).unwrap();
        let answer = self.0.request(call).await;
        answer
            .map(|answer| answer.status().as_u16())
            .map_err(|error| Fault::unavailable("no answer").because(error))
    }
}
