//! Reservations: create, read, confirm, cancel.

use super::{SalesService, translate};
use crate::refusal::Refusal;
use contracts::error::{Code, WireError};
use contracts::reservation::v1 as reservation;
use contracts::rest::gateway as body;
use contracts::vocabulary::{optional, required, reservation_status_from_proto, seat_ids};
use domain::id::{PaymentIntentId, PersonId, ReservationId, SectionId, ShowId};
use domain::reservation::Status;
use ports::Trace;

/// The longest reason for a cancellation, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

impl SalesService {
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
        let called = self.inner.sales.create_reservation(&cx, message);
        let called = self.call("reservation", "CreateReservation", called, trace).await;
        let (answer, recorded) = self.counted(called)?;
        Ok((translate::reserved(show, answer, self.inner.clock.now()), recorded))
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
        let called = self.inner.sales.get_reservation(&cx, message);
        let answer = self.call("reservation", "GetReservation", called, trace).await?;
        let missing = || Refusal::new(Code::UpstreamError, "the reservation service gave no reservation");
        let seen = answer.reservation.ok_or_else(missing)?;
        Ok(translate::reservation(seen, self.inner.clock.now()))
    }

    /// Confirms a paid reservation. Without an intent, the one that the reservation records is
    /// used. A reservation that costs nothing needs none (rules R1).
    pub(crate) async fn confirm(
        &self,
        person: &PersonId,
        id: &str,
        intent: Option<String>,
        trace: &Trace,
    ) -> Result<body::Confirmed, Refusal> {
        let id = required(ReservationId::parse, "reservation_id", id)?;
        let intent = match intent.filter(|intent| !intent.is_empty()) {
            Some(intent) => required(PaymentIntentId::parse, "payment_intent_id", &intent)?.to_string(),
            None => {
                let seen = self.reservation(person, id.as_str(), trace).await?;
                match (seen.payment_intent_id, seen.order_id) {
                    (Some(intent), _) => intent,
                    (None, Some(order_id)) if seen.status == "CONFIRMED" => {
                        return Ok(body::Confirmed { order_id, status: seen.status });
                    }
                    // An earlier service may leave the price out, and its currency with it.
                    _ if seen.total_price == 0 && !seen.currency.is_empty() => String::new(),
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
        let called = self.inner.sales.confirm_reservation(&cx, message);
        let answer = self.call("reservation", "ConfirmReservation", called, trace).await?;
        Ok(body::Confirmed { order_id: answer.order_id, status: "CONFIRMED".to_owned() })
    }

    /// Gives the seats back, for good. A reservation that had expired before stays EXPIRED.
    pub(crate) async fn cancel(
        &self,
        person: &PersonId,
        id: &str,
        reason: Option<String>,
        trace: &Trace,
    ) -> Result<body::Cancelled, Refusal> {
        let id = required(ReservationId::parse, "reservation_id", id)?;
        let reason = reason.unwrap_or_default();
        if reason.len() > REASON_BYTES_MAX {
            let message = format!("reason is {} bytes long; {REASON_BYTES_MAX} is the most", reason.len());
            return Err(WireError::invalid("reason", message).into());
        }
        let message = reservation::CancelReservationRequest {
            reservation_id: id.to_string(),
            user_id: person.to_string(),
            reason,
            ..Default::default()
        };
        let cx = self.context(trace);
        let called = self.inner.sales.cancel_reservation(&cx, message);
        let answer = self.call("reservation", "CancelReservation", called, trace).await?;
        // An earlier service does not fill the status.
        let status = match reservation_status_from_proto(answer.status) {
            Some(Status::Expired) => Status::Expired,
            _ => Status::Cancelled,
        };
        Ok(body::Cancelled { status: status.as_str().to_owned() })
    }
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
            let message = format!("the reservation is {status}: it cannot be confirmed");
            Refusal::conflict(message)
        }
    }
}
