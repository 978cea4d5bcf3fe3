//! HTTP: probes, metrics, and the administration of shows (docs/contracts.md#inventory-api).

use super::failure;
use crate::rows::content_fingerprint;
use crate::service::{CreateShowError, Created, Service, ShowStatus};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use contracts::error::{Code, WireError};
use contracts::inventory_wire::{Subject, rejection_to_error};
use contracts::rest::admin as body;
use contracts::vocabulary;
use domain::hold::{Hold, HoldState, Rejection};
use domain::id::{ReservationId, SectionId, ShowId};
use domain::money::Currency;
use domain::show::{Layout, Listed, RowRange, Rows, Section, Show, WaitingRoom};
use http::{HeaderMap, StatusCode};
use ports::PortError;
use runtime::Process;
use runtime::http::{ErrorReply, Json, trace_of};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

/// The routes of the HTTP port. With a token, `/admin/…` requires the header `X-Internal-Token`.
pub(crate) fn router(service: Service, process: &Process, token: Option<SecretString>) -> Router {
    let admin = Router::new()
        .route("/admin/shows", get(list).post(create))
        .route("/admin/shows/{id}", get(one))
        .route("/admin/shows/{id}/seats", get(seats))
        .route("/admin/shows/{id}/block", post(block))
        .route("/admin/shows/{id}/unblock", post(unblock))
        .route("/admin/holds/{reservation}", get(holds))
        .layer(runtime::http::internal_token(token))
        .with_state(service);
    let routes = runtime::http::base_routes(process).merge(admin);
    runtime::http::instrument(routes, &process.metrics)
}

fn told(headers: &HeaderMap) -> impl Fn(WireError) -> ErrorReply {
    let trace = trace_of(headers);
    move |error| error.traced(trace.trace_id.clone()).into()
}

fn refused(show: &ShowId, section: Option<&SectionId>) -> impl Fn(PortError<Rejection>) -> WireError {
    move |error| match error {
        PortError::Rejected(rejection) => rejection_to_error(
            Subject { reservation: None, show: Some(show), section, seats: &[] },
            &rejection,
        ),
        PortError::Failed(fault) => failure(&fault),
    }
}

async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(request): Json<body::CreateShow>,
) -> Result<(StatusCode, Json<body::ShowCreated>), ErrorReply> {
    let tell = told(&headers);
    let show = show_from(&request).map_err(&tell)?;
    let created = service.create_show(&show).await.map_err(|error| {
        tell(match error {
            CreateShowError::Invalid(problems) => {
                let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                problems.iter().fold(WireError::new(Code::InvalidArgument, words), |error, problem| {
                    error.detail(problem.field.clone(), "INVALID", problem.problem.clone())
                })
            }
            CreateShowError::Different => WireError::new(
                Code::AlreadyExists,
                format!("another show is on sale as {}", show.id),
            )
            .detail("event_id", "DIFFERENT", show.id.as_str()),
            CreateShowError::Failed(fault) => failure(&fault),
        })
    })?;
    let status = if created == Created::Now { StatusCode::CREATED } else { StatusCode::OK };
    let total_seats = u64::from(show.total_seats());
    Ok((status, Json(body::ShowCreated { event_id: show.id.to_string(), total_seats })))
}

/// Reads a show from its body. A show without an id gets one derived from its content, so a
/// repeated request creates the same show.
fn show_from(request: &body::CreateShow) -> Result<Show, WireError> {
    let currency = match request.currency.as_deref() {
        None => Currency::krw(),
        Some(text) => Currency::parse(text).ok_or_else(|| {
            WireError::invalid("currency", "currency must be three upper-case letters, such as KRW")
        })?,
    };
    let sections = request.sections.iter().map(section_from).collect::<Result<Vec<_>, _>>()?;
    let waiting_room = request.waiting_room.as_ref().map(|room| WaitingRoom {
        rate_per_sec: room.rate_per_sec,
        burst: room.burst.unwrap_or(room.rate_per_sec),
        required: room.required,
    });
    let id = match &request.event_id {
        Some(id) => vocabulary::required(ShowId::parse, "event_id", id)?,
        None => {
            let hash = content_fingerprint(&request.name, &currency, &sections, waiting_room.as_ref());
            vocabulary::required(ShowId::parse, "event_id", &format!("evt_{hash:016x}"))?
        }
    };
    if request.name.is_empty() || request.name.len() > 1_000 || request.name.chars().any(char::is_control) {
        return Err(WireError::invalid("name", "name must be 1 to 1,000 bytes without control characters"));
    }
    Ok(Show { id, name: request.name.clone(), currency, sections, waiting_room })
}

fn section_from(section: &body::Section) -> Result<Section, WireError> {
    let layout = match section.layout()? {
        body::Layout::Capacity(capacity) => Layout::Places(capacity),
        body::Layout::Seats(seats) => Layout::Listed(Listed::new(vocabulary::seat_ids(seats)?)),
        body::Layout::Rows(rows) => Layout::Rows(Rows::new(
            rows.iter().map(|row| RowRange { row: row.row.clone(), from: row.from, to: row.to }).collect(),
        )),
    };
    Ok(Section {
        id: vocabulary::required(SectionId::parse, "sections.id", &section.id)?,
        name: section.name.clone().unwrap_or_else(|| section.id.clone()),
        price: section.price,
        layout,
    })
}

fn show_to_body(status: &ShowStatus) -> body::Show {
    let show = &status.show;
    let sections = show.sections.iter().zip(&status.counts).map(|(section, counts)| body::SectionCounts {
        id: section.id.to_string(),
        name: section.name.clone(),
        price: section.price,
        kind: match section.layout {
            Layout::Places(_) => body::Kind::General,
            Layout::Rows(_) | Layout::Listed(_) => body::Kind::Seats,
        },
        total: u64::from(section.capacity()),
        remaining: counts.available,
        held: counts.held,
        sold: counts.sold,
        blocked: counts.blocked,
    });
    body::Show {
        event_id: show.id.to_string(),
        name: show.name.clone(),
        currency: show.currency.as_str().to_owned(),
        total_seats: u64::from(show.total_seats()),
        sections: sections.collect(),
        waiting_room: show.waiting_room.map(|room| body::WaitingRoom {
            rate_per_sec: room.rate_per_sec,
            burst: Some(room.burst),
            required: room.required,
        }),
    }
}

async fn list(State(service): State<Service>, headers: HeaderMap) -> Result<Json<body::Shows>, ErrorReply> {
    let shows = service.shows().await.map_err(|fault| told(&headers)(failure(&fault)))?;
    Ok(Json(body::Shows { shows: shows.iter().map(show_to_body).collect() }))
}

async fn one(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<body::Show>, ErrorReply> {
    let tell = told(&headers);
    let id = vocabulary::required(ShowId::parse, "event_id", &id).map_err(&tell)?;
    let status = service.status(&id, None).await.map_err(refused(&id, None)).map_err(&tell)?;
    Ok(Json(show_to_body(&status)))
}

#[derive(Debug, Deserialize)]
struct SectionQuery {
    section: Option<String>,
}

async fn seats(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(query): Query<SectionQuery>,
    headers: HeaderMap,
) -> Result<Json<body::Seats>, ErrorReply> {
    let tell = told(&headers);
    let id = vocabulary::required(ShowId::parse, "event_id", &id).map_err(&tell)?;
    let section = query.section.unwrap_or_default();
    let section = vocabulary::required(SectionId::parse, "section", &section).map_err(&tell)?;
    let views = service.seats(&id, &section).await.map_err(refused(&id, Some(&section))).map_err(&tell)?;
    let seats = views.iter().map(|seat| body::Seat {
        id: seat.id.to_string(),
        row: seat.row.clone(),
        number: seat.number.clone(),
        price: seat.price.amount,
        status: seat.status.as_str().to_owned(),
    });
    let seats = seats.collect();
    Ok(Json(body::Seats { event_id: id.to_string(), section: section.to_string(), seats }))
}

async fn block(
    service: State<Service>,
    id: Path<String>,
    headers: HeaderMap,
    request: Json<body::SeatList>,
) -> Result<Json<body::SeatsChanged>, ErrorReply> {
    set_blocked(service, id, headers, request, true).await
}

async fn unblock(
    service: State<Service>,
    id: Path<String>,
    headers: HeaderMap,
    request: Json<body::SeatList>,
) -> Result<Json<body::SeatsChanged>, ErrorReply> {
    set_blocked(service, id, headers, request, false).await
}

async fn set_blocked(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::SeatList>,
    blocked: bool,
) -> Result<Json<body::SeatsChanged>, ErrorReply> {
    let tell = told(&headers);
    let id = vocabulary::required(ShowId::parse, "event_id", &id).map_err(&tell)?;
    let seats = vocabulary::seat_ids(&request.seat_ids).map_err(&tell)?;
    let changes =
        service.set_blocked(&id, &seats, blocked).await.map_err(refused(&id, None)).map_err(&tell)?;
    let mut answer = body::SeatsChanged { changed: Vec::new(), refused: Vec::new() };
    for change in changes {
        let seat_id = change.seat.to_string();
        match change.outcome {
            Ok(()) => answer.changed.push(seat_id),
            Err(status) => answer.refused.push(body::SeatRefused {
                seat_id,
                status: status.map_or("NO_SUCH_SEAT", |status| status.as_str()).to_owned(),
            }),
        }
    }
    Ok(Json(answer))
}

/// For `tacos trace`: the hold of a reservation and its re-take.
async fn holds(
    State(service): State<Service>,
    Path(reservation): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ErrorReply> {
    let tell = told(&headers);
    let id = vocabulary::required(ReservationId::parse, "reservation_id", &reservation).map_err(&tell)?;
    let holds = service.holds_of(&id).await.map_err(|fault| tell(failure(&fault)))?;
    Ok(Json(json!({"holds": holds.iter().map(hold_json).collect::<Vec<_>>()})))
}

fn hold_json(hold: &Hold) -> Value {
    let (state, at, why) = match &hold.state {
        HoldState::Live => ("LIVE", None, String::new()),
        HoldState::Committed { order, at, .. } => ("COMMITTED", Some(*at), order.to_string()),
        HoldState::Released { cause, at } => ("RELEASED", Some(*at), cause.as_str().to_owned()),
    };
    let seats: Vec<&str> = hold.seats.iter().map(domain::id::SeatId::as_str).collect();
    json!({
        "state": state, "why": why, "seat_ids": seats, "user_id": hold.person.as_str(),
        "placed_at": contracts::time::rfc3339(hold.placed_at),
        "hold_expires_at": contracts::time::rfc3339(hold.until),
        "resolved_at": at.map(contracts::time::rfc3339),
    })
}
