//! One call: admitted or refused, run to its answer, its deadline or its panic, and counted
//! once.

use super::Limits;
use super::body::{Bounded, Watched, code_of};
use super::deadline;
use super::metrics::Methods;
use super::open_call::OpenCall;
use super::services::{Answer, Services, refusal};
use crate::PeerAddress;
use core::convert::Infallible;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, ready};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use std::panic::catch_unwind;
use std::sync::Arc;
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

/// The services of one server with what every call passes through.
#[derive(Clone)]
pub(crate) struct Edge {
    services: Services,
    methods: Arc<Methods>,
    calls: Arc<AtomicUsize>,
    streams: Arc<AtomicUsize>,
    limits: Limits,
    peer: Option<PeerAddress>,
}

/// Calls that have bounds of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    /// Of health and reflection, open for as long as their callers like; tonic bounds their
    /// messages one by one.
    Stream,
    Probe,
}

impl Kind {
    fn for_path(path: &str) -> Self {
        match path {
            "/grpc.health.v1.Health/Check" => Self::Probe,
            path if path.starts_with("/grpc.") => Self::Stream,
            _ => Self::Call,
        }
    }
}

impl Edge {
    pub(crate) fn new(services: Services, methods: Methods, limits: Limits) -> Self {
        let (calls, streams) = Default::default();
        Self { services, methods: Arc::new(methods), calls, streams, limits, peer: None }
    }

    /// For one connection.
    pub(crate) fn for_peer(&self, peer: Option<PeerAddress>) -> Self {
        Self { peer, ..self.clone() }
    }

    fn admit(&self, kind: Kind, path: &str) -> (OpenCall, bool) {
        let bound = match kind {
            Kind::Call => Some((&self.calls, self.limits.in_flight_max)),
            Kind::Stream => Some((&self.streams, self.limits.streams_max)),
            Kind::Probe => None,
        };
        let admitted = bound.is_none_or(|(running, most)| running.fetch_add(1, Ordering::Relaxed) < most);
        let in_flight = bound.map(|(running, _)| Arc::clone(running));
        (OpenCall::new(self.methods.find(path), in_flight), admitted)
    }
}

impl Service<Request<Incoming>> for Edge {
    type Response = Response<Watched>;
    type Error = Infallible;
    type Future = Call;

    #[allow(clippy::disallowed_methods, reason = "real sockets live in real time")]
    fn call(&self, mut request: Request<Incoming>) -> Call {
        let path = request.uri().path();
        let kind = Kind::for_path(path);
        let (open_call, admitted) = self.admit(kind, path);
        if !admitted {
            return Call { answer: None, deadline: None, kind, open_call: Some(open_call) };
        }
        if let Some(gate) = self.services.gate().filter(|_| kind != Kind::Probe) {
            if let Some(peer) = self.peer {
                request.extensions_mut().insert(peer);
            }
            if let Err(no) = gate(request.headers(), request.extensions()) {
                return Call { answer: Some(refusal(no)), deadline: None, kind, open_call: Some(open_call) };
            }
        }
        let limit = deadline::from_headers(request.headers());
        let (limit, bytes_max) = match kind {
            Kind::Stream => (limit, usize::MAX),
            Kind::Call | Kind::Probe => {
                let most = self.limits.time_max;
                (Some(limit.map_or(most, |limit| limit.min(most))), self.limits.message_bytes_max)
            }
        };
        let deadline = limit.map(|limit| Box::pin(tokio::time::sleep(limit)));
        let answer = self.services.call(request.map(|body| Bounded::new(body, bytes_max)));
        Call { answer: Some(answer), deadline, kind, open_call: Some(open_call) }
    }
}

/// A call on its way to the head of its response. Dropping it drops the handler where it
/// stands.
pub(crate) struct Call {
    /// The handler; `None` for a call that was not admitted.
    answer: Option<Answer>,
    deadline: Option<Pin<Box<Sleep>>>,
    kind: Kind,
    open_call: Option<OpenCall>,
}

impl Call {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(Status::unavailable("too many calls are running").into_http());
        };
        // What a handler leaves behind when it panics is its own call's state; shared state is
        // behind locks whose owners decide what a poisoned one means.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
            Ok(Poll::Ready(Ok(response))) => return Poll::Ready(response),
            Ok(Poll::Ready(Err(never))) => match never {},
            Ok(Poll::Pending) => {}
            Err(_) => {
                let method = self.open_call.as_ref().map(|open_call| open_call.method_name());
                tracing::error!(method, "a handler panicked");
                return Poll::Ready(Status::internal("internal error").into_http());
            }
        }
        match &mut self.deadline {
            Some(deadline) => deadline
                .as_mut()
                .poll(cx)
                .map(|()| Status::deadline_exceeded("the time for this call is over").into_http()),
            None => Poll::Pending,
        }
    }
}

impl Future for Call {
    type Output = Result<Response<Watched>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.poll_answer(cx));
        let mut open_call = self.open_call.take().expect("a future is not polled again after it was ready");
        if let Some(code) = code_of(response.headers()) {
            open_call.close(code);
        }
        // The answer of a unary call is complete; a stream's is yet to come. A caller that reads
        // nothing can delay the sending for ever, and no other call may wait for that.
        if self.kind != Kind::Stream {
            open_call.leave();
        }
        Poll::Ready(Ok(response.map(|body| Watched::new(body, open_call))))
    }
}
