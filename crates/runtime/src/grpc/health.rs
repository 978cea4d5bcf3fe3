//! `grpc.health.v1` over [`Health`]: the overall server (`""`) and every named service are serving while the process is
//! ready, and stop the moment it drains.

use crate::Health;
use core::pin::Pin;
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

pub(crate) struct HealthService {
    pub(crate) health: Health,
    pub(crate) names: Vec<&'static str>,
    /// Watches end here: a stream that nobody ends would hold the server's drain.
    pub(crate) shutdown: CancellationToken,
}

type Statuses = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

impl HealthService {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.names.contains(&service)
    }
}

#[tonic::async_trait]
impl health_server::Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if self.knows(&request.get_ref().service) {
            Ok(Response::new(answer(serving(self.health.is_ready()))))
        } else {
            Err(Status::not_found("this server has no service of that name"))
        }
    }

    type WatchStream = Statuses;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Statuses>, Status> {
        let known = self.knows(&request.get_ref().service);
        let mut changes = self.health.ready_changes();
        changes.mark_changed();
        let shutdown = self.shutdown.clone();
        let statuses = stream::unfold((changes, shutdown), move |(changes, shutdown)| async move {
            let (ready, changes) = next(changes, &shutdown, known).await?;
            // An unknown name is answered once and the stream stays open: it may be known to a newer server.
            let status = if known { serving(ready) } else { ServingStatus::ServiceUnknown };
            Some((Ok(answer(status)), (changes, shutdown)))
        });
        Ok(Response::new(Box::pin(statuses)))
    }
}

async fn next(
    mut changes: watch::Receiver<bool>,
    shutdown: &CancellationToken,
    known: bool,
) -> Option<(bool, watch::Receiver<bool>)> {
    loop {
        tokio::select! {
            biased;
            changed = changes.changed() => changed.ok()?,
            () = shutdown.cancelled() => return None,
        }
        let ready = *changes.borrow_and_update();
        if known || ready {
            return Some((ready, changes));
        }
    }
}

fn serving(ready: bool) -> ServingStatus {
    if ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
