//! The waiting room suite on the simulated store of lines, without faults, on the suite's clock.

use async_trait::async_trait;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Refusal, RuleChange, Rules, Standing, Ticket};
use ports::waiting_room::{Dated, Ticked};
use ports::{Clock, Fault, PortError, WaitingRoomStore};
use ports_contract::waiting_room::WaitingRoomHarness;
use sim::line_world::LinePlan;
use sim::line_world::room::Room;
use sim::line_world::storage::{Port, lose_all};
use sim::trace::Trace;
use sim::world::World;
use std::sync::Arc;
use testkit::ManualClock;

struct Simulated {
    world: Arc<Room>,
    clock: Arc<ManualClock>,
}

impl Simulated {
    /// A world in which nothing takes time and nothing goes wrong.
    fn new() -> Self {
        let plan = LinePlan { instant: 1_000, ..LinePlan::draw(1).only(&[]) };
        Self { world: Room::new(plan, Trace::off()), clock: Arc::default() }
    }
}

#[async_trait]
impl WaitingRoomHarness for Simulated {
    async fn room(&self) -> Arc<dyn WaitingRoomStore> {
        let (world, clock) = (Arc::clone(&self.world), Arc::clone(&self.clock));
        Arc::new(OnTheSuitesClock { port: Port::new(Arc::clone(&world), 1), world, clock })
    }

    async fn emptied(&self, room: Arc<dyn WaitingRoomStore>) -> Arc<dyn WaitingRoomStore> {
        lose_all(&self.world);
        room
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

/// Sets the store's clock to that of the suite before each call.
struct OnTheSuitesClock {
    port: Port,
    world: Arc<Room>,
    clock: Arc<ManualClock>,
}

impl OnTheSuitesClock {
    fn port(&self) -> &Port {
        self.world.clock.set_skew(0);
        let millis = |at: Timestamp| i64::try_from(at.as_millis()).expect("within this millennium");
        self.world.clock.set_skew(millis(self.clock.now()) - millis(self.world.clock.now()));
        &self.port
    }
}

#[async_trait]
impl WaitingRoomStore for OnTheSuitesClock {
    async fn open(&self, show: &ShowId, rules: Rules) -> Result<Rules, Fault> {
        self.port().open(show, rules).await
    }

    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault> {
        self.port().find(show).await
    }

    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>> {
        self.port().join(show, key).await
    }

    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault> {
        self.port().beat(show, tickets).await
    }

    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault> {
        self.port().enter(show, ticket).await
    }

    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault> {
        self.port().leave(show, ticket).await
    }

    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault> {
        self.port().tick(show, since).await
    }

    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault> {
        self.port().rule(show, change).await
    }

    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault> {
        self.port().announce(show, notice).await
    }

    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault> {
        self.port().notice(show).await
    }
}

ports_contract::waiting_room_contract!(Simulated::new());
