//! One HTTP/2 connection to one gRPC peer: made on first use, made again after it broke, shared by
//! all calls.
//!
//! tonic's own channel passes each call through a task of its own, and hyper's client gives each
//! request one more. Here a call opens its stream on the connection itself and only the connection
//! wakes it.

use bytes::Bytes;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use h2::client::{self, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body::Frame;
use http_body_util::BodyExt;
use parking_lot::{Mutex, MutexGuard};
use ports::Clock;
use ports::clock::timeout;
use std::error::Error;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tower_service::Service;

/// How often a connection with calls is pinged, and how long the answer may take.
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(5);
/// Bytes that the peer may send ahead, on each stream and on the connection: so many that credit is
/// rarely returned.
const WINDOW: u32 = 1 << 20;
/// The most bytes of an answer's headers.
const HEADERS_MAX: u32 = 16 * 1024;
/// The most calls on one connection at once, whatever its peer allows.
const STREAMS_MAX: usize = 1 << 20;

type Problem = Box<dyn Error + Send + Sync>;

/// A connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Shared>);

struct Shared {
    scheme: Scheme,
    authority: Authority,
    connect_timeout: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the caller that connects.
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// How often connecting has failed, and the last error.
    failures: u64,
    failure: String,
}

/// A connection that accepts calls.
#[derive(Clone)]
struct Open {
    requests: SendRequest<Bytes>,
    turns: Arc<Turns>,
}

/// As many permits as the peer allows streams. Further calls wait here; a call that is given up
/// here never reaches the peer.
struct Turns {
    free: Arc<Semaphore>,
    given: Mutex<usize>,
    /// Notified of each call.
    called: Notify,
}

/// The body of an answer: its data, then its trailers.
pub(crate) struct Answer {
    stream: RecvStream,
    data_ended: bool,
    _turn: OwnedSemaphorePermit,
}

impl Turns {
    fn new() -> Arc<Self> {
        let free = Arc::new(Semaphore::new(0));
        Arc::new(Self { free, given: Mutex::default(), called: Notify::new() })
    }

    /// Follows the peer's limit of streams, which may change while the connection lasts.
    fn follow(&self, streams: usize) {
        let streams = streams.min(STREAMS_MAX);
        let mut given = self.given();
        if streams > *given {
            self.free.add_permits(streams - *given);
            *given = streams;
        } else {
            // Permits in use are withdrawn later, by a call that finds them free.
            *given -= self.free.forget_permits(*given - streams);
        }
    }

    fn any_taken(&self) -> bool {
        self.free.available_permits() < *self.given()
    }

    fn given(&self) -> MutexGuard<'_, usize> {
        self.given.lock()
    }

    async fn take(&self, streams: usize) -> OwnedSemaphorePermit {
        self.called.notify_one();
        self.follow(streams);
        self.free.clone().acquire_owned().await.expect("it is never closed")
    }
}

impl Connection {
    /// A connection to the peer at `url`. Nothing is connected yet.
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
        self.state.lock()
    }

    fn open(&self) -> Option<Open> {
        self.state().open.clone()
    }

    /// Forgets a connection that accepts no more calls, so that the next call makes a new one.
    fn forget(&self, broken: &Open) {
        let mut state = self.state();
        if state.open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.turns, &broken.turns)) {
            state.open = None;
        }
    }

    /// The connection, made by the first caller. A caller that waited for a failed attempt fails
    /// with it.
    async fn connection(&self) -> Result<Open, Problem> {
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
            Ok(open) => {
                self.state().open = Some(open.clone());
                Ok(open)
            }
            Err(why) => {
                let mut state = self.state();
                state.failures += 1;
                state.failure = why.to_string();
                Err(why)
            }
        }
    }

    async fn connect(&self) -> Result<Open, Problem> {
        let authority = &self.authority;
        let address = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        };
        let connecting = async {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let settings = client::Builder::new()
                .initial_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_header_list_size(HEADERS_MAX)
                .enable_push(false)
                .handshake::<_, Bytes>(stream);
            Ok::<_, Problem>(settings.await?)
        };
        let (requests, mut connection) = match timeout(self.clock.as_ref(), self.connect_timeout, connecting)
            .await
        {
            Ok(Ok(open)) => open,
            Ok(Err(why)) => return Err(format!("cannot connect to {address}: {why}").into()),
            Err(_) => {
                return Err(format!("cannot connect to {address} within {:?}", self.connect_timeout).into());
            }
        };
        let turns = Turns::new();
        let open = Open { requests, turns: turns.clone() };
        let pings = connection.ping_pong().expect("it is taken once");
        let clock = self.clock.clone();
        #[allow(
            clippy::disallowed_methods,
            reason = "it ends with the connection, and its calls report why it broke"
        )]
        tokio::spawn(async move {
            tokio::select! {
                // Its end, good or bad, reaches every call on it.
                _ = connection => {}
                // So does dropping it.
                () = until_silent(pings, &turns, &*clock) => {}
            }
        });
        Ok(open)
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Answer>, Problem> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
        let (head, mut body) = request.into_parts();
        let head = Request::from_parts(head, ());

        let mut open = self.connection().await?;
        if poll_fn(|cx| open.requests.poll_ready(cx)).await.is_err() {
            // It broke, or its peer is going away, since the last call; nothing was sent.
            self.forget(&open);
            open = self.connection().await?;
            poll_fn(|cx| open.requests.poll_ready(cx)).await?;
        }
        let Open { mut requests, turns } = open;
        let turn = turns.take(requests.current_max_send_streams()).await;
        let (answer, mut stream) = requests.send_request(head, false)?;
        // Messages are small, so none is held back for credit: the connection buffers them.
        let mut last = Bytes::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                let before = core::mem::replace(&mut last, data);
                if !before.is_empty() {
                    stream.send_data(before, false)?;
                }
            }
        }
        stream.send_data(last, true)?;
        let answer = answer.await?;
        Ok(answer.map(|stream| Answer { stream, data_ended: false, _turn: turn }))
    }
}

/// Returns when a ping was not answered in time. The first call after a pause is followed by a
/// ping, and while there are calls another one follows every `PING_EVERY`.
async fn until_silent(mut pings: PingPong, turns: &Turns, clock: &dyn Clock) {
    loop {
        if !turns.any_taken() {
            turns.called.notified().await;
        }
        if !matches!(timeout(clock, PONG_WITHIN, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
        clock.sleep(PING_EVERY).await;
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = self.get_mut();
        if !this.data_ended {
            match ready!(this.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    this.stream.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // The peer has sent everything and wants no more.
                Some(Err(why)) if why.reason() == Some(Reason::NO_ERROR) => return Poll::Ready(None),
                Some(Err(why)) => return Poll::Ready(Some(Err(why))),
                None => this.data_ended = true,
            }
        }
        let trailers = ready!(this.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Answer>;
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.0.clone();
        Box::pin(async move { connection.send(request).await })
    }
}
