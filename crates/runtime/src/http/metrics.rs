//! The series of HTTP servers. Routes are the router's own patterns and methods come from a
//! list, so a caller cannot make new series.

use crate::metrics::{Metrics, duration_buckets};
use core::time::Duration;
use http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: String,
    status_code: u16,
}

#[derive(Clone, Debug)]
pub(crate) struct HttpMetrics {
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
}

impl HttpMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let new_histogram: fn() -> Histogram = || Histogram::new(duration_buckets());
        let this =
            Self { requests: Family::default(), durations: Family::new_with_constructor(new_histogram) };
        metrics.register("http_server_requests_total", "HTTP requests answered", this.requests.clone());
        let help = "Time from a request's headers to its response's headers";
        metrics.register("http_server_requests_duration_seconds", help, this.durations.clone());
        this
    }

    pub(crate) fn answered(&self, method: &Method, route: Option<&str>, status_code: u16, took: Duration) {
        let route = route.unwrap_or("unmatched").to_owned();
        let labels = Labels { method: known(method), route, status_code };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}
