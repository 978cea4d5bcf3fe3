//! The sale: each request becomes one call to a service behind the gateway, in the name of the
//! signed-in user. The services keep the Idempotency-Keys; the gateway keeps nothing.

mod payments;
mod reservations;
mod translate;

use crate::metrics::GatewayMetrics;
use crate::refusal::Refusal;
use contracts::backends::{Answer, Sales};
use contracts::error::Code;
use core::time::Duration;
use domain::id::PersonId;
use parking_lot::Mutex;
use ports::{CallContext, Clock, FaultClass, PortError, Trace};
use std::collections::HashSet;
use std::sync::Arc;

/// Reservations and payments of signed-in users. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct SalesService {
    inner: Arc<Inner>,
}

struct Inner {
    sales: Arc<dyn Sales>,
    clock: Arc<dyn Clock>,
    metrics: GatewayMetrics,
    /// Time limit of one call to a service behind the gateway.
    limit: Duration,
    /// The requests with a key that are running.
    running: Mutex<HashSet<(PersonId, String)>>,
}

impl SalesService {
    pub(crate) fn new(
        sales: Arc<dyn Sales>,
        clock: Arc<dyn Clock>,
        metrics: GatewayMetrics,
        limit: Duration,
    ) -> Self {
        Self { inner: Arc::new(Inner { sales, clock, metrics, limit, running: Mutex::default() }) }
    }

    /// Waits for a call, records it, and makes a refusal of a failure.
    async fn call<T>(
        &self,
        service: &'static str,
        method: &'static str,
        call: impl Future<Output = Answer<T>>,
        trace: &Trace,
    ) -> Result<T, Refusal> {
        let start = self.inner.clock.elapsed();
        let answer = call.await;
        let took = self.inner.clock.elapsed() - start;
        let (code, answer) = match answer {
            Ok(answer) => ("OK", Ok(answer)),
            Err(PortError::Rejected(error)) => (error.code.as_str(), Err(Refusal::from_backend(error))),
            Err(PortError::Failed(fault))
                if fault.class == FaultClass::Unavailable && took >= self.inner.limit =>
            {
                tracing::warn!(
                    service,
                    method,
                    trace_id = trace.trace_id.as_deref(),
                    error = fault.chain(),
                    "call behind the gateway timed out"
                );
                (
                    Code::UpstreamTimeout.as_str(),
                    Err(Refusal::new(
                        Code::UpstreamTimeout,
                        "the answer took too long; try again with the same Idempotency-Key",
                    )
                    .after(Duration::from_secs(1))),
                )
            }
            Err(PortError::Failed(fault)) => {
                // The metric says what the other side did; the caller only learns to try again.
                let code = match fault.class {
                    FaultClass::Unavailable | FaultClass::NotReached => Code::Unavailable,
                    _ => Code::UpstreamError,
                };
                (code.as_str(), Err(Refusal::failed(method, fault)))
            }
        };
        self.inner.metrics.backend(service, method, code, took);
        answer
    }

    /// Counts an answer under a key.
    fn counted<T>(&self, answer: Result<(T, bool), Refusal>) -> Result<(T, bool), Refusal> {
        match &answer {
            Ok((_, true)) => self.inner.metrics.idempotency("replayed"),
            Err(refusal) if refusal.code() == Code::IdempotencyConflict => {
                self.inner.metrics.idempotency("conflict")
            }
            Ok((_, false)) | Err(_) => {}
        }
        answer
    }

    /// Allows one request under a key at a time; dropping the guard ends it.
    fn begin(&self, person: &PersonId, key: &str) -> Result<Running, Refusal> {
        let entry = (person.clone(), key.to_owned());
        let mut running = self.inner.running.lock();
        if !running.insert(entry.clone()) {
            self.inner.metrics.idempotency("running");
            let message = "the request under this Idempotency-Key is still running";
            return Err(Refusal::new(Code::IdempotencyConflict, message).after(Duration::from_secs(1)));
        }
        Ok(Running { service: Arc::clone(&self.inner), entry })
    }

    fn context(&self, trace: &Trace) -> CallContext {
        CallContext { trace: trace.clone(), timeout: Some(self.inner.limit) }
    }
}

/// A running request with a key; dropping it ends it.
struct Running {
    service: Arc<Inner>,
    entry: (PersonId, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.service.running.lock().remove(&self.entry);
    }
}
