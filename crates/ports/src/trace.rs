//! What a call carries besides its request.

use core::time::Duration;
use std::sync::Arc;

/// The trace that a piece of work belongs to, passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// The id that people see in logs; usually 32 hexadecimal digits, but a sender may write
    /// anything.
    pub trace_id: Option<Arc<str>>,
    /// The W3C `traceparent`, if there is a well-formed one.
    pub traceparent: Option<Arc<str>>,
}

/// The context of one call to a peer.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// The trace to pass on.
    pub trace: Trace,
    /// The caller's limit; the adapter's own applies if it is shorter or if this is `None`.
    pub timeout: Option<Duration>,
}
