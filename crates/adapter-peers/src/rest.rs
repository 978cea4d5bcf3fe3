//! HTTP/1.1 calls on connections that are kept alive, a bounded number at once.
//!
//! A call drives its connection itself: it writes its request and reads its answer in the task that
//! waits for it. The next call finds out whether the server has closed the connection meanwhile.
//!
//! hyper-util's client would replace this file, but it runs each connection in a task of its own,
//! which is woken for each request and each answer and wakes the caller again. In a profile of the
//! worker the REST call was 27 % of the processor time (docs/measurements.md), so this stays.

use crate::options::PeerOptions;
use bytes::Bytes;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use http::header::HOST;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::{Mutex, MutexGuard};
use ports::clock::timeout;
use ports::{Clock, Fault};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Shorter than the idle limits of common servers and load balancers (60 s and more), so that this
/// side closes first.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A bounded HTTP client. Waiting for a turn counts against the deadline of the call.
pub(crate) struct Http {
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
    turns: Semaphore,
    connect_timeout: Duration,
    answer_bytes_max: usize,
    clock: Arc<dyn Clock>,
}

/// One request.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An unused connection, and since when.
struct Idle {
    authority: Box<str>,
    connection: Connection,
    since: Duration,
}

/// Both halves of a connection: one accepts requests, the other moves bytes when it is polled.
struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    bytes: Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
}

impl Http {
    pub(crate) fn new(options: &PeerOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            idle: Mutex::default(),
            idle_max: options.connections,
            turns: Semaphore::new(options.connections),
            connect_timeout: options.connect_timeout,
            answer_bytes_max: options.answer_bytes_max,
            clock,
        }
    }

    /// Sends a request and reads the whole answer, within `limit`. `what` begins the message of a
    /// fault.
    pub(crate) async fn send(
        &self,
        what: &str,
        limit: Duration,
        call: Call,
    ) -> Result<Response<Bytes>, Fault> {
        let (head, body) = self.answer(what, limit, call).await?;
        Ok(Response::from_parts(head, body?))
    }

    /// The same for a caller that only wants the status: a body that is too long or breaks off does
    /// not matter.
    pub(crate) async fn send_for_status(
        &self,
        what: &str,
        limit: Duration,
        call: Call,
    ) -> Result<StatusCode, Fault> {
        self.answer(what, limit, call).await.map(|(head, _)| head.status)
    }

    async fn answer(
        &self,
        what: &str,
        limit: Duration,
        call: Call,
    ) -> Result<(Parts, Result<Bytes, Fault>), Fault> {
        match timeout(self.clock.as_ref(), limit, Box::pin(self.exchange(what, call))).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::unavailable(format!("{what}: no answer within {limit:?}"))),
        }
    }

    async fn exchange(&self, what: &str, call: Call) -> Result<(Parts, Result<Bytes, Fault>), Fault> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let no_answer = |why: hyper::Error| Fault::not_reached(format!("{what}: no answer")).because(why);
        let authority: Box<str> = call.url.authority().map_or("", |authority| authority.as_str()).into();
        let mut request = request(what, call)?;
        let (mut connection, answer) = loop {
            let (mut connection, is_new) = match self.take_idle(&authority).await {
                Some(connection) => (connection, false),
                None => (self.connect(what, &authority).await?, true),
            };
            match connection.send(request).await {
                Ok(answer) => break (connection, answer),
                // Its server closed it between two calls; nothing of the request was sent.
                Err((_, Some(back))) if !is_new => request = back,
                Err((why, _)) => return Err(no_answer(why)),
            }
        };
        let (head, body) = answer.into_parts();
        let status = head.status;
        let body = Limited::new(body, self.answer_bytes_max).collect();
        let body = connection.while_driven(body).await;
        let body = body.map(|body| body.to_bytes()).map_err(|why| {
            if why.is::<LengthLimitError>() {
                Fault::transient(format!(
                    "{what}: status {status} with more than {} bytes",
                    self.answer_bytes_max
                ))
            } else {
                Fault::not_reached(format!("{what}: status {status}, then the connection broke")).because(why)
            }
        });
        if body.is_ok() && connection.is_usable().await {
            self.keep(Idle { authority, connection, since: self.clock.elapsed() });
        }
        Ok((head, body))
    }

    /// The connection that was used last, if it is still open.
    async fn take_idle(&self, authority: &str) -> Option<Connection> {
        let oldest = self.clock.elapsed().saturating_sub(IDLE_MAX);
        loop {
            let mut connection = {
                let mut idle = self.idle();
                if idle.first().is_some_and(|first| first.since < oldest) {
                    idle.retain(|idle| idle.since >= oldest);
                }
                let at = idle.iter().rposition(|idle| *idle.authority == *authority)?;
                idle.remove(at).connection
            };
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next call; beyond the limit the one unused for longest is closed.
    fn keep(&self, idle: Idle) {
        let mut kept = self.idle();
        if kept.len() >= self.idle_max {
            kept.remove(0);
        }
        kept.push(idle);
    }

    async fn connect(&self, what: &str, authority: &str) -> Result<Connection, Fault> {
        let address = if has_port(authority) { authority.to_owned() } else { format!("{authority}:80") };
        let connecting = async {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        };
        let failed =
            |why: &str| Fault::not_reached(format!("{what}: no answer: cannot connect to {address}{why}"));
        let stream = match timeout(self.clock.as_ref(), self.connect_timeout, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => return Err(failed("").because(why)),
            Err(_) => return Err(failed(&format!(" within {:?}", self.connect_timeout))),
        };
        let (requests, bytes) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| failed("").because(why))?;
        Ok(Connection { requests, bytes: Box::pin(bytes) })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock()
    }
}

impl Connection {
    /// The answer's head; or why there is none, with the request if nothing of it was sent.
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let answer = self.requests.try_send_request(request);
        drive(&mut self.bytes, answer).await.map_err(|mut why| {
            let unsent = why.take_message();
            (why.into_error(), unsent)
        })
    }

    async fn while_driven<F: Future>(&mut self, work: F) -> F::Output {
        drive(&mut self.bytes, work).await
    }

    /// Whether the next request may use it: neither side has closed it, and the earlier answer was
    /// read to its end.
    async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| {
            let closed = self.bytes.as_mut().poll(cx).is_ready();
            Poll::Ready(!closed && self.requests.is_ready())
        })
        .await
    }
}

/// Waits for `work` while moving the connection's bytes, all in this task.
async fn drive<B: Future + Unpin, F: Future>(bytes: &mut B, work: F) -> F::Output {
    let mut work = core::pin::pin!(work);
    let mut open = true;
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        if open && Pin::new(&mut *bytes).poll(cx).is_ready() {
            open = false;
        }
        // The bytes that arrived, or the end, let `work` finish.
        work.as_mut().poll(cx)
    })
    .await
}

fn request(what: &str, call: Call) -> Result<Request<Full<Bytes>>, Fault> {
    let Call { method, url, mut headers, body } = call;
    let odd = || Fault::permanent(format!("{what}: {url} is no URL"));
    let authority = url.authority().ok_or_else(odd)?;
    headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| odd())?);
    // A request to the server itself names the path only.
    let path = url.path_and_query().cloned().map(Uri::from).ok_or_else(odd)?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path;
    *request.headers_mut() = headers;
    Ok(request)
}

fn has_port(authority: &str) -> bool {
    authority.rsplit(']').next().is_some_and(|tail| tail.contains(':'))
}
