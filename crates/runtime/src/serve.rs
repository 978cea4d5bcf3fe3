//! Serving one service: its HTTP, gRPC and administration ports and what runs beside them,
//! from the first request to a drained end. Every service ends the same way:
//!
//! 1. `/ready` says no, and streams that would hold a server are asked to end.
//! 2. No new connections; calls that were begun end.
//! 3. What runs beside the servers ends its work in flight.
//!
//! [`Order`] turns 2 and 3 around for the worker, whose ports show how it drains. A server
//! that fails takes the others with it: half a service would look like a whole one.

use crate::grpc::{Limits, Services};
use crate::server::CONNECTIONS_MAX;
use crate::{Process, grpc, http};
use axum::Router;
use core::fmt;
use ports::Tasks;
use std::io;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The bound sockets of a service.
#[derive(Debug)]
pub struct Listeners {
    /// REST, probes and metrics.
    pub http: TcpListener,
    /// gRPC, health and reflection.
    pub grpc: TcpListener,
    /// Administration; `None` = it is not served on an address of its own.
    pub admin: Option<TcpListener>,
}

/// What a service answers on its sockets.
pub struct Edges {
    http: Router,
    http_connections_max: u32,
    grpc: Services,
    grpc_limits: Limits,
    admin: Option<Admin>,
    closing: CancellationToken,
}

struct Admin {
    routes: Router,
    has_token: bool,
}

/// Which ends first on shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The servers, so that nothing is begun that the background would not carry out.
    ServersFirst,
    /// The background: the ports answer until it has drained.
    BackgroundFirst,
}

/// A service that could not serve.
#[derive(Debug, thiserror::Error)]
#[error("the {port} server of {process} failed")]
pub struct RunError {
    process: &'static str,
    port: Port,
    #[source]
    source: io::Error,
}

#[derive(Debug, Clone, Copy)]
enum Port {
    Http,
    Grpc,
    Admin,
}

impl Edges {
    /// The routes of a port that only services of this platform and operators reach, and
    /// its gRPC services. `routes` are the service's own: probes, metrics and the one
    /// error shape are added here.
    pub fn internal(process: &Process, routes: Router, grpc: Services) -> Self {
        Self::new(http::instrument(routes.merge(http::base_routes(process)), &process.metrics), grpc)
    }

    /// The routes of a public port, put together by the service, and its gRPC services.
    pub fn new(http: Router, grpc: Services) -> Self {
        Self {
            http,
            http_connections_max: CONNECTIONS_MAX,
            grpc,
            grpc_limits: Limits::DEFAULT,
            admin: None,
            closing: CancellationToken::new(),
        }
    }

    /// With so many connections to the HTTP port at a time. Each takes a file descriptor.
    #[must_use]
    pub fn with_http_connections(mut self, connections_max: u32) -> Self {
        self.http_connections_max = connections_max;
        self
    }

    /// With limits of its own on the gRPC port.
    #[must_use]
    pub fn with_grpc_limits(mut self, limits: Limits) -> Self {
        self.grpc_limits = limits;
        self
    }

    /// With administration on its own address. `routes` ask for the token themselves;
    /// without one they are served on loopback only (trap T-O3).
    #[must_use]
    pub fn with_admin(mut self, process: &Process, routes: Router, has_token: bool) -> Self {
        let routes = http::instrument(routes.merge(http::base_routes(process)), &process.metrics);
        self.admin = Some(Admin { routes, has_token });
        self
    }

    /// With a token that is cancelled when the drain begins: for streams, which would
    /// otherwise hold their server.
    #[must_use]
    pub fn with_closing(mut self, closing: CancellationToken) -> Self {
        self.closing = closing;
        self
    }
}

/// Serves until `shutdown`, then drains in `order`. `background` runs beside the servers
/// until the token that it is given is cancelled; it ends its work in flight and returns.
///
/// # Errors
/// When a server could not be set up. Everything is drained all the same.
pub async fn serve<B: Future<Output = ()>>(
    process: &Process,
    tasks: &Tasks,
    listeners: Listeners,
    edges: Edges,
    order: Order,
    background: impl FnOnce(CancellationToken) -> B,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    // Cancelled on shutdown, and when a server fails.
    let drain = shutdown.child_token();
    let (servers_stop, background_stop) = match order {
        Order::ServersFirst => (drain.clone(), CancellationToken::new()),
        Order::BackgroundFirst => (CancellationToken::new(), drain.clone()),
    };
    let failed = |port, source| {
        drain.cancel();
        servers_stop.cancel();
        RunError { process: process.name, port, source }
    };
    let Edges { http, http_connections_max, grpc, grpc_limits, admin, closing } = edges;
    let servers = async {
        let http = async {
            let stop = servers_stop.clone();
            let served = http::serve_many(listeners.http, http, stop, tasks, http_connections_max).await;
            served.map_err(|error| failed(Port::Http, error))
        };
        let grpc = async {
            let stop = servers_stop.clone();
            let served = grpc::serve_within(grpc_limits, listeners.grpc, grpc, stop, tasks, process).await;
            served.map_err(|error| failed(Port::Grpc, error))
        };
        let admin = async {
            let served = serve_admin(listeners.admin, admin, servers_stop.clone(), tasks).await;
            served.map_err(|error| failed(Port::Admin, error))
        };
        let (http, grpc, admin) = tokio::join!(http, grpc, admin);
        if order == Order::ServersFirst {
            background_stop.cancel();
        }
        http.and(grpc).and(admin)
    };
    // Boxed: its tables may be kilobytes, which do not belong into the future of every caller.
    let background = Box::pin(background(background_stop.clone()));
    let background = async {
        background.await;
        if order == Order::BackgroundFirst {
            servers_stop.cancel();
        }
    };
    let not_ready = async {
        drain.cancelled().await;
        process.health.draining();
        closing.cancel();
    };
    let (served, (), ()) = tokio::join!(servers, background, not_ready);
    served
}

async fn serve_admin(
    listener: Option<TcpListener>,
    admin: Option<Admin>,
    stop: CancellationToken,
    tasks: &Tasks,
) -> io::Result<()> {
    let (Some(listener), Some(admin)) = (listener, admin) else { return Ok(()) };
    if !admin.has_token && !listener.local_addr()?.ip().is_loopback() {
        tracing::error!(
            address = %listener.local_addr()?,
            "administration is not served: its address is beyond loopback; set ADMIN_TOKEN"
        );
        return Ok(());
    }
    http::serve(listener, admin.routes, stop, tasks).await
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Grpc => "gRPC",
            Self::Admin => "administration",
        })
    }
}
