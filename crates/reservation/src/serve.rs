//! Assembles the service and what runs beside it, serves both, and shuts them down in order.

use crate::config::Config;
use crate::deps::Deps;
use crate::edge;
use crate::metrics::ServiceMetrics;
use crate::service::Service;
use crate::sweep::Sweeper;
use outbox::{AlarmOptions, Alarms, Relay, RelayState};
use ports::Tasks;
use runtime::{Edges, Health, Listeners, Order, RunError};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// The tasks beside the service: the relay that publishes events when they are due, the sweeper,
/// and readiness. They must run for events to be published.
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
    let metrics = &deps.process.metrics;
    let relay = Relay::new(
        Arc::clone(&deps.store),
        Arc::clone(&deps.events),
        Arc::clone(&deps.clock),
        Arc::clone(&deps.entropy),
        config.relay.clone(),
    );
    metrics.add(|registry| relay.metrics().register(registry));
    let service_metrics = ServiceMetrics::register(metrics);
    let sweeper = Sweeper::new(config, deps, relay.handle(), service_metrics.clone());
    let alarms = deps.backstop.as_ref().map(|backstop| {
        let alarms = Alarms::new(Arc::clone(backstop), Arc::clone(&deps.clock), AlarmOptions::default());
        metrics.add(|registry| alarms.metrics().register(registry));
        alarms
    });
    let service =
        Service::new(config, deps, relay.handle(), alarms.as_ref().map(Alarms::handle), service_metrics);
    let background = Background {
        relay_state: relay.handle().state(),
        relay,
        sweeper,
        alarms,
        health: deps.process.health.clone(),
        tasks: deps.tasks.clone(),
    };
    (service, background)
}

/// Serves until `shutdown`. Then, in this order: the instance is no longer ready; it accepts no new
/// connections and running calls end; the relay ends its sends and deletes the sent rows. Events
/// that are not due yet stay in the store for the next start.
///
/// # Errors
/// When a server could not be set up; everything is drained too.
pub async fn run(
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let (service, background) = assemble(&config, &deps);
    let Deps { process, tasks, .. } = deps;
    let routes = edge::rest::routes(service.clone(), config.internal_token);
    let edges = Edges::internal(&process, routes, edge::grpc::services(service));
    let order = Order::ServersFirst;
    runtime::serve(&process, &tasks, listeners, edges, order, |stop| background.run(stop), shutdown).await
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
