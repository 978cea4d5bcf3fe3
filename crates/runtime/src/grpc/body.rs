//! The two bodies of a call: the request's, bounded, and the response's, watched for the
//! status in its trailers.

use super::open_call::OpenCall;
use bytes::Bytes;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tonic::{Code, Status};

/// The bytes before a message: one flag and the length, big-endian.
const PREFIX_BYTES: usize = 5;

/// A request's body that ends in RESOURCE_EXHAUSTED when it is larger than its bound, or
/// says that it will be: the decoder allocates the length that a message announces.
pub struct Bounded {
    inner: Incoming,
    left: usize,
    prefix: [u8; PREFIX_BYTES],
    prefix_seen: usize,
}

impl Bounded {
    pub(crate) fn new(inner: Incoming, bytes_max: usize) -> Self {
        Self { inner, left: bytes_max, prefix: [0; PREFIX_BYTES], prefix_seen: 0 }
    }

    /// Whether what was read so far, this included, is within the bound.
    fn admits(&mut self, data: &[u8]) -> bool {
        if self.prefix_seen < PREFIX_BYTES {
            let more = data.len().min(PREFIX_BYTES - self.prefix_seen);
            self.prefix[self.prefix_seen..][..more].copy_from_slice(&data[..more]);
            self.prefix_seen += more;
            let [_, length @ ..] = self.prefix;
            // Bytes that were not seen yet count as zero, so a large length shows in its first
            // bytes.
            if u32::from_be_bytes(length) as usize > self.left {
                return false;
            }
        }
        self.left.checked_sub(data.len()).map(|left| self.left = left).is_some()
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
        if frame.data_ref().is_some_and(|data| !self.admits(data)) {
            return Poll::Ready(Some(Err(Status::resource_exhausted("the request is too large"))));
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

/// A response's body that closes its call with the status that it ends in. A body
/// that is dropped before its end leaves the call open, which counts as CANCELLED.
pub(crate) struct Watched {
    inner: tonic::body::Body,
    open_call: OpenCall,
}

impl Watched {
    pub(crate) fn new(inner: tonic::body::Body, open_call: OpenCall) -> Self {
        Self { inner, open_call }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    self.open_call.close(code);
                }
            }
            Some(Err(_)) => self.open_call.close(Code::Internal),
            None => self.open_call.close(Code::Unknown),
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
