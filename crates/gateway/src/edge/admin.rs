//! The administration, on its own address. Beyond loopback it is served only with a token, which
//! every request then carries in `X-Internal-Token`. A change is made in the store: once, for all
//! gateways.
//!
//! | method path | answer |
//! |---|---|
//! | GET /admin/queues | the figures of every line that is open at this gateway |
//! | GET /admin/queues/{id} | the figures of one line |
//! | PATCH /admin/queues/{id} | the new rules; `{rate_per_sec?, burst?, capacity?, paused?, closed?}` |
//! | POST /admin/queues/{id}/pause, …/resume | the new rules: nobody gets a turn, or people do again |
//! | POST /admin/queues/{id}/drain, …/open | the new rules: nobody new can join, or people can again |
//! | PUT /admin/queues/{id}/message `{text}`, DELETE | sets or removes the message to those who wait |

use crate::refusal::Refusal;
use crate::room::Room;
use crate::service::waiting_room::WaitingRoomService;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use contracts::error::WireError;
use contracts::time::rfc3339;
use contracts::vocabulary::required;
use domain::id::ShowId;
use domain::waiting_room::{BURST_MAX, CAPACITY_MAX, RATE_MAX, RuleChange, Rules};
use http::{HeaderMap, StatusCode};
use ports::Trace;
use ports::waiting_room::NOTICE_BYTES_MAX;
use runtime::http::{Json, internal_token, trace_of};
use runtime::refusal::{Reply, refused};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

#[derive(Serialize)]
struct Figures {
    event_id: String,
    as_of: String,
    /// People by kind; `joined` is the sum of all others except `turns`.
    joined: u64,
    waiting: u64,
    absent: u64,
    ready: u64,
    entered: u64,
    left: u64,
    expired: u64,
    turns: u64,
    /// People that this gateway heard from in the last minute.
    heard_of_here: usize,
    /// People a second, from which waits are estimated; `null` before anything was measured.
    pace_per_sec: Option<f64>,
    rules: RulesBody,
    message: Option<String>,
}

#[derive(Serialize)]
struct RulesBody {
    rate_per_sec: u32,
    burst: u32,
    paused: bool,
    closed: bool,
    /// `null` is no limit.
    capacity: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    rate_per_sec: Option<u32>,
    burst: Option<u32>,
    paused: Option<bool>,
    closed: Option<bool>,
    /// `null` removes the limit, as in the answer.
    #[serde(default, deserialize_with = "given")]
    capacity: Option<Option<u64>>,
}

/// Keeps a `null` field apart from a missing one.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    text: String,
}

/// The routes of the administration, for a process that serves more on the same address.
pub(crate) fn routes(service: WaitingRoomService, token: Option<SecretString>) -> Router {
    Router::new()
        .route("/admin/queues", get(all))
        .route("/admin/queues/{id}", get(one).patch(change))
        .route("/admin/queues/{id}/pause", post(pause))
        .route("/admin/queues/{id}/resume", post(resume))
        .route("/admin/queues/{id}/drain", post(drain))
        .route("/admin/queues/{id}/open", post(open))
        .route("/admin/queues/{id}/message", put(say).delete(say_nothing))
        .route_layer(internal_token(token))
        .with_state(service)
}

async fn all(State(service): State<WaitingRoomService>) -> Response {
    let figures: Vec<_> = service.rooms().iter().map(|(show, room)| figures(show, room)).collect();
    Json(serde_json::json!({ "queues": figures })).into_response()
}

async fn one(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let found = async {
        let show = show(&id)?;
        let room = service.room(&show, &trace).await?;
        Ok::<_, Refusal>(figures(&show, &room))
    };
    let figures = found.await.map_err(refused("figures", &trace))?;
    Ok(Json(figures).into_response())
}

async fn change(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let within = |name: &str, value: Option<u64>, least: u64, most: u64| match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(WireError::invalid(name, format!("{name} is {value}, it must be {least} to {most}")))
        }
        _ => Ok(()),
    };
    let capacity = change.capacity.map(|limit| limit.unwrap_or(CAPACITY_MAX));
    let checked = within("rate_per_sec", change.rate_per_sec.map(Into::into), 1, RATE_MAX.into())
        .and_then(|()| within("burst", change.burst.map(Into::into), 1, BURST_MAX.into()))
        .and_then(|()| within("capacity", capacity, 0, CAPACITY_MAX));
    checked.map_err(Refusal::from).map_err(refused("rule", &trace))?;
    let Change { rate_per_sec, burst, paused, closed, .. } = change;
    rule(&service, &id, RuleChange { rate: rate_per_sec, burst, paused, closed, capacity }, &trace).await
}

async fn pause(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    rule(&service, &id, RuleChange { paused: Some(true), ..RuleChange::default() }, &trace_of(&headers)).await
}

async fn resume(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    rule(&service, &id, RuleChange { paused: Some(false), ..RuleChange::default() }, &trace_of(&headers))
        .await
}

async fn drain(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    rule(&service, &id, RuleChange { closed: Some(true), ..RuleChange::default() }, &trace_of(&headers)).await
}

async fn open(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    rule(&service, &id, RuleChange { closed: Some(false), ..RuleChange::default() }, &trace_of(&headers))
        .await
}

async fn say(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(message): Json<Message>,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    if message.text.is_empty() || message.text.len() > NOTICE_BYTES_MAX {
        let message = format!("text must be 1 to {NOTICE_BYTES_MAX} bytes");
        return Err(refused("announce", &trace)(Refusal::from(WireError::invalid("text", message))));
    }
    announce(&service, &id, Some(&message.text), &trace).await
}

async fn say_nothing(
    State(service): State<WaitingRoomService>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    announce(&service, &id, None, &trace_of(&headers)).await
}

async fn rule(
    service: &WaitingRoomService,
    id: &str,
    change: RuleChange,
    trace: &Trace,
) -> Result<Response, Reply> {
    let ruled = async {
        let show = show(id)?;
        let rules = service.rule(&show, change, trace).await?;
        tracing::info!(show_id = %show, ?rules, trace_id = trace.trace_id.as_deref(), "line rules changed");
        Ok::<_, Refusal>(rules)
    };
    let rules = ruled.await.map_err(refused("rule", trace))?;
    Ok(Json(rules_body(rules)).into_response())
}

async fn announce(
    service: &WaitingRoomService,
    id: &str,
    notice: Option<&str>,
    trace: &Trace,
) -> Result<Response, Reply> {
    let said = async { service.announce(&show(id)?, notice, trace).await };
    said.await.map_err(refused("announce", trace))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn show(id: &str) -> Result<ShowId, WireError> {
    required(ShowId::parse, "event_id", id)
}

fn figures(show: &ShowId, room: &Arc<Room>) -> Figures {
    let view = room.view();
    let totals = view.snapshot.totals;
    Figures {
        event_id: show.to_string(),
        as_of: rfc3339(view.snapshot.at),
        joined: totals.joined,
        waiting: totals.waiting,
        absent: totals.absent,
        ready: totals.ready,
        entered: totals.entered,
        left: totals.left,
        expired: totals.expired,
        turns: totals.turns,
        heard_of_here: room.heard_of(),
        pace_per_sec: view.pace(),
        rules: rules_body(view.snapshot.rules),
        message: view.notice.as_deref().map(str::to_owned),
    }
}

fn rules_body(rules: Rules) -> RulesBody {
    let Rules { rate, burst, paused, closed, capacity } = rules;
    let capacity = (capacity < CAPACITY_MAX).then_some(capacity);
    RulesBody { rate_per_sec: rate, burst, paused, closed, capacity }
}
