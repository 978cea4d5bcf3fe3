//! Unary gRPC on HTTP/2 without a service stack: the path selects the method, the status goes into
//! the trailers.

use super::Stock;
use super::answers::Status;
use crate::journal::Tag;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use contracts::trace::{TRACE_ID, TRACEPARENT};
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use prost::Message;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The bytes before a message: the flag "not compressed" and its length, big-endian.
const PREFIX_BYTES: usize = 5;
/// Large, so that credit is rarely returned.
const WINDOW: u32 = 1 << 20;
const STREAMS_MAX: u32 = 10_000;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// `grpc.health.v1.HealthCheckResponse` with SERVING.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const UNIMPLEMENTED: Status = (12, "the stand-in has no such method");
const INTERNAL: Status = (13, "the message cannot be read");

/// Serves a connection until it closes. Dropping this ends its calls in progress.
pub(super) async fn serve(stream: TcpStream, stock: Arc<Stock>) {
    let handshake = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .handshake(stream);
    let Ok(mut connection) = handshake.await else { return };
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => { calls.spawn(call(request, respond, stock.clone())); }
                Some(Err(_)) | None => return,
            },
            Some(_) = calls.join_next(), if !calls.is_empty() => {}
        }
    }
}

async fn call(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, stock: Arc<Stock>) {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).map(HeaderValue::as_bytes);
    let tag = Tag::from_headers(header(TRACEPARENT), header(TRACE_ID));
    let answer = dispatch(head.uri.path(), tag, body, &stock).await;
    // The caller may have given up meanwhile; then the answer has no receiver.
    let _ = reply(&mut respond, answer);
}

async fn dispatch(path: &str, tag: Tag, body: RecvStream, stock: &Stock) -> Result<Bytes, Status> {
    let message = read(body).await.ok_or(INTERNAL)?;
    match path {
        "/reservation.v1.InventoryService/CommitReservation" => {
            let request = Message::decode(message).map_err(|_| INTERNAL)?;
            Ok(framed(&stock.commit(tag, request).await?))
        }
        "/reservation.v1.InventoryService/ReleaseHold" => {
            let request = Message::decode(message).map_err(|_| INTERNAL)?;
            Ok(framed(&stock.release(tag, request).await?))
        }
        "/grpc.health.v1.Health/Check" => Ok(Bytes::from_static(SERVING)),
        _ => Err(UNIMPLEMENTED),
    }
}

async fn read(mut body: RecvStream) -> Option<Bytes> {
    let mut bytes = Bytes::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.ok()?;
        body.flow_control().release_capacity(chunk.len()).ok()?;
        bytes = if bytes.is_empty() { chunk } else { [bytes, chunk].concat().into() };
    }
    (bytes.len() >= PREFIX_BYTES && bytes[0] == 0).then(|| {
        bytes.advance(PREFIX_BYTES);
        bytes
    })
}

fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(length as u32);
    message.encode(&mut bytes).expect("the buffer has room");
    bytes.freeze()
}

fn reply(respond: &mut SendResponse<Bytes>, answer: Result<Bytes, Status>) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    head.headers_mut().insert(CONTENT_TYPE, GRPC);
    match answer {
        Ok(message) => {
            let mut stream = respond.send_response(head, false)?;
            stream.send_data(message, false)?;
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            stream.send_trailers(trailers)
        }
        Err((status, message)) => {
            head.headers_mut().insert(GRPC_STATUS, HeaderValue::from(u16::from(status)));
            head.headers_mut().insert(GRPC_MESSAGE, HeaderValue::from_static(message));
            respond.send_response(head, true).map(drop)
        }
    }
}
