//! Trace context on the wire: the W3C `traceparent` and AWS' `X-Amzn-Trace-Id` (SQS:
//! `AWSTraceHeader`).
//!
//! A malformed header is ignored, as the W3C recommendation asks; it never makes a message or a
//! call unusable. An id that is not hexadecimal is passed on unchanged.

use ports::Trace;
use std::sync::Arc;

/// The W3C header, message attribute and gRPC metadata key.
pub const TRACEPARENT: &str = "traceparent";
/// The message attribute in which SQS carries AWS' trace header.
pub const AWS_TRACE_HEADER: &str = "AWSTraceHeader";
/// The gRPC metadata key and HTTP header of callers older than W3C trace context.
pub const TRACE_ID: &str = "x-trace-id";

const TRACEPARENT_BYTES_MAX: usize = 256;

/// The trace of a message: from the attribute `traceparent`, else from `AWSTraceHeader`, else from
/// the body's field `trace_id`.
pub fn from_message(attributes: &[(String, String)], trace_id: Option<&str>) -> Trace {
    let attribute = |name: &str| {
        attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    if let Some(traceparent) = attribute(TRACEPARENT).and_then(TraceParent::parse) {
        return traceparent.to_trace();
    }
    if let Some(trace) = attribute(AWS_TRACE_HEADER).and_then(from_aws) {
        return trace;
    }
    let trace_id = trace_id.map(str::trim).filter(|id| !id.is_empty());
    Trace { trace_id: trace_id.map(Arc::from), traceparent: None }
}

/// A well-formed W3C `traceparent`, following
/// <https://www.w3.org/TR/trace-context/#traceparent-header>: versions after 00 may carry more
/// after the flags, version ff and all-zero ids are invalid, digits are lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent<'a>(&'a str);

impl<'a> TraceParent<'a> {
    /// Reads the value of the header; `None` if it is malformed or longer than 256 bytes.
    pub fn parse(text: &'a str) -> Option<Self> {
        let field = |from: usize, to: usize| {
            let text = text.get(from..to)?;
            text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(text)
        };
        let (version, id, span, _flags) = (field(0, 2)?, field(3, 35)?, field(36, 52)?, field(53, 55)?);
        let bytes = text.as_bytes();
        let dashes = [2, 35, 52].iter().all(|&at| bytes[at] == b'-');
        let end = match version {
            "ff" => false,
            "00" => bytes.len() == 55,
            _ => bytes.len() <= TRACEPARENT_BYTES_MAX && matches!(bytes.get(55), None | Some(b'-')),
        };
        let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        (dashes && end && !zero(id) && !zero(span)).then_some(Self(text))
    }

    /// The trace id, 32 hexadecimal digits.
    pub fn trace_id(self) -> &'a str {
        &self.0[3..35]
    }

    /// The trace with this header to pass on unchanged.
    pub fn to_trace(self) -> Trace {
        Trace { trace_id: Some(self.trace_id().into()), traceparent: Some(self.0.into()) }
    }
}

/// Reads `Root=1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx;Parent=xxxxxxxxxxxxxxxx;Sampled=1`. The two
/// parts of the root, joined, are the trace id
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids>).
/// With a parent it is a whole trace context.
pub fn from_aws(header: &str) -> Option<Trace> {
    let part = |name: &str| {
        header
            .split(';')
            .filter_map(|part| part.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, v)| v)
    };
    let hex = |text: &str, len: usize| {
        text.len() == len
            && text.bytes().all(|byte| byte.is_ascii_hexdigit())
            && text.bytes().any(|byte| byte != b'0')
    };
    let (time, unique) = part("Root")?.strip_prefix("1-")?.split_once('-')?;
    if !hex(time, 8) || unique.len() != 24 || !unique.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let id = format!("{time}{unique}").to_ascii_lowercase();
    let parent = part("Parent").filter(|parent| hex(parent, 16));
    let flags = if part("Sampled") == Some("1") { "01" } else { "00" };
    let traceparent = parent.map(|parent| format!("00-{id}-{}-{flags}", parent.to_ascii_lowercase()).into());
    Some(Trace { trace_id: Some(id.into()), traceparent })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5b8aa5a2d2c872e8321cf37308d69df2";
    const PARENT: &str = "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01";
    const AWS: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn attributes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn traceparent_comes_before_awstraceheader_before_the_field() {
        let both = attributes(&[("AWSTraceHeader", AWS), ("traceparent", PARENT)]);
        let trace = from_message(&both, Some("field"));
        assert_eq!((trace.trace_id.as_deref(), trace.traceparent.as_deref()), (Some(ID), Some(PARENT)));
        let trace = from_message(&both[..1], Some("field"));
        assert_eq!(trace.trace_id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        assert_eq!(
            trace.traceparent.as_deref(),
            Some("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")
        );
        let trace = from_message(&[], Some("not hexadecimal"));
        assert_eq!((trace.trace_id.as_deref(), trace.traceparent), (Some("not hexadecimal"), None));
        assert_eq!(from_message(&[], Some(" ")), Trace::default());
        assert_eq!(from_message(&[], None), Trace::default());
    }

    #[test]
    fn malformed_headers_are_ignored() {
        let bad = [
            "",
            "00",
            "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13",
            "00-5B8AA5A2D2C872E8321CF37308D69DF2-051581bf3cb55c13-01",
            "00-00000000000000000000000000000000-051581bf3cb55c13-01",
            "00-5b8aa5a2d2c872e8321cf37308d69df2-0000000000000000-01",
            "ff-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01",
            "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01-x",
            "00_5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01",
            "00-5b8aa5a2d2c872e8321cf37308d69dé2-051581bf3cb55c1-01",
            "0é-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01",
        ];
        for text in bad {
            assert_eq!(TraceParent::parse(text), None, "{text}");
            let trace = from_message(&attributes(&[("traceparent", text), ("AWSTraceHeader", AWS)]), None);
            assert_eq!(trace.trace_id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"), "{text}");
        }
        assert!(TraceParent::parse("cc-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01-more").is_some());
        for text in ["", "Root=", "Root=1-x-y", "Root=2-5759e988-bd862e3fe1be46a994272793", "Self=1-5759e988"]
        {
            assert_eq!(from_aws(text), None, "{text}");
        }
        let rootless = from_aws("Self=1-1-1;Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?").unwrap();
        assert_eq!(rootless.traceparent, None);
    }
}
