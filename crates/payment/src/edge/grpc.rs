//! `payment.v1.PaymentService`.
//!
//! The provider's refusals are status OK with `error` set; malformed input and outages are gRPC
//! statuses. A decline is neither: it is a payment with status FAILED.

use crate::refusal::Refusal;
use crate::service::{CreateIntent, ListPayments, Service, SimulateWebhook};
use contracts::IdempotencyKey;
use contracts::error::{CarriesError, WireError};
use contracts::payment::v1 as proto;
use contracts::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use contracts::payment_wire as wire;
use contracts::vocabulary::{money_from_proto, optional, required};
use contracts::{common, time};
use core::time::Duration;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::payment::{Outcome, Scenario, Status as PaymentStatus};
use ports::Trace;
use runtime::grpc::{Services, trace_of_metadata};
use std::sync::Arc;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

mod view;

pub(crate) fn services(service: Service) -> Services {
    Services::default().with(PaymentServiceServer::new(Edge(service)))
}

struct Edge(Service);

type Answer<T> = Result<Response<T>, Status>;

fn answer<T: CarriesError>(operation: &'static str, trace: &Trace, result: Result<T, Refusal>) -> Answer<T> {
    runtime::refusal::answer(operation, trace, result)
}

#[tonic::async_trait]
impl PaymentService for Edge {
    async fn create_payment_intent(
        &self,
        request: Request<proto::CreatePaymentIntentRequest>,
    ) -> Answer<proto::CreatePaymentIntentResponse> {
        let trace = trace_of_metadata(request.metadata());
        let mut is_recorded = false;
        let result = async {
            let (row, recorded) = self.0.create(create_from_proto(request.into_inner())?, &trace).await?;
            is_recorded = recorded;
            Ok(proto::CreatePaymentIntentResponse {
                payment_intent_id: row.payment.intent.to_string(),
                status: wire::status_to_proto(row.payment.status) as i32,
                ..Default::default()
            })
        };
        let mut response = answer("create_payment_intent", &trace, result.await)?;
        if is_recorded {
            response.metadata_mut().insert(contracts::wire::RECORDED, MetadataValue::from_static("true"));
        }
        Ok(response)
    }

    async fn process_payment(
        &self,
        request: Request<proto::ProcessPaymentRequest>,
    ) -> Answer<proto::ProcessPaymentResponse> {
        let trace = trace_of_metadata(request.metadata());
        let result = async {
            // `payment_details` is dropped here: the scenario decides, and card data must not be
            // kept.
            let intent = intent(&request.get_ref().payment_intent_id)?;
            Ok(view::processed(&self.0.process(&intent, &trace).await?))
        };
        answer("process_payment", &trace, result.await)
    }

    async fn get_payment_status(
        &self,
        request: Request<proto::GetPaymentStatusRequest>,
    ) -> Answer<proto::GetPaymentStatusResponse> {
        let trace = trace_of_metadata(request.metadata());
        let result = async {
            let (intent, person) = wire::get_from_proto(request.get_ref())?;
            let row = self.0.get(&intent).await?;
            // A payment of another person is answered like one that does not exist. Anybody may
            // read a payment without a payer.
            if person.is_some() && row.payment.person.is_some() && person != row.payment.person {
                return Err(Refusal::NoSuchPayment(intent));
            }
            Ok(proto::GetPaymentStatusResponse { payment: Some(view::payment(&row)), error: None })
        };
        answer("get_payment_status", &trace, result.await)
    }

    async fn cancel_payment(
        &self,
        request: Request<proto::CancelPaymentRequest>,
    ) -> Answer<proto::CancelPaymentResponse> {
        let trace = trace_of_metadata(request.metadata());
        let result = async {
            let (command, amount) = wire::cancel_from_proto(request.get_ref())?;
            let done = self.0.cancel_payment(&command, amount.as_ref()).await?;
            Ok(wire::cancel_response(&command.intent, Ok((&done.cancelled, &done.price.currency, done.at))))
        };
        answer("cancel_payment", &trace, result.await)
    }

    async fn list_payments(
        &self,
        request: Request<proto::ListPaymentsRequest>,
    ) -> Answer<proto::ListPaymentsResponse> {
        let trace = trace_of_metadata(request.metadata());
        let result = async {
            let request = list_from_proto(request.into_inner())?;
            let page = self.0.list(&request).await?;
            Ok(proto::ListPaymentsResponse {
                payments: page.payments.iter().map(view::payment).collect(),
                page_info: Some(common::v1::PageInfo {
                    // Not counted: that would read every payment.
                    total_count: 0,
                    has_next_page: page.next.is_some(),
                    has_previous_page: request.cursor.is_some(),
                    next_cursor: page.next.unwrap_or_default(),
                    previous_cursor: String::new(),
                }),
                error: None,
            })
        };
        answer("list_payments", &trace, result.await)
    }

    async fn simulate_webhook(
        &self,
        request: Request<proto::SimulateWebhookRequest>,
    ) -> Answer<proto::SimulateWebhookResponse> {
        let trace = trace_of_metadata(request.metadata());
        let result = async {
            let done = self.0.simulate(&simulate_from_proto(request.get_ref())?, &trace).await?;
            Ok(proto::SimulateWebhookResponse {
                webhook_sent: done.webhook.is_some(),
                webhook_id: done.webhook.map(|id| id.to_string()).unwrap_or_default(),
                scheduled_at: done.effect.then(|| time::to_proto(done.at)),
                error: None,
            })
        };
        answer("simulate_webhook", &trace, result.await)
    }
}

fn intent(text: &str) -> Result<PaymentIntentId, WireError> {
    required(PaymentIntentId::parse, "payment_intent_id", text)
}

fn some_text(text: String) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn create_from_proto(request: proto::CreatePaymentIntentRequest) -> Result<CreateIntent, Refusal> {
    let Some(amount) = &request.amount else { return Err(Refusal::invalid("amount", "amount is missing")) };
    let Some(amount) = money_from_proto(amount) else {
        return Err(Refusal::invalid(
            "amount",
            "amount must not be negative, its currency is three upper-case letters",
        ));
    };
    let scenario = match request.scenario() {
        proto::PaymentScenario::Unspecified if request.scenario != 0 => {
            return Err(Refusal::invalid("scenario", "scenario is not one of this provider"));
        }
        // Earlier callers name the scenario here.
        proto::PaymentScenario::Unspecified => {
            request.metadata.as_ref().map(proto::PaymentMetadata::scenario)
        }
        said => Some(said),
    };
    let Ok(method) = proto::PaymentMethod::try_from(request.method) else {
        return Err(Refusal::invalid("method", "method is not one of this provider"));
    };
    Ok(CreateIntent {
        reservation: required(ReservationId::parse, "reservation_id", &request.reservation_id)?,
        amount,
        person: optional(PersonId::parse, "user_id", &request.user_id)?,
        method,
        scenario: match scenario.unwrap_or_default() {
            proto::PaymentScenario::Unspecified | proto::PaymentScenario::Approve => Scenario::Approve,
            proto::PaymentScenario::Fail => Scenario::Fail,
            proto::PaymentScenario::Delay => Scenario::Delay,
            proto::PaymentScenario::Random => Scenario::Random,
            proto::PaymentScenario::Timeout => Scenario::Timeout,
        },
        webhook_url: some_text(request.webhook_url),
        idempotency_key: match request.idempotency_key.as_str() {
            "" => None,
            key => Some(IdempotencyKey::parse(key)?),
        },
        open_until: match &request.open_until {
            None => None,
            Some(at) => Some(
                time::from_proto(at)
                    .ok_or_else(|| Refusal::invalid("open_until", "open_until is not a time after 1970"))?,
            ),
        },
    })
}

fn list_from_proto(request: proto::ListPaymentsRequest) -> Result<ListPayments, Refusal> {
    let status = match request.status {
        0 => None,
        number => Some(
            wire::status_from_proto(number)
                .ok_or_else(|| Refusal::invalid("status", "status is not one of this provider"))?,
        ),
    };
    let pagination = request.pagination.unwrap_or_default();
    if pagination.page > 1 && pagination.cursor.is_empty() {
        return Err(Refusal::invalid("pagination.page", "pages are turned with next_cursor, not by number"));
    }
    Ok(ListPayments {
        person: optional(PersonId::parse, "user_id", &request.user_id)?,
        reservation: optional(ReservationId::parse, "reservation_id", &request.reservation_id)?,
        status,
        page_size: usize::try_from(pagination.page_size)
            .map_err(|_| Refusal::invalid("pagination.page_size", "page_size must not be negative"))?,
        cursor: (!pagination.cursor.is_empty()).then_some(pagination.cursor),
    })
}

fn simulate_from_proto(request: &proto::SimulateWebhookRequest) -> Result<SimulateWebhook, Refusal> {
    let outcome = match wire::status_from_proto(request.target_status) {
        Some(PaymentStatus::Captured) => Outcome::Approved,
        Some(PaymentStatus::Failed) => Outcome::Failed { error_code: "CARD_DECLINED".into() },
        _ => return Err(Refusal::invalid("target_status", "target_status must be COMPLETED or FAILED")),
    };
    let Ok(seconds) = u64::try_from(request.delay_seconds) else {
        return Err(Refusal::invalid("delay_seconds", "delay_seconds must not be negative"));
    };
    Ok(SimulateWebhook {
        intent: intent(&request.payment_intent_id)?,
        outcome,
        delay: Duration::from_secs(seconds),
        force: request.force_trigger,
    })
}
