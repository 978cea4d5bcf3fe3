//! Port 8040: health, readiness, metrics, version.

use ports::Tasks;
use runtime::Process;
use runtime::http::{base_routes, instrument};
use std::io;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) async fn serve(
    listener: TcpListener,
    process: &Process,
    shutdown: CancellationToken,
    tasks: &Tasks,
) -> Result<(), io::Error> {
    let router = instrument(base_routes(process), &process.metrics);
    runtime::http::serve(listener, router, shutdown, tasks).await
}
