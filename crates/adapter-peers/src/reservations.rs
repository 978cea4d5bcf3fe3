//! [`ports::Reservations`] over the internal REST interface (docs/contracts.md#reservation-api).

use crate::internal::Internal;
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use bytes::Bytes;
use contracts::answer::Refusal;
use contracts::reservation_wire as wire;
use core::sync::atomic::{AtomicBool, Ordering};
use domain::id::ReservationId;
use http::{Method, Response};
use ports::reservations::{
    EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView, Reservations,
};
use ports::{CallContext, Clock, Fault, FaultClass, PortError};
use std::sync::Arc;

/// A client of reservation-api.
pub struct ReservationsClient {
    internal: Internal,
    /// The peer has answered a GET, so it is none with PATCH only.
    has_get: AtomicBool,
}

impl ReservationsClient {
    /// A client of reservation-api at `base` (a URL or `host:port`; a path prefix is kept). `token`
    /// is sent as `X-Internal-Token`.
    pub fn new(
        base: &str,
        token: Option<&str>,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        let internal = Internal::new("reservation", base, token, options, clock)?;
        Ok(Self { internal, has_get: AtomicBool::new(false) })
    }

    async fn call(
        &self,
        cx: &CallContext,
        what: &str,
        method: Method,
        id: &ReservationId,
        body: Bytes,
    ) -> Result<Response<Bytes>, Fault> {
        self.internal.call(cx, what, method, ("/internal/reservations", id.as_str()), body).await
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
        let answer = self.call(cx, what, Method::GET, id, Bytes::new()).await?;
        match wire::view_from_rest(id, &answer) {
            // It has answered before: then something else answers now (rules R8).
            Err(Refusal::Unsupported(why)) if self.has_get.load(Ordering::Relaxed) => {
                Err(Fault::not_reached(format!("{what}: {why}")).into())
            }
            view => {
                if matches!(view, Ok(_) | Err(Refusal::Rejected(_))) {
                    self.has_get.store(true, Ordering::Relaxed);
                }
                view.map_err(|no| no.into_error(what))
            }
        }
    }

    async fn end(&self, cx: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>> {
        let what = "reservation PATCH";
        let body = serde_json::to_vec(&wire::patch_of(&command))
            .map_err(|why| Fault::permanent(format!("{what}: no body")).because(why))?;
        let answer = self.call(cx, what, Method::PATCH, &command.id, body.into()).await?;
        match wire::ended_from_rest(&command.id, &answer) {
            Err(Refusal::Rejected(EndRejection::Illegal { current: None, intent: None })) => {
                self.conflict(cx, &command).await
            }
            ended => ended.map_err(|no| no.into_error(what)),
        }
    }

    async fn record_error_code(
        &self,
        cx: &CallContext,
        id: &ReservationId,
        error_code: Arc<str>,
    ) -> Result<(), PortError<NoSuchReservation>> {
        let what = "reservation PATCH";
        let body = serde_json::to_vec(&wire::error_code_patch(&error_code))
            .map_err(|why| Fault::permanent(format!("{what}: no body")).because(why))?;
        let answer = self.call(cx, what, Method::PATCH, id, body.into()).await?;
        wire::recorded_from_rest(&answer).map_err(|no| no.into_error(what))
    }

    async fn health(&self, cx: &CallContext) -> Result<(), Fault> {
        self.internal.health(cx, "reservation health").await
    }
}

impl ReservationsClient {
    /// A 409 that did not say the current status: a GET says it (rules R8).
    async fn conflict(
        &self,
        cx: &CallContext,
        command: &EndReservation,
    ) -> Result<Ended, PortError<EndRejection>> {
        let view = self.get(cx, &command.id).await.map_err(|error| match error {
            PortError::Rejected(NoSuchReservation) => PortError::Rejected(EndRejection::NoSuchReservation),
            PortError::Failed(fault) if fault.class == FaultClass::Unsupported => {
                Fault::transient("reservation PATCH: status 409 that does not say the current status").into()
            }
            PortError::Failed(fault) => PortError::Failed(fault),
        })?;
        if view.status == Some(command.end.status()) {
            return Ok(Ended { reservation: Some(view) });
        }
        Err(PortError::Rejected(EndRejection::Illegal { current: view.status, intent: view.intent }))
    }
}
