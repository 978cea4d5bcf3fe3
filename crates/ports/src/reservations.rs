//! The reservations as the worker sees them.

use crate::fault::{Fault, PortError};
use crate::trace::CallContext;
use async_trait::async_trait;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::money::Money;
use domain::reservation::{End, Status};
use std::sync::Arc;

/// The owner of reservations.
///
/// - `get` reads one.
/// - `end` brings one to its end. The same end again gets the first answer; an end that the present
///   status does not allow is [`EndRejection::Illegal`] and changes nothing.
/// - `record_error_code` records why a payment did not pay, on a reservation whose seats are held
///   and that has no error code yet; every other one stays as it is (rules R1).
#[async_trait]
pub trait Reservations: Send + Sync + 'static {
    /// Reads a reservation.
    async fn get(
        &self,
        cx: &CallContext,
        id: &ReservationId,
    ) -> Result<ReservationView, PortError<NoSuchReservation>>;
    /// Brings a reservation to its end.
    async fn end(&self, cx: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>>;
    /// Records an error code without ending the reservation. An earlier service does not know this
    /// and fails; the caller then continues.
    async fn record_error_code(
        &self,
        cx: &CallContext,
        id: &ReservationId,
        error_code: Arc<str>,
    ) -> Result<(), PortError<NoSuchReservation>>;
    /// Whether the peer says that it can serve. A port within one process always can.
    async fn health(&self, _cx: &CallContext) -> Result<(), Fault> {
        Ok(())
    }
}

/// Brings a reservation to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndReservation {
    /// The reservation.
    pub id: ReservationId,
    /// The end.
    pub end: End,
    /// Whether the sender has moved the inventory already; if not, the receiver does so before it
    /// records the status.
    pub inventory_settled: bool,
}

/// What the worker needs to know of a reservation; only `id` and `status` are always present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationView {
    /// The reservation.
    pub id: ReservationId,
    /// Its status; `None` for a status that this program does not know.
    pub status: Option<Status>,
    /// The show.
    pub show: Option<ShowId>,
    /// The seats.
    pub seats: Vec<SeatId>,
    /// How many.
    pub quantity: Option<u32>,
    /// The person who reserved.
    pub person: Option<PersonId>,
    /// The order, once confirmed.
    pub order: Option<OrderId>,
    /// The payment that confirmed it.
    pub intent: Option<PaymentIntentId>,
    /// The price of all seats together.
    pub total: Option<Money>,
}

/// The answer to `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The reservation afterwards, as far as the answer says. An answer without a body is fine: the
    /// status was reached.
    pub reservation: Option<ReservationView>,
}

/// No reservation has that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchReservation;

/// Why a reservation is not brought to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndRejection {
    /// No reservation has that id.
    NoSuchReservation,
    /// The present status does not allow it.
    Illegal {
        /// The present status, if the answer says and this program knows it.
        current: Option<Status>,
        /// The payment that confirmed it, if the answer says.
        intent: Option<PaymentIntentId>,
    },
}
