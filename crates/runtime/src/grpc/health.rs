//! `grpc.health.v1` over [`Health`]: the overall server (`""`) and every named service are
//! serving while the process is ready, and stop the moment it drains.

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
        let watch = Watch { changes, shutdown: self.shutdown.clone(), known, told: false };
        Ok(Response::new(Box::pin(stream::unfold(watch, Watch::next))))
    }
}

struct Watch {
    changes: watch::Receiver<bool>,
    shutdown: CancellationToken,
    known: bool,
    told: bool,
}

impl Watch {
    /// The next status, as soon as it differs from the one before.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        if !self.known {
            // Told once, and the stream stays open: that is what the protocol asks for a name that
            // may come to be known.
            if std::mem::replace(&mut self.told, true) {
                self.shutdown.cancelled().await;
                return None;
            }
            return Some((Ok(answer(ServingStatus::ServiceUnknown)), self));
        }
        tokio::select! {
            biased;
            changed = self.changes.changed() => changed.ok()?,
            () = self.shutdown.cancelled() => return None,
        }
        let ready = *self.changes.borrow_and_update();
        Some((Ok(answer(serving(ready))), self))
    }
}

fn serving(ready: bool) -> ServingStatus {
    if ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
