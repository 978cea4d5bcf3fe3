//! Talking HTTP/1.1 by hand, so that a test says exactly what is on the wire.

use ports::Tasks;
use runtime::Process;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A running HTTP server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: Tasks,
    pub(crate) process: Process,
}

/// An answer taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that this is an error in the shape of the contracts, and gives its code.
    pub(crate) fn error_code(&self) -> String {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        let error = &self.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty(), "{self:?}");
        let trace = error["trace_id"].as_str().unwrap();
        assert!(!trace.is_empty(), "{self:?}");
        assert!(self.head.contains(&format!("x-trace-id: {trace}")), "{self:?}");
        error["code"].as_str().unwrap().to_owned()
    }
}

impl Server {
    pub(crate) async fn start(routes: axum::Router) -> Self {
        let process = Process::new("test-api");
        let router = runtime::http::base_routes(&process).merge(routes);
        let router = runtime::http::instrument(router, &process.metrics);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, tasks) = (CancellationToken::new(), Tasks::new());
        let (token, inner) = (shutdown.clone(), tasks.clone());
        tasks.spawn(async move { runtime::http::serve(listener, router, token, &inner).await.unwrap() });
        Self { address, shutdown, tasks, process }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        Answer::parse(&String::from_utf8(text).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\n");
        let mut request = format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend_from_slice(body);
        self.raw(&request).await
    }
}
