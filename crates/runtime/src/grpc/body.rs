//! The two bodies of a call: the request's, bounded, and the response's, watched for the status in its trailers.

use super::call::Ticket;
use bytes::Bytes;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tonic::{Code, Status};

/// The most bytes that a call may send. The largest request of the contracts is far below it.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A request's body that ends in RESOURCE_EXHAUSTED when it is larger than its bound.
pub(crate) struct Bounded {
    inner: Incoming,
    left: usize,
}

impl Bounded {
    pub(crate) fn new(inner: Incoming, bytes_max: usize) -> Self {
        Self { inner, left: bytes_max }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(|error| Status::from_error(Box::new(error)))?;
        if let Some(data) = frame.data_ref() {
            let Some(left) = self.left.checked_sub(data.len()) else {
                let message = format!("the request is larger than {MESSAGE_BYTES_MAX} bytes");
                return Poll::Ready(Some(Err(Status::resource_exhausted(message))));
            };
            self.left = left;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body that closes its call's ticket with the status that it ends in. A body that is dropped before its
/// end leaves the ticket open, which counts as CANCELLED.
pub(crate) struct Watched {
    inner: axum::body::Body,
    ticket: Ticket,
}

impl Watched {
    pub(crate) fn new(inner: axum::body::Body, ticket: Ticket) -> Self {
        Self { inner, ticket }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    self.ticket.close(code);
                }
            }
            Some(Err(_)) => self.ticket.close(Code::Internal),
            None => self.ticket.close(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The status in trailers, or in the headers of a response that has nothing else.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}
