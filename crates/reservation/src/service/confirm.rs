//! Confirm: the buyer reports a payment. The steps and their order are those of the event
//! `payment.approved`.

use super::Service;
use super::end::ends;
use super::settle::{Settled, refused};
use crate::refusal::{NotPaid, Peer, Refusal};
use contracts::vocabulary::required;
use domain::hold::Rejection;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::payment::price::{self, Check, Report};
use domain::reservation::{Reservation, Status};
use ports::payments::PaymentRejection;
use ports::{CallContext, Trace};

impl Service {
    /// Confirms a paid reservation: check the payment, commit the seats, record the end.
    /// Confirming again gives the same order, whatever payment is named then. The seats of a
    /// released hold are taken again if they are free. A reservation whose total is 0 needs no
    /// payment, and a named one is not looked up (rules R1).
    ///
    /// If the seats are gone the payment is not refunded here: the payment's own event does that,
    /// once.
    pub async fn confirm(
        &self,
        id: &ReservationId,
        intent: Option<&PaymentIntentId>,
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
        let intent = match intent {
            _ if reservation.total.amount == 0 => None,
            Some(intent) => {
                self.paid(reservation, intent, trace).await?;
                Some(intent.clone())
            }
            None => Some(required(PaymentIntentId::parse, "payment_intent_id", "")?),
        };
        match self.commit_seats(reservation, intent.clone(), trace).await? {
            Ok(committed) => {
                let settled = Settled::sold(committed, intent);
                self.record(known, ends(&settled.end), settled.sold.as_deref(), trace).await
            }
            Err(Rejection::Expired | Rejection::NoSuchHold) => {
                Err(Refusal::Expired { current: reservation.status })
            }
            Err(no) => Err(refused(reservation, &no)),
        }
    }

    /// Checks that the payment pays for this reservation, in full (rules R1).
    async fn paid(
        &self,
        reservation: &Reservation,
        intent: &PaymentIntentId,
        trace: &Trace,
    ) -> Result<(), Refusal> {
        let limit = self.inner.options.payment_timeout;
        let cx = CallContext { trace: trace.clone(), timeout: Some(limit) };
        let why = match self.ask(Peer::Payments, limit, self.inner.payments.get(&cx, intent)).await? {
            Ok(view) => {
                let report = Report {
                    status: view.status,
                    reservation: &view.reservation,
                    amount: view.amount.as_ref(),
                    refunded: view.refunded,
                };
                match price::check(&report, &reservation.id, Some(&reservation.total)) {
                    Check::Pays => return Ok(()),
                    Check::Undecided => NotPaid::Undecided(view.status),
                    Check::OtherReservation => NotPaid::OtherReservation,
                    Check::Returned => NotPaid::Returned,
                    Check::PartlyRefunded => NotPaid::PartlyRefunded,
                    Check::AmountMismatch => NotPaid::AmountMismatch,
                    Check::CurrencyMismatch => NotPaid::CurrencyMismatch,
                }
            }
            Err(PaymentRejection::NoSuchPayment) => NotPaid::NoSuchPayment,
            Err(PaymentRejection::Refused(message)) => NotPaid::Refused(message),
        };
        Err(Refusal::NotPaid(why))
    }
}
