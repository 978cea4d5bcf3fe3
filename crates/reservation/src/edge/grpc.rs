//! The gRPC edge. Business refusals are in the response's `error` with status OK; malformed input
//! and outages are gRPC statuses (docs/contracts.md#grpc).

use crate::refusal::Refusal;
use crate::request::Create;
use crate::service::{Listing, Page, Service};
use contracts::common::v1 as common;
use contracts::error::WireError;
use contracts::reservation::v1 as proto;
use contracts::reservation::v1::reservation_service_server::{ReservationService, ReservationServiceServer};
use contracts::reservation_wire::reservation_to_proto;
use contracts::time;
use contracts::vocabulary::{
    money_to_proto, optional, required, reservation_status_from_proto, reservation_status_to_proto,
    seat_to_proto,
};
use domain::id::{PaymentIntentId, PersonId, ReservationId, ShowId};
use domain::reservation::Reservation;
use ports::Trace;
use runtime::Refusal as _;
use runtime::grpc::{Services, trace_of_metadata};
use runtime::refusal::answer;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

/// The routes of this process.
pub(crate) fn services(service: Service) -> Services {
    Services::default().with(ReservationServiceServer::new(Edge(service)))
}

struct Edge(Service);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ReservationService for Edge {
    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Answer<proto::CreateReservationResponse> {
        let (trace, request) = opened(request);
        let placed = async { self.0.create(&Create::from_proto(&request)?, &trace).await }.await;
        let recorded = placed.as_ref().is_ok_and(|answer| answer.recorded);
        let response = answer(
            "create",
            &trace,
            placed.map(|answer| {
                let placed = answer.placed;
                proto::CreateReservationResponse {
                    reservation_id: placed.id.to_string(),
                    status: proto::ReservationStatus::Hold as i32,
                    hold_expires_at: Some(time::to_proto(placed.hold_expires_at)),
                    reserved_seats: placed.seats.iter().map(seat_to_proto).collect(),
                    total_amount: Some(money_to_proto(&placed.total)),
                    ..Default::default()
                }
            }),
        );
        response.map(|mut response| {
            if recorded {
                response.metadata_mut().insert(contracts::wire::RECORDED, MetadataValue::from_static("true"));
            }
            response
        })
    }

    async fn get_reservation(
        &self,
        request: Request<proto::GetReservationRequest>,
    ) -> Answer<proto::GetReservationResponse> {
        let (trace, request) = opened(request);
        let read =
            async { self.0.get(&id(&request.reservation_id)?, person(&request.user_id)?.as_ref()).await };
        answer(
            "get",
            &trace,
            read.await.map(|stored| proto::GetReservationResponse {
                reservation: Some(reservation_to_proto(&stored.reservation)),
                error: None,
            }),
        )
    }

    async fn confirm_reservation(
        &self,
        request: Request<proto::ConfirmReservationRequest>,
    ) -> Answer<proto::ConfirmReservationResponse> {
        let (trace, request) = opened(request);
        let confirmed = async {
            let intent = optional(PaymentIntentId::parse, "payment_intent_id", &request.payment_intent_id)?;
            let (id, person) = (id(&request.reservation_id)?, person(&request.user_id)?);
            self.0.confirm(&id, intent.as_ref(), person.as_ref(), &trace).await
        };
        answer(
            "confirm",
            &trace,
            confirmed.await.map(|reservation| proto::ConfirmReservationResponse {
                order_id: reservation.order.as_ref().map(ToString::to_string).unwrap_or_default(),
                status: reservation_status_to_proto(reservation.status) as i32,
                confirmed_at: Some(time::to_proto(reservation.updated_at)),
                confirmed_seats: seats(&reservation),
                error: None,
            }),
        )
    }

    async fn cancel_reservation(
        &self,
        request: Request<proto::CancelReservationRequest>,
    ) -> Answer<proto::CancelReservationResponse> {
        let (trace, request) = opened(request);
        let cancelled = async {
            let (id, person) = (id(&request.reservation_id)?, person(&request.user_id)?);
            self.0.cancel(&id, person.as_ref(), &trace).await
        };
        answer(
            "cancel",
            &trace,
            cancelled.await.map(|reservation| proto::CancelReservationResponse {
                status: reservation_status_to_proto(reservation.status) as i32,
                cancelled_at: Some(time::to_proto(reservation.updated_at)),
                released_seats: seats(&reservation),
                error: None,
            }),
        )
    }

    async fn list_reservations(
        &self,
        request: Request<proto::ListReservationsRequest>,
    ) -> Answer<proto::ListReservationsResponse> {
        let (trace, request) = opened(request);
        let first = request.pagination.as_ref().is_none_or(|pagination| pagination.cursor.is_empty());
        let listed = async { self.0.list(&listing(&request)?).await };
        answer(
            "list",
            &trace,
            listed.await.map(|page| proto::ListReservationsResponse {
                page_info: Some(page_info(&page, first)),
                reservations: page.reservations.iter().map(reservation_to_proto).collect(),
                error: None,
            }),
        )
    }

    /// A hold is as long as the inventory made it when the seats were taken; nothing makes it
    /// longer. The answer says so for every reservation that the caller may see.
    async fn extend_hold(
        &self,
        request: Request<proto::ExtendHoldRequest>,
    ) -> Answer<proto::ExtendHoldResponse> {
        let (trace, request) = opened(request);
        let refused = async {
            let (id, person) = (id(&request.reservation_id)?, person(&request.user_id)?);
            let current = self.0.get(&id, person.as_ref()).await?.reservation;
            let reply = Refusal::NoExtension { current: current.status }.reply();
            Ok::<_, Refusal>(proto::ExtendHoldResponse {
                new_expires_at: Some(time::to_proto(current.hold_expires_at)),
                extended_seconds: 0,
                extension_allowed: false,
                error: Some(reply.traced(&trace).error().to_proto()),
            })
        };
        answer("extend", &trace, refused.await)
    }
}

fn opened<T>(request: Request<T>) -> (Trace, T) {
    (trace_of_metadata(request.metadata()), request.into_inner())
}

fn id(text: &str) -> Result<ReservationId, Refusal> {
    Ok(required(ReservationId::parse, "reservation_id", text)?)
}

/// The caller's person; earlier callers do not send it.
fn person(text: &str) -> Result<Option<PersonId>, Refusal> {
    Ok(optional(PersonId::parse, "user_id", text)?)
}

fn seats(reservation: &Reservation) -> Vec<common::Seat> {
    reservation_to_proto(reservation).seats
}

fn listing(request: &proto::ListReservationsRequest) -> Result<Listing, Refusal> {
    let pagination = request.pagination.clone().unwrap_or_default();
    if pagination.page > 1 && pagination.cursor.is_empty() {
        return Err(WireError::invalid("page", "read a page with the cursor of the page before").into());
    }
    let status = match request.status {
        0 => None,
        number => Some(
            reservation_status_from_proto(number)
                .ok_or_else(|| WireError::invalid("status", "no reservation has this status"))?,
        ),
    };
    Ok(Listing {
        person: required(PersonId::parse, "user_id", &request.user_id)?,
        status,
        show: optional(ShowId::parse, "event_id", &request.event_id)?,
        page_size: usize::try_from(pagination.page_size)
            .map_err(|_| WireError::invalid("page_size", "page_size must not be negative"))?,
        cursor: pagination.cursor,
    })
}

/// The page's position in the list. The total is only known when one page holds all reservations.
fn page_info(page: &Page, first: bool) -> common::PageInfo {
    let only = first && page.next.is_none();
    common::PageInfo {
        total_count: if only { i32::try_from(page.reservations.len()).unwrap_or(i32::MAX) } else { 0 },
        has_next_page: page.next.is_some(),
        has_previous_page: !first,
        next_cursor: page.next.clone().unwrap_or_default(),
        previous_cursor: String::new(),
    }
}
