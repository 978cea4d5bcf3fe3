//! The contract suite of the port, on the service in this process and over sockets.

use crate::edge::serve;
use crate::fixture::{Fixture, Running, STEP, intent};
use adapter_peers::{PaymentsClient, PeerOptions};
use async_trait::async_trait;
use domain::id::{PaymentIntentId, ReservationId};
use domain::money::Money;
use domain::payment::{Scenario, Status};
use payment::CreateIntent;
use ports::{Payments, Trace};
use ports_contract::peers::payments::{Harness, check};
use std::sync::Arc;
use testkit::until;

/// The port under test, and a service on the same folder that makes its payments.
struct Suite<'a> {
    port: Arc<dyn Payments>,
    fixture: &'a Fixture,
    running: &'a Running,
}

#[async_trait]
impl Harness for Suite<'_> {
    fn payments(&self) -> Arc<dyn Payments> {
        self.port.clone()
    }

    async fn intent(&self, reservation: &ReservationId, amount: &Money, status: Status) -> PaymentIntentId {
        let scenario = if status == Status::Failed { Scenario::Fail } else { Scenario::Approve };
        let create = CreateIntent { amount: amount.clone(), ..intent(reservation.as_str(), scenario) };
        let service = &self.running.service;
        let id = service.create(create, &Trace::default()).await.unwrap().0.payment.intent;
        if status != Status::Pending {
            service.process(&id, &Trace::default()).await.unwrap();
            let what = format!("{id} is {status:?}");
            let id = &id;
            let reached = || async move { service.get(id).await.unwrap().payment.status == status };
            until(&self.fixture.clock, STEP, &what, reached).await;
        }
        id
    }

    async fn refunds(&self, intent: &PaymentIntentId) -> Vec<u64> {
        let refunds = self.fixture.refunds().await.into_iter().filter(|refund| refund.intent == *intent);
        refunds.map(|refund| refund.amount.amount).collect()
    }
}

#[tokio::test]
async fn the_service_keeps_the_contract_of_the_port() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let port = Arc::new(running.service.clone());
    check(&Suite { port, fixture: &fixture, running: &running }).await;
    running.stop().await;
}

#[tokio::test]
async fn a_client_over_sockets_keeps_the_contract_of_the_port() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let served = serve(&fixture, None).await;
    let clock = Arc::new(runtime::SystemClock::new());
    let port = Arc::new(PaymentsClient::new(&served.grpc, PeerOptions::grpc(), clock).unwrap());
    check(&Suite { port, fixture: &fixture, running: &running }).await;
    served.stop().await;
    running.stop().await;
}
