//! `gateway.v1.QueueService`. Refusals are status OK with `error` set; malformed input and outages
//! are statuses.

use super::Edge;
use crate::refusal::Refusal;
use crate::service::waiting_room::{HeldTicket, Joiner};

use contracts::error::{Code, WireError};
use contracts::gateway::v1 as proto;
use contracts::gateway::v1::queue_service_server::{QueueService, QueueServiceServer};
use contracts::rest::gateway::QueueStatus;
use contracts::time;
use contracts::vocabulary::{count, optional, required};
use core::time::Duration;
use domain::id::{PersonId, ShowId};
use ports::Trace;
use runtime::grpc::{Gate, Services, trace_of_metadata};
use runtime::http::trace_of;
use runtime::refusal::{Refusal as _, answer};
use std::sync::Arc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

/// The wait is unknown.
const UNKNOWN: i32 = -1;

pub(crate) fn services(edge: Edge) -> Services {
    // The limit of the address; over REST a layer in front of the whole API applies it.
    let limiter = edge.clone();
    let gate: Gate = Arc::new(move |headers, extensions| {
        let allowed = limiter.within_address_limit(headers, extensions);
        // A limit is always a status, whatever the response.
        let answer = allowed.map(|()| proto::GetQueueStatsResponse::default());
        runtime::refusal::answer("limit", &trace_of(headers), answer).map(drop)
    });
    Services::default().with(QueueServiceServer::new(Grpc(edge))).behind(gate)
}

struct Grpc(Edge);

type Answer<T> = Result<Response<T>, Status>;

impl Grpc {
    /// The signed-in user, by the same token as over REST.
    async fn signed_in(&self, metadata: &MetadataMap, trace: &Trace) -> Result<Option<PersonId>, Refusal> {
        self.0.signed_in(metadata.as_ref(), trace).await
    }
}

const fn status_to_proto(status: QueueStatus) -> proto::QueueStatus {
    match status {
        QueueStatus::Waiting => proto::QueueStatus::Waiting,
        QueueStatus::Ready => proto::QueueStatus::Ready,
        QueueStatus::Expired => proto::QueueStatus::Expired,
        QueueStatus::Left => proto::QueueStatus::Left,
    }
}

fn eta(seconds: Option<u64>) -> i32 {
    seconds.map_or(UNKNOWN, count)
}

#[tonic::async_trait]
impl QueueService for Grpc {
    async fn join_queue(
        &self,
        request: Request<proto::JoinQueueRequest>,
    ) -> Answer<proto::JoinQueueResponse> {
        let trace = trace_of_metadata(request.metadata());
        let joined = async {
            let signed_in = self.signed_in(request.metadata(), &trace).await?;
            let request = request.get_ref();
            let show = required(ShowId::parse, "event_id", &request.event_id)?;
            let claimed = optional(PersonId::parse, "user_id", &request.user_id)?;
            let session = optional(PersonId::parse, "session_id", &request.session_id)?;
            let joiner = match (signed_in, claimed) {
                (Some(person), Some(claimed)) if person != claimed => {
                    return Err(self.0.foreign_name(&trace));
                }
                (Some(person), _) => {
                    self.0.within_limit(&super::caller::key_of(&person))?;
                    Joiner::Person(person)
                }
                (None, Some(claimed)) => Joiner::Claimed(claimed),
                (None, None) => {
                    session.map_or(Joiner::Anybody, |session| Joiner::Keyed(session.to_string(), None))
                }
            };
            let joined = self.0.waiting_room.join(&show, &joiner, &trace).await?;
            Ok::<_, Refusal>(proto::JoinQueueResponse {
                waiting_token: joined.waiting_token,
                position_hint: count(joined.position_hint),
                eta_seconds: eta(joined.eta_sec),
                status: status_to_proto(joined.status).into(),
                ..Default::default()
            })
        };
        answer("join", &trace, joined.await)
    }

    async fn get_queue_status(
        &self,
        request: Request<proto::GetQueueStatusRequest>,
    ) -> Answer<proto::GetQueueStatusResponse> {
        let trace = trace_of_metadata(request.metadata());
        let status = async {
            let held = super::waiting_room::accept(&self.0, &request.get_ref().waiting_token, &trace).await?;
            let status = self.0.waiting_room.status(&held).await;
            let now = self.0.waiting_room.clock().now();
            let until =
                status.ready_for_sec.map(|seconds| time::to_proto(now.plus(Duration::from_secs(seconds))));
            Ok::<_, Refusal>(proto::GetQueueStatusResponse {
                status: status_to_proto(status.status).into(),
                position: count(status.position),
                eta_seconds: eta(status.eta_sec),
                admission_ready: status.ready_for_entry,
                expires_at: until,
                error: None,
            })
        };
        answer("status", &trace, status.await)
    }

    async fn request_admission(
        &self,
        request: Request<proto::RequestAdmissionRequest>,
    ) -> Answer<proto::RequestAdmissionResponse> {
        let trace = trace_of_metadata(request.metadata());
        let entered = async {
            let signed_in = self.signed_in(request.metadata(), &trace).await?;
            let request = request.get_ref();
            let held = super::waiting_room::accept(&self.0, &request.waiting_token, &trace).await?;
            held.is_of(&request.event_id, &request.user_id).inspect_err(|refusal| {
                self.0.waiting_room.record_foreign("ticket_foreign", refusal, &trace)
            })?;
            let entered = self.0.waiting_room.enter(&held, signed_in.as_ref(), &trace).await?;
            let until = self.0.waiting_room.clock().now().plus(Duration::from_secs(entered.ttl_sec));
            Ok::<_, Refusal>(proto::RequestAdmissionResponse {
                admission: proto::AdmissionStatus::Granted.into(),
                reservation_token: entered.reservation_token,
                ttl_seconds: count(entered.ttl_sec),
                valid_until: Some(time::to_proto(until)),
                error: None,
            })
        };
        let entered = match entered.await {
            Err(refusal @ Refusal::Gone { .. }) => Ok(proto::RequestAdmissionResponse {
                admission: proto::AdmissionStatus::Expired.into(),
                error: Some(refusal.reply().traced(&trace).error().to_proto()),
                ..Default::default()
            }),
            entered => entered,
        };
        answer("enter", &trace, entered)
    }

    async fn leave_queue(
        &self,
        request: Request<proto::LeaveQueueRequest>,
    ) -> Answer<proto::LeaveQueueResponse> {
        let trace = trace_of_metadata(request.metadata());
        let left = async {
            let held = super::waiting_room::accept(&self.0, &request.get_ref().waiting_token, &trace).await?;
            self.0.waiting_room.leave(&held).await?;
            let now = self.0.waiting_room.clock().now();
            Ok::<_, Refusal>(proto::LeaveQueueResponse {
                success: true,
                left_at: Some(time::to_proto(now)),
                error: None,
            })
        };
        answer("leave", &trace, left.await)
    }

    /// The lines that are open at this gateway, or the requested one.
    async fn get_queue_stats(
        &self,
        request: Request<proto::GetQueueStatsRequest>,
    ) -> Answer<proto::GetQueueStatsResponse> {
        let trace = trace_of_metadata(request.metadata());
        let stats = async {
            let waiting_room = &self.0.waiting_room;
            let asked = optional(ShowId::parse, "event_id", &request.get_ref().event_id)?;
            let rooms = match asked {
                Some(show) => vec![(show.clone(), waiting_room.room(&show, &trace).await?)],
                None => waiting_room.rooms(),
            };
            let mut system = proto::SystemQueueStats::default();
            let (mut used, mut capacity, mut newest) = (0.0_f64, 0.0_f64, None);
            let mut events = Vec::new();
            for (show, room) in rooms {
                let view = room.view();
                let totals = view.snapshot.totals;
                let pace = view.pace().unwrap_or_default();
                used += pace;
                capacity += f64::from(view.snapshot.rules.rate);
                newest = newest.max(Some(view.snapshot.at));
                system.total_active_queues += 1;
                system.total_waiting_users = system.total_waiting_users.saturating_add(count(totals.waiting));
                system.total_admitted_users =
                    system.total_admitted_users.saturating_add(count(totals.entered));
                events.push(proto::EventQueueStats {
                    event_id: show.to_string(),
                    total_waiting: count(totals.waiting),
                    total_admitted: count(totals.entered),
                    admission_rate_per_minute: count((pace * 60.0) as u64),
                    average_wait_time_seconds: view
                        .wait(totals.waiting)
                        .map_or(UNKNOWN, |wait| count(wait.as_secs())),
                    last_updated: Some(time::to_proto(view.snapshot.at)),
                });
            }
            system.average_admission_rate = used as f32;
            system.system_capacity_percentage =
                if capacity > 0.0 { (used / capacity * 100.0) as i32 } else { 0 };
            system.last_updated = newest.map(time::to_proto);
            Ok::<_, Refusal>(proto::GetQueueStatsResponse { events, system: Some(system), error: None })
        };
        answer("stats", &trace, stats.await)
    }
}

impl HeldTicket {
    /// Checks the show and the person that the caller names besides the ticket; an empty one is not
    /// checked.
    fn is_of(&self, show: &str, person: &str) -> Result<(), Refusal> {
        let is_show = show.is_empty() || show == self.show().as_str();
        let named =
            self.key().split_once(':').filter(|(kind, _)| matches!(*kind, "u" | "c")).map(|(_, name)| name);
        let is_person = person.is_empty() || named.is_none_or(|name| name == person);
        match (is_show, is_person) {
            (false, _) => Err(WireError::invalid("event_id", "this ticket is for another show").into()),
            (_, false) => Err(Refusal::new(Code::Forbidden, "this ticket is another person's")),
            _ => Ok(()),
        }
    }
}
