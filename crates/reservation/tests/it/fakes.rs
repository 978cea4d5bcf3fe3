//! The contract suites on the fakes of this crate, so that the service is tested between peers that
//! keep the promises of their ports.

use crate::inventory::{FakeInventory, section};
use crate::payments::FakePayments;
use async_trait::async_trait;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use domain::id::{PaymentIntentId, ReservationId, SeatId, ShowId};
use domain::money::Money;
use domain::payment::Status;
use domain::time::Timestamp;
use ports::{Clock, Inventory, Payments};
use ports_contract::peers::inventory::{self, OpenShow};
use ports_contract::peers::payments;
use std::sync::Arc;
use testkit::ManualClock;

struct InventorySuite {
    inventory: Arc<FakeInventory>,
    clock: Arc<ManualClock>,
    shows: AtomicU32,
}

#[async_trait]
impl inventory::Harness for InventorySuite {
    fn inventory(&self) -> Arc<dyn Inventory> {
        self.inventory.clone()
    }

    async fn open_show(&self) -> OpenShow {
        let show = ShowId::parse(&format!("case-{}", self.shows.fetch_add(1, Ordering::Relaxed))).unwrap();
        self.inventory.put_on_sale(show.clone(), inventory::PRICE, 3);
        OpenShow {
            show,
            seats: (1..=12).map(|n| SeatId::parse(&format!("A-{n}")).unwrap()).collect(),
            floor: section("FLOOR"),
            places: 3,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn pass(&self, at: Timestamp) {
        self.clock.advance(at.since(self.clock.now()) + Duration::from_millis(1));
    }
}

#[tokio::test]
async fn the_fake_inventory_keeps_the_contract_of_the_port() {
    let clock = Arc::new(ManualClock::default());
    let inventory = Arc::new(FakeInventory::new(clock.clone(), Arc::default()));
    inventory::check(&InventorySuite { inventory, clock, shows: AtomicU32::new(0) }).await;
}

struct PaymentsSuite {
    payments: Arc<FakePayments>,
}

#[async_trait]
impl payments::Harness for PaymentsSuite {
    fn payments(&self) -> Arc<dyn Payments> {
        self.payments.clone()
    }

    async fn intent(&self, reservation: &ReservationId, amount: &Money, status: Status) -> PaymentIntentId {
        let name = format!("pay_{reservation}");
        self.payments.put_with(&name, reservation, status, amount.clone())
    }

    async fn refunds(&self, intent: &PaymentIntentId) -> Vec<u64> {
        let cancels = self.payments.cancels().into_iter().filter(|cancel| cancel.intent == *intent);
        cancels.filter_map(|cancel| cancel.refund).collect()
    }
}

#[tokio::test]
async fn the_fake_payments_keep_the_contract_of_the_port() {
    payments::check(&PaymentsSuite { payments: Arc::new(FakePayments::new(Arc::default())) }).await;
}
