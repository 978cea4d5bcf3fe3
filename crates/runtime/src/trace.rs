//! Which trace a call belongs to: a well-formed W3C `traceparent`, else `x-trace-id`, else
//! a new one.
//!
//! The same rule for HTTP headers and gRPC metadata. A `traceparent` is passed on as it
//! came; one that is malformed is ignored, as the W3C recommendation asks. An `x-trace-id`
//! need not be hexadecimal, but it must be short and printable, because it ends up in logs
//! and in answers.

use crate::SystemEntropy;
use contracts::trace::TraceParent;
use http::HeaderMap;
use ports::{Entropy, Trace};
use std::sync::Arc;

pub use contracts::trace::{TRACE_ID, TRACEPARENT};

const TRACE_ID_BYTES_MAX: usize = 128;

/// The trace that headers name, or a new one.
pub fn from_headers(headers: &HeaderMap) -> Trace {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    from_values(text(TRACEPARENT), text(TRACE_ID))
}

/// The trace of these two values, or a new one.
pub fn from_values(traceparent: Option<&str>, trace_id: Option<&str>) -> Trace {
    named(traceparent, trace_id).unwrap_or_else(|| new(&SystemEntropy))
}

/// The trace of these two values, if either can be used.
pub fn named(traceparent: Option<&str>, trace_id: Option<&str>) -> Option<Trace> {
    if let Some(traceparent) = traceparent.map(str::trim).and_then(TraceParent::parse) {
        return Some(traceparent.to_trace());
    }
    let id = trace_id.map(str::trim).filter(|id| is_usable(id))?;
    Some(Trace { trace_id: Some(id.into()), traceparent: None })
}

/// A trace nobody has yet, with a `traceparent` to pass on. Its flags say "not sampled":
/// nothing was recorded of it.
pub fn new(entropy: &dyn Entropy) -> Trace {
    let draw = || (entropy.next_u64().max(1), entropy.next_u64());
    let ((high, low), (span, _)) = (draw(), draw());
    let id = format!("{high:016x}{low:016x}");
    let traceparent: Arc<str> = format!("00-{id}-{span:016x}-00").into();
    Trace { trace_id: Some(id.into()), traceparent: Some(traceparent) }
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
        let trace = from_values(Some(GOOD), Some("other"));
        assert_eq!(trace.trace_id.as_deref(), Some("5b8aa5a2d2c872e8321cf37308d69df2"));
        assert_eq!(trace.traceparent.as_deref(), Some(GOOD));
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        assert_eq!(from_values(Some("00-1-2-03"), Some("abc")).trace_id.as_deref(), Some("abc"));
    }

    #[test]
    fn without_a_usable_name_the_trace_is_new_and_well_formed() {
        for unusable in ["", "has space", "line\nbreak", &"x".repeat(129)] {
            let trace = from_values(None, Some(unusable));
            let parent = trace.traceparent.clone().unwrap();
            assert_eq!(
                TraceParent::parse(&parent).map(TraceParent::trace_id),
                trace.trace_id.as_deref(),
                "{parent}"
            );
        }
        assert_ne!(from_values(None, None), from_values(None, None));
    }
}
