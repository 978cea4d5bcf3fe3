//! The platform of one run: the engines, the network, and the instances that start and end.
//!
//! The service's own `assemble` or `new` makes an instance, with its own clock, entropy and tasks,
//! exactly as `app` does it with sockets. An instance ends in one of two ways. It crashes, and all
//! of its tasks are dropped where they stand; or it shuts down in the order of its service's `run`:
//! no new calls, the calls in flight end, the background drains.

use crate::checker::{Checker, SKEW_MAX_MS};
use crate::core::{Core, SimClock, SimEntropy, Spawner, stream};
use crate::exec::{Executor, Group, lock};
use crate::fault::{Faults, Kind};
use crate::network::{Caller, Endpoint, Network};
use crate::plan::Plan;
use crate::planted::{PlantedPeer, PlantedQueue, PlantedStore};
use crate::queue::{QueueOptions, Role, SimLetters, SimQueue, SimQueuePort};
use crate::table::{SimStore, SimTable};
use crate::trace::Trace;
use census::Table;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use domain::payment::ScenarioRules;
use domain::random::Random;
use ports::queue::QueueKind;
use ports::{Clock, Entropy, Queue, Store, Tasks};
use runtime::Process;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use worker::{InFlight, PipelineOptions};

/// The secret that signs webhooks.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_simulated_world";
/// Receives after which the queue itself moves a message to the dead-letter queue
/// (docs/contracts.md#events).
const RECEIVES_MAX: u32 = 100;
/// The longest that calls in flight may take when an instance ends.
const CALLS_MAX: Duration = Duration::from_secs(10);
/// The longest that a shutdown may take: a worker waits for its polls and its longest handler.
const END_MAX: Duration = Duration::from_secs(240);

/// The services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// inventory-api.
    Inventory,
    /// reservation-api.
    Reservation,
    /// payment-sim-api.
    Payments,
    /// reservation-worker.
    Worker,
}

impl Service {
    /// All of them, in the order of [`Plan::instances`].
    pub const ALL: [Self; 4] = [Self::Inventory, Self::Reservation, Self::Payments, Self::Worker];
}

/// One running instance.
#[derive(Clone)]
pub struct Instance {
    /// Its number; never used again.
    pub id: u32,
    /// Its service.
    pub service: Service,
    /// Its tasks in the executor.
    pub group: Group,
    /// Its clock.
    pub clock: Arc<SimClock>,
    tasks: Tasks,
    stop: CancellationToken,
    in_flight: Arc<AtomicUsize>,
    /// Whether it is shutting down.
    pub ending: bool,
}

/// The platform.
pub struct Cluster {
    /// The plan of the run.
    pub plan: Plan,
    /// The shared parts of the run.
    pub core: Arc<Core>,
    /// The network.
    pub network: Arc<Network>,
    /// The tables of inventory, reservation and payments.
    pub tables: [Arc<SimTable>; 3],
    /// The event queue.
    pub events: Arc<SimQueue>,
    /// The dead-letter queue.
    pub letters: Arc<SimQueue>,
    /// Operators still at work.
    pub operators: AtomicUsize,
    instances: Mutex<BTreeMap<u32, Instance>>,
    next: AtomicUsize,
}

impl Cluster {
    /// A platform without instances.
    pub fn new(plan: Plan, trace: Trace) -> Arc<Self> {
        let trace = Arc::new(trace);
        let exec = Executor::new(stream(plan.seed, 3).next_u64());
        let faults = Faults::new(
            stream(plan.seed, 4).next_u64(),
            plan.rates,
            (plan.instant, plan.latency),
            Arc::clone(&trace),
        );
        let checker = Checker::new(PipelineOptions::default().retry.max_retries);
        let core = Core::new(exec, faults, trace, checker);
        let options = |name, role, redrive| QueueOptions {
            kind: plan.queue,
            visibility: plan.visibility,
            name,
            redrive,
            role,
        };
        let letters = SimQueue::new(Arc::clone(&core), options("letters", Role::Letters, None));
        let redrive = Some((Arc::clone(&letters), RECEIVES_MAX));
        let events = SimQueue::new(Arc::clone(&core), options("events", Role::Events, redrive));
        let tables = [Table::Inventory, Table::Reservation, Table::Payment]
            .map(|name| SimTable::new(Arc::clone(&core), Some(name)));
        let network = Network::new(Arc::clone(&core));
        let instances = Mutex::default();
        let (operators, next) = (AtomicUsize::new(0), AtomicUsize::new(1));
        Arc::new(Self { plan, core, network, tables, events, letters, operators, instances, next })
    }

    /// A port to a table.
    pub fn store(&self, table: Service) -> Arc<dyn Store> {
        let store = SimStore(Arc::clone(&self.tables[table as usize]));
        Arc::new(PlantedStore { store, service: table })
    }

    /// A port to the event queue.
    pub fn queue(&self, holder: u32) -> Arc<dyn Queue> {
        Arc::new(SimQueuePort { queue: Arc::clone(&self.events), holder })
    }

    /// The running instances, by number.
    pub fn instances(&self) -> Vec<Instance> {
        lock(&self.instances).values().cloned().collect()
    }

    /// The owner of a group's tasks, for the trace.
    pub fn owner(&self, group: Group) -> String {
        if group == self.core.world {
            return "world".to_owned();
        }
        let instances = lock(&self.instances);
        let found = instances.values().find(|instance| instance.group == group);
        found.map_or_else(|| "buyers".to_owned(), |found| format!("{:?} {}", found.service, found.id))
    }

    /// How many instances of a service are running and not shutting down.
    pub fn working(&self, service: Service) -> usize {
        let instances = lock(&self.instances);
        instances.values().filter(|instance| instance.service == service && !instance.ending).count()
    }

    /// Draws how far a clock is off.
    pub fn skew(&self) -> i64 {
        self.core.faults.below(2 * SKEW_MAX_MS as u64 + 1) as i64 - SKEW_MAX_MS
    }

    /// Starts an instance.
    pub fn start(self: &Arc<Self>, service: Service) -> u32 {
        let id = self.next.fetch_add(1, Ordering::Relaxed) as u32;
        let skew = if self.core.faults.strikes(Kind::ClockSkew) { self.skew() } else { 0 };
        let group = self.core.exec.group();
        let tasks = Tasks::on(Arc::new(Spawner { exec: self.core.exec.clone(), group }));
        let instance = Instance {
            id,
            service,
            group,
            clock: SimClock::new(self.core.exec.clone(), skew),
            tasks,
            stop: CancellationToken::new(),
            in_flight: Arc::default(),
            ending: false,
        };
        self.core.record(|| format!("instance {id} of {service:?} starts, its clock {skew} ms off"));
        lock(&self.instances).insert(id, instance.clone());
        match service {
            Service::Inventory => self.start_inventory(&instance),
            Service::Reservation => self.start_reservation(&instance),
            Service::Payments => self.start_payments(&instance),
            Service::Worker => self.start_worker(&instance),
        }
        id
    }

    fn caller(&self, instance: &Instance) -> Caller {
        Caller { network: Arc::clone(&self.network), id: instance.id }
    }

    fn entropy(&self, instance: &Instance) -> Arc<dyn Entropy> {
        SimEntropy::new(stream(self.plan.seed, 1_000 + u64::from(instance.id)).next_u64())
    }

    fn start_inventory(&self, instance: &Instance) {
        let deps = inventory::Deps {
            store: self.store(Service::Inventory),
            clock: instance.clock.clone() as Arc<dyn Clock>,
            entropy: self.entropy(instance),
            tasks: instance.tasks.clone(),
            process: Process::new("inventory-api"),
        };
        let options = inventory::Options {
            sole_writer: self.plan.sole_writer,
            hold_ttl: self.plan.hold,
            ..inventory::Options::default()
        };
        let service = inventory::assemble(options, &deps);
        instance.tasks.spawn(service.clone().sweep_until(instance.stop.clone()));
        let (warming, stop) = (service.clone(), instance.stop.clone());
        instance.tasks.spawn(async move {
            // A show that could not be read ahead is read at its first request.
            drop(stop.run_until_cancelled(warming.warm()).await);
        });
        lock(&self.core.checker).started(instance.id, None);
        lock(&self.network.endpoints).inventory.push(endpoint(instance, service));
    }

    fn start_reservation(&self, instance: &Instance) {
        let deps = reservation::Deps {
            store: self.store(Service::Reservation),
            events: Arc::new(self.queue(instance.id)),
            backstop: None,
            inventory: Arc::new(self.caller(instance)),
            payments: Arc::new(self.caller(instance)),
            admissions: Arc::new(self.caller(instance)),
            clock: instance.clock.clone() as Arc<dyn Clock>,
            entropy: self.entropy(instance),
            tasks: instance.tasks.clone(),
            process: Process::new("reservation-api"),
        };
        let mut config = reservation::Config::new(SecretString::from(WEBHOOK_SECRET.to_owned()));
        config.service.hold_ttl = self.plan.hold;
        let (service, background) = reservation::assemble(&config, &deps);
        instance.tasks.spawn(background.run(instance.stop.clone()));
        lock(&self.core.checker).started(instance.id, None);
        lock(&self.network.endpoints).reservation.push(endpoint(instance, service));
    }

    fn start_payments(&self, instance: &Instance) {
        let deps = payment::Deps {
            store: self.store(Service::Payments),
            events: Arc::new(self.queue(instance.id)),
            webhook: Arc::new(self.caller(instance)),
            clock: instance.clock.clone() as Arc<dyn Clock>,
            entropy: self.entropy(instance),
            tasks: instance.tasks.clone(),
            process: Process::new("payment-sim-api"),
        };
        let options = payment::ServiceOptions {
            scenarios: ScenarioRules { delay: Duration::from_secs(5), approve_percent: 60 },
            random_seed: self.plan.seed,
            webhooks: payment::WebhookOptions {
                default_url: Some("http://reservation-api/internal/payment/webhook".into()),
                secret: Some(SecretString::from(WEBHOOK_SECRET.to_owned())),
                hosts: Vec::new(),
                timeout: Duration::from_secs(5),
            },
        };
        let (service, background) = payment::assemble(options, &deps);
        instance.tasks.spawn(background.run(instance.stop.clone()));
        lock(&self.core.checker).started(instance.id, None);
        lock(&self.network.endpoints).payments.push(endpoint(instance, service));
    }

    fn start_worker(&self, instance: &Instance) {
        let plan = &self.plan;
        let in_flight = match plan.concurrency {
            0 => InFlight::Auto,
            limit => InFlight::Fixed(limit),
        };
        let config = worker::Config {
            pipeline: PipelineOptions {
                in_flight,
                visibility: plan.visibility,
                shutdown_timeout: plan.end_within,
                ..PipelineOptions::default()
            },
            downstream_timeout: plan.call_max,
            admin_token: None,
        };
        let deps =
            worker::Deps {
                queue: self.planted(self.queue(instance.id)),
                dead_letter_queue: Some(self.planted(Arc::new(SimQueuePort {
                    queue: Arc::clone(&self.letters),
                    holder: instance.id,
                }))),
                dead_letters: Some(Arc::new(SimLetters(Arc::clone(&self.letters)))),
                peers: self.worker_peers(self.caller(instance)),
                clock: instance.clock.clone() as Arc<dyn Clock>,
                entropy: self.entropy(instance),
                tasks: instance.tasks.clone(),
                process: Process::new("reservation-worker"),
            };
        let worker = worker::assemble(config, deps);
        lock(&self.core.checker).started(instance.id, Some(worker.handle()));
        instance.tasks.spawn(worker.consume(instance.stop.clone()));
    }

    /// The peers of a worker, and of an operator who runs its handlers by hand.
    pub fn worker_peers(&self, caller: Caller) -> worker::Peers {
        worker::Peers {
            inventory: Arc::new(PlantedPeer(caller.clone())),
            reservations: Arc::new(caller.clone()),
            payments: Some(Arc::new(PlantedPeer(caller))),
        }
    }

    fn planted(&self, queue: Arc<dyn Queue>) -> Arc<dyn Queue> {
        Arc::new(PlantedQueue { queue, lease: self.plan.visibility })
    }

    /// Kills an instance at this very moment.
    pub fn crash(&self, id: u32) {
        let Some(instance) = lock(&self.instances).remove(&id) else { return };
        self.core.record(|| format!("instance {id} of {:?} dies", instance.service));
        self.network.close(id);
        self.bury(&instance);
        if self.plan.sole_writer && instance.service == Service::Inventory {
            self.tables[Service::Inventory as usize].tear();
        }
    }

    fn bury(&self, instance: &Instance) {
        {
            let mut checker = lock(&self.core.checker);
            checker.observe(&self.core, instance.id);
            checker.ended(instance.id);
        }
        self.core.exec.kill(instance.group);
    }

    /// Kills every instance and the engines at this very moment.
    pub fn outage(&self) {
        for instance in self.instances() {
            self.crash(instance.id);
        }
        self.tables.iter().for_each(|table| table.tear());
        self.events.restart();
        self.letters.restart();
    }

    /// Shuts an instance down, and waits until it has ended.
    pub async fn end(self: &Arc<Self>, id: u32) {
        let Some(instance) = lock(&self.instances).get_mut(&id).map(|instance| {
            instance.ending = true;
            instance.clone()
        }) else {
            return;
        };
        self.core.record(|| format!("instance {id} of {:?} shuts down", instance.service));
        lock(&self.core.checker).ending(id);
        self.network.close(id);
        let began = self.core.exec.micros();
        while instance.in_flight.load(Ordering::Relaxed) > 0
            && self.core.exec.micros() < began + CALLS_MAX.as_micros() as u64
        {
            self.core.exec.sleep(Duration::from_millis(50)).await;
        }
        instance.stop.cancel();
        let ended = tokio::select! {
            biased;
            () = instance.tasks.finished() => true,
            () = self.core.exec.sleep(END_MAX) => false,
        };
        if lock(&self.instances).remove(&id).is_none() {
            return;
        }
        if !ended && instance.in_flight.load(Ordering::Relaxed) == 0 {
            let text = format!("instance {id} of {:?} did not end within {END_MAX:?}", instance.service);
            self.core.violated("shutdown", text);
        }
        self.core.record(|| format!("instance {id} of {:?} has ended", instance.service));
        self.bury(&instance);
    }

    /// What is still on its way; `None` when the platform is at rest.
    pub fn pending_work(&self) -> Option<String> {
        let calls = self.instances().iter().map(|instance| instance.in_flight.load(Ordering::Relaxed)).sum();
        let open = [
            ("holds", self.tables[0].entries(inventory::rows::DUE_HOLDS)),
            ("errands", self.tables[2].entries(payment::rows::DUE)),
            ("events of reservations", self.tables[1].entries(outbox::INDEX)),
            ("events of payments", self.tables[2].entries(outbox::INDEX)),
            ("messages", self.events.len()),
            ("calls", calls),
            ("operators", self.operators.load(Ordering::Relaxed)),
            ("commits", self.tables.iter().filter(|table| table.is_busy()).count()),
        ];
        let open: Vec<String> = open
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        (!open.is_empty()).then(|| open.join(", "))
    }

    /// Whether the event queue keeps the order of groups.
    pub fn is_fifo(&self) -> bool {
        self.plan.queue == QueueKind::Fifo
    }
}

fn endpoint<S>(instance: &Instance, service: S) -> Endpoint<S> {
    Endpoint { id: instance.id, group: instance.group, in_flight: Arc::clone(&instance.in_flight), service }
}
