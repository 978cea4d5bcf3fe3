//! The services behind the gateway, over our own clients.

use adapter_peers::{SalesClient, ShowsClient};
use async_trait::async_trait;
use contracts::payment::v1 as payment;
use contracts::reservation::v1 as reservation;
use contracts::rest::admin;
use domain::id::{SectionId, ShowId};
use gateway::{Answer, Sales, Shows};
use ports::{CallContext, Fault};

/// inventory-api's HTTP side.
pub(crate) struct Inventory(pub(crate) ShowsClient);

/// reservation-api and payment-sim-api.
pub(crate) struct Services(pub(crate) SalesClient);

#[async_trait]
impl Shows for Inventory {
    async fn shows(&self, cx: &CallContext) -> Result<Vec<admin::Show>, Fault> {
        self.0.shows(cx).await
    }

    async fn show(&self, cx: &CallContext, show: &ShowId) -> Result<Option<admin::Show>, Fault> {
        self.0.show(cx, show).await
    }

    async fn seats(
        &self,
        cx: &CallContext,
        show: &ShowId,
        section: &SectionId,
    ) -> Result<Option<admin::Seats>, Fault> {
        self.0.seats(cx, show, section).await
    }
}

#[async_trait]
impl Sales for Services {
    async fn create_reservation(
        &self,
        cx: &CallContext,
        message: reservation::CreateReservationRequest,
    ) -> Answer<(reservation::CreateReservationResponse, bool)> {
        self.0.create_reservation(cx, message).await
    }

    async fn get_reservation(
        &self,
        cx: &CallContext,
        message: reservation::GetReservationRequest,
    ) -> Answer<reservation::GetReservationResponse> {
        self.0.get_reservation(cx, message).await
    }

    async fn confirm_reservation(
        &self,
        cx: &CallContext,
        message: reservation::ConfirmReservationRequest,
    ) -> Answer<reservation::ConfirmReservationResponse> {
        self.0.confirm_reservation(cx, message).await
    }

    async fn cancel_reservation(
        &self,
        cx: &CallContext,
        message: reservation::CancelReservationRequest,
    ) -> Answer<reservation::CancelReservationResponse> {
        self.0.cancel_reservation(cx, message).await
    }

    async fn create_payment_intent(
        &self,
        cx: &CallContext,
        message: payment::CreatePaymentIntentRequest,
    ) -> Answer<(payment::CreatePaymentIntentResponse, bool)> {
        self.0.create_payment_intent(cx, message).await
    }

    async fn get_payment_status(
        &self,
        cx: &CallContext,
        message: payment::GetPaymentStatusRequest,
    ) -> Answer<payment::GetPaymentStatusResponse> {
        self.0.get_payment_status(cx, message).await
    }

    async fn simulate_webhook(
        &self,
        cx: &CallContext,
        message: payment::SimulateWebhookRequest,
    ) -> Answer<payment::SimulateWebhookResponse> {
        self.0.simulate_webhook(cx, message).await
    }
}
