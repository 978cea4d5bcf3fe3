//! One call: admitted or refused, run to its answer, its deadline or its panic, and counted once.

use super::Limits;
use super::body::{Bounded, Watched, code_of};
use super::deadline;
use super::metrics::{Method, Methods};
use super::services::{Answer, Services};
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
use tokio::time::{Instant, Sleep};
use tonic::body::Body;
use tonic::{Code, Status};

/// The services of one server with what every call passes through.
#[derive(Clone)]
pub(crate) struct Edge {
    services: Services,
    methods: Arc<Methods>,
    in_flight: Arc<AtomicUsize>,
    limits: Limits,
    peer: Option<PeerAddress>,
}

impl Edge {
    pub(crate) fn new(services: Services, methods: Methods, limits: Limits) -> Self {
        Self { services, methods: Arc::new(methods), in_flight: Arc::default(), limits, peer: None }
    }

    /// For one connection.
    pub(crate) fn of(&self, peer: Option<PeerAddress>) -> Self {
        Self { peer, ..self.clone() }
    }

    #[allow(clippy::disallowed_methods, reason = "measures a real server")]
    fn admit(&self, path: &str) -> (Ticket, bool) {
        let running = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let (method, in_flight) = (self.methods.find(path), Arc::clone(&self.in_flight));
        (Ticket { method, in_flight, start: Instant::now(), open: true }, running < self.limits.in_flight_max)
    }
}

impl Service<Request<Incoming>> for Edge {
    type Response = Response<Watched>;
    type Error = Infallible;
    type Future = Call;

    #[allow(clippy::disallowed_methods, reason = "real sockets live in real time")]
    fn call(&self, request: Request<Incoming>) -> Call {
        let path = request.uri().path();
        let (ticket, admitted) = self.admit(path);
        if !admitted {
            return Call { answer: None, deadline: None, ticket: Some(ticket) };
        }
        // Health and reflection keep streams open; tonic bounds their messages one by one.
        let bytes_max = if path.starts_with("/grpc.") { usize::MAX } else { self.limits.message_bytes_max };
        let deadline = deadline::of(request.headers()).map(|limit| Box::pin(tokio::time::sleep(limit)));
        let mut request = request.map(|body| Bounded::new(body, bytes_max));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let answer = self.services.call(request);
        Call { answer: Some(answer), deadline, ticket: Some(ticket) }
    }
}

/// A call on its way to the head of its response. Dropping it drops the handler where it stands.
pub(crate) struct Call {
    /// The handler; `None` for a call that was not admitted.
    answer: Option<Answer>,
    deadline: Option<Pin<Box<Sleep>>>,
    ticket: Option<Ticket>,
}

impl Call {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(Status::unavailable("too many calls are running").into_http());
        };
        // What a handler leaves behind when it panics is its own call's state; shared state is behind locks whose
        // owners decide what a poisoned one means.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
            Ok(Poll::Ready(Ok(response))) => return Poll::Ready(response),
            Ok(Poll::Ready(Err(never))) => match never {},
            Ok(Poll::Pending) => {}
            Err(_) => {
                let method = self.ticket.as_ref().map(|ticket| ticket.method.name());
                tracing::error!(method, "a handler panicked");
                return Poll::Ready(Status::internal("internal error").into_http());
            }
        }
        match &mut self.deadline {
            Some(deadline) => deadline
                .as_mut()
                .poll(cx)
                .map(|()| Status::deadline_exceeded("the caller's deadline passed").into_http()),
            None => Poll::Pending,
        }
    }
}

impl Future for Call {
    type Output = Result<Response<Watched>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.poll_answer(cx));
        let mut ticket = self.ticket.take().expect("a future is not polled again after it was ready");
        if let Some(code) = code_of(response.headers()) {
            ticket.close(code);
        }
        Poll::Ready(Ok(response.map(|body| Watched::new(body, ticket))))
    }
}

/// A call's place among those in flight. Closed with the call's status; dropped open, the caller went away: CANCELLED.
pub(crate) struct Ticket {
    method: Arc<Method>,
    in_flight: Arc<AtomicUsize>,
    start: Instant,
    open: bool,
}

impl Ticket {
    pub(crate) fn close(&mut self, code: Code) {
        if std::mem::replace(&mut self.open, false) {
            self.method.ended(code, self.start.elapsed());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.close(Code::Cancelled);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
