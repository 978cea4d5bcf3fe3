//! One instance of inventory-api: the handlers, the servers and the sweeper, from start to a
//! drained shutdown.

use crate::config::{Config, Options};
use crate::deps::Deps;
use crate::edge;
use crate::metrics::InventoryMetrics;
use crate::service::Service;
use runtime::{Edges, Listeners, Order, RunError};
use tokio_util::sync::CancellationToken;

/// Builds the service without its servers.
pub fn assemble(options: Options, deps: &Deps) -> Service {
    let metrics = InventoryMetrics::default();
    metrics.register(&deps.process.metrics);
    Service::new(deps.store.clone(), deps.clock.clone(), deps.entropy.clone(), options, metrics)
}

/// Builds the service and serves it until `shutdown`; then it drains ([`runtime::serve()`]).
///
/// # Errors
/// When a server could not be set up; the other one is then drained too.
pub async fn run(
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let service = assemble(config.service.clone(), &deps);
    serve(service, config, deps, listeners, shutdown).await
}

/// Serves a service that is already built, for a process that also calls it directly: two services
/// of one store would have two memories of it.
///
/// # Errors
/// As [`run`].
pub async fn serve(
    service: Service,
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let Deps { clock, tasks, process, .. } = deps;
    let routes = edge::rest::router(service.clone(), config.internal_token);
    let grpc = edge::grpc::services(service.clone(), clock, config.service.hold_ttl);
    let edges = Edges::internal(&process, routes, grpc);
    let background = |stop: CancellationToken| {
        tasks.spawn(service.clone().sweep_until(stop.clone()));
        tasks.spawn(warm(service, stop.clone()));
        async move { stop.cancelled().await }
    };
    runtime::serve(&process, &tasks, listeners, edges, Order::ServersFirst, background, shutdown).await
}

async fn warm(service: Service, stop: CancellationToken) {
    if let Some(Err(fault)) = stop.run_until_cancelled(service.warm()).await {
        tracing::warn!(error = fault.chain(), "shows not read ahead; each is read at its first request");
    }
}
