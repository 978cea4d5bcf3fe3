//! The service as its port: the worker calls it when both live in one process without sockets.

use super::Service;
use crate::refusal::Refusal;
use async_trait::async_trait;
use domain::id::ReservationId;
use domain::reservation::Reservation;
use ports::reservations::{EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView};
use ports::{CallContext, PortError, Reservations};
use std::sync::Arc;

#[async_trait]
impl Reservations for Service {
    async fn get(
        &self,
        _cx: &CallContext,
        id: &ReservationId,
    ) -> Result<ReservationView, PortError<NoSuchReservation>> {
        let stored = Self::get(self, id, None).await.map_err(unseen)?;
        Ok(view(&stored.reservation))
    }

    async fn end(&self, cx: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>> {
        let reservation = Self::end(self, command, &cx.trace).await?;
        Ok(Ended { reservation: Some(view(&reservation)) })
    }

    async fn record_error_code(
        &self,
        cx: &CallContext,
        id: &ReservationId,
        error_code: Arc<str>,
    ) -> Result<(), PortError<NoSuchReservation>> {
        Self::record_error_code(self, id, error_code, &cx.trace).await.map(drop).map_err(unseen)
    }
}

fn view(reservation: &Reservation) -> ReservationView {
    ReservationView {
        id: reservation.id.clone(),
        status: Some(reservation.status),
        show: Some(reservation.show.clone()),
        seats: reservation.seats.clone(),
        quantity: u32::try_from(reservation.seats.len()).ok(),
        person: Some(reservation.person.clone()),
        order: reservation.order.clone(),
        intent: reservation.intent.clone(),
        total: Some(reservation.total.clone()),
    }
}

fn unseen(refusal: Refusal) -> PortError<NoSuchReservation> {
    match refusal {
        Refusal::NoSuchReservation(_) => PortError::Rejected(NoSuchReservation),
        refusal => PortError::Failed(refusal.into_fault()),
    }
}
