//! An HTTP/1.1 server with bounds: connections, header bytes and number, time to send a
//! head.

use crate::PeerAddress;
use crate::server::{self, CONNECTIONS_MAX, Drain};
use axum::Router;
use axum::body::Body;
use core::convert::Infallible;
use core::pin::Pin;
use core::time::Duration;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use ports::Tasks;
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

/// The most bytes of a request's head. Tokens are below 4 KiB and a cookie below 4 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most header lines of a request.
const HEADERS_MAX: usize = 100;
/// The longest time to send a head, waiting for the next request of a kept connection
/// included. Longer than the time after which the clients of these services drop an idle
/// connection, so that it is they who close and no call is lost to a connection that was
/// being closed.
const HEAD_TIME_MAX: Duration = Duration::from_secs(75);

/// Serves until the token is cancelled, then lets every call that was begun end and
/// returns.
///
/// # Errors
/// None at present besides those of the operating system while setting up; an accept that
/// fails is retried.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    tasks: &Tasks,
) -> Result<(), io::Error> {
    serve_many(listener, router, shutdown, tasks, CONNECTIONS_MAX).await
}

/// As [`serve`], for a server that people connect to by themselves and not through a
/// balancer: up to `connections` at a time. Each takes a file descriptor.
///
/// # Errors
/// As [`serve`].
pub async fn serve_many(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    tasks: &Tasks,
    connections: u32,
) -> Result<(), io::Error> {
    let router = router.with_state(());
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX);
    server::run(listener, shutdown, tasks, connections, |stream| {
        let peer = PeerAddress::from_stream(&stream);
        builder.serve_connection(TokioIo::new(stream), Edge { router: router.clone(), peer })
    })
    .await
}

impl Drain for http1::Connection<TokioIo<TcpStream>, Edge> {
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

struct Edge {
    router: Router,
    peer: Option<PeerAddress>,
}

impl Service<Request<Incoming>> for Edge {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = axum::routing::future::RouteFuture<Infallible>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // A router is always ready, and cloning it is one reference count.
        self.router.clone().call(request)
    }
}
