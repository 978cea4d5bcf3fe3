//! Payments: open, decide, read.

use super::{SalesService, translate};
use crate::refusal::Refusal;
use contracts::common::v1 as common;
use contracts::error::{Code, WireError};
use contracts::payment::v1 as payment;
use contracts::rest::gateway as body;
use contracts::time;
use contracts::vocabulary::required;
use domain::id::{PaymentIntentId, PersonId};
use domain::time::Timestamp;
use ports::{FaultClass, PortError, Trace};

impl SalesService {
    /// Opens a payment of the person's own reservation, over its price; the flag says whether the
    /// answer was recorded before. The provider keeps the key with the payment. A reservation that
    /// is not held any more opens no payment; a key that opened one before still gets its answer
    /// (case M10).
    pub(crate) async fn intent(
        &self,
        person: &PersonId,
        key: Option<&str>,
        request: body::Intent,
        trace: &Trace,
    ) -> Result<(body::IntentMade, bool), Refusal> {
        let _running = key.map(|key| self.begin(person, key)).transpose()?;
        let scenario = translate::scenario(request.scenario.as_deref())?;
        let currency = request.currency.unwrap_or_else(|| "KRW".to_owned());
        let reservation = self.reservation(person, &request.reservation_id, trace).await?;
        if (request.amount, &currency) != (reservation.total_price, &reservation.currency) {
            let (total, currency) = (reservation.total_price, &reservation.currency);
            let message = format!("amount must be the reservation's total, {total} {currency}");
            return Err(WireError::invalid("amount", message).into());
        }
        let is_held = reservation.status == "HOLD";
        let over = || {
            let message = format!("the reservation is {}: it cannot be paid", reservation.status);
            Refusal::conflict(message)
        };
        if !is_held && key.is_none() {
            return Err(over());
        }
        let open_until = match is_held {
            true => time::parse_rfc3339(&reservation.hold_expires_at),
            false => Some(Timestamp::from_millis(1)),
        };
        let message = payment::CreatePaymentIntentRequest {
            reservation_id: request.reservation_id,
            amount: Some(common::Money { amount: request.amount, currency }),
            user_id: person.to_string(),
            scenario: scenario.into(),
            idempotency_key: key.unwrap_or_default().to_owned(),
            open_until: open_until.map(time::to_proto),
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.inner.sales.create_payment_intent(&cx, message);
        let called = self.call("payment", "CreatePaymentIntent", called, trace).await;
        let called = called.map_err(|no| match no.code() {
            Code::ReservationExpired if !is_held => over(),
            _ => no,
        });
        let (answer, recorded) = self.counted(called)?;
        Ok((translate::intent(answer), recorded))
    }

    /// Decides the person's own payment and returns its status. A decided payment does not change.
    pub(crate) async fn process(
        &self,
        person: &PersonId,
        request: &body::Process,
        trace: &Trace,
    ) -> Result<body::Processed, Refusal> {
        let target = match request.action.as_str() {
            "approve" => payment::PaymentStatus::Completed,
            "fail" => payment::PaymentStatus::Failed,
            _ => return Err(WireError::invalid("action", "action must be approve or fail").into()),
        };
        let before = self.payment(person, &request.payment_intent_id, trace).await?;
        if before.status != "PENDING" {
            return Ok(body::Processed { status: before.status });
        }
        let message = payment::SimulateWebhookRequest {
            payment_intent_id: request.payment_intent_id.clone(),
            target_status: target.into(),
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = async {
            match self.inner.sales.simulate_webhook(&cx, message).await {
                // A provider that knows only ProcessPayment (case P13): its own scenario decides.
                Err(PortError::Failed(fault)) if fault.class == FaultClass::Unsupported => {
                    let message = payment::ProcessPaymentRequest {
                        payment_intent_id: request.payment_intent_id.clone(),
                        ..Default::default()
                    };
                    self.inner.sales.process_payment(&cx, message).await.map(drop)
                }
                answer => answer.map(drop),
            }
        };
        self.call("payment", "SimulateWebhook", called, trace).await?;
        let after = self.payment(person, &request.payment_intent_id, trace).await?;
        Ok(body::Processed { status: after.status })
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
        let called = self.inner.sales.get_payment_status(&cx, message);
        let answer = self.call("payment", "GetPaymentStatus", called, trace).await?;
        let missing = || Refusal::new(Code::UpstreamError, "the payment provider gave no payment");
        let seen = answer.payment.ok_or_else(missing)?;
        Ok(translate::payment(seen))
    }
}
