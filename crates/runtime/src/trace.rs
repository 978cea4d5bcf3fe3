//! Which trace a call belongs to: a well-formed W3C `traceparent`, else `x-trace-id`, else a new one.
//!
//! The same rule for HTTP headers and gRPC metadata. A `traceparent` is passed on as it came; one that is malformed is
//! ignored, as the W3C recommendation asks. An `x-trace-id` need not be hexadecimal (contracts 2), but it must be short
//! and printable, because it ends up in logs and in answers.

use crate::SystemEntropy;
use http::HeaderMap;
use ports::{Entropy, Trace};
use std::sync::Arc;

/// The W3C header and metadata key.
pub const TRACEPARENT: &str = "traceparent";
/// The header and metadata key of callers older than W3C trace context.
pub const TRACE_ID: &str = "x-trace-id";

const TRACE_ID_BYTES_MAX: usize = 128;

/// The trace that headers name, or a new one.
pub fn of_headers(headers: &HeaderMap) -> Trace {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    of(text(TRACEPARENT), text(TRACE_ID))
}

/// The trace of these two values, or a new one.
pub fn of(traceparent: Option<&str>, trace_id: Option<&str>) -> Trace {
    named(traceparent, trace_id).unwrap_or_else(|| new(&SystemEntropy))
}

/// The trace of these two values, if either can be used.
pub fn named(traceparent: Option<&str>, trace_id: Option<&str>) -> Option<Trace> {
    if let Some(text) = traceparent.map(str::trim)
        && let Some(id) = trace_id_of(text)
    {
        return Some(Trace { trace_id: Some(id.into()), traceparent: Some(text.into()) });
    }
    let id = trace_id.map(str::trim).filter(|id| is_usable(id))?;
    Some(Trace { trace_id: Some(id.into()), traceparent: None })
}

/// A trace nobody has yet, with a `traceparent` to pass on. Its flags say "not sampled": nothing was recorded of it.
pub fn new(entropy: &dyn Entropy) -> Trace {
    let draw = || (entropy.next_u64().max(1), entropy.next_u64());
    let ((high, low), (span, _)) = (draw(), draw());
    let id = format!("{high:016x}{low:016x}");
    let traceparent: Arc<str> = format!("00-{id}-{span:016x}-00").into();
    Trace { trace_id: Some(id.into()), traceparent: Some(traceparent) }
}

/// The trace id inside a well-formed `traceparent`, following <https://www.w3.org/TR/trace-context/#traceparent-header>:
/// versions after 00 may carry more after the flags, ff and all-zero ids are invalid, digits are lower case.
pub fn trace_id_of(traceparent: &str) -> Option<&str> {
    let bytes = traceparent.as_bytes();
    let field = |from: usize, to: usize| traceparent.get(from..to).filter(|text| is_lower_hex(text));
    let (version, trace, span) = (field(0, 2)?, field(3, 35)?, field(36, 52)?);
    let _flags = field(53, 55)?;
    let dashes = [2, 35, 52].iter().all(|&at| bytes.get(at) == Some(&b'-'));
    let end = match version {
        "ff" => false,
        "00" => bytes.len() == 55,
        _ => bytes.len() == 55 || bytes.get(55) == Some(&b'-'),
    };
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    (dashes && end && bytes.len() <= 256 && !zero(trace) && !zero(span)).then_some(trace)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_usable(id: &str) -> bool {
    (1..=TRACE_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01";

    #[test]
    fn a_well_formed_traceparent_wins_and_is_passed_on_as_it_came() {
        let trace = of(Some(GOOD), Some("other"));
        assert_eq!(trace.trace_id.as_deref(), Some("5b8aa5a2d2c872e8321cf37308d69df2"));
        assert_eq!(trace.traceparent.as_deref(), Some(GOOD));
    }

    #[test]
    fn malformed_traceparents_are_ignored() {
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
            assert_eq!(trace_id_of(text), None, "{text}");
            assert_eq!(of(Some(text), Some("abc")).trace_id.as_deref(), Some("abc"), "{text}");
        }
        assert!(trace_id_of("cc-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01-more").is_some());
    }

    #[test]
    fn without_a_usable_name_the_trace_is_new_and_well_formed() {
        for unusable in ["", "has space", "line\nbreak", &"x".repeat(129)] {
            let trace = of(None, Some(unusable));
            let parent = trace.traceparent.clone().unwrap();
            assert_eq!(trace_id_of(&parent), trace.trace_id.as_deref(), "{parent}");
        }
        assert_ne!(of(None, None), of(None, None));
    }
}
