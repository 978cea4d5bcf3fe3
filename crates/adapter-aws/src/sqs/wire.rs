//! Receiving and deleting, the two calls that every message costs, in SQS's JSON protocol.
//!
//! The SDK passes each call through endpoint rules, interceptors and a bag of configuration, which
//! costs several times more than the call itself (docs/measurements.md). Here the SDK provides the
//! parts that must not be written twice: connections, TLS, credentials and signatures. Everything
//! else about SQS still uses its client.

use crate::connect::Aws;
use crate::fault::{Failure, Kind, chain};
use crate::keys::real_now;
use aws_credential_types::Credentials;
use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::date_time::{DateTime, Format};
use bytes::Bytes;
use core::fmt;
use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use futures_util::FutureExt;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// Header of an error: the code of the older query protocol, which is more precise than the shape's
/// name.
const QUERY_ERROR: &str = "x-amzn-query-error";
/// Header of an error from a proxy in front of the service: its code.
const ERROR_TYPE: &str = "x-amzn-errortype";
/// Shown in CloudTrail.
const USER_AGENT: &str = concat!("traffic-tacos/", env!("CARGO_PKG_VERSION"));

/// The server of one queue, as this process calls it.
#[derive(Debug)]
pub(super) struct Wire {
    aws: Aws,
    /// `Err` if the configuration gives no endpoint; each call then reports why.
    endpoint: Result<String, String>,
    /// How far the server's clock is ahead of ours, in milliseconds, learnt whenever it refuses a
    /// call.
    ahead_ms: AtomicI64,
}

impl Wire {
    /// Calls SQS at `endpoint`, or at the endpoint of this region.
    pub(super) fn new(aws: &Aws, endpoint: Option<&str>) -> Self {
        Self {
            aws: aws.clone(),
            endpoint: endpoint.map_or_else(|| endpoint_of_region(aws), |own| Ok(own.to_owned())).map(slashed),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// One attempt of one call: the answer's body.
    ///
    /// `what` names the call in a failure.
    pub(super) async fn call(
        &self,
        what: impl Fn() -> String,
        action: &str,
        limit: Duration,
        body: &impl Serialize,
    ) -> Result<Bytes, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|why| Failure::new(&what(), Kind::Refused, None, &why.to_string()))?;
        #[allow(clippy::disallowed_methods, reason = "the answer arrives in real time")]
        match tokio::time::timeout(limit, self.exchange(&what, action, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::late(&what())),
        }
    }

    async fn exchange(
        &self,
        what: &impl Fn() -> String,
        action: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, Failure> {
        let failed = |kind, text: &str| Failure::new(&what(), kind, None, text);
        let endpoint = self.endpoint.as_deref().map_err(|why| failed(Kind::Refused, why))?;
        let keys = self.aws.keys().get().await.map_err(|why| failed(Kind::Credentials, &why))?;
        let mut request =
            self.signed(endpoint, action, body, &keys).map_err(|why| failed(Kind::Refused, &why))?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let answer = self.aws.connector().call(request).await;
        let mut answer = answer.map_err(|why| failed(Kind::Silent, &chain(&why)))?;
        let body = ByteStream::new(answer.take_body()).collect().await;
        let body = body.map_err(|why| failed(Kind::Silent, &chain(&why)))?.into_bytes();
        let (status, headers) = (answer.status().as_u16(), answer.headers());
        if (200..300).contains(&status) {
            return Ok(body);
        }
        // Only the host behind this connection may be ill.
        if let (500.., Some(connection)) = (status, connection.get()) {
            connection.poison();
        }
        // A signature may have been refused for a wrong clock, under any of several codes. A cached
        // answer has an old date.
        if headers.get("age").is_none() {
            self.learn_the_time(headers.get("date"));
        }
        let (shape, message) = refusal(&body);
        let code = headers.get(QUERY_ERROR).and_then(|text| text.split(';').next()).map(str::to_owned);
        let code = code.or_else(|| headers.get(ERROR_TYPE).map(str::to_owned)).or(shape);
        // `namespace#Name:http://…`; everything but the name may be missing.
        let code = code.as_deref().map(|code| code.rsplit('#').next().unwrap_or(code));
        let code = code.and_then(|code| code.split(':').next()).filter(|code| !code.is_empty());
        let kind = code.and_then(Kind::from_code).unwrap_or_else(|| Kind::from_status(status));
        if matches!(kind, Kind::Expired | Kind::Credentials) {
            self.aws.keys().forget(&keys);
        }
        Err(Failure::new(&what(), kind, code, &message))
    }

    fn signed(
        &self,
        endpoint: &str,
        action: &str,
        body: Vec<u8>,
        keys: &Credentials,
    ) -> Result<HttpRequest, String> {
        let target = format!("AmazonSQS.{action}");
        let ours =
            [("content-type", CONTENT_TYPE), ("x-amz-target", &*target), ("x-amzn-query-mode", "true")];
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.aws.region())
            .name("sqs")
            .time(self.now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|why| why.to_string())?
            .into();
        let signable = SignableRequest::new("POST", endpoint, ours.into_iter(), SignableBody::Bytes(&body))
            .map_err(|why| why.to_string())?;
        let (signature, _) = sign(signable, &params).map_err(|why| why.to_string())?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").map_err(|why| why.to_string())?;
        request.set_uri(endpoint).map_err(|why| why.to_string())?;
        let (signature, _) = signature.into_parts();
        let signature = signature.iter().map(|header| (header.name(), header.value()));
        for (name, value) in ours.into_iter().chain([("user-agent", USER_AGENT)]).chain(signature) {
            // Credentials may have been copied with a line break.
            let inserted = request.headers_mut().try_insert(name, value.to_owned());
            inserted.map_err(|why| why.to_string())?;
        }
        Ok(request)
    }

    /// The server's time, as far as it is known.
    fn now(&self) -> SystemTime {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        let by = Duration::from_millis(ahead.unsigned_abs());
        if ahead < 0 { real_now() - by } else { real_now() + by }
    }

    /// Makes the next signature use the server's clock.
    fn learn_the_time(&self, date: Option<&str>) {
        let theirs = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let Some(theirs) = theirs.and_then(|theirs| theirs.to_millis().ok()) else { return };
        let ours = real_now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        self.ahead_ms.store(theirs - ours, Ordering::Relaxed);
    }
}

/// The endpoint of SQS in this region, by the SDK's rules.
fn endpoint_of_region(aws: &Aws) -> Result<String, String> {
    let params = Params::builder()
        .region(aws.region())
        .use_fips(aws.sdk().use_fips().unwrap_or_default())
        .use_dual_stack(aws.sdk().use_dual_stack().unwrap_or_default())
        .build()
        .map_err(|why| why.to_string())?;
    // The rules are code, so the answer is ready at once.
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never();
    match endpoint {
        Some(Ok(endpoint)) => Ok(endpoint.url().to_owned()),
        Some(Err(why)) => Err(why.to_string()),
        None => Err("the endpoint of SQS is not known at once".to_owned()),
    }
}

fn slashed(mut endpoint: String) -> String {
    if !endpoint.ends_with('/') {
        endpoint.push('/');
    }
    endpoint
}

/// The request of a receive.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage<'a> {
    pub(super) queue_url: &'a str,
    pub(super) max_number_of_messages: usize,
    pub(super) wait_time_seconds: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) visibility_timeout: Option<i32>,
    pub(super) message_attribute_names: [&'a str; 1],
    pub(super) message_system_attribute_names: &'a [&'a str],
}

/// The answer to a receive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceivedMessages<'a> {
    #[serde(borrow)]
    pub(super) messages: Option<Vec<Received<'a>>>,
}

/// A message. A missing or null field is empty.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) message_id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) receipt_handle: Cow<'a, str>,
    pub(super) body: Option<String>,
    #[serde(borrow)]
    pub(super) attributes: Option<SystemAttributes<'a>>,
    /// By name, so that their order is always the same.
    pub(super) message_attributes: Option<BTreeMap<String, AttributeValue>>,
}

/// SQS's own attributes of a message; numbers come as text.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SystemAttributes<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) approximate_receive_count: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) approximate_first_receive_timestamp: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) sent_timestamp: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) message_group_id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) sequence_number: Cow<'a, str>,
    #[serde(rename = "AWSTraceHeader")]
    pub(super) trace_header: Option<String>,
}

/// The value of a sender's attribute; an attribute that is no text has none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeValue {
    pub(super) string_value: Option<String>,
}

/// The request of a delete.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatch<'a> {
    pub(super) queue_url: &'a str,
    pub(super) entries: Vec<DeleteEntry<'a>>,
}

/// One message to delete.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEntry<'a> {
    pub(super) id: &'static str,
    pub(super) receipt_handle: &'a str,
}

/// The result of each delete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Deleted {
    pub(super) successful: Option<Vec<DeletedEntry>>,
    pub(super) failed: Option<Vec<DeletedEntry>>,
}

/// One message; only `id` is set if it was deleted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeletedEntry {
    pub(super) id: Option<String>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) sender_fault: Option<bool>,
}

/// A text that borrows from the answer unless it has escapes; null is empty.
fn text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, str>, D::Error> {
    struct Reader;
    impl<'de> Visitor<'de> for Reader {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or null")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
            Ok(Cow::Borrowed(text))
        }

        fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
            Ok(Cow::Owned(text.to_owned()))
        }

        fn visit_unit<E>(self) -> Result<Cow<'de, str>, E> {
            Ok(Cow::Borrowed(""))
        }
    }
    deserializer.deserialize_any(Reader)
}

/// Reads an answer; one without a body is empty.
pub(super) fn read<'a, T: Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, Failure> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|why| Failure::new(what, Kind::Garbled, None, &why.to_string()))
}

/// The name and the message in the body of an error. A proxy in front of SQS may send any body.
fn refusal(body: &[u8]) -> (Option<String>, String) {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |names: &[&str]| names.iter().find_map(|name| body[*name].as_str()).map(str::to_owned);
    (field(&["__type", "code"]), field(&["message", "Message", "errorMessage"]).unwrap_or_default())
}

#[cfg(test)]
mod tests;
