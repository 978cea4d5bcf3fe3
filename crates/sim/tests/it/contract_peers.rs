//! The suites of the peers on the simulated network, without faults: the handlers of the services,
//! called as the worker calls them. The suites run as tasks of the world, in virtual time.

use async_trait::async_trait;
use contracts::payment::v1::PaymentMethod;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use domain::hold::ReleaseCause;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::payment::{Scenario, Status};
use domain::reservation::{CancelCause, End};
use domain::show::{Layout, RowRange, Rows, Section, Show};
use domain::time::Timestamp;
use payment::CreateIntent;
use ports::inventory::{CommitSeats, HeldState, HoldSeats, ReleaseSeats};
use ports::{CallContext, Inventory, Payments, Reservations, Trace as CallTrace};
use ports_contract::peers::{
    inventory as of_inventory, payments as of_payments, reservations as of_reservations,
};
use reservation::request::{Create, IdempotencyKey};
use sim::checker::OUTSIDE;
use sim::cluster::{Cluster, Service};
use sim::exec::Turn;
use sim::network::Caller;
use sim::plan::Plan;
use sim::trace::Trace;
use sim::world::World;
use std::sync::Arc;

const HOLD: Duration = Duration::from_secs(60);

/// One instance of each service, in a world in which nothing takes time and nothing goes wrong.
#[derive(Clone)]
struct Peers {
    cluster: Arc<Cluster>,
    caller: Caller,
    made: Arc<AtomicU32>,
}

impl Peers {
    fn new() -> Self {
        let plan = Plan { instant: 1_000, hold: HOLD, ..Plan::draw(1).only(&[]) };
        let cluster = Cluster::new(plan, Trace::off());
        for service in [Service::Inventory, Service::Reservation, Service::Payments] {
            cluster.start(service);
        }
        let caller = Caller { network: Arc::clone(&cluster.network), id: OUTSIDE };
        Self { cluster, caller, made: Arc::default() }
    }

    /// Runs a suite to its end.
    fn run<F: Future<Output = ()> + Send + 'static>(&self, suite: F) {
        let (core, over) = (&self.cluster.core, Arc::new(AtomicBool::new(false)));
        let done = Arc::clone(&over);
        core.exec.spawn(core.world, async move {
            suite.await;
            done.store(true, Ordering::Relaxed);
        });
        while !over.load(Ordering::Relaxed) {
            match core.exec.turn() {
                Turn::Polled(_) | Turn::Waited => {}
                Turn::Panicked(_, text) => panic!("{text}"),
                Turn::Still | Turn::Loops => panic!("the suite waits for something that never happens"),
            }
        }
    }

    fn number(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a show on sale, with a section of 12 named seats and one of general admission.
    async fn open(&self, id: &str, places: u32) -> ShowId {
        let section = |id: &str, layout| Section {
            id: SectionId::parse(id).expect("a literal"),
            name: id.to_owned(),
            price: of_inventory::PRICE,
            layout,
        };
        let row = RowRange { row: "1".to_owned(), from: 1, to: 12 };
        let show = Show {
            id: ShowId::parse(id).expect("letters and a number"),
            name: id.to_owned(),
            currency: Currency::krw(),
            sections: vec![
                section("A", Layout::Rows(Rows::new(vec![row]))),
                section("F", Layout::Places(places)),
            ],
            waiting_room: None,
        };
        let id = show.id.clone();
        let create = |service: inventory::Service| async move { service.create_show(&show).await.is_ok() };
        assert!(self.caller.call(create).await.expect("answered"), "the show is not on sale");
        id
    }
}

#[async_trait]
impl of_inventory::Harness for Peers {
    fn inventory(&self) -> Arc<dyn Inventory> {
        Arc::new(self.caller.clone())
    }

    async fn open_show(&self) -> of_inventory::OpenShow {
        let show = self.open(&format!("evt_{}", self.number()), 3).await;
        let seat = |number| SeatId::parse(&format!("A-1-{number}")).expect("letters and numbers");
        let floor = SectionId::parse("F").expect("a literal");
        of_inventory::OpenShow { show, seats: (1..=12).map(seat).collect(), floor, places: 3 }
    }

    fn now(&self) -> Timestamp {
        self.cluster.core.now()
    }

    async fn pass(&self, at: Timestamp) {
        let rest = at.since(self.cluster.core.now()) + Duration::from_millis(1);
        self.cluster.core.exec.sleep(rest).await;
    }
}

#[async_trait]
impl of_reservations::Harness for Peers {
    fn reservations(&self) -> Arc<dyn Reservations> {
        Arc::new(self.caller.clone())
    }

    async fn reserve(&self) -> of_reservations::Reserved {
        let number = self.number();
        let show = self.open(&format!("evt_{number}"), 3).await;
        let person = PersonId::parse(&format!("person_{number}")).expect("letters and a number");
        let create = Create {
            show: show.clone(),
            section: Some(SectionId::parse("F").expect("a literal")),
            seats: Vec::new(),
            quantity: 2,
            person: person.clone(),
            pass: None,
            key: IdempotencyKey::parse(&format!("key_{number}")).ok(),
        };
        let handler = |service: reservation::Service| async move {
            service.create(&create, &CallTrace::default()).await.ok().map(|answer| answer.placed)
        };
        let placed = self.caller.call(handler).await.expect("answered").expect("reserved");
        let seats = placed.seats.into_iter().map(|seat| seat.id).collect();
        of_reservations::Reserved { id: placed.id, show, seats, person, total: placed.total }
    }

    async fn settle_inventory(&self, reserved: &of_reservations::Reserved, end: &End) -> Option<OrderId> {
        let cause = match end {
            End::Confirmed { intent, .. } => {
                let command = CommitSeats {
                    reservation: reserved.id.clone(),
                    show: Some(reserved.show.clone()),
                    seats: Vec::new(),
                    quantity: None,
                    intent: intent.clone(),
                    person: Some(reserved.person.clone()),
                };
                let committed = self.caller.commit(&CallContext::default(), command).await;
                return Some(committed.ok()?.order);
            }
            End::Cancelled { reason, .. } => CancelCause::from_reason(reason.as_deref()).release_cause(),
            End::Expired { .. } => {
                self.cluster.core.exec.sleep(HOLD).await;
                ReleaseCause::Expired
            }
        };
        let command = ReleaseSeats {
            reservation: reserved.id.clone(),
            show: Some(reserved.show.clone()),
            seats: Vec::new(),
            quantity: None,
            cause: Some(cause),
        };
        assert!(self.caller.release(&CallContext::default(), command).await.is_ok(), "the seats stay held");
        None
    }

    /// A hold again finds the hold as it is.
    async fn order_in_inventory(&self, reserved: &of_reservations::Reserved) -> Option<OrderId> {
        let command = HoldSeats {
            reservation: reserved.id.clone(),
            show: reserved.show.clone(),
            section: Some(SectionId::parse("F").expect("a literal")),
            seats: Vec::new(),
            quantity: 2,
            person: reserved.person.clone(),
            until: self.cluster.core.now().plus(HOLD),
        };
        match self.caller.hold(&CallContext::default(), command).await.ok()?.state {
            HeldState::Committed(order) => Some(order),
            HeldState::Live | HeldState::Released(_) => None,
        }
    }
}

#[async_trait]
impl of_payments::Harness for Peers {
    fn payments(&self) -> Arc<dyn Payments> {
        Arc::new(self.caller.clone())
    }

    async fn intent(&self, reservation: &ReservationId, amount: &Money, status: Status) -> PaymentIntentId {
        let command = CreateIntent {
            reservation: reservation.clone(),
            amount: amount.clone(),
            person: None,
            method: PaymentMethod::CreditCard,
            scenario: if status == Status::Failed { Scenario::Fail } else { Scenario::Approve },
            webhook_url: None,
            idempotency_key: IdempotencyKey::parse(reservation.as_str()).ok(),
            open_until: None,
        };
        let create = |service: payment::Service| async move {
            service.create(command, &CallTrace::default()).await.ok().map(|(row, _)| row.payment.intent)
        };
        let intent = self.caller.call(create).await.expect("answered").expect("opened");
        if status != Status::Pending {
            let pays = intent.clone();
            let process = |service: payment::Service| async move {
                service.process(&pays, &CallTrace::default()).await.ok().map(|row| row.payment.status)
            };
            assert_eq!(self.caller.call(process).await.expect("answered"), Some(status));
        }
        intent
    }

    async fn refunds(&self, intent: &PaymentIntentId) -> Vec<u64> {
        let checker = self.cluster.core.checker.lock().expect("no suite panics under it");
        let refunds = checker.world().refunds.iter().filter(|refund| refund.intent == *intent);
        refunds.map(|refund| refund.amount).collect()
    }
}

#[test]
fn the_inventory_keeps_the_contract_over_the_simulated_network() {
    let peers = Peers::new();
    peers.run({
        let peers = peers.clone();
        async move { of_inventory::check(&peers).await }
    });
}

#[test]
fn the_reservations_keep_the_contract_over_the_simulated_network() {
    let peers = Peers::new();
    peers.run({
        let peers = peers.clone();
        async move { of_reservations::check(&peers).await }
    });
}

#[test]
fn the_payments_keep_the_contract_over_the_simulated_network() {
    let peers = Peers::new();
    peers.run({
        let peers = peers.clone();
        async move { of_payments::check(&peers).await }
    });
}
