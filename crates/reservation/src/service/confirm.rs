//! Confirm: the buyer reports a payment. The steps and their order are those of the event
//! `payment.approved`.

use super::Service;
use super::settle::{Settled, refused};
use crate::refusal::{NotPaid, Peer, Refusal};
use domain::hold::Rejection;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::payment;
use domain::reservation::{Reservation, Status};
use ports::payments::PaymentRejection;
use ports::{CallContext, Trace};

impl Service {
    /// Confirms a paid reservation: look up the payment, commit the seats, record the end.
    /// Confirming again gives the same order, whatever payment is named then. The seats of a
    /// released hold are taken again if they are free.
    ///
    /// If the seats are gone the payment is not refunded here: the payment's own event does that,
    /// once.
    pub async fn confirm(
        &self,
        id: &ReservationId,
        intent: &PaymentIntentId,
        person: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Reservation, Refusal> {
        let known = self.get(id, person).await?;
        let reservation = &known.reservation;
        if reservation.status == Status::Confirmed {
            return Ok(known.reservation);
        }
        if !reservation.may_be_confirmed() {
            return Err(Refusal::Illegal { current: reservation.status, intent: None });
        }
        self.paid(id, intent, trace).await?;
        match self.commit_seats(reservation, Some(intent.clone()), trace).await? {
            Ok(committed) => {
                let settled = Settled::sold(committed, Some(intent.clone()));
                self.record(known, &settled.end, settled.sold.as_deref(), trace).await
            }
            Err(Rejection::Expired | Rejection::NoSuchHold) => {
                Err(Refusal::Expired { current: reservation.status })
            }
            Err(no) => Err(refused(reservation, &no)),
        }
    }

    /// Checks that the money for this reservation was captured.
    async fn paid(&self, id: &ReservationId, intent: &PaymentIntentId, trace: &Trace) -> Result<(), Refusal> {
        let limit = self.inner.options.payment_timeout;
        let cx = CallContext { trace: trace.clone(), timeout: Some(limit) };
        let why = match self.ask(Peer::Payments, limit, self.inner.payments.get(&cx, intent)).await? {
            Ok(view) if view.reservation != *id => NotPaid::ForAnother,
            Ok(view) if view.status != payment::Status::Captured => NotPaid::Status(view.status),
            Ok(_) => return Ok(()),
            Err(PaymentRejection::NoSuchPayment) => NotPaid::NoSuchPayment,
            Err(PaymentRejection::Refused(message)) => NotPaid::Refused(message),
        };
        Err(Refusal::NotPaid(why))
    }
}
