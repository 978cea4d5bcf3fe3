//! The service as its port: the worker calls it when both live in one process without sockets.

use super::Service;
use crate::refusal::Refusal;
use async_trait::async_trait;
use domain::id::ReservationId;
use domain::reservation::Reservation;
use ports::reservations::{EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView};
use ports::{CallContext, PortError, Reservations};

#[async_trait]
impl Reservations for Service {
    async fn get(
        &self,
        _cx: &CallContext,
        id: &ReservationId,
    ) -> Result<ReservationView, PortError<NoSuchReservation>> {
        match Self::get(self, id, None).await {
            Ok(stored) => Ok(view(&stored.reservation)),
            Err(Refusal::NoSuchReservation(_)) => Err(PortError::Rejected(NoSuchReservation)),
            Err(refusal) => Err(PortError::Failed(refusal.into_fault())),
        }
    }

    async fn end(&self, cx: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>> {
        let reservation = Self::end(self, command, &cx.trace).await?;
        Ok(Ended { reservation: Some(view(&reservation)) })
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
    }
}
