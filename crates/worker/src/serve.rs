//! Assembles the worker and runs it: the pipeline beside the ports.
//!
//! The ports answer until the pipeline has drained, so that probes see it drain; then they close.

use crate::edge::{admin, grpc};
use crate::metrics::WorkerMetrics;
use crate::pipeline::{Pipeline, PipelineDeps};
use crate::{Config, Deps, Handle, Handlers, Journal, observer, status};
use axum::Router;
use ports::Tasks;
use runtime::grpc::Services;
use runtime::{Edges, Listeners, Order, RunError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The worker, ready to run.
pub struct Worker {
    config: Config,
    pipeline: Pipeline,
    handle: Handle,
    tasks: Tasks,
}

/// Assembles the worker; nothing runs yet.
pub fn assemble(config: Config, deps: Deps) -> Worker {
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
        metrics: Arc::new(WorkerMetrics::register(&process.metrics)),
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
        process,
        metrics: handle.metrics.clone(),
        status: handle.status.clone(),
        journal: handle.journal.clone(),
        observations: handle.observations.clone(),
    };
    let pipeline = Pipeline::new(config.pipeline.clone(), deps);
    Worker { config, pipeline, handle, tasks }
}

impl Worker {
    /// A view of this worker.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Consumes events until `shutdown`, then drains; no port is served. The simulator and tests
    /// run this.
    pub async fn consume(self, shutdown: CancellationToken) {
        self.pipeline.run(shutdown).await;
    }

    /// Works and serves until `shutdown`, then drains the pipeline and closes the ports.
    ///
    /// # Errors
    /// When a server fails; the pipeline drains all the same.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), RunError> {
        let Self { config, pipeline, handle, tasks } = self;
        let process = handle.process.clone();
        let has_token = config.admin_token.is_some();
        let edges =
            Edges::internal(&process, Router::new(), Services::default().with(grpc::service(&handle)))
                .with_grpc_limits(grpc::limits(&handle))
                .with_admin(&process, admin::routes(handle, config.admin_token), has_token);
        let background = |stop| pipeline.run(stop);
        runtime::serve(&process, &tasks, listeners, edges, Order::BackgroundFirst, background, shutdown).await
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
) -> Result<(), RunError> {
    assemble(config, deps).run(listeners, shutdown).await
}
