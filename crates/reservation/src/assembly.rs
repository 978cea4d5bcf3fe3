//! The service and its background: the relay that publishes events when they are due, the sweeper,
//! and the readiness that follows from them.

use crate::config::Config;
use crate::metrics::ServiceMetrics;
use crate::service::{Service, ServicePorts};
use crate::sweeper::Sweeper;
use outbox::{AlarmOptions, Alarms, Relay, RelayState};
use ports::{Admissions, Backstop, Clock, Entropy, Inventory, Payments, Publisher, Store, Tasks};
use runtime::{Health, Metrics, Process};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// The ports that reservation-api works with.
#[derive(Clone)]
pub struct Deps {
    /// This service's own table.
    pub store: Arc<dyn Store>,
    /// The queue or bus that receives events.
    pub events: Arc<dyn Publisher>,
    /// A timer outside this process that sends expiries too, later, if there is one.
    pub backstop: Option<Arc<dyn Backstop>>,
    /// The seats.
    pub inventory: Arc<dyn Inventory>,
    /// The payment provider.
    pub payments: Arc<dyn Payments>,
    /// Which shows require a pass of the waiting room.
    pub admissions: Arc<dyn Admissions>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This instance's tasks.
    pub tasks: Tasks,
    /// Metrics and health.
    pub process: Process,
}

/// The tasks beside the service. They must run for events to be published.
pub struct Background {
    relay: Relay,
    relay_state: watch::Receiver<RelayState>,
    sweeper: Sweeper,
    alarms: Option<Alarms>,
    health: Health,
    tasks: Tasks,
}

/// The service and its background, with their metrics registered.
pub fn assemble(config: &Config, deps: &Deps) -> (Service, Background) {
    let Deps { store, clock, entropy, .. } = deps;
    let (store, clock, entropy) = (Arc::clone(store), Arc::clone(clock), Arc::clone(entropy));
    let relay = Relay::new(
        Arc::clone(&store),
        Arc::clone(&deps.events),
        Arc::clone(&clock),
        Arc::clone(&entropy),
        config.relay.clone(),
    );
    let handle = relay.handle();
    register(&relay, &deps.process.metrics);
    let metrics = ServiceMetrics::register(&deps.process.metrics);
    let sweeper = Sweeper::new(
        (Arc::clone(&store), Arc::clone(&clock), Arc::clone(&entropy)),
        (handle.clone(), metrics.clone()),
        (config.relay.shards, config.service.store_timeout),
        &config.sweeper,
    );
    let alarms = deps.backstop.as_ref().map(|backstop| {
        let alarms = Alarms::new(Arc::clone(backstop), Arc::clone(&clock), AlarmOptions::default());
        register_alarms(&alarms, &deps.process.metrics);
        alarms
    });
    let ports = ServicePorts {
        store,
        inventory: Arc::clone(&deps.inventory),
        payments: Arc::clone(&deps.payments),
        admissions: Arc::clone(&deps.admissions),
        clock,
        entropy,
        relay: handle.clone(),
        alarms: alarms.as_ref().map(Alarms::handle),
    };
    // Writers and reader share one number of shards, whatever the options of the writers say.
    let options = crate::ServiceOptions { outbox_shards: config.relay.shards, ..config.service.clone() };
    let background = Background {
        relay,
        relay_state: handle.state(),
        sweeper,
        alarms,
        health: deps.process.health.clone(),
        tasks: deps.tasks.clone(),
    };
    (Service::new(ports, options, metrics), background)
}

impl Background {
    /// Runs until `shutdown`; then waits for running sends and deletes the sent rows.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { relay, relay_state, sweeper, alarms, health, tasks } = self;
        let (ended, relay_ended) = oneshot::channel();
        let stop = shutdown.clone();
        // Due events are promised within milliseconds, whatever the requests and the sweeper do.
        tasks.spawn_apart(async move {
            relay.run(stop).await;
            // The receiver is gone if the whole instance was dropped.
            let _ = ended.send(());
        });
        if let Some(alarms) = alarms {
            // It has nothing to finish in order, so nobody waits for it here.
            tasks.spawn(alarms.run(shutdown.clone()));
        }
        let (_, (), ()) = tokio::join!(
            relay_ended,
            sweeper.run(shutdown.clone()),
            report_health(relay_state, health, shutdown),
        );
    }
}

/// Readiness: the outbox was read, and the store answers. A queue that accepts nothing does not
/// make this service unready: events wait in the outbox, and buyers are served meanwhile.
async fn report_health(mut state: watch::Receiver<RelayState>, health: Health, shutdown: CancellationToken) {
    loop {
        let now = state.borrow_and_update().clone();
        if let Some(why) = &now.queue {
            tracing::warn!(why, "events wait in the outbox; the queue does not accept them");
        }
        health.ready_set("outbox", RelayState { queue: None, ..now }.ready());
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}

fn register(relay: &Relay, metrics: &Metrics) {
    let numbers = relay.metrics();
    metrics.register("outbox_published_total", "Events that the queue accepted", numbers.published);
    metrics.register(
        "outbox_failures_total",
        "Events that the queue refused, once an attempt",
        numbers.failures,
    );
    metrics.register("outbox_pending", "Events that wait or are being published", numbers.pending);
    metrics.register(
        "outbox_publish_lag_seconds",
        "From an event's due time to the queue's answer",
        numbers.lag,
    );
}

fn register_alarms(alarms: &Alarms, metrics: &Metrics) {
    let numbers = alarms.metrics();
    metrics.register("backstop_alarms_set_total", "Expiries that the backstop will send too", numbers.set);
    metrics.register(
        "backstop_alarms_failed_total",
        "Expiries that the backstop did not take",
        numbers.failed,
    );
    metrics.register(
        "backstop_alarms_dropped_total",
        "Expiries that waited for the backstop in too long a line",
        numbers.dropped,
    );
}
