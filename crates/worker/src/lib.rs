//! reservation-worker: consumes events and moves seats and reservations to their final state.
//!
//! Every event that enters the queue ends in its one right effect, or in the dead-letter queue with
//! its reason, whatever crashes. The rules are pure and live in `domain` (lanes, retry, breaker,
//! valve, concurrency). [`handlers`] has a handler for each event, `pipeline` the way from poll to
//! settlement. The worker knows its queue and its peers as ports only; `app` gives it the engines.
//!
//! [`Worker::new`] assembles it, [`Worker::handle`] lets others look, [`Worker::run`] works until
//! `shutdown`.

use crate::edge::{admin, grpc, http};
use crate::pipeline::{Pipeline, PipelineDeps};
use crate::telemetry::Telemetry;
use domain::invariant::Name;
use domain::time::Timestamp;
use ports::{Clock, Entropy, Queue, Tasks};
use runtime::Process;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

mod attempts;
mod breakers;
pub mod config;
pub mod dead_letter;
mod edge;
pub mod handlers;
pub mod journal;
mod observer;
mod operator_event;
pub mod options;
mod pipeline;
mod polls;
pub mod redrive;
pub mod status;
mod telemetry;
mod work;

pub use config::{Config, Environment};
pub use edge::admin::routes as admin_routes;
pub use handlers::{Handlers, Peers};
pub use journal::Journal;
pub use observer::Observation;
pub use options::{InFlight, PipelineOptions};
pub use redrive::DeadLetters;

/// The ports that the worker is given.
pub struct Deps {
    /// The event queue.
    pub queue: Arc<dyn Queue>,
    /// The dead-letter queue; without it, burying is left to the queue's redrive policy.
    pub dead_letter_queue: Option<Arc<dyn Queue>>,
    /// Looks into the dead-letter queue, for administration.
    pub dead_letters: Option<Arc<dyn DeadLetters>>,
    /// The peers that handlers call.
    pub peers: Peers,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The tasks of this instance.
    pub tasks: Tasks,
    /// Name, metrics and health of the process.
    pub process: Process,
}

/// The bound sockets.
pub struct Listeners {
    /// Health, metrics, version.
    pub http: TcpListener,
    /// WorkerService, health, reflection.
    pub grpc: TcpListener,
    /// Administration; `None` = not served.
    pub admin: Option<TcpListener>,
}

/// The worker, ready to run.
pub struct Worker {
    config: Config,
    pipeline: Pipeline,
    handle: Handle,
    process: Process,
    tasks: Tasks,
}

/// A look at a worker while it runs. Cloning gives another one.
#[derive(Clone)]
pub struct Handle {
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) letters: Option<Arc<dyn DeadLetters>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) status: status::Status,
    pub(crate) journal: Journal,
    pub(crate) observations: observer::Observations,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) process: Process,
    pub(crate) started_at: Timestamp,
}

impl Handle {
    /// How often the invariants Q2 to Q6 were checked and violated.
    pub fn observations(&self) -> BTreeMap<Name, Observation> {
        self.observations.read()
    }

    /// The journal of the steps of each event.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The worker's live numbers.
    pub fn status(&self) -> status::Snapshot {
        self.status.read()
    }
}

impl Worker {
    /// Assembles the worker; nothing runs yet.
    pub fn new(config: Config, deps: Deps) -> Self {
        let Deps { queue, dead_letter_queue, dead_letters, peers, clock, entropy, tasks, process } = deps;
        let handlers = Arc::new(Handlers::new(peers, clock.clone(), config.downstream_timeout));
        let handle = Handle {
            handlers: handlers.clone(),
            queue: queue.clone(),
            letters: dead_letters,
            clock: clock.clone(),
            status: status::Status::default(),
            journal: Journal::default(),
            observations: observer::Observations::default(),
            telemetry: Arc::new(Telemetry::register(&process.metrics)),
            process: process.clone(),
            started_at: clock.now(),
        };
        let deps = PipelineDeps {
            queue,
            dead_letters: dead_letter_queue,
            handlers,
            clock,
            entropy,
            tasks: tasks.clone(),
            process: process.clone(),
            telemetry: handle.telemetry.clone(),
            status: handle.status.clone(),
            journal: handle.journal.clone(),
            observations: handle.observations.clone(),
        };
        let pipeline = Pipeline::new(config.pipeline.clone(), deps);
        Self { config, pipeline, handle, process, tasks }
    }

    /// A look at this worker.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Consumes events until `shutdown`, then drains; no port is served. The simulator and tests
    /// run this.
    pub async fn consume(self, shutdown: CancellationToken) {
        self.pipeline.run(shutdown).await;
    }

    /// Works and serves until `shutdown`. The ports answer until the pipeline has drained, so that
    /// probes see it drain; then they close.
    ///
    /// # Errors
    /// When a listener fails; the pipeline drains all the same.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), io::Error> {
        let Self { config, pipeline, handle, process, tasks } = self;
        let close = CancellationToken::new();
        let drained = close.clone().drop_guard();
        let work = async {
            // Boxed, because its tables are kilobytes, which do not belong in the future of every
            // caller.
            Box::pin(pipeline.run(shutdown)).await;
            drop(drained);
        };
        let http = http::serve(listeners.http, &process, close.clone(), &tasks);
        let grpc = grpc::serve(listeners.grpc, handle.clone(), close.clone(), &tasks);
        let admin = admin::serve(listeners.admin, handle, config.admin_token, close, &tasks);
        let ((), http, grpc, admin) = tokio::join!(work, http, grpc, admin);
        http.and(grpc).and(admin)
    }
}

/// Assembles the worker and runs it until `shutdown`.
///
/// # Errors
/// As [`Worker::run`].
pub async fn run(
    config: Config,
    deps: Deps,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), io::Error> {
    Worker::new(config, deps).run(listeners, shutdown).await
}
