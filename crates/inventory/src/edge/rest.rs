//! HTTP: probes, metrics, and the administration of shows (docs/contracts.md#inventory-api).

use crate::refusal::Refusal;
use crate::rows::content_fingerprint;
use crate::service::{Created, Service, ShowStatus};
use axum::Router;
use axum::extract::{Path, Query, State};
use contracts::error::WireError;
use contracts::inventory_wire::Subject;
use contracts::rest::admin as body;
use contracts::time::rfc3339;
use contracts::vocabulary;
use domain::hold::{Hold, HoldState, Rejection};
use domain::id::{ReservationId, SeatId, SectionId, ShowId};
use domain::money::Currency;
use domain::show::{Layout, Listed, RowRange, Rows, Section, Show, WaitingRoom};
use http::{HeaderMap, StatusCode};
use ports::PortError;
use runtime::http::{Json, document, internal_token, openapi_route, trace_of};
use runtime::refusal::{Reply, refused};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The description of every route of the service, without the probes.
pub fn openapi() -> OpenApi {
    document(
        "inventory-api",
        "The administration of shows and seats. Holds, commits and releases go over gRPC.",
        routes().into_openapi(),
    )
}

/// The service's own routes. With a token, `/admin/…` requires the header `X-Internal-Token`.
pub(crate) fn router(service: Service, token: Option<SecretString>) -> Router {
    let (admin, _) = routes().split_for_parts();
    admin.layer(internal_token(token)).with_state(service).merge(openapi_route(&openapi()))
}

fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one))
        .routes(routes!(seats))
        .routes(routes!(block))
        .routes(routes!(unblock))
        .routes(routes!(holds))
}

/// The refusal of a call about a show, or about a section of it.
fn about<'a>(
    show: &'a ShowId,
    section: Option<&'a SectionId>,
) -> impl Fn(PortError<Rejection>) -> Refusal + 'a {
    Refusal::about(Subject { reservation: None, show: Some(show), section, seats: &[] })
}

/// Puts a show on sale. The same show again is answered with 200.
#[utoipa::path(
    post,
    path = "/admin/shows",
    request_body = body::CreateShow,
    responses(
        (status = 201, description = "The show is on sale now.", body = body::ShowCreated),
        (status = 200, description = "The same show was already on sale.", body = body::ShowCreated),
    ),
    security(("internal_token" = [])),
)]
async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(request): Json<body::CreateShow>,
) -> Result<(StatusCode, Json<body::ShowCreated>), Reply> {
    create_show(&service, &request).await.map_err(refused("create show", &trace_of(&headers)))
}

async fn create_show(
    service: &Service,
    request: &body::CreateShow,
) -> Result<(StatusCode, Json<body::ShowCreated>), Refusal> {
    let show = show_from(request)?;
    let created = service.create_show(&show).await.map_err(|error| Refusal::of_creation(&show.id, error))?;
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

/// Every show with the counts of its sections.
#[utoipa::path(
    get,
    path = "/admin/shows",
    responses((status = 200, description = "The shows, by id.", body = body::Shows)),
    security(("internal_token" = [])),
)]
async fn list(State(service): State<Service>, headers: HeaderMap) -> Result<Json<body::Shows>, Reply> {
    let shows = service.shows().await.map_err(Refusal::from);
    let shows = shows.map_err(refused("list shows", &trace_of(&headers)))?;
    Ok(Json(body::Shows { shows: shows.iter().map(show_to_body).collect() }))
}

/// One show with the counts of its sections.
#[utoipa::path(
    get,
    path = "/admin/shows/{id}",
    params(("id" = String, Path, description = "The show.")),
    responses((status = 200, description = "The show.", body = body::Show)),
    security(("internal_token" = [])),
)]
async fn one(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<body::Show>, Reply> {
    show_status(&service, &id).await.map_err(refused("show status", &trace_of(&headers)))
}

async fn show_status(service: &Service, id: &str) -> Result<Json<body::Show>, Refusal> {
    let id = vocabulary::required(ShowId::parse, "event_id", id)?;
    let status = service.status(&id, None).await.map_err(about(&id, None))?;
    Ok(Json(show_to_body(&status)))
}

#[derive(Debug, Deserialize)]
struct SectionQuery {
    section: Option<String>,
}

/// Every seat of a section with its status.
#[utoipa::path(
    get,
    path = "/admin/shows/{id}/seats",
    params(
        ("id" = String, Path, description = "The show."),
        ("section" = String, Query, description = "The section."),
    ),
    responses((status = 200, description = "The seats, in order.", body = body::Seats)),
    security(("internal_token" = [])),
)]
async fn seats(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(query): Query<SectionQuery>,
    headers: HeaderMap,
) -> Result<Json<body::Seats>, Reply> {
    let section = query.section.unwrap_or_default();
    seats_of(&service, &id, &section).await.map_err(refused("list seats", &trace_of(&headers)))
}

async fn seats_of(service: &Service, id: &str, section: &str) -> Result<Json<body::Seats>, Refusal> {
    let id = vocabulary::required(ShowId::parse, "event_id", id)?;
    let section = vocabulary::required(SectionId::parse, "section", section)?;
    let views = service.seats(&id, &section).await.map_err(about(&id, Some(&section)))?;
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

/// Takes free seats off sale.
#[utoipa::path(
    post,
    path = "/admin/shows/{id}/block",
    params(("id" = String, Path, description = "The show.")),
    request_body = body::SeatList,
    responses((status = 200, description = "The result for each seat.", body = body::SeatsChanged)),
    security(("internal_token" = [])),
)]
async fn block(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::SeatList>,
) -> Result<Json<body::SeatsChanged>, Reply> {
    set_blocked(&service, &id, &request, true).await.map_err(refused("block seats", &trace_of(&headers)))
}

/// Puts blocked seats on sale again.
#[utoipa::path(
    post,
    path = "/admin/shows/{id}/unblock",
    params(("id" = String, Path, description = "The show.")),
    request_body = body::SeatList,
    responses((status = 200, description = "The result for each seat.", body = body::SeatsChanged)),
    security(("internal_token" = [])),
)]
async fn unblock(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::SeatList>,
) -> Result<Json<body::SeatsChanged>, Reply> {
    set_blocked(&service, &id, &request, false).await.map_err(refused("unblock seats", &trace_of(&headers)))
}

async fn set_blocked(
    service: &Service,
    id: &str,
    request: &body::SeatList,
    blocked: bool,
) -> Result<Json<body::SeatsChanged>, Refusal> {
    let id = vocabulary::required(ShowId::parse, "event_id", id)?;
    let seats = vocabulary::seat_ids(&request.seat_ids)?;
    let changes = service.set_blocked(&id, &seats, blocked).await.map_err(about(&id, None))?;
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

/// The hold of a reservation and its re-take.
#[derive(Debug, Serialize, ToSchema)]
struct Holds {
    /// The hold, then the re-take; empty without a hold.
    holds: Vec<HoldBody>,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
struct HoldBody {
    /// `LIVE`, `COMMITTED` or `RELEASED`.
    state: &'static str,
    /// The order of a committed hold, the cause of a release, or empty.
    why: String,
    /// The seats.
    seat_ids: Vec<String>,
    /// The buyer.
    user_id: String,
    /// When it was placed.
    placed_at: String,
    /// When it is due.
    hold_expires_at: String,
    /// When it was committed or released.
    resolved_at: Option<String>,
}

/// Reads the hold of a reservation and its re-take, for `tacos trace`.
#[utoipa::path(
    get,
    path = "/admin/holds/{reservation}",
    params(("reservation" = String, Path, description = "The reservation.")),
    responses((status = 200, description = "The holds.", body = Holds)),
    security(("internal_token" = [])),
)]
async fn holds(
    State(service): State<Service>,
    Path(reservation): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Holds>, Reply> {
    holds_of(&service, &reservation).await.map_err(refused("list holds", &trace_of(&headers)))
}

async fn holds_of(service: &Service, reservation: &str) -> Result<Json<Holds>, Refusal> {
    let id = vocabulary::required(ReservationId::parse, "reservation_id", reservation)?;
    let holds = service.holds_of(&id).await?;
    Ok(Json(Holds { holds: holds.iter().map(hold_to_body).collect() }))
}

fn hold_to_body(hold: &Hold) -> HoldBody {
    let (state, at, why) = match &hold.state {
        HoldState::Live => ("LIVE", None, String::new()),
        HoldState::Committed { order, at, .. } => ("COMMITTED", Some(*at), order.to_string()),
        HoldState::Released { cause, at } => ("RELEASED", Some(*at), cause.as_str().to_owned()),
    };
    HoldBody {
        state,
        why,
        seat_ids: hold.seats.iter().map(SeatId::to_string).collect(),
        user_id: hold.person.to_string(),
        placed_at: rfc3339(hold.placed_at),
        hold_expires_at: rfc3339(hold.until),
        resolved_at: at.map(rfc3339),
    }
}
