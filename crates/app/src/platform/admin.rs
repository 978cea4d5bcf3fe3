//! Administration of the whole process on one loopback address: of the worker, of the waiting room,
//! and of the platform:
//!
//! | method path | answer |
//! |---|---|
//! | GET /admin/trace/{reservation} | the timeline of a reservation, oldest first; 404 if it is unknown |
//! | GET /admin/rest | `{"at_rest": bool, "pending"?}`: whether no work is pending; `pending` describes it |

use crate::engines::Engines;
use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use contracts::error::{Code, WireError};
use domain::id::ReservationId;
use ports::Tasks;
use runtime::Reply;
use runtime::http::{Json, instrument, internal_token};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(super) struct Admin {
    engines: Engines,
    worker: worker::Handle,
    queues: Router,
    token: Option<SecretString>,
}

impl Admin {
    pub(super) const fn new(
        engines: Engines,
        worker: worker::Handle,
        queues: Router,
        token: Option<SecretString>,
    ) -> Self {
        Self { engines, worker, queues, token }
    }

    pub(super) async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        tasks: &Tasks,
    ) -> Result<()> {
        let token = self.token.clone();
        let worker = worker::admin_routes(self.worker.clone(), token.clone());
        let queues = self.queues.clone();
        let own = Router::new()
            .route("/admin/trace/{reservation}", get(trace))
            .route("/admin/rest", get(rest))
            .route_layer(internal_token(token))
            .with_state(self);
        let metrics = runtime::Metrics::new();
        Ok(runtime::http::serve(
            listener,
            instrument(worker.merge(queues).merge(own), &metrics),
            shutdown,
            tasks,
        )
        .await?)
    }
}

fn failed(error: &anyhow::Error) -> Reply {
    tracing::warn!(error = format!("{error:#}"), "administration failed");
    WireError::new(Code::Internal, "the data cannot be read; the log says why").into()
}

async fn trace(State(admin): State<Admin>, Path(id): Path<String>) -> Result<Json<Value>, Reply> {
    let id = ReservationId::parse(&id)
        .map_err(|why| Reply::from(WireError::invalid("reservation_id", format!("reservation_id {why}"))))?;
    let timeline = crate::timeline::read(&admin.engines, &id, Some(admin.worker.journal()))
        .await
        .map_err(|e| failed(&e))?;
    if timeline.is_empty() {
        return Err(WireError::new(Code::NotFound, format!("reservation {id} is unknown")).into());
    }
    Ok(Json(json!(timeline)))
}

async fn rest(State(admin): State<Admin>) -> Result<Json<Value>, Reply> {
    let pending = admin.engines.pending_work().await.map_err(|e| failed(&e.into()))?;
    Ok(Json(json!({"at_rest": pending.is_none(), "pending": pending})))
}
