//! Assembles the service, serves it, and shuts it down in order.

use crate::config::{Config, Options};
use crate::edge;
use crate::metrics::InventoryMetrics;
use crate::service::Service;
use ports::{Clock, Entropy, Store, Tasks};
use runtime::Process;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The ports and the process that the service needs.
#[derive(Clone)]
pub struct Deps {
    /// Its table.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws the free places to offer.
    pub entropy: Arc<dyn Entropy>,
    /// Spawns its tasks.
    pub tasks: Tasks,
    /// The process that it is part of.
    pub process: Process,
}

/// The sockets of the service.
#[derive(Debug)]
pub struct Listeners {
    /// Probes, metrics, administration.
    pub http: TcpListener,
    /// `reservation.v1.InventoryService`.
    pub grpc: TcpListener,
}

/// Assembles the service.
pub fn assemble(options: Options, deps: &Deps) -> Service {
    let metrics = InventoryMetrics::default();
    metrics.register(&deps.process.metrics);
    Service::new(deps.store.clone(), deps.clock.clone(), deps.entropy.clone(), options, metrics)
}

/// Serves until `shutdown`; started calls still finish.
///
/// # Errors
/// If a server fails.
pub async fn run(
    service: Service,
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), io::Error> {
    let Deps { clock, tasks, process, .. } = deps;
    tasks.spawn(service.clone().sweep_until(shutdown.clone()));
    let (warming, warm_shutdown) = (service.clone(), shutdown.clone());
    tasks.spawn(async move {
        if let Some(Err(fault)) = warm_shutdown.run_until_cancelled(warming.warm()).await {
            tracing::warn!(error = fault.chain(), "shows not read ahead; each is read at its first request");
        }
    });
    let stop = shutdown.child_token();
    let router = edge::rest::router(service.clone(), &process, config.internal_token);
    let services = edge::grpc::services(service, clock, config.service.hold_ttl);
    let http = runtime::http::serve(listeners.http, router, stop.clone(), &tasks);
    let grpc = runtime::grpc::serve(listeners.grpc, services, stop.clone(), &tasks, &process);
    // If one server fails, the other stops too: half a service would look like a whole one.
    let stop_on_error = async |served: Result<(), io::Error>| {
        if served.is_err() {
            stop.cancel();
        }
        served
    };
    let (http, grpc) =
        tokio::join!(async { stop_on_error(http.await).await }, async { stop_on_error(grpc.await).await });
    http.and(grpc)
}
