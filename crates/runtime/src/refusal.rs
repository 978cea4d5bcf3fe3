//! Why a request was not carried out, and how both edges answer that.
//!
//! A service has one enum of refusals. [`Refusal::reply`] is its one table from a refusal
//! to the caller's answer; REST and gRPC are encoded from the same [`Reply`], here and
//! nowhere else, so they cannot disagree. The message is for the caller and never carries
//! what went wrong inside: that goes to the log, once, by [`Refusal::log`].

use axum::response::{IntoResponse, Response};
use contracts::error::{CarriesError, Code, WireError};
use core::time::Duration;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ports::Trace;
use serde_json::{Map, Value};

/// A service's reasons not to do something.
pub trait Refusal {
    /// What the caller gets.
    fn reply(&self) -> Reply;

    /// Writes a failure of this service to the log. What callers did wrong is theirs to
    /// know and is not logged.
    fn log(&self, operation: &'static str, trace: &Trace);
}

/// A refusal on its way to a caller. Boxed, because nearly every result has one and nearly
/// none is it.
///
/// Over REST: the status of its code unless [`Reply::with_status`] says otherwise, and the
/// body `{"error":{"code","message","trace_id","details"?}}`. Over gRPC: in the response's
/// field `error` with status OK ([`Reply::in_band`], business refusals), or as a gRPC
/// status ([`Reply::status`], malformed input and outages).
#[derive(Debug, Clone)]
pub struct Reply(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    error: WireError,
    status: StatusCode,
    is_in_band: bool,
    headers: HeaderMap,
    retry_after: Option<Duration>,
    /// Fields beside `error` in the JSON body.
    beside: Map<String, Value>,
    /// The code in JSON bodies, where it is not the enum's.
    code_text: Option<&'static str>,
}

impl Reply {
    /// A gRPC status and the code's own HTTP status.
    pub fn status(error: WireError) -> Self {
        Self(Box::new(Parts {
            status: error.code.http_status(),
            error,
            is_in_band: false,
            headers: HeaderMap::new(),
            retry_after: None,
            beside: Map::new(),
            code_text: None,
        }))
    }

    /// A response with status OK and `error` set over gRPC, and the code's own HTTP status.
    pub fn in_band(error: WireError) -> Self {
        let mut this = Self::status(error);
        this.0.is_in_band = true;
        this
    }

    /// As [`Reply::status`], with the trace of the request.
    pub fn new(code: Code, message: impl Into<String>, trace: &Trace) -> Self {
        Self::status(WireError::new(code, message)).traced(trace)
    }

    /// The same with the trace of the request.
    #[must_use]
    pub fn traced(mut self, trace: &Trace) -> Self {
        self.0.error.trace_id.clone_from(&trace.trace_id);
        self
    }

    /// The same with an HTTP status that the endpoint's contract asks for.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The same with a header over REST.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The same with when to try again: `Retry-After` over REST (whole seconds, at least
    /// one), the detail `retry_after_ms` over gRPC.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The same with a field beside `error` in the JSON body.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.beside.insert(name.to_owned(), value.into());
        self
    }

    /// The same with another text for the code in the JSON body, for the codes that only
    /// REST has.
    #[must_use]
    pub fn with_code_text(mut self, text: &'static str) -> Self {
        self.0.code_text = Some(text);
        self
    }

    /// The error itself.
    pub fn error(&self) -> &WireError {
        &self.0.error
    }

    /// The status over REST.
    pub fn http_status(&self) -> StatusCode {
        self.0.status
    }

    /// Whether gRPC answers with status OK and `error` set.
    pub fn is_in_band(&self) -> bool {
        self.0.is_in_band
    }

    /// As gRPC answers it.
    ///
    /// # Errors
    /// The gRPC status of a refusal that is not answered in-band.
    pub fn into_grpc<T: CarriesError>(self) -> Result<tonic::Response<T>, tonic::Status> {
        let Parts { error, is_in_band, retry_after, .. } = *self.0;
        let error = match retry_after {
            Some(wait) => error.detail("retry_after_ms", "RETRY", wait.as_millis().to_string()),
            None => error,
        };
        if is_in_band { Ok(tonic::Response::new(T::refused(error.to_proto()))) } else { Err(error.into()) }
    }
}

impl From<WireError> for Reply {
    fn from(error: WireError) -> Self {
        Self::status(error)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Parts { error, status, mut headers, retry_after, mut beside, code_text, .. } = *self.0;
        let mut body = error.to_json();
        if let Some(text) = code_text {
            text.clone_into(&mut body.error.code);
        }
        if let Some(wait) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if beside.is_empty() {
            return (status, headers, axum::Json(body)).into_response();
        }
        let error = serde_json::to_value(body.error).expect("an error's body has text keys");
        beside.insert("error".to_owned(), error);
        (status, headers, axum::Json(Value::Object(beside))).into_response()
    }
}

/// What `Retry-After` can say: whole seconds, at least one.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1) as u64
}

/// For a REST handler: turns a refusal into its reply and logs it.
/// `work.await.map_err(refused("cancel", &trace))`.
pub fn refused<R: Refusal>(operation: &'static str, trace: &Trace) -> impl Fn(R) -> Reply {
    move |refusal| {
        refusal.log(operation, trace);
        refusal.reply().traced(trace)
    }
}

/// For a gRPC handler: the answer, or the refusal where the contract wants it, which is
/// logged.
///
/// # Errors
/// The gRPC status of a refusal that is not answered in-band.
pub fn answer<T: CarriesError, R: Refusal>(
    operation: &'static str,
    trace: &Trace,
    result: Result<T, R>,
) -> Result<tonic::Response<T>, tonic::Status> {
    match result {
        Ok(answer) => Ok(tonic::Response::new(answer)),
        Err(refusal) => refused(operation, trace)(refusal).into_grpc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::gateway::v1::{JoinQueueResponse, QueueStatus};
    use http_body_util::BodyExt;

    fn error() -> WireError {
        WireError::new(Code::FailedPrecondition, "not yet").traced(Some("abc".into()))
    }

    async fn json(reply: Reply) -> (StatusCode, HeaderMap, Value) {
        let response = reply.into_response();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn rest_answers_the_status_of_the_code_and_what_is_beside_the_error() {
        let (status, headers, body) = json(Reply::in_band(error())).await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED);
        assert!(!headers.contains_key(header::RETRY_AFTER));
        let expected = r#"{"error":{"code":"FAILED_PRECONDITION","message":"not yet","trace_id":"abc"}}"#;
        assert_eq!(body, serde_json::from_str::<Value>(expected).unwrap());

        let reply = Reply::in_band(error())
            .with_status(StatusCode::CONFLICT)
            .with_field("status", "CONFIRMED")
            .with_code_text("NOT_READY")
            .with_retry_after(Duration::from_millis(1_200));
        let (status, headers, body) = json(reply).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(headers[header::RETRY_AFTER], "2");
        assert_eq!((&body["status"], &body["error"]["code"]), (&"CONFIRMED".into(), &"NOT_READY".into()));
    }

    #[test]
    fn grpc_answers_in_band_or_with_a_status() {
        let reply = Reply::in_band(error()).with_retry_after(Duration::from_millis(1_200));
        let response = reply.into_grpc::<JoinQueueResponse>().unwrap().into_inner();
        assert_eq!(response.status, i32::from(QueueStatus::Error));
        let error_in_band = WireError::from_proto(response.error.unwrap()).unwrap();
        assert_eq!(error_in_band.find("RETRY").unwrap().value, "1200");

        let status = Reply::status(error()).into_grpc::<JoinQueueResponse>().unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert_eq!(WireError::from_status(&status), Some(error()));
    }
}
