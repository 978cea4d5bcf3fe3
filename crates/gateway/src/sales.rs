//! Reservations and payments: each request becomes one call to a service behind the gateway, in the
//! name of the signed-in user.

use crate::backends::{Answer, Sales};
use crate::metrics::GatewayMetrics;
use crate::refusal::Refusal;
use contracts::common::v1 as common;
use contracts::error::{Code, WireError};
use contracts::payment::v1 as payment;
use contracts::reservation::v1 as reservation;
use contracts::rest::gateway as body;
use contracts::time;
use contracts::vocabulary::{optional, required, seat_ids};
use core::time::Duration;
use domain::id::{PaymentIntentId, PersonId, ReservationId, SectionId, ShowId};
use domain::time::Timestamp;
use ports::{CallContext, Clock, FaultClass, PortError, Trace};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest Idempotency-Key, in bytes.
const KEY_BYTES_MAX: usize = 128;
/// The longest reason for a cancellation, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// The services behind the gateway.
#[derive(Clone)]
pub(crate) struct Desk {
    sales: Arc<dyn Sales>,
    clock: Arc<dyn Clock>,
    metrics: GatewayMetrics,
    limit: Duration,
    running: Arc<Mutex<HashSet<(PersonId, String)>>>,
}

impl Desk {
    pub(crate) fn new(
        sales: Arc<dyn Sales>,
        clock: Arc<dyn Clock>,
        metrics: GatewayMetrics,
        limit: Duration,
    ) -> Self {
        Self { sales, clock, metrics, limit, running: Arc::default() }
    }

    /// Holds seats; the flag says whether an earlier request under the key recorded this answer.
    /// reservation-api keeps the key with the reservation, so it survives gateways, crashes and
    /// restarts. The gateway only refuses a second request that runs at the same time.
    pub(crate) async fn reserve(
        &self,
        person: &PersonId,
        key: &str,
        request: body::Reserve,
        trace: &Trace,
    ) -> Result<(body::Reserved, bool), Refusal> {
        let show = required(ShowId::parse, "event_id", &request.event_id)?;
        let quantity = i32::try_from(request.quantity.unwrap_or_default())
            .map_err(|_| WireError::invalid("quantity", "quantity is out of range"))?;
        // Free text that is too long for the next hop is refused here.
        seat_ids(&request.seat_ids)?;
        optional(SectionId::parse, "section", request.section.as_deref().unwrap_or_default())?;
        let pass = request.reservation_token.unwrap_or_default();
        if pass.len() > contracts::pass::BYTES_MAX {
            return Err(Refusal::new(Code::Forbidden, "reservation_token is not a pass of the waiting room"));
        }
        let _running = self.begin(person, key)?;
        let message = reservation::CreateReservationRequest {
            event_id: request.event_id,
            seat_ids: request.seat_ids,
            quantity,
            section: request.section.unwrap_or_default(),
            user_id: person.to_string(),
            reservation_token: pass,
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.sales.create_reservation(&cx, message);
        let called = self.call("reservation", "CreateReservation", called, trace).await;
        let (answer, recorded) = self.counted(called)?;
        let until = answer.hold_expires_at.as_ref().and_then(time::from_proto).unwrap_or(Timestamp::EPOCH);
        let total = answer.total_amount.unwrap_or_default();
        let reserved = body::Reserved {
            reservation_id: answer.reservation_id,
            status: "HOLD".to_owned(),
            event_id: show.to_string(),
            quantity: answer.reserved_seats.len() as u64,
            seat_ids: ids(answer.reserved_seats),
            hold_expires_at: time::rfc3339(until),
            hold_expires_in_ms: self.left(until),
            total_amount: total.amount,
            currency: total.currency,
        };
        Ok((reserved, recorded))
    }

    /// Reads the person's own reservation.
    pub(crate) async fn reservation(
        &self,
        person: &PersonId,
        id: &str,
        trace: &Trace,
    ) -> Result<body::Reservation, Refusal> {
        let id = required(ReservationId::parse, "reservation_id", id)?;
        let message = reservation::GetReservationRequest {
            reservation_id: id.to_string(),
            user_id: person.to_string(),
        };
        let cx = self.context(trace);
        let called = self.sales.get_reservation(&cx, message);
        let answer = self.call("reservation", "GetReservation", called, trace).await?;
        let missing = || Refusal::new(Code::UpstreamError, "the reservation service gave no reservation");
        let seen = answer.reservation.ok_or_else(missing)?;
        let at = |time: &Option<_>| time.as_ref().and_then(time::from_proto).unwrap_or(Timestamp::EPOCH);
        let until = at(&seen.hold_expires_at);
        let status = seen.status().as_str_name().trim_start_matches("RESERVATION_STATUS_").to_owned();
        let total = seen.total_amount.unwrap_or_default();
        let some = |text: String| (!text.is_empty()).then_some(text);
        Ok(body::Reservation {
            reservation_id: seen.reservation_id,
            event_id: seen.event_id,
            user_id: seen.user_id,
            hold_expires_in_ms: if status == "HOLD" { self.left(until) } else { 0 },
            status,
            seat_ids: ids(seen.seats),
            quantity: seen.quantity.max(0) as u64,
            total_price: total.amount,
            currency: total.currency,
            hold_expires_at: time::rfc3339(until),
            created_at: time::rfc3339(at(&seen.created_at)),
            updated_at: time::rfc3339(at(&seen.updated_at)),
            order_id: some(seen.order_id),
            payment_intent_id: some(seen.payment_intent_id),
        })
    }

    /// Confirms a paid reservation. Without an intent, the one that the reservation records is
    /// used.
    pub(crate) async fn confirm(
        &self,
        person: &PersonId,
        id: &str,
        intent: Option<String>,
        trace: &Trace,
    ) -> Result<contracts::rest::reservation::Confirmed, Refusal> {
        let id = required(ReservationId::parse, "reservation_id", id)?;
        let intent = match intent.filter(|intent| !intent.is_empty()) {
            Some(intent) => required(PaymentIntentId::parse, "payment_intent_id", &intent)?.to_string(),
            None => {
                let seen = self.reservation(person, id.as_str(), trace).await?;
                match (seen.payment_intent_id, seen.order_id) {
                    (Some(intent), _) => intent,
                    (None, Some(order_id)) if seen.status == "CONFIRMED" => {
                        return Ok(contracts::rest::reservation::Confirmed { order_id, status: seen.status });
                    }
                    _ => return Err(unpaid(&seen.status)),
                }
            }
        };
        let message = reservation::ConfirmReservationRequest {
            reservation_id: id.to_string(),
            payment_intent_id: intent,
            user_id: person.to_string(),
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.sales.confirm_reservation(&cx, message);
        let answer = self.call("reservation", "ConfirmReservation", called, trace).await?;
        Ok(contracts::rest::reservation::Confirmed {
            order_id: answer.order_id,
            status: "CONFIRMED".to_owned(),
        })
    }

    /// Gives the seats back.
    pub(crate) async fn cancel(
        &self,
        person: &PersonId,
        id: &str,
        reason: Option<String>,
        trace: &Trace,
    ) -> Result<contracts::rest::reservation::StatusOnly, Refusal> {
        let id = required(ReservationId::parse, "reservation_id", id)?;
        let reason = reason.unwrap_or_default();
        if reason.len() > REASON_BYTES_MAX {
            let words = format!("reason is {} bytes long; {REASON_BYTES_MAX} is the most", reason.len());
            return Err(WireError::invalid("reason", words).into());
        }
        let message = reservation::CancelReservationRequest {
            reservation_id: id.to_string(),
            user_id: person.to_string(),
            reason,
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.sales.cancel_reservation(&cx, message);
        self.call("reservation", "CancelReservation", called, trace).await?;
        Ok(contracts::rest::reservation::StatusOnly { status: "CANCELLED".to_owned() })
    }

    /// Opens a payment of the person's own reservation, over its price; the flag says whether the
    /// answer was recorded before. The provider keeps the key with the payment. A reservation that
    /// is not held any more opens no payment, whatever the key.
    pub(crate) async fn intent(
        &self,
        person: &PersonId,
        key: Option<&str>,
        request: body::Intent,
        trace: &Trace,
    ) -> Result<(body::IntentMade, bool), Refusal> {
        let _running = key.map(|key| self.begin(person, key)).transpose()?;
        let scenario = match request.scenario.as_deref() {
            None | Some("APPROVE") => payment::PaymentScenario::Approve,
            Some("FAIL") => payment::PaymentScenario::Fail,
            Some("DELAY") => payment::PaymentScenario::Delay,
            Some("RANDOM") => payment::PaymentScenario::Random,
            Some("TIMEOUT") => payment::PaymentScenario::Timeout,
            Some(_) => {
                let words = "scenario must be APPROVE, FAIL, DELAY, RANDOM or TIMEOUT";
                return Err(WireError::invalid("scenario", words).into());
            }
        };
        let currency = request.currency.unwrap_or_else(|| "KRW".to_owned());
        let reservation = self.reservation(person, &request.reservation_id, trace).await?;
        if (request.amount, &currency) != (reservation.total_price, &reservation.currency) {
            let (total, currency) = (reservation.total_price, &reservation.currency);
            let words = format!("amount must be the reservation's total, {total} {currency}");
            return Err(WireError::invalid("amount", words).into());
        }
        if reservation.status != "HOLD" {
            let words = format!("the reservation is {}: it cannot be paid", reservation.status);
            return Err(Refusal::new(Code::FailedPrecondition, words).with_status(http::StatusCode::CONFLICT));
        }
        let message = payment::CreatePaymentIntentRequest {
            reservation_id: request.reservation_id,
            amount: Some(common::Money { amount: request.amount, currency }),
            user_id: person.to_string(),
            scenario: scenario.into(),
            idempotency_key: key.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.sales.create_payment_intent(&cx, message);
        let called = self.call("payment", "CreatePaymentIntent", called, trace).await;
        let (answer, recorded) = self.counted(called)?;
        let made = body::IntentMade {
            payment_intent_id: answer.payment_intent_id,
            status: "PENDING".to_owned(),
            next: "webhook".to_owned(),
        };
        Ok((made, recorded))
    }

    /// Decides the person's own payment and returns its status. A decided payment does not change.
    pub(crate) async fn process(
        &self,
        person: &PersonId,
        request: &body::Process,
        trace: &Trace,
    ) -> Result<contracts::rest::reservation::StatusOnly, Refusal> {
        let target = match request.action.as_str() {
            "approve" => payment::PaymentStatus::Completed,
            "fail" => payment::PaymentStatus::Failed,
            _ => return Err(WireError::invalid("action", "action must be approve or fail").into()),
        };
        let before = self.payment(person, &request.payment_intent_id, trace).await?;
        if before.status != "PENDING" {
            return Ok(contracts::rest::reservation::StatusOnly { status: before.status });
        }
        let message = payment::SimulateWebhookRequest {
            payment_intent_id: request.payment_intent_id.clone(),
            target_status: target.into(),
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.sales.simulate_webhook(&cx, message);
        self.call("payment", "SimulateWebhook", called, trace).await?;
        let after = self.payment(person, &request.payment_intent_id, trace).await?;
        Ok(contracts::rest::reservation::StatusOnly { status: after.status })
    }

    /// Reads the person's own payment.
    pub(crate) async fn payment(
        &self,
        person: &PersonId,
        intent: &str,
        trace: &Trace,
    ) -> Result<body::Payment, Refusal> {
        let intent = required(PaymentIntentId::parse, "payment_intent_id", intent)?;
        let message = payment::GetPaymentStatusRequest {
            payment_intent_id: intent.to_string(),
            user_id: person.to_string(),
        };
        let cx = self.context(trace);
        let called = self.sales.get_payment_status(&cx, message);
        let answer = self.call("payment", "GetPaymentStatus", called, trace).await?;
        let missing = || Refusal::new(Code::UpstreamError, "the payment provider gave no payment");
        let seen = answer.payment.ok_or_else(missing)?;
        let status = seen.status().as_str_name().trim_start_matches("PAYMENT_STATUS_").to_owned();
        let amount = seen.amount.unwrap_or_default();
        Ok(body::Payment {
            payment_intent_id: seen.payment_intent_id,
            status,
            amount: amount.amount,
            currency: amount.currency,
            reservation_id: seen.reservation_id,
        })
    }

    async fn call<T>(
        &self,
        service: &'static str,
        method: &'static str,
        call: impl Future<Output = Answer<T>>,
        trace: &Trace,
    ) -> Result<T, Refusal> {
        let start = self.clock.elapsed();
        let answer = call.await;
        let took = self.clock.elapsed() - start;
        let (code, answer) = match answer {
            Ok(answer) => ("OK", Ok(answer)),
            Err(PortError::Rejected(error)) => (error.code.as_str(), Err(refused(error))),
            Err(PortError::Failed(fault)) if fault.class == FaultClass::Unavailable && took >= self.limit => {
                tracing::warn!(
                    service,
                    method,
                    trace_id = trace.trace_id.as_deref(),
                    error = fault.chain(),
                    "call behind the gateway timed out"
                );
                (
                    Code::UpstreamTimeout.as_str(),
                    Err(Refusal::new(
                        Code::UpstreamTimeout,
                        "the answer took too long; try again with the same Idempotency-Key",
                    )
                    .after(Duration::from_secs(1))),
                )
            }
            Err(PortError::Failed(fault)) => {
                let code = match fault.class {
                    FaultClass::Unavailable => Code::Unavailable,
                    _ => Code::UpstreamError,
                };
                (code.as_str(), Err(Refusal::failed(method, &fault, trace)))
            }
        };
        self.metrics.backend(service, method, code, took);
        answer
    }

    /// Counts an answer under a key.
    fn counted<T>(&self, answer: Result<(T, bool), Refusal>) -> Result<(T, bool), Refusal> {
        match &answer {
            Ok((_, true)) => self.metrics.idempotency("replayed"),
            Err(no) if no.code() == Code::IdempotencyConflict => self.metrics.idempotency("conflict"),
            Ok((_, false)) | Err(_) => {}
        }
        answer
    }

    /// Allows one request under a key at a time; dropping the guard ends it.
    fn begin(&self, person: &PersonId, key: &str) -> Result<Running, Refusal> {
        let entry = (person.clone(), key.to_owned());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(entry.clone()) {
            self.metrics.idempotency("running");
            let message = "the request under this Idempotency-Key is still running";
            return Err(Refusal::new(Code::IdempotencyConflict, message).after(Duration::from_secs(1)));
        }
        Ok(Running { all: Arc::clone(&self.running), entry })
    }

    fn left(&self, until: Timestamp) -> u64 {
        until.since(self.clock.now()).as_millis() as u64
    }

    fn context(&self, trace: &Trace) -> CallContext {
        CallContext { trace: trace.clone(), timeout: Some(self.limit) }
    }
}

struct Running {
    all: Arc<Mutex<HashSet<(PersonId, String)>>>,
    entry: (PersonId, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
    }
}

/// Over REST a failed precondition is 409 Conflict.
fn refused(error: WireError) -> Refusal {
    let retry = matches!(
        error.code,
        Code::ConcurrentModification | Code::Unavailable | Code::UpstreamTimeout | Code::UpstreamError
    );
    let is_state = error.code == Code::FailedPrecondition;
    let refusal = Refusal::from(error);
    let refusal = if is_state { refusal.with_status(http::StatusCode::CONFLICT) } else { refusal };
    if retry { refusal.after(Duration::from_secs(1)) } else { refusal }
}

/// Why a reservation without a known payment is not confirmed.
fn unpaid(status: &str) -> Refusal {
    match status {
        "EXPIRED" => Refusal::new(Code::ReservationExpired, "the hold has run out"),
        "HOLD" | "PENDING" => Refusal::new(
            Code::PaymentNotApproved,
            "no payment of this reservation is approved; name payment_intent_id",
        ),
        status => {
            let words = format!("the reservation is {status}: it cannot be confirmed");
            Refusal::new(Code::FailedPrecondition, words).with_status(http::StatusCode::CONFLICT)
        }
    }
}

fn ids(seats: Vec<common::Seat>) -> Vec<String> {
    seats.into_iter().map(|seat| seat.id).collect()
}

/// Checks the Idempotency-Key of a request: 1 to 128 printable ASCII characters.
pub(crate) fn key(given: Option<&http::HeaderValue>) -> Result<Option<&str>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    let text = given.as_bytes();
    let fine =
        (1..=KEY_BYTES_MAX).contains(&text.len()) && text.iter().all(|byte| (b' '..=b'~').contains(byte));
    match given.to_str() {
        Ok(text) if fine => Ok(Some(text)),
        _ => {
            let message =
                format!("the Idempotency-Key must be 1 to {KEY_BYTES_MAX} printable ASCII characters");
            Err(WireError::invalid("idempotency_key", message).into())
        }
    }
}
