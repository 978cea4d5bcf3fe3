//! One HTTP/2 connection to one gRPC peer: made when it is first needed, made again after it broke, used by all calls.
//!
//! tonic's own channel passes each call through a task of its own before the connection's. Here a call goes straight to
//! the connection.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ports::Clock;
use ports::clock::timeout;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;
use tonic::body::Body;
use tower_service::Service;

/// How often a connection with calls on it is asked whether it is alive, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(5);

type Requests = http2::SendRequest<Body>;

/// A connection. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Line(Arc<Shared>);

struct Shared {
    scheme: Scheme,
    authority: Authority,
    connect_timeout: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the one that connects.
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    open: Option<Requests>,
    /// How often connecting has failed, and how the last time.
    failures: u64,
    failure: String,
}

impl Line {
    /// A line to the peer that `url` names. Nothing is connected yet.
    pub(crate) fn new(url: &Uri, connect_timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        let authority = url.authority().cloned().expect("an address that was parsed has an authority");
        Self(Arc::new(Shared {
            scheme: url.scheme().cloned().unwrap_or(Scheme::HTTP),
            authority,
            connect_timeout,
            clock,
            state: Mutex::default(),
            dialing: tokio::sync::Mutex::new(()),
        }))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Option<Requests> {
        self.state().open.as_ref().filter(|requests| !requests.is_closed()).cloned()
    }

    /// The connection, made by whoever comes first. Who waited for an attempt that failed has failed with it.
    async fn requests(&self) -> Result<Requests, Box<dyn Error + Send + Sync>> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let before = self.state().failures;
        let _dialing = self.dialing.lock().await;
        if let Some(open) = self.open() {
            return Ok(open);
        }
        if self.state().failures > before {
            return Err(self.state().failure.clone().into());
        }
        match self.connect().await {
            Ok(requests) => {
                self.state().open = Some(requests.clone());
                Ok(requests)
            }
            Err(why) => {
                let mut state = self.state();
                state.failures += 1;
                state.failure = why.to_string();
                Err(why)
            }
        }
    }

    async fn connect(&self) -> Result<Requests, Box<dyn Error + Send + Sync>> {
        let authority = &self.authority;
        let address = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        };
        let connecting =
            timeout(self.clock.as_ref(), self.connect_timeout, TcpStream::connect(&address)).await;
        let stream = match connecting {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => return Err(format!("cannot connect to {address}: {why}").into()),
            Err(_) => {
                return Err(format!("cannot connect to {address} within {:?}", self.connect_timeout).into());
            }
        };
        stream.set_nodelay(true)?;
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN)
            .handshake(TokioIo::new(stream))
            .await?;
        #[allow(
            clippy::disallowed_methods,
            reason = "it ends with the line, and its calls say why it broke"
        )]
        tokio::spawn(connection);
        Ok(requests)
    }

    async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
        let mut requests = self.requests().await?;
        poll_fn(|cx| requests.poll_ready(cx)).await?;
        Ok(requests.send_request(request).await?)
    }
}

impl Service<Request<Body>> for Line {
    type Response = Response<Incoming>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = self.0.clone();
        Box::pin(async move { line.send(request).await })
    }
}
