//! The contract suite of the port, on the service in this process and over sockets.

use crate::ends::{commit, release};
use crate::fixture::{Fixture, HOLD, floor, person};
use crate::wire::Server;
use adapter_peers::{PeerOptions, ReservationsClient};
use async_trait::async_trait;
use domain::hold::ReleaseCause;
use domain::id::OrderId;
use domain::reservation::{CancelCause, End};
use ports::{Reservations, Trace};
use ports_contract::peers::reservations::{Harness, Reserved, check};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The port under test, and the fixture that its service runs on.
struct Suite<'a> {
    port: Arc<dyn Reservations>,
    fixture: &'a Fixture,
    made: AtomicU32,
}

#[async_trait]
impl Harness for Suite<'_> {
    fn reservations(&self) -> Arc<dyn Reservations> {
        self.port.clone()
    }

    async fn reserve(&self) -> Reserved {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        let create = floor(&format!("k{n}"), &format!("p{n}"), 2);
        let placed = self.fixture.service.create(&create, &Trace::default()).await.unwrap().placed;
        Reserved {
            id: placed.id,
            show: placed.show,
            seats: placed.seats.into_iter().map(|seat| seat.id).collect(),
            person: person(&format!("p{n}")),
            total: placed.total,
        }
    }

    async fn settle_inventory(&self, reserved: &Reserved, end: &End) -> Option<OrderId> {
        match end {
            End::Confirmed { intent, .. } => {
                commit(self.fixture, &reserved.id, intent.as_ref()?.as_str()).await;
                self.fixture.inventory.order_of(&reserved.id)
            }
            End::Cancelled { reason, .. } => {
                release(
                    self.fixture,
                    &reserved.id,
                    CancelCause::from_reason(reason.as_deref()).release_cause(),
                )
                .await;
                None
            }
            End::Expired { .. } => {
                self.fixture.clock.advance(HOLD);
                release(self.fixture, &reserved.id, ReleaseCause::Expired).await;
                None
            }
        }
    }

    async fn order_in_inventory(&self, reserved: &Reserved) -> Option<OrderId> {
        self.fixture.inventory.order_of(&reserved.id)
    }
}

async fn check_port(fixture: &Fixture, port: Arc<dyn Reservations>) {
    check(&Suite { port, fixture, made: AtomicU32::new(0) }).await;
    fixture.check().await;
}

#[tokio::test]
async fn the_service_keeps_the_promises_of_its_port() {
    let fixture = Fixture::new();
    check_port(&fixture, Arc::new(fixture.service.clone())).await;
}

#[tokio::test]
async fn a_client_over_sockets_keeps_the_promises_of_the_port() {
    let server = Server::start().await;
    let clock = Arc::new(runtime::SystemClock::new());
    let client = ReservationsClient::new(&server.http.to_string(), None, PeerOptions::rest(), clock).unwrap();
    check_port(&server.fixture, Arc::new(client)).await;
    server.stop().await;
}
