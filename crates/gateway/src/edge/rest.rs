//! The public routes (contracts 3.1), with what every answer of them has.

use super::{Edge, caller, page, queue, sales};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use http::header::{self, HeaderName};
use http::{HeaderValue, Method};
use runtime::Process;
use runtime::http::{base_routes, instrument};
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

/// How long a browser may remember what another origin may do.
const CORS_FOR: core::time::Duration = core::time::Duration::from_secs(600);

/// Every route of the public port. `origins` are those of other sites' pages that may call.
pub(crate) fn router(edge: &Edge, origins: &[HeaderValue], process: &Process) -> Router {
    let small = Router::new()
        .route("/queue/join", post(queue::join))
        .route("/queue/status", get(queue::status))
        .route("/queue/enter", post(queue::enter))
        .route("/queue/leave", delete(queue::leave).post(queue::leave))
        .route("/queue/stream", get(queue::stream))
        .route("/reservations", post(sales::reserve))
        .route("/reservations/{id}", get(sales::reservation).delete(sales::cancel))
        .route("/reservations/{id}/confirm", post(sales::confirm))
        .route("/reservations/{id}/cancel", post(sales::cancel));
    let payments = |name: &str| {
        Router::new()
            .route(&format!("/{name}/intent"), post(sales::intent))
            .route(&format!("/{name}/process"), post(sales::process))
            .route(&format!("/{name}/{{id}}/status"), get(sales::payment))
    };
    // Only these answers are long enough to be worth it.
    let large = Router::new()
        .route("/events", get(sales::events))
        .route("/events/{id}/availability", get(sales::availability))
        .route("/events/{id}/seats", get(sales::seats))
        .layer(CompressionLayer::new());
    let api = small.merge(payments("payment")).merge(payments("payments")).merge(large);
    let api = api
        .layer(from_fn_with_state(edge.clone(), caller::limit_address))
        // No answer of the API is for a cache: each is of one person or of one moment.
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ));
    let routes = Router::new().nest("/api/v1", api).with_state(edge.clone());
    let routes = routes.merge(page::routes()).merge(base_routes(process));
    let guarded = routes
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ));
    let routes = instrument(guarded, &process.metrics);
    // Outermost: a browser's question before the call is answered whatever the route says of its methods.
    if origins.is_empty() { routes } else { routes.layer(cors(origins)) }
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    let own = |name| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            own("idempotency-key"),
            own("traceparent"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            own("x-idempotency-cached"),
            own("x-ratelimit-limit"),
            own("x-ratelimit-remaining"),
            own("x-ratelimit-reset"),
            own("x-trace-id"),
        ])
        .max_age(CORS_FOR)
}
