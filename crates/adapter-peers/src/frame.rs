//! The deadline and trace of every call.

use crate::options::PeerOptions;
use core::time::Duration;
use http::{HeaderMap, HeaderName, HeaderValue};
use ports::{CallContext, Trace};
use tonic::metadata::MetadataMap;

/// The shorter of the caller's limit and the client's own.
pub(crate) fn limit(cx: &CallContext, options: &PeerOptions) -> Duration {
    cx.timeout.map_or(options.timeout, |asked| asked.min(options.timeout))
}

/// Puts the trace into gRPC metadata, which are headers.
pub(crate) fn trace_metadata(trace: &Trace, metadata: &mut MetadataMap) {
    trace_headers(trace, metadata.as_mut());
}

/// Puts the trace into HTTP headers. A trace id that is no header value (it may be any text) is
/// omitted.
pub(crate) fn trace_headers(trace: &Trace, headers: &mut HeaderMap) {
    // A name given as text would be parsed at each use.
    const TRACEPARENT: HeaderName = HeaderName::from_static(contracts::trace::TRACEPARENT);
    const TRACE_ID: HeaderName = HeaderName::from_static(contracts::trace::TRACE_ID);
    for (name, text) in [(TRACEPARENT, &trace.traceparent), (TRACE_ID, &trace.trace_id)] {
        if let Some(value) = text.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
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
    fn a_trace_id_that_is_no_header_is_omitted() {
        let mut headers = HeaderMap::new();
        let trace = Trace { trace_id: Some("line\nbreak".into()), traceparent: None };
        trace_headers(&trace, &mut headers);
        let mut metadata = MetadataMap::new();
        trace_metadata(&trace, &mut metadata);
        assert!(headers.is_empty() && metadata.is_empty());
    }
}
