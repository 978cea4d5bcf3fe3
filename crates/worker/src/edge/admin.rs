//! Administration on its own address (trap T-O3): the worker's status, the dead letters, the
//! journal.
//!
//! Without a token it is served on loopback only; with one, every request carries it in
//! `X-Internal-Token`.
//!
//! The operations are described at their handlers; GET /openapi.json serves the description.

use crate::dead_letter::DeadLetter;
use crate::redrive::{self, RedriveOptions, Report, Selection};
use crate::refusal::Refusal;
use crate::{Handle, journal};
use axum::Router;
use axum::extract::{Path, Query, State};
use contracts::error::WireError;
use contracts::time::rfc3339;
use http::HeaderMap;
use ports::DeadLetters;
use runtime::Reply;
use runtime::http::{Json, document, internal_token, openapi_route, trace_of};
use runtime::refusal::refused;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Dead letters in one answer, at most.
const PAGE_MAX: usize = 1_000;
/// Dead letters that one redrive moves, unless the request names a limit.
const REDRIVE_DEFAULT: usize = 100_000;
/// Redriven messages per second, unless the request names a rate.
const RATE_DEFAULT: u32 = 50;

/// The description of every route of the administration.
pub fn openapi() -> OpenApi {
    document("reservation-worker", "The administration of the worker.", described().into_openapi())
}

fn described() -> OpenApiRouter<Handle> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(journal_of))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(redrive_some))
        .routes(routes!(purge_some))
}

/// The routes of administration, for a process that serves more on the same address.
pub fn routes(handle: Handle, token: Option<SecretString>) -> Router {
    let (admin, _) = described().split_for_parts();
    admin.route_layer(internal_token(token)).with_state(handle).merge(openapi_route(&openapi()))
}

#[derive(Serialize, ToSchema)]
struct StatusBody {
    version: &'static str,
    started_at: String,
    worker: crate::status::Snapshot,
    observations: BTreeMap<String, Counts>,
}

#[derive(Serialize, ToSchema)]
struct Counts {
    checks: u64,
    violations: u64,
}

/// Reads the numbers of the worker and its observations.
#[utoipa::path(
    get,
    path = "/admin/status",
    tag = "worker",
    responses(
        (status = 200, description = "The status.", body = StatusBody),
    ),
    security(("internal_token" = [])),
)]
async fn status(State(handle): State<Handle>) -> Json<StatusBody> {
    let observations = handle
        .observations()
        .into_iter()
        .map(|(name, seen)| (name.to_string(), Counts { checks: seen.checks, violations: seen.violations }));
    Json(StatusBody {
        version: handle.process.version,
        started_at: rfc3339(handle.started_at),
        worker: handle.status(),
        observations: observations.collect(),
    })
}

#[derive(Serialize, ToSchema)]
struct JournalBody {
    reservation_id: String,
    entries: Vec<journal::EntryBody>,
}

/// Lists the steps of a reservation's events, oldest first.
#[utoipa::path(
    get,
    path = "/admin/journal/{reservation}",
    tag = "worker",
    params(
        ("reservation" = String, Path, description = "The reservation."),
    ),
    responses(
        (status = 200, description = "The journal.", body = JournalBody),
    ),
    security(("internal_token" = [])),
)]
async fn journal_of(State(handle): State<Handle>, Path(reservation): Path<String>) -> Json<JournalBody> {
    let entries =
        handle.journal.entries(&reservation).iter().map(|entry| entry.body(rfc3339(entry.at))).collect();
    Json(JournalBody { reservation_id: reservation, entries })
}

#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ListBody {
    entries: Vec<DeadLetter>,
    /// The value of `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists dead letters in the order of their burial.
#[utoipa::path(
    get,
    path = "/admin/dlq",
    tag = "dead letters",
    params(
        ("limit" = Option<usize>, Query, description = "The largest number; default 100, at most 1,000."),
        ("after" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, description = "A page.", body = ListBody),
    ),
    security(("internal_token" = [])),
)]
async fn list(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Json<ListBody>, Reply> {
    let limit = page.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let messages = async {
        letters(&handle)?.browse(page.after.as_deref(), limit).await.map_err(Refusal::LettersFailed)
    };
    let messages = messages.await.map_err(refused("list", &trace_of(&headers)))?;
    let next = if messages.len() == limit { messages.last().map(|last| last.id.to_string()) } else { None };
    Ok(Json(ListBody { entries: messages.iter().map(DeadLetter::read).collect(), next }))
}

#[derive(Serialize, ToSchema)]
struct ShowBody {
    #[serde(flatten)]
    letter: DeadLetter,
    body: String,
    attributes: BTreeMap<String, String>,
}

/// Reads one dead letter with its body.
#[utoipa::path(
    get,
    path = "/admin/dlq/{id}",
    tag = "dead letters",
    params(
        ("id" = String, Path, description = "The id in the dead-letter queue."),
    ),
    responses(
        (status = 200, description = "The dead letter.", body = ShowBody),
    ),
    security(("internal_token" = [])),
)]
async fn show(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<ShowBody>, Reply> {
    let found = async {
        let found = letters(&handle)?.find(&id).await.map_err(Refusal::LettersFailed)?;
        found.ok_or(Refusal::NoSuchLetter)
    };
    let message = found.await.map_err(refused("show", &trace_of(&headers)))?;
    let letter = DeadLetter::read(&message);
    Ok(Json(ShowBody { letter, body: message.body, attributes: message.attributes.into_iter().collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RedriveBody {
    ids: Option<Vec<String>>,
    limit: Option<usize>,
    rate: Option<u32>,
    #[serde(default)]
    dry_run: bool,
}

/// Puts dead letters back on the queue; without `ids` all of them.
#[utoipa::path(
    post,
    path = "/admin/dlq/redrive",
    tag = "dead letters",
    request_body = RedriveBody,
    responses(
        (status = 200, description = "The redriven letters.", body = Report),
    ),
    security(("internal_token" = [])),
)]
async fn redrive_some(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Json(body): Json<RedriveBody>,
) -> Result<Json<Report>, Reply> {
    let options = RedriveOptions {
        selection: body.ids.map_or(Selection::All, Selection::Ids),
        limit: body.limit.unwrap_or(REDRIVE_DEFAULT),
        rate: body.rate.unwrap_or(RATE_DEFAULT),
        dry_run: body.dry_run,
    };
    let report = async {
        let letters = letters(&handle)?;
        let report = redrive::redrive(&*letters, &*handle.queue, &*handle.clock, &options).await;
        report.map_err(Refusal::LettersFailed)
    };
    report.await.map(Json).map_err(refused("redrive", &trace_of(&headers)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PurgeBody {
    ids: Option<Vec<String>>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
}

/// Removes dead letters; all of them only with `all: true`.
#[utoipa::path(
    post,
    path = "/admin/dlq/purge",
    tag = "dead letters",
    request_body = PurgeBody,
    responses(
        (status = 200, description = "The removed letters.", body = Report),
    ),
    security(("internal_token" = [])),
)]
async fn purge_some(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Json(body): Json<PurgeBody>,
) -> Result<Json<Report>, Reply> {
    let report = async {
        let letters = letters(&handle)?;
        let selection = match (body.ids, body.all) {
            (Some(ids), false) => Selection::Ids(ids),
            (None, true) => Selection::All,
            _ => return Err(WireError::invalid("ids", "give either ids or all: true").into()),
        };
        redrive::purge(&*letters, &selection, body.dry_run).await.map_err(Refusal::LettersFailed)
    };
    report.await.map(Json).map_err(refused("purge", &trace_of(&headers)))
}

fn letters(handle: &Handle) -> Result<Arc<dyn DeadLetters>, Refusal> {
    handle.letters.clone().ok_or(Refusal::NoDeadLetters)
}
