//! One instance of gateway-api: the public servers and the administration, from start to a drained
//! shutdown.

use crate::backends::{Sales, Shows};
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::edge::{self, Edge};
use crate::metrics::GatewayMetrics;
use crate::queue::{Parts, Queue};
use crate::room::Keep;
use crate::sales::Desk;
use core::time::Duration;
use identity::{KeySource, Secret, Verifier};
use ports::{Clock, Entropy, Tasks, WaitingRoomStore};
use runtime::Process;
use runtime::grpc::Limits;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The port is open to everybody. With the default limits an address begins at most about 6,000
/// calls in this time.
const GRPC_LIMITS: Limits = Limits { time_max: Duration::from_secs(10), ..Limits::DEFAULT };

/// The ports that gateway-api is given.
#[derive(Clone)]
pub struct Deps {
    /// The store of the waiting room's lines.
    pub waiting_room: Arc<dyn WaitingRoomStore>,
    /// The shows on sale.
    pub shows: Arc<dyn Shows>,
    /// Reservations and payments.
    pub sales: Arc<dyn Sales>,
    /// The identity provider's keys, if there is one.
    pub keys: Option<Arc<dyn KeySource>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This instance's tasks.
    pub tasks: Tasks,
    /// Metrics and health.
    pub process: Process,
}

/// Sockets, already bound.
pub struct Listeners {
    /// REST and pages.
    pub http: TcpListener,
    /// gRPC.
    pub grpc: TcpListener,
    /// Administration; `None`: not served on a port of its own.
    pub admin: Option<TcpListener>,
}

/// Why an instance could not serve.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The secret is too weak.
    #[error("the secret of tokens: {0}")]
    Secret(#[from] identity::WeakSecret),
    /// The HTTP server failed.
    #[error("the HTTP server of gateway-api")]
    Http(#[source] io::Error),
    /// The gRPC server failed.
    #[error("the gRPC server of gateway-api")]
    Grpc(#[source] io::Error),
    /// The administration's server failed.
    #[error("the administration of gateway-api")]
    Admin(#[source] io::Error),
}

/// The gateway without its servers.
pub struct Gateway {
    edge: Edge,
    refresher: Option<identity::Refresher>,
    config: Config,
    deps: Deps,
    shutdown: CancellationToken,
    /// Ends the streams, so that none of them keeps a server from draining.
    closing: CancellationToken,
}

/// Builds a gateway from its settings and ports.
///
/// # Errors
/// When the secret of tokens is too weak.
pub fn assemble(config: Config, deps: Deps) -> Result<Gateway, identity::WeakSecret> {
    let metrics = GatewayMetrics::register(&deps.process.metrics);
    let (shutdown, closing) = (CancellationToken::new(), CancellationToken::new());
    let secret = config.jwt_secret.clone().map(Secret::new).transpose()?;
    let options = identity::Options {
        secret,
        keys: deps.keys.clone(),
        issuer: Some(config.jwt_issuer.clone()),
        audience: Some(config.jwt_audience.clone()),
    };
    let (verifier, refresher) = Verifier::new(options, deps.clock.clone());
    let catalogue =
        Arc::new(Catalogue::new(deps.shows.clone(), deps.clock.clone(), &deps.tasks, config.backend_timeout));
    let keep = Keep {
        store: deps.waiting_room.clone(),
        clock: deps.clock.clone(),
        metrics: metrics.store.clone(),
        lines: metrics.lines.clone(),
        limit: config.store_timeout,
    };
    let queue = Queue::new(Parts {
        keep,
        catalogue: catalogue.clone(),
        secrets: config.secrets.clone(),
        metrics: metrics.clone(),
        entropy: deps.entropy.clone(),
        tasks: deps.tasks.clone(),
        shutdown: shutdown.clone(),
        must_sign_in: config.must_sign_in,
    });
    let desk = Desk::new(deps.sales.clone(), deps.clock.clone(), metrics.clone(), config.backend_timeout);
    let shared = edge::Shared {
        queue,
        desk,
        catalogue,
        verifier,
        metrics,
        proxies: config.proxies.clone(),
        per_person: edge::limiter(config.per_person),
        per_address: edge::limiter(config.per_address),
        streams: edge::Streams::new(config.connections, closing.clone()),
    };
    Ok(Gateway { edge: Edge(Arc::new(shared)), refresher, config, deps, shutdown, closing })
}

impl Gateway {
    /// The routes of the administration, for a process that serves them together with others.
    pub fn admin_routes(&self) -> axum::Router {
        edge::admin::routes(self.edge.0.queue.clone(), self.config.admin_token.clone())
    }

    /// The public routes, for callers without a socket.
    pub fn routes(&self) -> axum::Router {
        edge::rest::router(&self.edge, &self.config.origins, &self.deps.process)
    }

    /// Serves until `shutdown`. Then, in this order: it reports not ready; it accepts no connection
    /// and finishes the requests that have begun; it stops its tasks of the lines. No state of a
    /// line is lost with it: other gateways, or this one after a restart, continue the line.
    ///
    /// # Errors
    /// When a server could not be set up; the other servers are then drained too.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), RunError> {
        let Deps { tasks, process, .. } = &self.deps;
        if let Some(refresher) = self.refresher {
            let (health, stop) = (process.health.clone(), self.shutdown.clone());
            health.ready_set("identity", refresher.state().ready());
            tasks.spawn(async move {
                refresher.run(stop, move |state| health.ready_set("identity", state.ready())).await;
            });
        }
        let stop = shutdown.child_token();
        let router = edge::rest::router(&self.edge, &self.config.origins, process);
        let http = async {
            let connections = self.config.connections;
            let served =
                runtime::http::serve_many(listeners.http, router, stop.clone(), tasks, connections).await;
            stop.cancel();
            served.map_err(RunError::Http)
        };
        let grpc = async {
            let services = edge::grpc::services(self.edge.clone());
            let served = runtime::grpc::serve_within(
                GRPC_LIMITS,
                listeners.grpc,
                services,
                stop.clone(),
                tasks,
                process,
            )
            .await;
            stop.cancel();
            served.map_err(RunError::Grpc)
        };
        let admin = async {
            let (queue, token) = (self.edge.0.queue.clone(), self.config.admin_token.clone());
            let served =
                edge::admin::serve(listeners.admin, queue, token, process, stop.clone(), tasks).await;
            served.map_err(RunError::Admin)
        };
        let not_ready = async {
            stop.cancelled().await;
            process.health.draining();
            self.closing.cancel();
        };
        let (http, grpc, admin, ()) = tokio::join!(http, grpc, admin, not_ready);
        self.shutdown.cancel();
        http.and(grpc).and(admin)
    }
}
