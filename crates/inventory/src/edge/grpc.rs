//! `reservation.v1.InventoryService`. A refusal has status OK and `error` set; malformed input and
//! outages are statuses.

use crate::refusal::Refusal;
use crate::service::{Service, ShowStatus};
use contracts::common::v1 as common;
use contracts::error::WireError;
use contracts::inventory_wire::{self as wire, Subject};
use contracts::reservation::v1 as proto;
use contracts::reservation::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use contracts::{time, vocabulary};
use domain::hold::Rejection;
use domain::id::{SectionId, ShowId};
use domain::invariant::Counts;
use domain::seat::SeatStatus;
use ports::{CallContext, Clock, Inventory, PortError};
use runtime::grpc::Services;
use runtime::refusal::answer;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// One answer lists at most this many free seats: a section of 200,000 would exceed the 4 MiB that
/// clients accept.
const LISTED_MAX: usize = 1_000;

pub(crate) fn services(service: Service, clock: Arc<dyn Clock>, hold_ttl: Duration) -> Services {
    Services::default().with(InventoryServiceServer::new(Edge { service, clock, hold_ttl }))
}

struct Edge {
    service: Service,
    clock: Arc<dyn Clock>,
    hold_ttl: Duration,
}

type Answer<T> = Result<Response<T>, Status>;

fn context<T>(request: &Request<T>) -> CallContext {
    CallContext { trace: runtime::grpc::trace_of_metadata(request.metadata()), timeout: None }
}

/// Separates a decision of the service, which the response carries, from a fault.
fn decided<T>(result: Result<T, PortError<Rejection>>) -> Result<Result<T, Rejection>, Refusal> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(PortError::Rejected(rejection)) => Ok(Err(rejection)),
        Err(PortError::Failed(fault)) => Err(fault.into()),
    }
}

#[tonic::async_trait]
impl InventoryService for Edge {
    async fn reserve_seat(
        &self,
        request: Request<proto::ReserveSeatRequest>,
    ) -> Answer<proto::ReserveSeatResponse> {
        let cx = context(&request);
        answer("ReserveSeat", &cx.trace, self.hold(&cx, request.get_ref()).await)
    }

    async fn commit_reservation(
        &self,
        request: Request<proto::CommitReservationRequest>,
    ) -> Answer<proto::CommitReservationResponse> {
        let cx = context(&request);
        answer("CommitReservation", &cx.trace, self.commit(&cx, request.get_ref()).await)
    }

    async fn release_hold(
        &self,
        request: Request<proto::ReleaseHoldRequest>,
    ) -> Answer<proto::ReleaseHoldResponse> {
        let cx = context(&request);
        answer("ReleaseHold", &cx.trace, self.release(&cx, request.get_ref()).await)
    }

    async fn refuse_payment(
        &self,
        request: Request<proto::RefusePaymentRequest>,
    ) -> Answer<proto::RefusePaymentResponse> {
        let cx = context(&request);
        answer("RefusePayment", &cx.trace, self.refuse(&cx, request.get_ref()).await)
    }

    async fn check_availability(
        &self,
        request: Request<proto::CheckAvailabilityRequest>,
    ) -> Answer<proto::CheckAvailabilityResponse> {
        let trace = context(&request).trace;
        answer("CheckAvailability", &trace, self.availability(request.get_ref()).await)
    }

    async fn get_inventory_status(
        &self,
        request: Request<proto::GetInventoryStatusRequest>,
    ) -> Answer<proto::GetInventoryStatusResponse> {
        let trace = context(&request).trace;
        answer("GetInventoryStatus", &trace, self.status(request.get_ref()).await)
    }
}

struct AvailabilityQuery {
    show: ShowId,
    section: Option<SectionId>,
    seats: Vec<domain::id::SeatId>,
    quantity: u32,
}

fn availability_query(request: &proto::CheckAvailabilityRequest) -> Result<AvailabilityQuery, WireError> {
    Ok(AvailabilityQuery {
        show: vocabulary::required(ShowId::parse, "event_id", &request.event_id)?,
        section: vocabulary::optional(SectionId::parse, "section", &request.section)?,
        seats: vocabulary::seat_ids(&request.seat_ids)?,
        quantity: vocabulary::quantity(i64::from(request.quantity))?,
    })
}

/// The refusal of a call about a show, or about a section of it.
fn about<'a>(
    show: &'a ShowId,
    section: Option<&'a SectionId>,
) -> impl Fn(PortError<Rejection>) -> Refusal + 'a {
    Refusal::about(Subject { reservation: None, show: Some(show), section, seats: &[] })
}

impl Edge {
    async fn hold(
        &self,
        cx: &CallContext,
        request: &proto::ReserveSeatRequest,
    ) -> Result<proto::ReserveSeatResponse, Refusal> {
        let until = self.clock.now().plus(self.hold_ttl);
        let command = wire::hold_from_proto(request, until)?;
        let answer = decided(self.service.hold(cx, command.clone()).await)?;
        Ok(wire::hold_response(&command, answer.as_ref(), cx.trace.trace_id.as_ref())?)
    }

    async fn commit(
        &self,
        cx: &CallContext,
        request: &proto::CommitReservationRequest,
    ) -> Result<proto::CommitReservationResponse, Refusal> {
        let command = wire::commit_from_proto(request)?;
        let answer = decided(self.service.commit(cx, command.clone()).await)?;
        Ok(wire::commit_response(&command, answer.as_ref(), cx.trace.trace_id.as_ref())?)
    }

    async fn release(
        &self,
        cx: &CallContext,
        request: &proto::ReleaseHoldRequest,
    ) -> Result<proto::ReleaseHoldResponse, Refusal> {
        let command = wire::release_from_proto(request)?;
        let answer = decided(self.service.release(cx, command.clone()).await)?;
        Ok(wire::release_response(&command, answer.as_ref(), cx.trace.trace_id.as_ref())?)
    }

    async fn refuse(
        &self,
        cx: &CallContext,
        request: &proto::RefusePaymentRequest,
    ) -> Result<proto::RefusePaymentResponse, Refusal> {
        let command = wire::refuse_from_proto(request)?;
        let answer = decided(self.service.refuse(cx, command.clone()).await)?;
        Ok(wire::refuse_response(&command, answer.as_ref(), cx.trace.trace_id.as_ref())?)
    }

    /// With seats: which of them are free, and whether all are. Without seats: the free seats of a
    /// section, and whether at least `quantity` are free. The first [`LISTED_MAX`] are listed; the
    /// count is of all.
    async fn availability(
        &self,
        request: &proto::CheckAvailabilityRequest,
    ) -> Result<proto::CheckAvailabilityResponse, Refusal> {
        let query = availability_query(request)?;
        let answer = self.free_seats(&query).await;
        answer.map_err(about(&query.show, query.section.as_ref()))
    }

    async fn status(
        &self,
        request: &proto::GetInventoryStatusRequest,
    ) -> Result<proto::GetInventoryStatusResponse, Refusal> {
        let show = vocabulary::required(ShowId::parse, "event_id", &request.event_id)?;
        let section = vocabulary::optional(SectionId::parse, "section", &request.section)?;
        let status = self.service.status(&show, section.as_ref()).await;
        let status = status.map_err(about(&show, section.as_ref()))?;
        Ok(self.status_response(&status, section.as_ref()))
    }

    async fn free_seats(
        &self,
        query: &AvailabilityQuery,
    ) -> Result<proto::CheckAvailabilityResponse, PortError<Rejection>> {
        let status = self.service.status(&query.show, query.section.as_ref()).await?;
        let section = status.show.section_for(query.section.as_ref());
        let remaining = section.map_or(0, |section| status.counts[section].available);
        if !query.seats.is_empty() {
            let (views, mut unavailable) = self.service.look_up(&query.show, &query.seats).await?;
            let (free, taken): (Vec<_>, Vec<_>) =
                views.into_iter().partition(|view| view.status == SeatStatus::Available);
            unavailable.extend(taken.into_iter().map(|view| view.id));
            return Ok(proto::CheckAvailabilityResponse {
                available: unavailable.is_empty(),
                available_seats: free.iter().map(vocabulary::seat_to_proto).collect(),
                unavailable_seat_ids: unavailable.iter().map(ToString::to_string).collect(),
                remaining_in_section: vocabulary::count(remaining),
                error: None,
            });
        }
        let mut free = Vec::new();
        let mut total = 0;
        for (n, definition) in status.show.sections.iter().enumerate() {
            if section.is_none_or(|section| section == n) {
                total += status.counts[n].available;
                let views = self.service.seats(&query.show, &definition.id).await?;
                let room = LISTED_MAX - free.len();
                free.extend(views.into_iter().filter(|view| view.status == SeatStatus::Available).take(room));
            }
        }
        Ok(proto::CheckAvailabilityResponse {
            available: total >= u64::from(query.quantity.max(1)),
            available_seats: free.iter().map(vocabulary::seat_to_proto).collect(),
            unavailable_seat_ids: Vec::new(),
            remaining_in_section: vocabulary::count(total),
            error: None,
        })
    }

    fn status_response(
        &self,
        status: &ShowStatus,
        section: Option<&SectionId>,
    ) -> proto::GetInventoryStatusResponse {
        let show = &status.show;
        let mut sum = Counts::default();
        let mut sections = Vec::new();
        for (definition, counts) in show.sections.iter().zip(&status.counts) {
            if section.is_some_and(|section| *section != definition.id) {
                continue;
            }
            sum.available += counts.available;
            sum.held += counts.held;
            sum.sold += counts.sold;
            sum.blocked += counts.blocked;
            let price = common::Money {
                amount: i64::try_from(definition.price).unwrap_or(i64::MAX),
                currency: show.currency.as_str().to_owned(),
            };
            sections.push(proto::SectionInventory {
                section_id: definition.id.to_string(),
                section_name: definition.name.clone(),
                total_seats: vocabulary::count(u64::from(definition.capacity())),
                available_seats: vocabulary::count(counts.available),
                reserved_seats: vocabulary::count(counts.held),
                sold_seats: vocabulary::count(counts.sold),
                blocked_seats: vocabulary::count(counts.blocked),
                min_price: Some(price.clone()),
                max_price: Some(price),
            });
        }
        let total = sum.available + sum.held + sum.sold + sum.blocked;
        proto::GetInventoryStatusResponse {
            event: Some(common::Event {
                id: show.id.to_string(),
                name: show.name.clone(),
                total_seats: vocabulary::count(u64::from(show.total_seats())),
                remaining_seats: vocabulary::count(status.counts.iter().map(|counts| counts.available).sum()),
                ..Default::default()
            }),
            sections,
            stats: Some(proto::InventoryStats {
                total_seats: vocabulary::count(total),
                available_seats: vocabulary::count(sum.available),
                reserved_seats: vocabulary::count(sum.held),
                sold_seats: vocabulary::count(sum.sold),
                blocked_seats: vocabulary::count(sum.blocked),
                availability_percentage: sum.available as f32 * 100.0 / total.max(1) as f32,
                last_updated: Some(time::to_proto(self.clock.now())),
            }),
            error: None,
        }
    }
}
