//! HTTP/1.1 on kept-alive connections, parsed by hand. It stays by hand because it must be cheap
//! beside the process that the load rig measures (one reused buffer per connection), and because a
//! fault must be able to close a connection instead of answering.
//!
//! One request at a time per connection, bodies with a Content-Length, and only the headers that
//! the stand-ins need. A client that goes away while its answer is prepared is noticed when the
//! answer is written. SQS likewise hands messages to an abandoned long poll (trap T-T2).

use crate::journal::Tag;
use bytes::{Buf, BytesMut};
use std::io::Write;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HEADERS_MAX: usize = 64;
const READ_BYTES: usize = 16 * 1024;
/// A send of ten messages may carry 1 MiB, escaped.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request, borrowed from the connection's buffer.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// `X-Amz-Target`.
    pub(crate) target: &'a str,
    /// `X-Amz-Date`, when the request was signed.
    pub(crate) signed_at: &'a str,
    /// The trace of the request.
    pub(crate) tag: Tag,
    pub(crate) body: &'a [u8],
}

/// An answer under construction. The buffers are reused for the next one.
#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// More headers, each with its line end.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// Close the connection instead of answering.
    pub(crate) broken: bool,
}

/// A server of requests.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(&self, request: Request<'_>, reply: &mut Reply) -> impl Future<Output = ()> + Send;
}

/// Serves a connection until it closes.
pub(crate) async fn serve<S: Service>(mut stream: TcpStream, service: Arc<S>) {
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let mut output = Vec::new();
    let mut reply = Reply::default();
    loop {
        match parse(&input) {
            Parsed::Request { request, bytes, close } => {
                reply.clear();
                service.answer(request, &mut reply).await;
                input.advance(bytes);
                if reply.broken || !send(&mut stream, &mut output, &reply).await || close {
                    return;
                }
            }
            Parsed::Incomplete => {
                input.reserve(READ_BYTES);
                if input.len() > REQUEST_BYTES_MAX || !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
                    return;
                }
            }
            Parsed::Malformed => {
                reply.clear();
                reply.status = 400;
                send(&mut stream, &mut output, &reply).await;
                return;
            }
        }
    }
}

async fn send(stream: &mut TcpStream, output: &mut Vec<u8>, reply: &Reply) -> bool {
    output.clear();
    reply.write(output);
    stream.write_all(output).await.is_ok()
}

enum Parsed<'a> {
    Request { request: Request<'a>, bytes: usize, close: bool },
    Incomplete,
    Malformed,
}

fn parse(input: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let head_bytes = match head.parse(input) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Parsed::Incomplete,
        Err(_) => return Parsed::Malformed,
    };
    let (Some(method), Some(path)) = (head.method, head.path) else { return Parsed::Malformed };
    let (mut body_bytes, mut close, mut target, mut signed_at) = (0, false, "", "");
    let (mut traceparent, mut trace_id) = (None, None);
    for header in &*head.headers {
        let text = || core::str::from_utf8(header.value).ok();
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // By length first: most headers are of no interest.
        match header.name.len() {
            14 if is("content-length") => match text().and_then(|text| text.parse::<usize>().ok()) {
                Some(bytes) if bytes <= REQUEST_BYTES_MAX => body_bytes = bytes,
                _ => return Parsed::Malformed,
            },
            17 if is("transfer-encoding") => return Parsed::Malformed,
            12 if is("x-amz-target") => target = text().unwrap_or_default(),
            11 if is(contracts::trace::TRACEPARENT) => traceparent = Some(header.value),
            10 if is(contracts::trace::TRACE_ID) => trace_id = Some(header.value),
            10 if is("x-amz-date") => signed_at = text().unwrap_or_default(),
            10 if is("connection") => close = header.value.eq_ignore_ascii_case(b"close"),
            _ => {}
        }
    }
    let bytes = head_bytes + body_bytes;
    match input.get(head_bytes..bytes) {
        Some(body) => {
            let tag = Tag::from_headers(traceparent, trace_id);
            let request = Request { method, path, target, signed_at, tag, body };
            Parsed::Request { request, bytes, close }
        }
        None => Parsed::Incomplete,
    }
}

impl Reply {
    fn clear(&mut self) {
        self.status = 200;
        self.content_type = "application/json";
        self.headers.clear();
        self.body.clear();
        self.broken = false;
    }

    fn write(&self, output: &mut Vec<u8>) {
        // No client reads the reason phrase.
        let head = format_args!(
            "HTTP/1.1 {} -\r\ncontent-type: {}\r\ncontent-length: {}\r\n{}\r\n",
            self.status,
            self.content_type,
            self.body.len(),
            self.headers
        );
        output.write_fmt(head).expect("a buffer takes everything");
        output.extend_from_slice(&self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        let text = b"POST /p HTTP/1.1\r\nhost: x\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 4\r\n\r\nbodyGET";
        for end in 0..text.len() - 3 {
            assert!(matches!(parse(&text[..end]), Parsed::Incomplete), "{end} bytes");
        }
        let Parsed::Request { request, bytes, close } = parse(text) else { panic!("not a whole request") };
        assert_eq!((request.method, request.path, request.target), ("POST", "/p", "AmazonSQS.SendMessage"));
        assert_eq!((request.body, bytes, close), (&b"body"[..], text.len() - 3, false));
    }

    #[test]
    fn invalid_http_and_bodies_of_unknown_length_are_refused() {
        for text in [
            "\0\0\0",
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            assert!(matches!(parse(text.as_bytes()), Parsed::Malformed), "{text:?}");
        }
    }
}
