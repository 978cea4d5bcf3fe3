//! Assembles the service, serves it, and shuts it down in order.

use crate::config::Config;
use crate::edge;
use crate::errands::{Errands, ErrandsHandle};
use crate::metrics::PaymentMetrics;
use crate::rows::SHARDS;
use crate::service::{Service, ServiceOptions, WebhookPost};
use outbox::{Relay, RelayHandle, RelayOptions};
use ports::{Clock, Entropy, Publisher, Store, Tasks};
use runtime::Process;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The ports that the service needs.
#[derive(Clone)]
pub struct Deps {
    /// Its table.
    pub store: Arc<dyn Store>,
    /// Publishes its events.
    pub events: Arc<dyn Publisher>,
    /// Sends webhooks.
    pub webhook: Arc<dyn WebhookPost>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Intent ids and jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Spawns its tasks.
    pub tasks: Tasks,
    /// The process it is part of.
    pub process: Process,
}

/// The sockets that it serves.
#[derive(Debug)]
pub struct Listeners {
    /// Probes, metrics, administration.
    pub http: TcpListener,
    /// `payment.v1.PaymentService`.
    pub grpc: TcpListener,
}

/// The work beside the requests: the relay of the outbox, and the scheduled work.
pub struct Background {
    relay: Relay,
    handle: RelayHandle,
    errands: Errands,
    tasks: Tasks,
    process: Process,
}

/// Assembles the service. Until the background runs, outcomes are stored and wait.
pub fn assemble(options: ServiceOptions, deps: &Deps) -> (Service, Background) {
    let Deps { store, events, webhook, clock, entropy, tasks, process } = deps.clone();
    let relay_options = RelayOptions { shards: SHARDS, ..RelayOptions::default() };
    let relay =
        Relay::new(Arc::clone(&store), events, Arc::clone(&clock), Arc::clone(&entropy), relay_options);
    let numbers = relay.metrics();
    let metrics = &process.metrics;
    metrics.register("outbox_published_total", "Events that the queue accepted.", numbers.published);
    metrics.register(
        "outbox_failures_total",
        "Events that the queue did not take, once an attempt.",
        numbers.failures,
    );
    metrics.register("outbox_pending", "Events that wait or are being published.", numbers.pending);
    metrics.register(
        "outbox_publish_lag_seconds",
        "From an event's due time to the queue's answer.",
        numbers.lag,
    );
    let payments = PaymentMetrics::default();
    payments.register(metrics);
    let (handle, errands) = (relay.handle(), ErrandsHandle::new());
    let service = Service::new(
        Arc::clone(&store),
        Arc::clone(&clock),
        Arc::clone(&entropy),
        webhook,
        options,
        handle.clone(),
        errands.clone(),
        payments,
    );
    let errands = Errands::new(service.clone(), errands, store, clock, entropy);
    (service, Background { relay, handle, errands, tasks, process })
}

impl Background {
    /// Runs until `shutdown`; then lets running sends and webhooks end.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { relay, handle, errands, tasks, process } = self;
        let relay = spawn(&tasks, relay.run(shutdown.clone()));
        let errands = spawn(&tasks, errands.run(shutdown.clone()));
        let mut state = handle.state();
        let told = async {
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
            _ = async { tokio::join!(relay, errands) } => {}
            () = told => {}
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
/// If a server fails.
pub async fn run(
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), io::Error> {
    let (service, background) = assemble(config.service, &deps);
    let Deps { tasks, process, .. } = deps;
    let background_shutdown = CancellationToken::new();
    let servers_shutdown = shutdown.child_token();
    let servers = async {
        let router = edge::rest::router(service.clone(), &process, config.internal_token);
        let http = runtime::http::serve(listeners.http, router, servers_shutdown.clone(), &tasks);
        let services = edge::grpc::services(service);
        let grpc = runtime::grpc::serve(listeners.grpc, services, servers_shutdown.clone(), &tasks, &process);
        // A failing server stops the other one: half a service would look like a whole one.
        let stop_on_error = async |served: Result<(), io::Error>| {
            if served.is_err() {
                servers_shutdown.cancel();
            }
            served
        };
        let (http, grpc) = tokio::join!(async { stop_on_error(http.await).await }, async {
            stop_on_error(grpc.await).await
        });
        process.health.draining();
        background_shutdown.cancel();
        http.and(grpc)
    };
    let (served, ()) = tokio::join!(servers, background.run(background_shutdown.clone()));
    served
}
