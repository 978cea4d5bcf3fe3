//! Unary gRPC calls at the least cost to the generator, which shares the cores with the
//! measured server.
//!
//! One HTTP/2 connection, no queue in front of it, no reconnecting, one message each way, and
//! the status read from the trailers. Everything that a service's client is for is left out;
//! the server cannot tell the difference.

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use prost::Message;
use tokio::net::TcpStream;

/// The bytes before a message: not compressed, and its length, big-endian.
const PREFIX_BYTES: usize = 5;
/// As large as the server's windows, so that credit is given back seldom.
const WINDOW: u32 = 1 << 20;

/// One connection; cloning it gives another handle on the same.
#[derive(Clone)]
pub struct Calls {
    requests: SendRequest<Bytes>,
}

/// One method of the server at the other end.
#[derive(Clone)]
pub struct Path(Uri);

impl Path {
    /// `address` as `host:port`, `method` as `/package.Service/Method`.
    pub fn new(address: &str, method: &'static str) -> Result<Self> {
        let path = PathAndQuery::from_static(method);
        Ok(Self(Uri::builder().scheme("http").authority(address).path_and_query(path).build()?))
    }
}

impl Calls {
    /// Connects. The connection is served by a task of the current runtime until the last
    /// handle is dropped.
    #[allow(clippy::disallowed_methods, reason = "a benchmark uses its own runtime")]
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(stream)
            .await?;
        tokio::spawn(async move {
            // The callers see why it ended.
            let _ = connection.await;
        });
        Ok(Self { requests: requests.ready().await? })
    }

    /// Sends one message and waits for the answer; an error if the status is not OK.
    pub async fn unary<Q: Message, A: Message + Default>(&mut self, path: &Path, message: &Q) -> Result<A> {
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(path.0.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut body = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len());
        body.put_u8(0);
        body.put_u32(u32::try_from(message.encoded_len())?);
        message.encode(&mut body)?;

        std::future::poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        let (response, mut sending) = self.requests.send_request(request, false)?;
        sending.send_data(body.freeze(), true)?;
        let (head, mut answer) = response.await?.into_parts();
        ensure!(head.status.is_success(), "HTTP status {}", head.status);
        let mut bytes = Bytes::new();
        while let Some(chunk) = answer.data().await {
            let chunk = chunk?;
            answer.flow_control().release_capacity(chunk.len())?;
            bytes = if bytes.is_empty() { chunk } else { [bytes, chunk].concat().into() };
        }
        // A failed call may have no message, and then its status is in the head.
        let trailers = answer.trailers().await?.unwrap_or(head.headers);
        let status = trailers.get("grpc-status").context("an answer without a status")?;
        ensure!(status == "0", "gRPC status {status:?}: {:?}", trailers.get("grpc-message"));
        ensure!(bytes.len() >= PREFIX_BYTES, "an answer of {} bytes", bytes.len());
        bytes.advance(PREFIX_BYTES);
        Ok(A::decode(bytes)?)
    }
}
