//! Calls to the internal REST interfaces of our own services (docs/contracts.md#reservation-api and
//! docs/contracts.md#inventory-api).

use crate::address;
use crate::frame;
use crate::options::{InvalidPeer, PeerOptions};
use crate::rest::{Call, Http};
use bytes::Bytes;
use contracts::answer::rest::{RestAnswer, read};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use ports::{CallContext, Clock, Fault};
use std::sync::Arc;

const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-internal-token");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One service's internal interface: its address, and the token that it asks for.
pub(crate) struct Internal {
    http: Http,
    base: Uri,
    token: Option<HeaderValue>,
    options: PeerOptions,
}

impl Internal {
    /// The interface at `base` (a URL or `host:port`; a path prefix is kept). `token` is sent as
    /// `X-Internal-Token`.
    pub(crate) fn new(
        peer: &'static str,
        base: &str,
        token: Option<&str>,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        let mut problems = options.problems();
        let base = address::parse(base).map_err(|problem| problems.insert(0, problem)).ok();
        let token = token.map(HeaderValue::from_str).transpose().map_err(|_| {
            problems.push("the internal token has characters that no header can carry".to_owned());
        });
        match (base, token) {
            (Some(base), Ok(mut token)) if problems.is_empty() => {
                if let Some(token) = &mut token {
                    token.set_sensitive(true);
                }
                Ok(Self { http: Http::new(&options, clock), base, token, options })
            }
            _ => Err(InvalidPeer { peer, problems }),
        }
    }

    /// One call to the path of `collection` with one `id`. `what` begins the message of a fault; an
    /// empty body is `None`.
    pub(crate) async fn call(
        &self,
        cx: &CallContext,
        what: &str,
        method: Method,
        (collection, id): (&str, &str),
        body: Bytes,
    ) -> Result<Response<Bytes>, Fault> {
        self.call_at(cx, what, method, &format!("{collection}/{}", address::segment(id)), body).await
    }

    /// Whether the service says that it can serve: `GET /health` answered by a JSON object.
    pub(crate) async fn health(&self, cx: &CallContext, what: &str) -> Result<(), Fault> {
        let answer = self.call_at(cx, what, Method::GET, "/health", Bytes::new()).await?;
        match read(&[], &answer) {
            RestAnswer::Done(body) if !body.is_empty() => Ok(()),
            _ => Err(Fault::not_reached(format!("{what}: status {}", answer.status()))),
        }
    }

    /// One call to a path, with or without a query, that is already escaped.
    pub(crate) async fn call_at(
        &self,
        cx: &CallContext,
        what: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, Fault> {
        let url = address::below(&self.base, path)
            .ok_or_else(|| Fault::permanent(format!("{what}: {path} makes no URL")))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, JSON);
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        if let Some(token) = &self.token {
            headers.insert(TOKEN_HEADER, token.clone());
        }
        frame::trace_headers(&cx.trace, &mut headers);
        self.http.send(what, frame::limit(cx, &self.options), Call { method, url, headers, body }).await
    }
}
