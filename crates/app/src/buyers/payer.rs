//! The buyer's side of the payment provider, over gRPC.

use super::Endpoints;
use anyhow::{Context, Result, bail};
use contracts::common::v1::Money;
use contracts::payment::v1::payment_service_client::PaymentServiceClient;
use contracts::payment::v1::{
    CreatePaymentIntentRequest, PaymentScenario, PaymentStatus, ProcessPaymentRequest,
};
use crowd::Held;
use domain::id::{PaymentIntentId, PersonId};
use domain::payment::{Scenario, Status};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tonic::transport::{Channel, Endpoint};

/// How long one call may take before it counts as unanswered.
const DEADLINE: Duration = Duration::from_secs(15);

/// One connection to the provider, renewed when the platform restarts at another address.
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
        payer: &PersonId,
        held: &Held,
        scenario: Scenario,
        key: &str,
    ) -> Result<String> {
        let request = CreatePaymentIntentRequest {
            reservation_id: held.reservation.to_string(),
            amount: Some(Money {
                amount: i64::try_from(held.total.amount).context("the price")?,
                currency: held.total.currency.as_str().to_owned(),
            }),
            user_id: payer.to_string(),
            scenario: match scenario {
                Scenario::Approve => PaymentScenario::Approve,
                Scenario::Fail => PaymentScenario::Fail,
                Scenario::Delay => PaymentScenario::Delay,
                Scenario::Random => PaymentScenario::Random,
                Scenario::Timeout => PaymentScenario::Timeout,
            }
            .into(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        let answer = self.client().await?.create_payment_intent(request).await?.into_inner();
        if let Some(error) = answer.error {
            bail!("the provider opens no payment: {}", error.message);
        }
        Ok(answer.payment_intent_id)
    }

    /// Pays. Returns the status that the provider answers with.
    pub(super) async fn pay(&self, intent: &PaymentIntentId, key: &str) -> Result<Status> {
        let request = ProcessPaymentRequest {
            payment_intent_id: intent.to_string(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        let answer = self.client().await?.process_payment(request).await?.into_inner();
        if let Some(error) = answer.error {
            bail!("the provider does not process: {}", error.message);
        }
        Ok(match answer.status() {
            PaymentStatus::Completed => Status::Captured,
            PaymentStatus::Refunded => Status::Refunded,
            PaymentStatus::Failed => Status::Failed,
            PaymentStatus::Cancelled | PaymentStatus::Expired => Status::Voided,
            PaymentStatus::Processing => Status::Authorized,
            PaymentStatus::Pending | PaymentStatus::Unspecified => Status::Pending,
        })
    }
}
