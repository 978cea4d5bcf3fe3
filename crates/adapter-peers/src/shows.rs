//! What inventory-api's administration says of a show (contracts 3.4).

use crate::address;
use crate::fault::class_of_code;
use crate::frame;
use crate::options::{InvalidPeer, PeerOptions};
use crate::rest::{Call, Http};
use bytes::Bytes;
use contracts::reservation_wire::code_of_status;
use contracts::rest::admin;
use domain::id::ShowId;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use ports::{CallContext, Clock, Fault};
use std::sync::Arc;

const PEER: &str = "inventory administration";

/// inventory-api's HTTP side at the other end of a wire.
pub struct ShowsClient {
    http: Http,
    base: Uri,
    token: Option<HeaderValue>,
    options: PeerOptions,
}

impl ShowsClient {
    /// A client of inventory-api at `base` (a URL or `host:port`). `token` is sent as `X-Internal-Token`.
    pub fn new(
        base: &str,
        token: Option<&str>,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        let mut problems = options.problems();
        let base = address::parse(base).map_err(|problem| problems.insert(0, problem)).ok();
        let token = frame::token(token).map_err(|problem| problems.push(problem)).ok();
        match (base, token) {
            (Some(base), Some(token)) if problems.is_empty() => {
                Ok(Self { http: Http::new(&options, clock), base, token, options })
            }
            _ => Err(InvalidPeer { peer: PEER, problems }),
        }
    }

    /// Whether a reservation of this show needs a pass of the waiting room; `None` if there is no such show.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn requires_pass(&self, cx: &CallContext, show: &ShowId) -> Result<Option<bool>, Fault> {
        let what = "inventory GET show";
        let path = format!("/admin/shows/{}", address::segment(show.as_str()));
        let url = address::below(&self.base, &path)
            .ok_or_else(|| Fault::permanent(format!("{what}: {show} makes no URL")))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, frame::JSON);
        if let Some(token) = &self.token {
            headers.insert(frame::TOKEN_HEADER, token.clone());
        }
        frame::trace_headers(&cx.trace, &mut headers);
        let call = Call { method: Method::GET, url, headers, body: Bytes::new() };
        let (status, body) = self.http.send(what, frame::limit(cx, &self.options), call).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let show: admin::Show = serde_json::from_slice(&body).map_err(|why| {
                    Fault::transient(format!("{what}: an answer of another shape")).because(why)
                })?;
                Ok(Some(show.waiting_room.is_some_and(|room| room.required)))
            }
            status => {
                let class = class_of_code(code_of_status(status));
                Err(Fault::new(class, format!("{what}: status {}", status.as_u16())))
            }
        }
    }
}
