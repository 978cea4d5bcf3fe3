//! HTTP/1.1 calls on connections that are kept alive, so many at once and no more.

use crate::options::PeerOptions;
use bytes::Bytes;
use core::time::Duration;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ports::clock::timeout;
use ports::{Clock, Fault};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Shorter than the idle limits of common servers and balancers (60 s and more), so that this side closes first.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A bounded HTTP client. Waiting for a turn counts against the deadline of the call.
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    turns: Semaphore,
    answer_bytes_max: usize,
    clock: Arc<dyn Clock>,
}

/// One request.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    pub(crate) fn new(options: &PeerOptions, clock: Arc<dyn Clock>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(options.connect_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(options.connections)
            .build(connector);
        Self {
            client,
            turns: Semaphore::new(options.connections),
            answer_bytes_max: options.answer_bytes_max,
            clock,
        }
    }

    /// Sends a request and reads the answer whole, within `limit`. `what` begins the message of a fault.
    pub(crate) async fn send(
        &self,
        what: &str,
        limit: Duration,
        call: Call,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let (status, body) = self.answer(what, limit, call).await?;
        Ok((status, body?))
    }

    /// The same for who only wants the status: a body that is too long or breaks off does not matter.
    pub(crate) async fn send_for_status(
        &self,
        what: &str,
        limit: Duration,
        call: Call,
    ) -> Result<StatusCode, Fault> {
        self.answer(what, limit, call).await.map(|(status, _)| status)
    }

    async fn answer(
        &self,
        what: &str,
        limit: Duration,
        call: Call,
    ) -> Result<(StatusCode, Result<Bytes, Fault>), Fault> {
        match timeout(self.clock.as_ref(), limit, Box::pin(self.exchange(what, call))).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::unavailable(format!("{what}: no answer within {limit:?}"))),
        }
    }

    async fn exchange(&self, what: &str, call: Call) -> Result<(StatusCode, Result<Bytes, Fault>), Fault> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = call.url;
        *request.headers_mut() = call.headers;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|why| Fault::unavailable(format!("{what}: no answer")).because(why))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), self.answer_bytes_max).collect().await;
        let body = body.map(|body| body.to_bytes()).map_err(|why| {
            if why.is::<LengthLimitError>() {
                Fault::transient(format!(
                    "{what}: status {status} with more than {} bytes",
                    self.answer_bytes_max
                ))
            } else {
                Fault::unavailable(format!("{what}: status {status}, then the connection broke")).because(why)
            }
        });
        Ok((status, body))
    }
}
