//! The buyer's side of the payment provider, over gRPC.

use super::Endpoints;
use anyhow::{Context, Result, bail};
use contracts::common::v1::Money;
use contracts::payment::v1::payment_service_client::PaymentServiceClient;
use contracts::payment::v1::{
    CreatePaymentIntentRequest, PaymentScenario, PaymentStatus, ProcessPaymentRequest,
};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tonic::transport::{Channel, Endpoint};

/// How long one call may take before it counts as unanswered.
const DEADLINE: Duration = Duration::from_secs(15);

/// One connection to the provider, renewed when the platform comes back elsewhere.
pub(super) struct Payer {
    endpoints: watch::Receiver<Endpoints>,
    connected: Mutex<Option<(String, PaymentServiceClient<Channel>)>>,
}

impl Payer {
    pub(super) fn new(endpoints: watch::Receiver<Endpoints>) -> Self {
        Self { endpoints, connected: Mutex::new(None) }
    }

    async fn client(&self) -> Result<PaymentServiceClient<Channel>> {
        let address = self.endpoints.borrow().payment_grpc.clone();
        let mut connected = self.connected.lock().await;
        if let Some((to, client)) = &*connected
            && *to == address
        {
            return Ok(client.clone());
        }
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .context("the payment address")?
            .timeout(DEADLINE)
            .tcp_nodelay(true)
            .connect_lazy();
        let client = PaymentServiceClient::new(channel);
        *connected = Some((address, client.clone()));
        Ok(client)
    }

    /// Opens a payment intent; the same key gives the same intent.
    pub(super) async fn open(
        &self,
        reservation: &str,
        amount: i64,
        person: &str,
        scenario: PaymentScenario,
        key: &str,
    ) -> Result<String> {
        let request = CreatePaymentIntentRequest {
            reservation_id: reservation.to_owned(),
            amount: Some(Money { amount, currency: "KRW".to_owned() }),
            user_id: person.to_owned(),
            scenario: scenario.into(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        let answer = self.client().await?.create_payment_intent(request).await?.into_inner();
        if let Some(error) = answer.error {
            bail!("the provider opens no payment: {}", error.message);
        }
        Ok(answer.payment_intent_id)
    }

    /// Asks for the money; the status that the provider answers with.
    pub(super) async fn pay(&self, intent: &str, key: &str) -> Result<PaymentStatus> {
        let request = ProcessPaymentRequest {
            payment_intent_id: intent.to_owned(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        let answer = self.client().await?.process_payment(request).await?.into_inner();
        if let Some(error) = answer.error {
            bail!("the provider does not process: {}", error.message);
        }
        Ok(answer.status())
    }
}
