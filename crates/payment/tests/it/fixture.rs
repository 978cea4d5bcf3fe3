//! One data folder with the payment service's table and the event queue, for services that start
//! and stop on it.

use crate::receiver::{HttpPost, Receiver, SECRET};
use adapter_embedded::{Engine, EngineOptions, QueueOptions};
use contracts::payment::v1::PaymentMethod;
use core::time::Duration;
use domain::event::Event;
use domain::id::{PersonId, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Scenario, ScenarioRules};
use payment::rows::{AnyRow, PaymentRow, RefundRow, WebhookRow};
use payment::{CreateIntent, Deps, Service, ServiceOptions, WebhookOptions, assemble};
use ports::queue::Receive;
use ports::{Queue, Store, Tasks, Trace};
use runtime::Process;
use std::sync::Arc;
use testkit::{FaultyQueue, FaultyStore, ManualClock, SeededEntropy, until};
use tokio_util::sync::CancellationToken;

pub(crate) const STEP: Duration = Duration::from_millis(20);

pub(crate) struct Fixture {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) queue: Arc<FaultyQueue>,
    pub(crate) receiver: Receiver,
    entropy: Arc<SeededEntropy>,
    _folder: tempfile::TempDir,
}

/// A service that runs.
pub(crate) struct Running {
    pub(crate) service: Service,
    clock: Arc<ManualClock>,
    shutdown: CancellationToken,
    tasks: Tasks,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
        let store: Arc<dyn Store> = engine.store("payment").unwrap();
        let queue = engine.queue("events.fifo", QueueOptions::fifo()).unwrap();
        Self {
            queue: Arc::new(FaultyQueue::over(queue, store.clone(), outbox::row_key)),
            store: Arc::new(FaultyStore::over(store)),
            receiver: Receiver::start(clock.clone()).await,
            clock,
            entropy: Arc::default(),
            _folder: folder,
        }
    }

    pub(crate) fn options(&self) -> ServiceOptions {
        ServiceOptions {
            scenarios: ScenarioRules { delay: Duration::from_secs(5), approve_percent: 50 },
            random_seed: 7,
            webhooks: WebhookOptions {
                default_url: Some(self.receiver.url.clone()),
                secret: Some(SECRET.into()),
                hosts: Vec::new(),
                timeout: Duration::from_secs(5),
            },
        }
    }

    pub(crate) fn deps(&self, tasks: &Tasks) -> Deps {
        Deps {
            store: self.store.clone(),
            events: Arc::new(self.queue.clone()),
            webhook: Arc::new(HttpPost::new()),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: tasks.clone(),
            process: Process::new("payment-sim-api"),
        }
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(self.options())
    }

    pub(crate) fn start_with(&self, options: ServiceOptions) -> Running {
        let (tasks, shutdown) = (Tasks::new(), CancellationToken::new());
        let (service, background) = assemble(options, &self.deps(&tasks));
        tasks.spawn(background.run(shutdown.clone()));
        Running { service, clock: self.clock.clone(), shutdown, tasks }
    }

    /// Every row of the service that is stored.
    pub(crate) async fn rows(&self) -> Vec<AnyRow> {
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.inner().scan(after.as_ref(), 500).await.unwrap();
            let Some(last) = page.last() else { return rows };
            after = Some(last.key.clone());
            rows.extend(page.iter().filter_map(|row| AnyRow::read(row).unwrap()));
        }
    }

    pub(crate) async fn refunds(&self) -> Vec<RefundRow> {
        let rows = self.rows().await.into_iter();
        rows.filter_map(|row| if let AnyRow::Refund(row) = row { Some(row) } else { None }).collect()
    }

    pub(crate) async fn webhooks(&self) -> Vec<WebhookRow> {
        let rows = self.rows().await.into_iter();
        rows.filter_map(|row| if let AnyRow::Webhook(row) = row { Some(row) } else { None }).collect()
    }

    pub(crate) async fn payments(&self) -> Vec<PaymentRow> {
        let rows = self.rows().await.into_iter();
        rows.filter_map(|row| if let AnyRow::Payment(row) = row { Some(row) } else { None }).collect()
    }

    /// Waits until the queue accepted this many events.
    pub(crate) async fn until_events(&self, count: usize) {
        let what = format!("{count} events on the queue");
        until(&self.clock, STEP, &what, || async { self.queue.accepted().len() >= count }).await;
    }

    /// Waits until the receiver saw this many webhooks.
    pub(crate) async fn until_webhooks(&self, count: usize) {
        let what = format!("{count} webhooks");
        until(&self.clock, STEP, &what, || async { self.receiver.seen().len() >= count }).await;
    }

    /// Lets the whole background catch up: the event and webhook of another payment go through it.
    pub(crate) async fn settle(&self, running: &Running) {
        let (events, seen) = (self.queue.accepted().len(), self.receiver.seen().len());
        let (row, _) =
            running.service.create(intent("rsv_settle", Scenario::Approve), &Trace::default()).await.unwrap();
        running.service.process(&row.payment.intent, &Trace::default()).await.unwrap();
        self.until_events(events + 1).await;
        self.until_webhooks(seen + 1).await;
    }

    /// The events on the queue, without those of [`Self::settle`].
    pub(crate) async fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let request = Receive { max: 10, wait: Duration::ZERO, visibility: None };
            let messages = self.queue.receive(request).await.unwrap();
            if messages.is_empty() {
                return events;
            }
            for message in &messages {
                let (event, _) =
                    contracts::envelope::decode(&message.body, &message.id, &message.attributes).unwrap();
                events.extend((event.reservation.as_str() != "rsv_settle").then_some(event));
            }
            self.queue.delete(messages.into_iter().map(|message| message.receipt).collect()).await.unwrap();
        }
    }
}

impl Running {
    /// Opens an intent and asks the provider to take the money.
    pub(crate) async fn pay(&self, scenario: Scenario) -> PaymentRow {
        let (row, _) = self.service.create(intent("rsv_1", scenario), &Trace::default()).await.unwrap();
        self.service.process(&row.payment.intent, &Trace::default()).await.unwrap()
    }

    /// Ends the service as a shutdown does, while time continues.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = || async { self.tasks.running() == 0 };
        until(&self.clock, STEP, "the service has ended", ended).await;
    }

    pub(crate) async fn crash(self) {
        self.tasks.abort_all();
        self.tasks.finished().await;
    }
}

pub(crate) fn intent(reservation: &str, scenario: Scenario) -> CreateIntent {
    CreateIntent {
        reservation: ReservationId::parse(reservation).unwrap(),
        amount: Money { amount: 120_000, currency: Currency::krw() },
        person: PersonId::parse("u_1").ok(),
        method: PaymentMethod::CreditCard,
        scenario,
        webhook_url: None,
        idempotency_key: None,
        open_until: None,
    }
}
