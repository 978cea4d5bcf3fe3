//! Assembles the service, serves it, and shuts it down in order.

use crate::config::{Config, ServiceOptions};
use crate::deps::Deps;
use crate::edge;
use crate::metrics::PaymentMetrics;
use crate::rows::SHARDS;
use crate::schedule::Schedule;
use crate::scheduled::ScheduledWork;
use crate::service::Service;
use outbox::{Relay, RelayHandle, RelayOptions};
use ports::Tasks;
use runtime::{Edges, Listeners, Order, Process, RunError};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The work beside the requests: the relay of the outbox, and the scheduled work.
pub struct Background {
    relay: Relay,
    handle: RelayHandle,
    scheduled: ScheduledWork,
    tasks: Tasks,
    process: Process,
}

/// Assembles the service. Until the background runs, outcomes are stored and wait.
pub fn assemble(options: ServiceOptions, deps: &Deps) -> (Service, Background) {
    let Deps { store, events, clock, entropy, tasks, process, .. } = deps.clone();
    let relay_options = RelayOptions { shards: SHARDS, ..RelayOptions::default() };
    let relay =
        Relay::new(Arc::clone(&store), events, Arc::clone(&clock), Arc::clone(&entropy), relay_options);
    let metrics = PaymentMetrics::default();
    metrics.register(&process.metrics, &relay.metrics());
    let (handle, schedule) = (relay.handle(), Schedule::new());
    let service = Service::new(options, deps, handle.clone(), schedule.clone(), metrics);
    let scheduled = ScheduledWork::new(service.clone(), schedule, store, clock, entropy);
    (service, Background { relay, handle, scheduled, tasks, process })
}

impl Background {
    /// Runs until `shutdown`; then lets running sends and webhooks end.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { relay, handle, scheduled, tasks, process } = self;
        let relay = spawn(&tasks, relay.run(shutdown.clone()));
        let scheduled = spawn(&tasks, scheduled.run(shutdown.clone()));
        let mut state = handle.state();
        let report = async {
            loop {
                let ready = state.borrow_and_update().ready();
                process.health.ready_set("outbox", ready);
                if state.changed().await.is_err() {
                    return std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            biased;
            // Both end early only if all tasks are dropped.
            _ = async { tokio::join!(relay, scheduled) } => {}
            () = report => {}
        }
    }
}

fn spawn(tasks: &Tasks, future: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    // Events and webhooks are due at promised times, so requests must not delay them.
    tasks.spawn_apart(async move {
        future.await;
        // The receiver is gone if the service itself was dropped.
        let _ = done.send(());
    });
    ended
}

/// Serves until `shutdown`. Then running calls end, and after them running sends and webhooks.
///
/// # Errors
/// If a server could not be set up.
pub async fn run(
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let (service, background) = assemble(config.service, &deps);
    let Deps { tasks, process, .. } = deps;
    let routes = edge::rest::router(service.clone(), config.internal_token);
    let edges = Edges::internal(&process, routes, edge::grpc::services(service));
    let background = |stop| background.run(stop);
    runtime::serve(&process, &tasks, listeners, edges, Order::ServersFirst, background, shutdown).await
}
