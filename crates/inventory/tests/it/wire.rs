//! The whole service on real sockets. HTTP/1.1 is written by hand, so that a test controls what is
//! on the wire.

use crate::fixture::Fixture;
use inventory::{Config, Deps, run};
use ports::Tasks;
use runtime::{Listeners, Process};
use secrecy::SecretString;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use testkit::SeededEntropy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "internal-0123456789";

/// A running instance on the fixture's folder.
pub(crate) struct Server {
    pub(crate) fixture: Fixture,
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    shutdown: CancellationToken,
    running: Tasks,
}

/// A parsed answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that this is an error body (docs/contracts.md#errors). Returns status and code.
    pub(crate) fn error(&self) -> (u16, String) {
        let error = &self.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty(), "{self:?}");
        assert!(error["trace_id"].is_string(), "{self:?}");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        // The served instance is not the fixture's own: neither is alone on the folder.
        let fixture = Fixture::shared().await;
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (http_listener, grpc_listener) = (bind().await, bind().await);
        let (http, grpc) = (http_listener.local_addr().unwrap(), grpc_listener.local_addr().unwrap());
        let deps = Deps {
            store: fixture.store.clone(),
            clock: fixture.clock.clone(),
            entropy: Arc::new(SeededEntropy::default()),
            tasks: Tasks::new(),
            process: Process::new("inventory-api"),
        };
        let config = Config {
            service: inventory::Options::default(),
            internal_token: Some(SecretString::from(TOKEN)),
        };
        let (shutdown, running) = (CancellationToken::new(), Tasks::new());
        let listeners = Listeners { http: http_listener, grpc: grpc_listener, admin: None };
        let stop = shutdown.clone();
        running.spawn(async move {
            run(config, deps, listeners, stop).await.expect("it serves until shutdown");
        });
        Self { fixture, http, grpc, shutdown, running }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.finished().await;
    }

    /// Sends one request with these header lines.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for header in headers {
            head.push_str(&format!("{header}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: body.to_owned() }
    }

    /// Sends it as an operator with the token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[&format!("x-internal-token: {TOKEN}")], "").await
    }

    /// Sends it as an operator with the token.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let headers = [&format!("x-internal-token: {TOKEN}")[..], "content-type: application/json"];
        self.send("POST", path, &headers, body).await
    }
}
