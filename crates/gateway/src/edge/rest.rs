//! The public routes (docs/contracts.md#gateway-api), with the headers that every answer has.

use super::{Edge, api, caller, page};
use axum::Router;
use axum::middleware::from_fn_with_state;
use http::header::{self, HeaderName};
use http::{HeaderValue, Method};
use runtime::Process;
use runtime::http::{base_routes, instrument};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

/// How long a browser may cache the answer to a CORS preflight.
const CORS_FOR: core::time::Duration = core::time::Duration::from_secs(600);

/// Every route of the public port. `origins`: the other sites whose pages may call it.
pub(crate) fn router(edge: &Edge, origins: &[HeaderValue], process: &Process) -> Router {
    let api = api::routes().layer(from_fn_with_state(edge.clone(), caller::limit_address));
    let routes = Router::new().nest("/api/v1", api).with_state(edge.clone());
    let routes = instrument(routes.merge(page::routes()).merge(base_routes(process)), &process.metrics);
    let unless_said =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    // Around everything, so that answers to unknown paths and methods have them too. Only pages
    // load anything. Answers are not cached: they belong to one person or one moment. One layer,
    // because each separate layer costs an allocation or two at every request.
    let routes = routes.layer((
        unless_said(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        unless_said(header::REFERRER_POLICY, "no-referrer"),
        unless_said(header::CACHE_CONTROL, "no-store"),
        unless_said(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ));
    // Outermost, so that a CORS preflight is answered whatever methods the route has.
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
            own(contracts::wire::RECORDED),
            own("x-ratelimit-limit"),
            own("x-ratelimit-remaining"),
            own("x-ratelimit-reset"),
            own("x-trace-id"),
        ])
        .max_age(CORS_FOR)
}
