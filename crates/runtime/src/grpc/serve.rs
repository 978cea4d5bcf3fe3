//! An HTTP/2 server for tonic's services.

use super::Limits;
use super::call::Edge;
use super::health::HealthService;
use super::metrics::GrpcMetrics;
use super::services::Services;
use crate::server::{self, Drain};
use crate::{PeerAddress, Process};
use core::pin::Pin;
use core::time::Duration;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use ports::Tasks;
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::HealthServer;

/// Calls that one connection may have open; a client with more of them waits on its own
/// side.
const STREAMS_MAX: u32 = 2_048;
/// Bytes that one call, and all calls of a connection, may have sent before they are read.
/// h2 lets a connection owe half its window in small frames, 256 bytes each, and ends it as
/// abusive beyond: the window has room for one such frame of every stream. A window that
/// adapts starts at 64 KiB, and 128 calls at once would end the connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = STREAMS_MAX * 256 * 2;
/// The most bytes of a call's headers.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
/// How long a silent connection is left alone before it is asked whether it still lives,
/// and how long it may take to say so: a peer whose machine died is let go within 30 s.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_WAIT: Duration = Duration::from_secs(10);

const V1: &str = "grpc.reflection.v1.ServerReflection";
const V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// Serves the services, `grpc.health.v1` for the whole server and each of them, and
/// reflection v1 and v1alpha, until the token is cancelled; then lets every call that was
/// begun end and returns.
///
/// # Errors
/// When the descriptors that the contracts were built with cannot be read; an accept that
/// fails is retried.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    shutdown: CancellationToken,
    tasks: &Tasks,
    process: &Process,
) -> Result<(), io::Error> {
    serve_within(Limits::default(), listener, services, shutdown, tasks, process).await
}

/// As [`serve`], with limits of its own.
///
/// # Errors
/// As [`serve`].
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    services: Services,
    shutdown: CancellationToken,
    tasks: &Tasks,
    process: &Process,
) -> Result<(), io::Error> {
    let descriptors = [
        contracts::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let names = services.names();
    let health =
        HealthService { health: process.health.clone(), names: names.clone(), shutdown: shutdown.clone() };
    let services = services
        .with(HealthServer::new(health))
        .with(reflection(&names, V1).build_v1().map_err(io::Error::other)?)
        .with(reflection(&names, V1ALPHA).build_v1alpha().map_err(io::Error::other)?);
    let methods =
        process.metrics.family(GrpcMetrics::register).methods(&descriptors).map_err(io::Error::other)?;
    let edge = Edge::new(services, methods, limits);
    let builder = builder(tasks);
    server::run(listener, shutdown, tasks, server::CONNECTIONS_MAX, |stream| {
        let peer = PeerAddress::from_stream(&stream);
        builder.serve_connection(TokioIo::new(stream), edge.for_peer(peer))
    })
    .await
}

/// Reflection over all messages that lists only what this server serves: grpcui offers no
/// method that would not answer.
fn reflection(names: &[&'static str], own: &'static str) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(contracts::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let served = names.iter().copied().chain(["grpc.health.v1.Health", own]);
    served.fold(builder, tonic_reflection::server::Builder::with_service_name)
}

fn builder(tasks: &Tasks) -> http2::Builder<Spawner> {
    let mut builder = http2::Builder::new(Spawner(tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_WAIT);
    builder
}

impl Drain for http2::Connection<TokioIo<TcpStream>, Edge, Spawner> {
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs every call as a task of its server, so that shutdown waits for it and a crash drops
/// it.
#[derive(Clone)]
struct Spawner(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, call: F) {
        // Boxed, because the future is moved several times on its way into the task: 8 % of a
        // call's CPU otherwise.
        self.0.spawn(Box::pin(call));
    }
}
