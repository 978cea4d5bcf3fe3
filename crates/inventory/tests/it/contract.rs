//! The suite of the port, on the service alone, on one of two services, and over sockets.

use crate::fixture::{Fixture, show};
use crate::wire::Server;
use adapter_peers::{InventoryClient, PeerOptions};
use async_trait::async_trait;
use domain::id::{SeatId, SectionId, ShowId};
use domain::show::{Layout, RowRange, Rows};
use domain::time::Timestamp;
use inventory::Service;
use ports::{Clock, Inventory};
use ports_contract::peers::inventory::{Harness, OpenShow, PRICE, check};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use testkit::ManualClock;

/// The port under test, and the service that makes its shows.
struct Suite {
    port: Arc<dyn Inventory>,
    service: Service,
    clock: Arc<ManualClock>,
    shows: AtomicU32,
}

impl Suite {
    fn new(fixture: &Fixture, port: Arc<dyn Inventory>) -> Self {
        let (service, clock) = (fixture.service.clone(), fixture.clock.clone());
        Self { port, service, clock, shows: AtomicU32::new(0) }
    }
}

#[async_trait]
impl Harness for Suite {
    fn inventory(&self) -> Arc<dyn Inventory> {
        self.port.clone()
    }

    async fn open_show(&self) -> OpenShow {
        let id = format!("evt_{}", self.shows.fetch_add(1, Ordering::SeqCst));
        let mut show = show(&id);
        show.sections.iter_mut().for_each(|section| section.price = PRICE);
        let row = RowRange { row: "1".to_owned(), from: 1, to: 12 };
        show.sections[0].layout = Layout::Rows(Rows::new(vec![row]));
        self.service.create_show(&show).await.unwrap();
        OpenShow {
            show: ShowId::parse(&id).unwrap(),
            seats: (1..=12).map(|n| SeatId::parse(&format!("A-1-{n}")).unwrap()).collect(),
            floor: SectionId::parse("floor").unwrap(),
            places: 3,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn pass(&self, at: Timestamp) {
        self.clock.advance(at.since(self.clock.now()) + core::time::Duration::from_millis(1));
    }
}

#[tokio::test]
async fn the_service_alone_keeps_the_contract_of_the_port() {
    let fixture = Fixture::new().await;
    check(&Suite::new(&fixture, Arc::new(fixture.service.clone()))).await;
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn a_service_among_others_keeps_the_contract_of_the_port() {
    let fixture = Fixture::shared().await;
    check(&Suite::new(&fixture, Arc::new(fixture.service.clone()))).await;
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn a_client_over_sockets_keeps_the_contract_of_the_port() {
    let server = Server::start().await;
    let clock = Arc::new(runtime::SystemClock::new());
    let client = InventoryClient::new(&server.grpc.to_string(), PeerOptions::grpc(), clock).unwrap();
    check(&Suite::new(&server.fixture, Arc::new(client))).await;
    server.fixture.check(&[&server.fixture.service]).await;
    server.stop().await;
}
