//! A small JSON-over-HTTP client for the command line and the crowd: pooled connections, one
//! deadline a call.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ports::Clock;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The limit of one call.
const DEADLINE: Duration = Duration::from_secs(15);

/// A pooled HTTP/1 client that speaks JSON.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    clock: Arc<dyn Clock>,
}

/// The answer to a call: its status and its body, `Null` if there is none.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Value,
}

impl Answer {
    /// The code of an error body, or `""`.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The message of an error body, or the status.
    pub fn message(&self) -> String {
        self.body["error"]["message"].as_str().map_or_else(|| self.status.to_string(), str::to_owned)
    }

    /// The text of a field, or `""`.
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

impl Http {
    /// A client that keeps its connections open.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), clock }
    }

    /// One call. An error means that no usable answer arrived; a refusal is an answer.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Bytes::from(serde_json::to_vec(body)?)
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(bytes)).context("build the request")?;
        let exchange = async {
            let response =
                self.client.request(request).await.with_context(|| format!("no answer from {url}"))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let bytes = response.into_body().collect().await.context("the answer was cut off")?.to_bytes();
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).with_context(|| format!("{url} did not answer in JSON"))?
            };
            Ok(Answer { status, headers, body })
        };
        ports::clock::timeout(&*self.clock, DEADLINE, exchange)
            .await
            .map_err(|_| anyhow::anyhow!("{url} did not answer within {DEADLINE:?}"))?
    }

    /// A GET.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.call(Method::GET, url, &[], None).await
    }

    /// A POST with a JSON body.
    pub async fn post(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
        self.call(Method::POST, url, headers, Some(body)).await
    }
}
