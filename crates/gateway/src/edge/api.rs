//! The routes of the public API, one line each.

use super::{Edge, payments, reservations, shows, waiting_room};
use axum::Router;
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route below `/api/v1`.
pub(super) fn routes() -> Router<Edge> {
    described().split_for_parts().0.merge(aliases())
}

/// The routes below `/api/v1`, each with its description.
pub(super) fn described() -> OpenApiRouter<Edge> {
    OpenApiRouter::new()
        .routes(routes!(shows::events))
        .routes(routes!(shows::availability))
        .routes(routes!(shows::seats))
        .routes(routes!(waiting_room::join))
        .routes(routes!(waiting_room::status))
        .routes(routes!(waiting_room::stream))
        .routes(routes!(waiting_room::enter))
        .routes(routes!(waiting_room::leave, waiting_room::leave_by_delete))
        .routes(routes!(reservations::reserve))
        .routes(routes!(reservations::reservation, reservations::cancel_by_delete))
        .routes(routes!(reservations::confirm))
        .routes(routes!(reservations::cancel))
        .routes(routes!(payments::intent))
        .routes(routes!(payments::process))
        .routes(routes!(payments::payment))
}

/// The payments' routes under their second name; [`super::openapi`] describes them as aliases.
fn aliases() -> Router<Edge> {
    Router::new()
        .route("/payments/intent", post(payments::intent))
        .route("/payments/process", post(payments::process))
        .route("/payments/{id}/status", get(payments::payment))
}
