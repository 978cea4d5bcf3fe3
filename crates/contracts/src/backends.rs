//! The services behind the gateway, as traits over the messages on the wire.
//!
//! They are here and not in `ports`, because the gateway passes the messages on as they are.

use crate::error::WireError;
use crate::payment::v1 as payment;
use crate::reservation::v1 as reservation;
use crate::rest::admin;
use async_trait::async_trait;
use domain::id::{SectionId, ShowId};
use ports::{CallContext, Fault, PortError};

/// The answer, or the other side's typed refusal.
pub type Answer<T> = Result<T, PortError<WireError>>;

/// What is on sale: inventory-api's administration, read.
#[async_trait]
pub trait Shows: Send + Sync + 'static {
    /// Every show with its counts.
    async fn shows(&self, cx: &CallContext) -> Result<Vec<admin::Show>, Fault>;
    /// A show with its counts; `None` if there is no such show.
    async fn show(&self, cx: &CallContext, show: &ShowId) -> Result<Option<admin::Show>, Fault>;
    /// The seats of a section; `None` if there is no such show or section.
    async fn seats(
        &self,
        cx: &CallContext,
        show: &ShowId,
        section: &SectionId,
    ) -> Result<Option<admin::Seats>, Fault>;
}

/// reservation-api and payment-sim-api.
#[async_trait]
pub trait Sales: Send + Sync + 'static {
    /// Holds seats; and whether the answer was recorded by an earlier request under the same key.
    async fn create_reservation(
        &self,
        cx: &CallContext,
        message: reservation::CreateReservationRequest,
    ) -> Answer<(reservation::CreateReservationResponse, bool)>;
    /// Reads a reservation.
    async fn get_reservation(
        &self,
        cx: &CallContext,
        message: reservation::GetReservationRequest,
    ) -> Answer<reservation::GetReservationResponse>;
    /// Confirms one that is paid.
    async fn confirm_reservation(
        &self,
        cx: &CallContext,
        message: reservation::ConfirmReservationRequest,
    ) -> Answer<reservation::ConfirmReservationResponse>;
    /// Gives the seats back.
    async fn cancel_reservation(
        &self,
        cx: &CallContext,
        message: reservation::CancelReservationRequest,
    ) -> Answer<reservation::CancelReservationResponse>;
    /// Opens a payment; and whether an earlier request under the same key had opened it.
    async fn create_payment_intent(
        &self,
        cx: &CallContext,
        message: payment::CreatePaymentIntentRequest,
    ) -> Answer<(payment::CreatePaymentIntentResponse, bool)>;
    /// Reads a payment.
    async fn get_payment_status(
        &self,
        cx: &CallContext,
        message: payment::GetPaymentStatusRequest,
    ) -> Answer<payment::GetPaymentStatusResponse>;
    /// Decides a payment.
    async fn simulate_webhook(
        &self,
        cx: &CallContext,
        message: payment::SimulateWebhookRequest,
    ) -> Answer<payment::SimulateWebhookResponse>;
    /// Lets the provider decide a payment by itself, for one that has no SimulateWebhook.
    async fn process_payment(
        &self,
        cx: &CallContext,
        message: payment::ProcessPaymentRequest,
    ) -> Answer<payment::ProcessPaymentResponse>;
}
