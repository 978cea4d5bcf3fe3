//! The services behind the gateways here: shows on sale, and no reservations.

use async_trait::async_trait;
use contracts::backends::{Answer, Sales, Shows};
use contracts::payment::v1 as payment;
use contracts::reservation::v1 as reservation;
use contracts::rest::admin;
use domain::id::{SectionId, ShowId};
use ports::{CallContext, Fault};

/// The shows, each behind a waiting room of this rate and burst.
pub(super) struct Shop {
    pub(super) shows: Vec<ShowId>,
    pub(super) rate: u32,
    pub(super) burst: u32,
}

impl Shop {
    fn on_sale(&self, id: &ShowId) -> admin::Show {
        let (rate, burst) = (f64::from(self.rate), f64::from(self.burst));
        admin::Show {
            event_id: id.to_string(),
            name: id.to_string(),
            currency: "KRW".to_owned(),
            total_seats: 0,
            sections: Vec::new(),
            waiting_room: Some(admin::WaitingRoom { rate_per_sec: rate, burst: Some(burst), required: true }),
        }
    }
}

#[async_trait]
impl Shows for Shop {
    async fn shows(&self, _: &CallContext) -> Result<Vec<admin::Show>, Fault> {
        Ok(self.shows.iter().map(|show| self.on_sale(show)).collect())
    }

    async fn show(&self, _: &CallContext, id: &ShowId) -> Result<Option<admin::Show>, Fault> {
        Ok(self.shows.contains(id).then(|| self.on_sale(id)))
    }

    async fn seats(&self, _: &CallContext, _: &ShowId, _: &SectionId) -> Result<Option<admin::Seats>, Fault> {
        Ok(None)
    }
}

/// Sales that answer no call.
pub(super) struct Nobody;

fn nobody<T>() -> Answer<T> {
    Err(Fault::unavailable("nobody is there").into())
}

#[async_trait]
impl Sales for Nobody {
    async fn create_reservation(
        &self,
        _: &CallContext,
        _: reservation::CreateReservationRequest,
    ) -> Answer<(reservation::CreateReservationResponse, bool)> {
        nobody()
    }

    async fn get_reservation(
        &self,
        _: &CallContext,
        _: reservation::GetReservationRequest,
    ) -> Answer<reservation::GetReservationResponse> {
        nobody()
    }

    async fn confirm_reservation(
        &self,
        _: &CallContext,
        _: reservation::ConfirmReservationRequest,
    ) -> Answer<reservation::ConfirmReservationResponse> {
        nobody()
    }

    async fn cancel_reservation(
        &self,
        _: &CallContext,
        _: reservation::CancelReservationRequest,
    ) -> Answer<reservation::CancelReservationResponse> {
        nobody()
    }

    async fn create_payment_intent(
        &self,
        _: &CallContext,
        _: payment::CreatePaymentIntentRequest,
    ) -> Answer<(payment::CreatePaymentIntentResponse, bool)> {
        nobody()
    }

    async fn get_payment_status(
        &self,
        _: &CallContext,
        _: payment::GetPaymentStatusRequest,
    ) -> Answer<payment::GetPaymentStatusResponse> {
        nobody()
    }

    async fn simulate_webhook(
        &self,
        _: &CallContext,
        _: payment::SimulateWebhookRequest,
    ) -> Answer<payment::SimulateWebhookResponse> {
        nobody()
    }
}
