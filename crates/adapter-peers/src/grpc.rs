//! Connections to one gRPC peer, and one call over them.

use crate::address;
use crate::connection::Connection;
use crate::frame;
use crate::options::{InvalidPeer, PeerOptions};
use contracts::answer::Refusal;
use contracts::answer::grpc::{buyers_error_from_status, class_of_status, error_from_status};
use contracts::error::WireError;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use ports::clock::timeout;
use ports::{CallContext, Clock, Fault, FaultClass, PortError};
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// A method of a peer.
#[derive(Clone, Copy)]
pub(crate) struct Method {
    name: &'static str,
    added: bool,
}

impl Method {
    /// One that every peer has.
    pub(crate) const fn first(name: &'static str) -> Self {
        Self { name, added: false }
    }

    /// One that an older peer may lack: it then answers UNIMPLEMENTED, which is
    /// [`FaultClass::Unsupported`].
    pub(crate) const fn added(name: &'static str) -> Self {
        Self { name, added: true }
    }
}

/// Connections to one peer, used in turn.
pub(crate) struct Pool {
    peer: &'static str,
    connections: Box<[Connection]>,
    next: AtomicUsize,
    /// Whether the last answer over these connections was the peer's.
    is_the_peer: AtomicBool,
    options: PeerOptions,
    clock: Arc<dyn Clock>,
}

impl Pool {
    /// Connections to `address`, each made on first use.
    pub(crate) fn new(
        peer: &'static str,
        address: &str,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        let mut problems = options.problems();
        let url = address::parse(address).and_then(|url| match url.path() {
            "/" | "" => Ok(url),
            path => Err(format!("{address:?} has the path {path}, which a gRPC address has not")),
        });
        match url {
            Ok(url) if problems.is_empty() => {
                let connection = |_| Connection::new(&url, options.connect_timeout, clock.clone());
                let connections = (0..options.connections).map(connection).collect();
                Ok(Self {
                    peer,
                    connections,
                    next: AtomicUsize::new(0),
                    is_the_peer: AtomicBool::new(false),
                    options,
                    clock,
                })
            }
            Ok(_) => Err(InvalidPeer { peer, problems }),
            Err(problem) => {
                problems.insert(0, problem);
                Err(InvalidPeer { peer, problems })
            }
        }
    }

    /// One call and what its answer means: `read` reads the message, `rejection` the typed error of
    /// a status (see [`contracts::answer`]).
    pub(crate) async fn ask<M, A, F, T, R>(
        &self,
        cx: &CallContext,
        method: Method,
        message: M,
        send: impl FnOnce(Connection, Request<M>) -> F + Send,
        read: impl FnOnce(A) -> Result<T, Refusal<R>> + Send,
        rejection: impl Fn(&WireError) -> Option<R> + Send,
    ) -> Result<T, PortError<R>>
    where
        F: Future<Output = Result<Response<A>, Status>> + Send,
        M: Send,
        A: Send,
    {
        let what = || format!("{} {}", self.peer, method.name);
        match self.call(cx, method.name, message, send).await? {
            Ok(response) => {
                self.is_the_peer.store(true, Ordering::Relaxed);
                read(response).map_err(|no| no.into_error(&what()))
            }
            Err(status) if method.added && self.lacks_it(&status) => {
                Err(Fault::new(FaultClass::Unsupported, format!("{}: the peer is older", what())).into())
            }
            Err(status) => {
                let is_the_peer = class_of_status(&status) != FaultClass::NotReached;
                self.is_the_peer.store(is_the_peer, Ordering::Relaxed);
                Err(error_from_status(&what(), status, rejection))
            }
        }
    }

    /// A status of the peer as the buyer's error.
    pub(crate) fn buyers_error(&self, method: Method, status: Status) -> PortError<WireError> {
        let what = self.what(method.name);
        match method.added && status.code() == Code::Unimplemented {
            true => Fault::new(FaultClass::Unsupported, format!("{what}: the peer is older")).into(),
            false => buyers_error_from_status(&what, status),
        }
    }

    /// Whether a peer that answers other calls has no such method. Something that is not the peer
    /// says UNIMPLEMENTED to every call.
    fn lacks_it(&self, status: &Status) -> bool {
        status.code() == Code::Unimplemented && self.is_the_peer.load(Ordering::Relaxed)
    }

    /// One call. The inner result is the peer's answer or its status; the outer error says that
    /// none arrived in time.
    pub(crate) async fn call<M, A, F>(
        &self,
        cx: &CallContext,
        method: &str,
        message: M,
        send: impl FnOnce(Connection, Request<M>) -> F + Send,
    ) -> Result<Result<A, Status>, Fault>
    where
        F: Future<Output = Result<Response<A>, Status>> + Send,
        M: Send,
        A: Send,
    {
        let limit = frame::limit(cx, &self.options);
        let mut request = Request::new(message);
        request.set_timeout(limit);
        frame::trace_metadata(&cx.trace, request.metadata_mut());
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        match timeout(self.clock.as_ref(), limit, send(self.connections[turn].clone(), request)).await {
            Ok(answer) => Ok(answer.map(Response::into_inner)),
            Err(_) => Err(Fault::unavailable(format!("{} {method}: no answer within {limit:?}", self.peer))),
        }
    }

    /// Whether the peer says that it can serve, by `grpc.health.v1`.
    pub(crate) async fn health(&self, cx: &CallContext) -> Result<(), Fault> {
        let check = |connection, request| async move { HealthClient::new(connection).check(request).await };
        match self.call(cx, "Check", HealthCheckRequest::default(), check).await? {
            Ok(answer) if answer.status() == ServingStatus::Serving => Ok(()),
            Ok(answer) => {
                Err(Fault::not_reached(format!("{} Check: {}", self.peer, answer.status().as_str_name())))
            }
            Err(status) => Err(Fault::not_reached(format!("{} Check", self.peer)).because(status)),
        }
    }

    /// The most bytes of an answer that are read.
    pub(crate) const fn answer_bytes_max(&self) -> usize {
        self.options.answer_bytes_max
    }

    /// `inventory ReleaseHold`, for faults.
    pub(crate) fn what(&self, method: &str) -> String {
        format!("{} {method}", self.peer)
    }
}
