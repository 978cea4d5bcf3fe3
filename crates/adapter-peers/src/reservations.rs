//! [`ports::Reservations`] over the internal REST of contracts 3.2.

use crate::address;
use crate::fault::of_refusal;
use crate::frame;
use crate::options::{InvalidPeer, PeerOptions};
use crate::rest::{Call, Http};
use async_trait::async_trait;
use bytes::Bytes;
use contracts::reservation_wire as wire;
use contracts::wire::Refusal;
use domain::id::ReservationId;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use ports::reservations::{
    EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView, Reservations,
};
use ports::{CallContext, Clock, Fault, PortError};
use std::sync::Arc;

const PEER: &str = "reservation";

/// reservation-api at the other end of a wire.
pub struct ReservationsClient {
    http: Http,
    base: Uri,
    token: Option<HeaderValue>,
    options: PeerOptions,
}

impl ReservationsClient {
    /// A client of reservation-api at `base` (a URL or `host:port`, a path prefix is kept). `token` is sent as
    /// `X-Internal-Token`.
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

    async fn call(
        &self,
        cx: &CallContext,
        what: &str,
        method: Method,
        id: &ReservationId,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let path = format!("/internal/reservations/{}", address::segment(id.as_str()));
        let url = address::below(&self.base, &path)
            .ok_or_else(|| Fault::permanent(format!("{what}: {id} makes no URL")))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, frame::JSON);
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, frame::JSON);
        }
        if let Some(token) = &self.token {
            headers.insert(frame::TOKEN_HEADER, token.clone());
        }
        frame::trace_headers(&cx.trace, &mut headers);
        self.http.send(what, frame::limit(cx, &self.options), Call { method, url, headers, body }).await
    }
}

#[async_trait]
impl Reservations for ReservationsClient {
    async fn get(
        &self,
        cx: &CallContext,
        id: &ReservationId,
    ) -> Result<ReservationView, PortError<NoSuchReservation>> {
        let what = "reservation GET";
        let (status, body) = self.call(cx, what, Method::GET, id, Bytes::new()).await?;
        wire::view_from_rest(id, status, &body).map_err(|no| refused(what, status, no))
    }

    async fn end(&self, cx: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>> {
        let what = "reservation PATCH";
        let body = serde_json::to_vec(&wire::patch_of(&command))
            .map_err(|why| Fault::permanent(format!("{what}: no body")).because(why))?;
        let (status, body) = self.call(cx, what, Method::PATCH, &command.id, body.into()).await?;
        wire::ended_from_rest(&command.id, status, &body).map_err(|no| refused(what, status, no))
    }
}

fn refused<R>(what: &str, status: StatusCode, refusal: Refusal<R>) -> PortError<R> {
    of_refusal(&format!("{what}: status {}", status.as_u16()), refusal)
}
