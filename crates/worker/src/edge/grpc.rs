//! Port 8041: WorkerService. An operator runs one event by hand through the same handlers as the
//! queue's events, and reads the worker's state.
//!
//! An event by hand takes no lane: the handlers are idempotent and safe against a concurrent run of
//! the same reservation, and nothing here settles a message. The answer is the pipeline's verdict:
//! SUCCESS, SKIPPED (nothing to do), RETRY, DLQ.

use crate::metrics::WorkerMetrics;
use crate::refusal::Refusal;
use crate::service::{Done, Handled, Stop};
use crate::{Handle, operator_event};
use contracts::error::{Code, WireError};
use contracts::reservation::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use contracts::reservation::v1::{
    CompensationAction, CompensationActionType, CompensationType, GetJobStatusRequest, GetJobStatusResponse,
    HealthCheckRequest, HealthCheckResponse, JobInstance, JobInstanceStatus, JobMetrics, PaymentResultType,
    ProcessCompensationRequest, ProcessCompensationResponse, ProcessPaymentResultRequest,
    ProcessPaymentResultResponse, ProcessReservationExpiryRequest, ProcessReservationExpiryResponse,
    ProcessingStatus, WorkerStatus,
};
use contracts::time::to_proto;
use contracts::vocabulary::{count, seat_id_to_proto};
use contracts::{common, vocabulary};
use core::time::Duration;
use domain::event::{Fact, Kind};
use domain::id::{PaymentIntentId, ReservationId};
use domain::time::Timestamp;
use ports::Trace;
use runtime::grpc::{Limits, trace_of_metadata};
use runtime::refusal::answer;
use std::sync::Arc;
use tonic::{Request, Response, Status, async_trait};

/// The service of the port.
pub(crate) fn service(handle: &Handle) -> WorkerServiceServer<Edge> {
    WorkerServiceServer::new(Edge(handle.clone()))
}

/// The limits of the port. A run by hand is never cut short, like a run from the queue; then it is
/// answered.
pub(crate) fn limits(handle: &Handle) -> Limits {
    Limits { time_max: handle.handlers.run_max() + Duration::from_secs(5), ..Limits::DEFAULT }
}

pub(crate) struct Edge(Handle);

/// The result of a run by hand, as the response reports it.
struct RunAnswer {
    status: ProcessingStatus,
    next_action: String,
    error: Option<common::v1::Error>,
}

impl RunAnswer {
    fn new(handled: &Handled, trace: &Trace) -> Self {
        let (status, next_action, error) = match &handled.ending {
            Ok(Done::AlreadyCommitted | Done::EndedBefore | Done::Stale | Done::NoReservation) => {
                (ProcessingStatus::Skipped, String::new(), None)
            }
            Ok(_) => (ProcessingStatus::Success, String::new(), None),
            Err(stop @ Stop::NotYet(left)) => {
                let error = WireError::new(Code::FailedPrecondition, stop.to_string());
                (ProcessingStatus::Retry, format!("retry after {} ms", left.as_millis()), Some(error))
            }
            Err(Stop::Silent { on, .. } | Stop::NotReached { on, .. }) => {
                let error = WireError::new(Code::Unavailable, format!("{} does not answer", on.as_str()));
                (ProcessingStatus::Retry, "retry".into(), Some(error))
            }
            Err(Stop::Transient { .. } | Stop::Interrupted) => {
                let error = WireError::new(Code::UpstreamError, "the step failed; a retry may succeed");
                (ProcessingStatus::Retry, "retry".into(), Some(error))
            }
            Err(stop @ Stop::Hopeless { reason, .. }) => {
                let error = WireError::new(Code::FailedPrecondition, stop.to_string()).detail(
                    "",
                    reason.as_str().to_ascii_uppercase(),
                    "",
                );
                (ProcessingStatus::Dlq, "inspect the dead letter".into(), Some(error))
            }
        };
        let error = error.map(|error| error.traced(trace.trace_id.clone()).to_proto());
        Self { status, next_action, error }
    }
}

#[async_trait]
impl WorkerService for Edge {
    async fn process_reservation_expiry(
        &self,
        request: Request<ProcessReservationExpiryRequest>,
    ) -> Result<Response<ProcessReservationExpiryResponse>, Status> {
        let trace = trace_of_metadata(request.metadata());
        let result = self.expire(request.into_inner(), &trace).await;
        answer("process_reservation_expiry", &trace, result)
    }

    async fn process_payment_result(
        &self,
        request: Request<ProcessPaymentResultRequest>,
    ) -> Result<Response<ProcessPaymentResultResponse>, Status> {
        let trace = trace_of_metadata(request.metadata());
        let result = self.apply_payment_result(request.into_inner(), &trace).await;
        answer("process_payment_result", &trace, result)
    }

    async fn process_compensation(
        &self,
        request: Request<ProcessCompensationRequest>,
    ) -> Result<Response<ProcessCompensationResponse>, Status> {
        let trace = trace_of_metadata(request.metadata());
        let result = self.compensate(request.into_inner(), &trace).await;
        answer("process_compensation", &trace, result)
    }

    async fn health_check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let (snapshot, health) = (self.0.status(), &self.0.process.health);
        let status = if snapshot.draining {
            WorkerStatus::Terminated
        } else if !health.alive().is_ok() {
            WorkerStatus::Unhealthy
        } else if !health.ready().is_ok() {
            WorkerStatus::Degraded
        } else {
            WorkerStatus::Healthy
        };
        let last = Timestamp::from_millis(snapshot.last_at_ms);
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
            processed_events_count: count(snapshot.succeeded),
            failed_events_count: count(snapshot.buried),
            last_processed_at: (snapshot.last_at_ms > 0).then(|| to_proto(last)),
            queue_depth: count(snapshot.visible),
            started_at: Some(to_proto(self.0.started_at)),
            error: None,
        }))
    }

    async fn get_job_status(
        &self,
        request: Request<GetJobStatusRequest>,
    ) -> Result<Response<GetJobStatusResponse>, Status> {
        let r = request.into_inner();
        let (snapshot, now) = (self.0.status(), self.0.clock.now());
        let asked = |kind: &Kind| {
            let named = |text: &str| text.is_empty() || text == kind.label() || text == kind.wire();
            named(&r.job_id) && named(&r.event_type)
        };
        let jobs = Kind::ALL.into_iter().filter(asked).map(|kind| self.job(kind, &self.0.metrics)).collect();
        let runs = (snapshot.succeeded + snapshot.retried + snapshot.buried).max(1);
        Ok(Response::new(GetJobStatusResponse {
            jobs,
            metrics: Some(JobMetrics {
                total_active_jobs: count(snapshot.running as u64),
                total_events_pending: count(snapshot.visible + snapshot.waiting as u64),
                total_events_processing: count(snapshot.running as u64),
                total_events_completed: count(snapshot.succeeded),
                total_events_failed: count(snapshot.buried),
                average_processing_time_ms: (snapshot.handler_us as f64 / runs as f64 / 1e3) as f32,
                last_updated: Some(to_proto(now)),
            }),
            error: None,
        }))
    }
}

impl Edge {
    async fn expire(
        &self,
        r: ProcessReservationExpiryRequest,
        trace: &Trace,
    ) -> Result<ProcessReservationExpiryResponse, Refusal> {
        let expired_at = r.expired_at.as_ref().and_then(contracts::time::from_proto);
        let fact = Fact::ReservationExpired { expired_at };
        let hint = operator_event::hint(&r.event_id, &r.seat_ids, r.quantity)?;
        let event = operator_event::event(&r.reservation_id, fact, hint, self.0.clock.now())?;
        let handled = self.0.handlers.handle(&event, trace).await;
        let verdict = RunAnswer::new(&handled, trace);
        Ok(ProcessReservationExpiryResponse {
            status: verdict.status.into(),
            released_seats: handled.seats.iter().map(seat_id_to_proto).collect(),
            processed_at: Some(to_proto(self.0.clock.now())),
            next_action: verdict.next_action,
            error: verdict.error,
        })
    }

    async fn apply_payment_result(
        &self,
        r: ProcessPaymentResultRequest,
        trace: &Trace,
    ) -> Result<ProcessPaymentResultResponse, Refusal> {
        let intent = intent(&r.payment_intent_id)?;
        let data = r.event_data.unwrap_or_default();
        let amount = data.amount.as_ref().and_then(vocabulary::money_from_proto);
        let text = Some(data.gateway_response).filter(|text| !text.is_empty());
        let fact = match PaymentResultType::try_from(r.result_type) {
            Ok(PaymentResultType::Approved) => Fact::PaymentApproved { intent, amount },
            Ok(PaymentResultType::Failed | PaymentResultType::Cancelled) => {
                Fact::PaymentFailed { intent, amount, error_code: text.map(Into::into), error_message: None }
            }
            // A timeout does not say whether money moved, and a refund is no event of a
            // reservation.
            _ => {
                return Err(WireError::invalid("result_type", "must be APPROVED, FAILED or CANCELLED").into());
            }
        };
        let event = operator_event::event(
            &r.reservation_id,
            fact,
            operator_event::hint("", &[], 0)?,
            self.0.clock.now(),
        )?;
        let handled = self.0.handlers.handle(&event, trace).await;
        let verdict = RunAnswer::new(&handled, trace);
        let order_id = match &handled.ending {
            Ok(Done::Confirmed(order)) => order.to_string(),
            _ => String::new(),
        };
        Ok(ProcessPaymentResultResponse {
            status: verdict.status.into(),
            order_id,
            affected_seats: handled.seats.iter().map(seat_id_to_proto).collect(),
            processed_at: Some(to_proto(self.0.clock.now())),
            next_action: verdict.next_action,
            error: verdict.error,
        })
    }

    async fn compensate(
        &self,
        r: ProcessCompensationRequest,
        trace: &Trace,
    ) -> Result<ProcessCompensationResponse, Refusal> {
        let paid_by = r.context.get("payment_intent_id").map(|id| intent(id)).transpose()?;
        let (handled, action, target) = match CompensationType::try_from(r.compensation_type) {
            Ok(CompensationType::RefundPayment) => {
                let missing =
                    || WireError::invalid("context", "REFUND_PAYMENT needs context[payment_intent_id]");
                let id = vocabulary::optional(ReservationId::parse, "reservation_id", &r.reservation_id)?;
                let paid_by = paid_by.ok_or_else(missing)?;
                let handled = self.0.handlers.refund(id.as_ref(), &paid_by, trace).await;
                (handled, CompensationActionType::PaymentRefund, "payment-sim-api")
            }
            Ok(kind @ (CompensationType::ReleaseSeats | CompensationType::CancelReservation)) => {
                let handled = self.undo(&r, paid_by, trace).await?;
                let action = match kind {
                    CompensationType::ReleaseSeats => CompensationActionType::InventoryRelease,
                    _ => CompensationActionType::ReservationCancel,
                };
                (handled, action, "inventory-api")
            }
            Ok(CompensationType::CleanupOrphaned) => {
                let handled = self.undo(&r, None, trace).await?;
                (handled, CompensationActionType::InventoryRelease, "inventory-api")
            }
            _ => return Err(WireError::invalid("compensation_type", "must be one of the enum").into()),
        };
        let verdict = RunAnswer::new(&handled, trace);
        let now = self.0.clock.now();
        let description = match &handled.ending {
            Ok(done) => done.as_str().to_owned(),
            Err(stop) => stop.to_string(),
        };
        Ok(ProcessCompensationResponse {
            status: verdict.status.into(),
            actions_taken: vec![CompensationAction {
                action_type: action.into(),
                target_service: target.to_owned(),
                action_description: description,
                success: handled.ending.is_ok(),
                executed_at: Some(to_proto(now)),
            }],
            processed_at: Some(to_proto(now)),
            requires_manual_intervention: matches!(handled.ending, Err(Stop::Hopeless { .. })),
            error: verdict.error,
        })
    }

    /// Releases the seats and ends the reservation: as after a failed payment if one is named,
    /// otherwise as after the expiry, which the inventory refuses before its time.
    async fn undo(
        &self,
        r: &ProcessCompensationRequest,
        paid_by: Option<PaymentIntentId>,
        trace: &Trace,
    ) -> Result<Handled, Refusal> {
        let fact = match paid_by {
            Some(intent) => {
                let error_code =
                    Some(r.failure_reason.as_str()).filter(|text| !text.is_empty()).map(Arc::from);
                Fact::PaymentFailed { intent, amount: None, error_code, error_message: None }
            }
            None => Fact::ReservationExpired { expired_at: None },
        };
        let event = operator_event::event(
            &r.reservation_id,
            fact,
            operator_event::hint("", &[], 0)?,
            self.0.clock.now(),
        )?;
        Ok(self.0.handlers.handle(&event, trace).await)
    }

    fn job(&self, kind: Kind, metrics: &WorkerMetrics) -> JobInstance {
        let (succeeded, failed) = metrics.ended(kind);
        JobInstance {
            job_id: kind.label().to_owned(),
            worker_id: self.0.process.name.to_owned(),
            status: JobInstanceStatus::Running.into(),
            started_at: Some(to_proto(self.0.started_at)),
            completed_at: None,
            events_processed: count(succeeded),
            events_failed: count(failed),
        }
    }
}

fn intent(text: &str) -> Result<PaymentIntentId, Refusal> {
    PaymentIntentId::parse(text)
        .map_err(|why| WireError::invalid("payment_intent_id", format!("payment_intent_id {why}")).into())
}
