//! Connections to one gRPC peer, and one call over them.

use crate::address;
use crate::connection::Connection;
use crate::frame;
use crate::options::{InvalidPeer, PeerOptions};
use core::sync::atomic::{AtomicUsize, Ordering};
use ports::clock::timeout;
use ports::{CallContext, Clock, Fault};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Connections to one peer, used in turn.
pub(crate) struct Pool {
    peer: &'static str,
    connections: Box<[Connection]>,
    next: AtomicUsize,
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
                Ok(Self { peer, connections, next: AtomicUsize::new(0), options, clock })
            }
            Ok(_) => Err(InvalidPeer { peer, problems }),
            Err(problem) => {
                problems.insert(0, problem);
                Err(InvalidPeer { peer, problems })
            }
        }
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

    /// The most bytes of an answer that are read.
    pub(crate) const fn answer_bytes_max(&self) -> usize {
        self.options.answer_bytes_max
    }

    /// `inventory ReleaseHold`, for faults.
    pub(crate) fn what(&self, method: &str) -> String {
        format!("{} {method}", self.peer)
    }
}
