//! The series of gRPC servers; those of a successful call are looked up once.
//!
//! A method is known if one of the process's descriptors has it; everything else counts as
//! `unknown`, so a caller cannot make new series.

use crate::metrics::{Metrics, duration_buckets};
use core::time::Duration;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prost::Message;
use prost_types::FileDescriptorSet;
use std::collections::HashMap;
use std::sync::Arc;
use tonic::Code;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: Arc<str>,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: Arc<str>,
}

#[derive(Clone, Debug)]
pub(crate) struct GrpcMetrics {
    requests: Family<CallLabels, Counter>,
    durations: Family<MethodLabels, Histogram, fn() -> Histogram>,
}

/// The series of one method.
#[derive(Debug)]
pub(crate) struct Method {
    name: Arc<str>,
    ok: Counter,
    duration: Histogram,
    all: Family<CallLabels, Counter>,
}

/// Every method that a server of this process knows, by its path.
#[derive(Debug)]
pub(crate) struct Methods {
    by_path: HashMap<String, Arc<Method>>,
    unknown: Arc<Method>,
}

impl GrpcMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let new_histogram: fn() -> Histogram = || Histogram::new(duration_buckets());
        let this =
            Self { requests: Family::default(), durations: Family::new_with_constructor(new_histogram) };
        metrics.register("grpc_server_requests_total", "gRPC calls ended", this.requests.clone());
        let help = "Time from a call's headers to its status";
        metrics.register("grpc_server_handling_seconds", help, this.durations.clone());
        this
    }

    /// The methods of these descriptor sets, each an encoded `FileDescriptorSet`.
    pub(crate) fn methods(&self, descriptors: &[&[u8]]) -> Result<Methods, prost::DecodeError> {
        let mut by_path = HashMap::new();
        for bytes in descriptors {
            for file in FileDescriptorSet::decode(*bytes)?.file {
                for service in &file.service {
                    let full = format!("{}.{}", file.package(), service.name());
                    for method in &service.method {
                        let path = format!("/{full}/{}", method.name());
                        by_path.insert(path.clone(), Arc::new(self.method(&path)));
                    }
                }
            }
        }
        Ok(Methods { by_path, unknown: Arc::new(self.method("unknown")) })
    }

    fn method(&self, path: &str) -> Method {
        let name: Arc<str> = path.trim_start_matches('/').into();
        Method {
            ok: self.requests.get_or_create(&labels(&name, Code::Ok)).clone(),
            duration: self.durations.get_or_create(&MethodLabels { method: Arc::clone(&name) }).clone(),
            all: self.requests.clone(),
            name,
        }
    }
}

impl Methods {
    pub(crate) fn find(&self, path: &str) -> Arc<Method> {
        Arc::clone(self.by_path.get(path).unwrap_or(&self.unknown))
    }
}

impl Method {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn ended(&self, code: Code, took: Duration) {
        if code == Code::Ok {
            self.ok.inc();
        } else {
            self.all.get_or_create(&labels(&self.name, code)).inc();
        }
        self.duration.observe(took.as_secs_f64());
    }
}

fn labels(name: &Arc<str>, code: Code) -> CallLabels {
    CallLabels { method: Arc::clone(name), code: code_name(code) }
}

/// The code as the gRPC specification spells it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
