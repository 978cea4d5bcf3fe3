//! What stands behind a gateway in tests: shows on sale, and services that sell nothing.

use async_trait::async_trait;
use contracts::backends::{Answer, Sales, Shows};
use contracts::error::WireError;
use contracts::payment::v1 as payment;
use contracts::reservation::v1 as reservation;
use contracts::rest::admin;
use core::sync::atomic::{AtomicBool, Ordering};
use domain::id::{SectionId, ShowId};
use ports::{CallContext, Fault, PortError};

/// Shows on sale, without sections. [`Shop::go_away`] makes the inventory unreachable.
#[derive(Debug, Default)]
pub struct Shop {
    shows: Vec<admin::Show>,
    is_away: AtomicBool,
}

impl Shop {
    /// A shop with these shows.
    pub fn new(shows: Vec<admin::Show>) -> Self {
        Self { shows, is_away: AtomicBool::new(false) }
    }

    /// From now on reading one show fails, or works again.
    pub fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }
}

/// A show without sections, behind a waiting room that admits `rate` people per second and at once.
pub fn show(id: &str, name: &str, rate: Option<(f64, f64)>) -> admin::Show {
    let room =
        |(rate_per_sec, burst)| admin::WaitingRoom { rate_per_sec, burst: Some(burst), required: true };
    admin::Show {
        event_id: id.to_owned(),
        name: name.to_owned(),
        currency: "KRW".to_owned(),
        total_seats: 0,
        sections: Vec::new(),
        waiting_room: rate.map(room),
    }
}

#[async_trait]
impl Shows for Shop {
    async fn shows(&self, _: &CallContext) -> Result<Vec<admin::Show>, Fault> {
        Ok(self.shows.clone())
    }

    async fn show(&self, _: &CallContext, id: &ShowId) -> Result<Option<admin::Show>, Fault> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Fault::unavailable("the inventory is away"));
        }
        Ok(self.shows.iter().find(|show| show.event_id == id.as_str()).cloned())
    }

    async fn seats(&self, _: &CallContext, _: &ShowId, _: &SectionId) -> Result<Option<admin::Seats>, Fault> {
        Ok(None)
    }
}

/// Sells nothing: every call is unavailable, or reading a reservation is refused as the test says.
#[derive(Debug, Default)]
pub struct NoSales {
    /// The refusal of `get_reservation`.
    pub read_refusal: Option<WireError>,
}

fn unavailable<T>() -> Answer<T> {
    Err(Fault::unavailable("nobody is there").into())
}

#[async_trait]
impl Sales for NoSales {
    async fn create_reservation(
        &self,
        _: &CallContext,
        _: reservation::CreateReservationRequest,
    ) -> Answer<(reservation::CreateReservationResponse, bool)> {
        unavailable()
    }

    async fn get_reservation(
        &self,
        _: &CallContext,
        _: reservation::GetReservationRequest,
    ) -> Answer<reservation::GetReservationResponse> {
        match &self.read_refusal {
            Some(error) => Err(PortError::Rejected(error.clone())),
            None => unavailable(),
        }
    }

    async fn confirm_reservation(
        &self,
        _: &CallContext,
        _: reservation::ConfirmReservationRequest,
    ) -> Answer<reservation::ConfirmReservationResponse> {
        unavailable()
    }

    async fn cancel_reservation(
        &self,
        _: &CallContext,
        _: reservation::CancelReservationRequest,
    ) -> Answer<reservation::CancelReservationResponse> {
        unavailable()
    }

    async fn create_payment_intent(
        &self,
        _: &CallContext,
        _: payment::CreatePaymentIntentRequest,
    ) -> Answer<(payment::CreatePaymentIntentResponse, bool)> {
        unavailable()
    }

    async fn get_payment_status(
        &self,
        _: &CallContext,
        _: payment::GetPaymentStatusRequest,
    ) -> Answer<payment::GetPaymentStatusResponse> {
        unavailable()
    }

    async fn simulate_webhook(
        &self,
        _: &CallContext,
        _: payment::SimulateWebhookRequest,
    ) -> Answer<payment::SimulateWebhookResponse> {
        unavailable()
    }

    async fn process_payment(
        &self,
        _: &CallContext,
        _: payment::ProcessPaymentRequest,
    ) -> Answer<payment::ProcessPaymentResponse> {
        unavailable()
    }
}
