//! The whole service on real sockets. The tests write HTTP/1.1 by hand, so each states the exact
//! bytes.

use crate::fixture::Fixture;
use ports::Tasks;
use reservation::{Config, run};
use runtime::Listeners;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A running instance on the fixture's folder.
pub(crate) struct Server {
    pub(crate) fixture: Fixture,
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    shutdown: CancellationToken,
    tasks: Tasks,
    running: Tasks,
}

/// A parsed response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks the shape of an error body (docs/contracts.md#errors), and gives status and code.
    pub(crate) fn error(&self) -> (u16, String) {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        let error = &self.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty(), "{self:?}");
        assert!(!error["trace_id"].as_str().unwrap().is_empty(), "{self:?}");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Fixture::new()).await
    }

    pub(crate) async fn with(mut fixture: Fixture) -> Self {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (http, grpc) = (bind().await, bind().await);
        let addresses = (http.local_addr().unwrap(), grpc.local_addr().unwrap());
        let deps = fixture.deps();
        fixture.process = deps.process.clone();
        let (shutdown, tasks, running) = (CancellationToken::new(), deps.tasks.clone(), Tasks::new());
        let (config, token): (Config, _) = (fixture.config.clone(), shutdown.clone());
        running.spawn(async move {
            run(config, deps, Listeners { http, grpc, admin: None }, token).await.unwrap()
        });
        Self { fixture, http: addresses.0, grpc: addresses.1, shutdown, tasks, running }
    }

    /// Shuts down and waits for everything that runs.
    pub(crate) async fn stop(self) -> Fixture {
        self.shutdown.cancel();
        self.running.finished().await;
        self.tasks.finished().await;
        self.fixture
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        Answer::parse(&String::from_utf8(text).unwrap())
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        self.raw(request.as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// A POST with a JSON body.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        self.send("POST", path, &headers, body).await
    }

    pub(crate) async fn patch(&self, id: &str, body: &str) -> Answer {
        let path = format!("/internal/reservations/{id}");
        self.send("PATCH", &path, &[("content-type", "application/json")], body).await
    }
}
