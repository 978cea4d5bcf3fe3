//! A call that is counted among those in flight until it ends, and measured when it does.

use super::metrics::Method;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use tokio::time::Instant;
use tonic::Code;

/// A call's place among those in flight. Closed with the call's status; a call that is dropped open
/// counts as CANCELLED, because its caller went away.
pub(crate) struct OpenCall {
    method: Arc<Method>,
    /// `None` once the place is given back, and of a probe, which takes none.
    in_flight: Option<Arc<AtomicUsize>>,
    start: Instant,
    open: bool,
}

impl OpenCall {
    /// A call that begins now. Its place in `in_flight` is taken already.
    #[allow(clippy::disallowed_methods, reason = "measures a real server")]
    pub(crate) fn new(method: Arc<Method>, in_flight: Option<Arc<AtomicUsize>>) -> Self {
        Self { method, in_flight, start: Instant::now(), open: true }
    }

    /// The path of the call's method.
    pub(crate) fn method_name(&self) -> &str {
        self.method.name()
    }

    /// Gives the place back.
    pub(crate) fn leave(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Ends the call with its status.
    pub(crate) fn close(&mut self, code: Code) {
        if std::mem::replace(&mut self.open, false) {
            self.method.ended(code, self.start.elapsed());
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.close(Code::Cancelled);
        self.leave();
    }
}
