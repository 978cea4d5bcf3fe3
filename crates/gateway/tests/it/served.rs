//! A gateway with its servers, on free ports.

use gateway::Gateway;
use http::StatusCode;
use runtime::{Listeners, RunError};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Served {
    pub(crate) grpc: SocketAddr,
    http: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

impl Served {
    #[allow(clippy::disallowed_methods, reason = "what runs is waited for at the end")]
    pub(crate) async fn start(gateway: Gateway) -> Self {
        let bind = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let listeners = Listeners { http: bind().await, grpc: bind().await, admin: None };
        let (http, grpc) = (listeners.http.local_addr().unwrap(), listeners.grpc.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(gateway.run(listeners, shutdown.clone()));
        Self { grpc, http, shutdown, running }
    }

    /// The status of a request that a proxy forwards.
    pub(crate) async fn get(&self, path: &str, forwarded_for: &[u8]) -> StatusCode {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-forwarded-for: ");
        let request = [head.as_bytes(), forwarded_for, b"\r\n\r\n"].concat();
        stream.write_all(&request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Shuts it down.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}
