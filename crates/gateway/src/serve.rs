//! One instance of gateway-api: the public servers and the administration, from start to a drained
//! shutdown.

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::deps::Deps;
use crate::edge::{self, Edge};
use crate::metrics::GatewayMetrics;
use crate::room::LineStore;
use crate::service::sales::SalesService;
use crate::service::waiting_room::{WaitingRoomDeps, WaitingRoomService};
use core::time::Duration;
use identity::{Secret, Verifier, WeakSecret};
use runtime::grpc::Limits;
use runtime::serve::{Edges, Listeners, Order, RunError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The port is open to everybody. With the default limits an address begins at most about 6,000
/// calls in this time.
const GRPC_LIMITS: Limits = Limits { time_max: Duration::from_secs(10), ..Limits::DEFAULT };

/// The gateway without its servers.
pub struct Gateway {
    edge: Edge,
    refresher: Option<identity::Refresher>,
    config: Config,
    deps: Deps,
    /// Ends the tasks of the lines.
    shutdown: CancellationToken,
    /// Ends the streams, so that none of them keeps a server from draining.
    closing: CancellationToken,
}

/// Builds a gateway from its settings and ports.
///
/// # Errors
/// When the secret of tokens is too weak.
pub fn assemble(config: Config, deps: Deps) -> Result<Gateway, WeakSecret> {
    let metrics = GatewayMetrics::register(&deps.process.metrics);
    let (shutdown, closing) = (CancellationToken::new(), CancellationToken::new());
    let options = identity::Options {
        secret: config.jwt.secret.clone().map(Secret::new).transpose()?,
        keys: deps.keys.clone(),
        issuer: Some(config.jwt.issuer.clone()),
        audience: Some(config.jwt.audience.clone()),
    };
    let (verifier, refresher) = Verifier::new(options, deps.clock.clone());
    let limit = config.backend_timeout;
    let catalogue = Arc::new(Catalogue::new(deps.shows.clone(), deps.clock.clone(), &deps.tasks, limit));
    let waiting_room = WaitingRoomService::new(WaitingRoomDeps {
        store: LineStore {
            port: deps.waiting_room.clone(),
            clock: deps.clock.clone(),
            metrics: metrics.store.clone(),
            line_metrics: metrics.lines.clone(),
            limit: config.line.store_timeout,
        },
        catalogue: catalogue.clone(),
        secrets: config.line.secrets.clone(),
        metrics: metrics.clone(),
        entropy: deps.entropy.clone(),
        tasks: deps.tasks.clone(),
        shutdown: shutdown.clone(),
        must_sign_in: config.line.must_sign_in,
    });
    let edge = Edge::new(edge::Inner {
        waiting_room,
        sales: SalesService::new(deps.sales.clone(), deps.clock.clone(), metrics.clone(), limit),
        catalogue,
        verifier,
        metrics,
        proxies: config.limits.proxies.clone(),
        per_person: edge::limiter(config.limits.per_person),
        per_address: edge::limiter(config.limits.per_address),
        streams: edge::Streams::new(config.limits.connections, closing.clone()),
    });
    Ok(Gateway { edge, refresher, config, deps, shutdown, closing })
}

impl Gateway {
    /// The routes of the administration, for a process that serves them together with others.
    pub fn admin_routes(&self) -> axum::Router {
        edge::admin::routes(self.edge.waiting_room.clone(), self.config.admin_token.clone())
    }

    /// The public routes, for callers without a socket.
    pub fn routes(&self) -> axum::Router {
        edge::rest::router(&self.edge, &self.config.origins, &self.deps.process)
    }

    /// Serves until `shutdown` and drains ([`runtime::serve()`]); then the tasks of the lines end.
    /// No state of a line is lost with them: other gateways, or this one after a restart, continue
    /// the line.
    ///
    /// # Errors
    /// When a server could not be set up; the other servers are then drained too.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), RunError> {
        let Deps { tasks, process, .. } = &self.deps;
        let edges = Edges::new(self.routes(), edge::grpc::services(self.edge.clone()))
            .with_http_connections(self.config.limits.connections)
            .with_grpc_limits(GRPC_LIMITS)
            .with_admin(process, self.admin_routes(), self.config.admin_token.is_some())
            .with_closing(self.closing);
        if let Some(refresher) = self.refresher {
            let (health, stop) = (process.health.clone(), self.shutdown.clone());
            health.ready_set("identity", refresher.state().ready());
            tasks.spawn(async move {
                refresher.run(stop, move |state| health.ready_set("identity", state.ready())).await;
            });
        }
        let lines = self.shutdown;
        let background = |stop: CancellationToken| async move {
            stop.cancelled().await;
            lines.cancel();
        };
        runtime::serve(process, tasks, listeners, edges, Order::ServersFirst, background, shutdown).await
    }
}
