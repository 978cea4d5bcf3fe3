//! Port 8040. The worker has no REST routes of its own there: `runtime` adds health, readiness,
//! metrics and version.

use axum::Router;

pub(crate) fn routes() -> Router {
    Router::new()
}
