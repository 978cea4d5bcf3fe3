//! One instance of reservation-api: two servers and the background, from the first request to a
//! drained end.

use crate::assembly::{Deps, assemble};
use crate::config::Config;
use crate::edge;
use std::io;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Bound sockets.
pub struct Listeners {
    /// REST, probes and metrics.
    pub http: TcpListener,
    /// gRPC.
    pub grpc: TcpListener,
}

/// An instance that could not serve.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The HTTP server.
    #[error("the HTTP server of reservation-api")]
    Http(#[source] io::Error),
    /// The gRPC server.
    #[error("the gRPC server of reservation-api")]
    Grpc(#[source] io::Error),
}

/// Serves until `shutdown`. Then, in this order: the instance is no longer ready; it accepts no new
/// connections and running calls end; the relay ends its sends and deletes the sent rows. Events
/// that are not due yet stay in the store for the next start.
///
/// # Errors
/// When a server could not be set up; the other one is then drained too.
pub async fn run(
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let (service, background) = assemble(&config, &deps);
    let stop_background = CancellationToken::new();
    let (ended, background_ended) = oneshot::channel();
    let stop = stop_background.clone();
    deps.tasks.spawn(async move {
        background.run(stop).await;
        // The receiver is gone if the whole instance was dropped.
        let _ = ended.send(());
    });

    let stop_servers = shutdown.child_token();
    let router = edge::rest::router(service.clone(), config.internal_token.clone(), &deps.process);
    let http = async {
        let served = runtime::http::serve(listeners.http, router, stop_servers.clone(), &deps.tasks).await;
        stop_servers.cancel();
        served.map_err(RunError::Http)
    };
    let grpc = async {
        let services = edge::grpc::services(service);
        let served =
            runtime::grpc::serve(listeners.grpc, services, stop_servers.clone(), &deps.tasks, &deps.process);
        let served = served.await;
        stop_servers.cancel();
        served.map_err(RunError::Grpc)
    };
    let not_ready = async {
        stop_servers.cancelled().await;
        deps.process.health.draining();
    };
    let (http, grpc, ()) = tokio::join!(http, grpc, not_ready);
    stop_background.cancel();
    // An error here means that the tasks were aborted, as in a crash.
    let _ = background_ended.await;
    http.and(grpc)
}
