//! One data folder, the service on it, and the checks of both.

use crate::inventory::{FakeInventory, section, show};
use crate::payments::{FakeAdmissions, FakePayments};
use adapter_embedded::{Engine, EngineOptions, QueueOptions};
use core::time::Duration;
use domain::event::Event;
use domain::hold::HoldState;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId};
use domain::invariant::{self, Phase};
use domain::reservation::{End, Reservation, Status};
use ports::queue::Receive;
use ports::reservations::EndReservation;
use ports::store::{Expect, Row, Write};
use ports::{Queue, Store, Tasks, Trace};
use reservation::request::{Create, IdempotencyKey};
use reservation::rows::{AnyRow, Stored};
use reservation::{Background, Config, CreateAnswer, Deps, Refusal, Service, assemble};
use runtime::Process;
use runtime::Refusal as _;
use secrecy::SecretString;
use std::sync::{Arc, Mutex};
use testkit::FaultyStore;
use testkit::Fuse;
use testkit::SeededEntropy;
use testkit::{ManualClock, until};
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "whsec_0123456789abcdef";
pub(crate) const PASS_SECRET: &str = "room_0123456789abcdef";
pub(crate) const HOLD: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) fuse: Arc<Fuse>,
    pub(crate) inventory: Arc<FakeInventory>,
    pub(crate) payments: Arc<FakePayments>,
    pub(crate) admissions: Arc<FakeAdmissions>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) service: Service,
    background: Mutex<Option<Background>>,
    pub(crate) process: Process,
    pub(crate) config: Config,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(Config::new(SecretString::from(SECRET)))
    }

    /// With a show that requires a pass.
    pub(crate) fn behind_a_waiting_room() -> Self {
        let mut config = Config::new(SecretString::from(SECRET));
        config.service.pass_secrets = vec![SecretString::from(PASS_SECRET)];
        let fixture = Self::with(config);
        fixture.admissions.require_pass(show().as_str());
        fixture
    }

    pub(crate) fn with(config: Config) -> Self {
        let (clock, fuse) = (Arc::new(ManualClock::default()), Arc::new(Fuse::default()));
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
        let store: Arc<dyn Store> = engine.store("reservation").unwrap();
        let queue: Arc<dyn Queue> = engine.queue("events.fifo", QueueOptions::fifo()).unwrap();
        let inventory = Arc::new(FakeInventory::new(clock.clone(), fuse.clone()));
        let (payments, admissions) =
            (Arc::new(FakePayments::new(fuse.clone())), Arc::new(FakeAdmissions::default()));
        let deps = deps(&clock, &fuse, &inventory, &payments, &admissions, &store, &queue);
        let (service, background) = assemble(&config, &deps);
        Self {
            clock,
            fuse,
            inventory,
            payments,
            admissions,
            store,
            queue,
            service,
            background: Mutex::new(Some(background)),
            process: deps.process,
            config,
            _folder: folder,
        }
    }

    /// Another instance on the same folder: the first one's memory is gone.
    pub(crate) fn restart(&mut self) {
        let deps = self.deps();
        let (service, background) = assemble(&self.config, &deps);
        (self.service, self.process) = (service, deps.process);
        self.background = Mutex::new(Some(background));
    }

    /// The ports of another instance on this folder.
    pub(crate) fn deps(&self) -> Deps {
        deps(
            &self.clock,
            &self.fuse,
            &self.inventory,
            &self.payments,
            &self.admissions,
            &self.store,
            &self.queue,
        )
    }

    /// Starts relay and sweeper.
    pub(crate) fn run_background(&self) -> Running {
        let (tasks, shutdown) = (Tasks::new(), CancellationToken::new());
        let background = self.background.lock().unwrap().take().expect("it runs once");
        tasks.spawn(background.run(shutdown.clone()));
        Running { tasks, shutdown }
    }

    /// Two named seats for a person.
    pub(crate) async fn create(&self, key: &str, seats: [&str; 2]) -> Result<CreateAnswer, Refusal> {
        self.service.create(&wish(key, "kim", &seats), &Trace::default()).await
    }

    /// A reservation in HOLD of the seats.
    pub(crate) async fn placed(&self) -> ReservationId {
        self.create("k", ["A-1", "A-2"]).await.unwrap().placed.id
    }

    pub(crate) async fn end(
        &self,
        id: &ReservationId,
        end: End,
        settled: bool,
    ) -> Result<Reservation, Refusal> {
        let command = EndReservation { id: id.clone(), end, inventory_settled: settled };
        self.service.end(command, &Trace::default()).await
    }

    pub(crate) async fn stored(&self, id: &ReservationId) -> Stored {
        self.service.get(id, None).await.unwrap()
    }

    pub(crate) async fn status(&self, id: &ReservationId) -> Status {
        self.stored(id).await.reservation.status
    }

    /// Whether the announcement of the expiry waits in the outbox.
    pub(crate) async fn is_announced(&self, id: &ReservationId) -> bool {
        let key = outbox::row_key(outbox::expired_event_id(id).as_str());
        self.store.get(&[key]).await.unwrap()[0].is_some()
    }

    pub(crate) async fn rows(&self) -> Vec<Row> {
        self.store.scan(None, 10_000).await.unwrap()
    }

    /// Empties the table and the inventory.
    pub(crate) async fn clear(&self) {
        let deletes =
            self.rows().await.into_iter().map(|row| Write::Delete { key: row.key, expect: Expect::Any });
        self.store.commit(deletes.collect()).await.unwrap();
        for hold in self.inventory.holds() {
            self.inventory.forget(&hold.reservation);
        }
    }

    /// The events that wait in the outbox.
    pub(crate) async fn waiting(&self) -> Vec<Event> {
        let rows = self.rows().await;
        let bodies = rows.iter().filter_map(outbox::PendingRow::read);
        bodies.map(|row| contracts::envelope::decode(&row.body, "m", &[]).unwrap().0).collect()
    }

    /// Takes `count` events from the queue, waiting for them.
    pub(crate) async fn taken(&self, count: usize, step: Duration) -> Vec<Event> {
        let events = tokio::sync::Mutex::new(Vec::new());
        until(&self.clock, step, &format!("{count} events on the queue"), || async {
            let request = Receive { max: 10, wait: Duration::ZERO, visibility: None };
            let messages = self.queue.receive(request).await.unwrap();
            let mut events = events.lock().await;
            for message in &messages {
                events.push(
                    contracts::envelope::decode(&message.body, &message.id, &message.attributes).unwrap().0,
                );
            }
            if !messages.is_empty() {
                self.queue
                    .delete(messages.into_iter().map(|message| message.receipt).collect())
                    .await
                    .unwrap();
            }
            events.len() >= count
        })
        .await;
        events.into_inner()
    }

    /// Checks the invariants over the stored rows and the inventory, at any moment.
    pub(crate) async fn check(&self) {
        let mut snapshot = invariant::World { holds: self.inventory.holds(), ..invariant::World::default() };
        for row in self.rows().await {
            match AnyRow::read(&row) {
                Some(AnyRow::Reservation(stored)) => snapshot.reservations.push(stored.reservation),
                Some(AnyRow::Idempotency(record)) => snapshot.idempotency.push(record.answer.id),
                Some(AnyRow::Webhook(_) | AnyRow::Pass(_)) | None => {}
            }
        }
        // Seats without rows count as free, which only the inventory's own invariants would reject.
        let report = invariant::check(&snapshot, Phase::Running);
        for name in [invariant::Name::X1, invariant::Name::X2] {
            let verdict = report.get(name).cloned().unwrap_or_default();
            assert_eq!(verdict.violations, 0, "{name}: {verdict:?}");
        }
        assert_eq!(self.payments.cancels(), [], "this service gives no money back");
    }

    /// How many live holds the inventory has.
    pub(crate) fn live_holds(&self) -> usize {
        self.inventory.holds().iter().filter(|hold| hold.state == HoldState::Live).count()
    }
}

fn deps(
    clock: &Arc<ManualClock>,
    fuse: &Arc<Fuse>,
    inventory: &Arc<FakeInventory>,
    payments: &Arc<FakePayments>,
    admissions: &Arc<FakeAdmissions>,
    store: &Arc<dyn Store>,
    queue: &Arc<dyn Queue>,
) -> Deps {
    Deps {
        store: Arc::new(FaultyStore::over(store.clone()).fused(fuse.clone())),
        events: Arc::new(queue.clone()),
        backstop: None,
        inventory: inventory.clone(),
        payments: payments.clone(),
        admissions: admissions.clone(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::default()),
        tasks: Tasks::new(),
        process: Process::new("reservation-api"),
    }
}

/// Running relay and sweeper.
pub(crate) struct Running {
    tasks: Tasks,
    shutdown: CancellationToken,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.finished().await;
    }

    /// Ends them at the await where they are.
    pub(crate) async fn crash(self) {
        self.tasks.abort_all();
        self.tasks.finished().await;
    }
}

pub(crate) fn person(text: &str) -> PersonId {
    PersonId::parse(text).unwrap()
}

pub(crate) fn intent(text: &str) -> PaymentIntentId {
    PaymentIntentId::parse(text).unwrap()
}

/// Named seats.
pub(crate) fn wish(key: &str, who: &str, seats: &[&str]) -> Create {
    Create {
        show: show(),
        section: None,
        seats: seats.iter().map(|seat| SeatId::parse(seat).unwrap()).collect(),
        quantity: seats.len() as u32,
        person: person(who),
        pass: None,
        key: Some(IdempotencyKey::parse(key).unwrap()),
    }
}

/// This many places of general admission.
pub(crate) fn floor(key: &str, who: &str, quantity: u32) -> Create {
    Create { section: Some(section("FLOOR")), seats: Vec::new(), quantity, ..wish(key, who, &[]) }
}

pub(crate) fn confirmed(id: &ReservationId, by: &str) -> End {
    End::Confirmed { order: Some(OrderId::for_reservation(id)), intent: Some(intent(by)) }
}

pub(crate) fn cancelled(reason: &str, code: Option<&str>) -> End {
    End::Cancelled { reason: Some(reason.into()), error_code: code.map(Into::into) }
}

pub(crate) fn expired(code: Option<&str>) -> End {
    End::Expired { error_code: code.map(Into::into) }
}

/// The code of a refusal on the wire.
#[track_caller]
pub(crate) fn code<T: core::fmt::Debug>(answer: Result<T, Refusal>) -> &'static str {
    answer.expect_err("a refusal").reply().error().code.as_str()
}
