//! The routes that every process answers on its HTTP port.

use crate::Process;
use crate::health::Report;
use crate::metrics::CONTENT_TYPE;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::Serialize;

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

/// `GET /health` and `/healthz` (alive), `/ready` and `/readyz` (can work now, with
/// reasons), `/metrics`, `/version`. A failed probe is 503 with the same JSON as a good
/// one.
pub fn base_routes(process: &Process) -> Router {
    Router::new()
        .route("/health", get(alive))
        .route("/healthz", get(alive))
        .route("/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(process.clone())
}

async fn alive(State(process): State<Process>) -> Response {
    probe(process.health.alive())
}

async fn ready(State(process): State<Process>) -> Response {
    probe(process.health.ready())
}

async fn metrics(State(process): State<Process>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], process.metrics.render()).into_response()
}

async fn version(State(process): State<Process>) -> Json<Version> {
    Json(Version { name: process.name, version: process.version })
}

fn probe(report: Report) -> Response {
    let status = if report.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}
