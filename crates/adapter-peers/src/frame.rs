//! What goes along with every call: its deadline and its trace.

use crate::options::PeerOptions;
use core::time::Duration;
use http::{HeaderMap, HeaderValue};
use ports::{CallContext, Trace};
use tonic::metadata::{MetadataMap, MetadataValue};

/// Carries the token of internal interfaces.
pub(crate) const TOKEN_HEADER: &str = "x-internal-token";
/// The content type of all REST bodies.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The header that an internal token makes, kept out of logs.
pub(crate) fn token(token: Option<&str>) -> Result<Option<HeaderValue>, String> {
    let Some(token) = token else { return Ok(None) };
    let mut value = HeaderValue::from_str(token)
        .map_err(|_| "the internal token has characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The shorter of the caller's limit and the client's own.
pub(crate) fn limit(cx: &CallContext, options: &PeerOptions) -> Duration {
    cx.timeout.map_or(options.timeout, |asked| asked.min(options.timeout))
}

/// The headers of a trace. A trace id that is no header value (it may be any text) is left out.
fn values(trace: &Trace) -> impl Iterator<Item = (&'static str, &str)> {
    let traceparent = trace.traceparent.as_deref().map(|text| (contracts::trace::TRACEPARENT, text));
    let trace_id = trace.trace_id.as_deref().map(|text| (contracts::trace::TRACE_ID, text));
    traceparent.into_iter().chain(trace_id)
}

/// Puts the trace into gRPC metadata.
pub(crate) fn trace_metadata(trace: &Trace, metadata: &mut MetadataMap) {
    for (name, text) in values(trace) {
        if let Ok(value) = MetadataValue::try_from(text) {
            metadata.insert(name, value);
        }
    }
}

/// Puts the trace into HTTP headers.
pub(crate) fn trace_headers(trace: &Trace, headers: &mut HeaderMap) {
    for (name, text) in values(trace) {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_limit_applies() {
        let options = PeerOptions { timeout: Duration::from_millis(600), ..PeerOptions::grpc() };
        for (asked, expected) in [(None, 600), (Some(250), 250), (Some(900), 600)] {
            let cx = CallContext { timeout: asked.map(Duration::from_millis), ..CallContext::default() };
            assert_eq!(limit(&cx, &options), Duration::from_millis(expected));
        }
    }

    #[test]
    fn a_trace_id_that_is_no_header_is_left_out() {
        let mut headers = HeaderMap::new();
        let trace = Trace { trace_id: Some("line\nbreak".into()), traceparent: None };
        trace_headers(&trace, &mut headers);
        let mut metadata = MetadataMap::new();
        trace_metadata(&trace, &mut metadata);
        assert!(headers.is_empty() && metadata.is_empty());
    }
}
