//! reservation-api and payment-sim-api as the public edge calls them: messages of the wire, passed
//! on unchanged.
//!
//! A refusal is a refusal in either form, in the answer or as a status: the edge returns it to the
//! buyer.

use crate::fault::class_of_status;
use crate::grpc::Pool;
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use contracts::backends::{Answer, Sales};
use contracts::common::v1 as common;
use contracts::error::{Code, WireError};
use contracts::payment::v1 as payment;
use contracts::payment::v1::payment_service_client::PaymentServiceClient;
use contracts::reservation::v1 as reservation;
use contracts::reservation::v1::reservation_service_client::ReservationServiceClient;
use contracts::wire::RECORDED;
use ports::{CallContext, Clock, Fault, FaultClass, PortError};
use std::sync::Arc;
use tonic::{Response, Status};

/// A client of the two services.
pub struct SalesClient {
    reservations: Pool,
    payments: Pool,
}

impl SalesClient {
    /// A client of reservation-api and payment-sim-api at these addresses (`host:port` or a URL).
    pub fn new(
        reservations: &str,
        payments: &str,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        Ok(Self {
            reservations: Pool::new("reservation", reservations, options.clone(), clock.clone())?,
            payments: Pool::new("payment", payments, options, clock)?,
        })
    }
}

/// One method of [`Sales`] a line: the service, its generated client, and the method's name on the wire.
macro_rules! sales {
    (
        creations { $($c_pool:ident $c_client:ident $c_method:ident $c_name:literal: $c_request:ty => $c_response:ty;)+ }
        calls { $($pool:ident $client:ident $method:ident $name:literal: $request:ty => $response:ty;)+ }
    ) => {
        #[async_trait]
        impl Sales for SalesClient {
            $(
                async fn $c_method(&self, cx: &CallContext, message: $c_request) -> Answer<($c_response, bool)> {
                    let called = self.$c_pool.call(cx, $c_name, message, async |line, request| {
                        let response = $c_client::new(line).$c_method(request).await?;
                        let recorded = response.metadata().contains_key(RECORDED);
                        Ok(Response::new((response.into_inner(), recorded)))
                    });
                    let (mut answer, recorded) = self.$c_pool.answered($c_name, called.await?)?;
                    let error = answer.error.take();
                    self.$c_pool.accepted($c_name, (answer, recorded), error)
                }
            )+
            $(
                async fn $method(&self, cx: &CallContext, message: $request) -> Answer<$response> {
                    let called = self.$pool.call(cx, $name, message, async |line, request| {
                        $client::new(line).$method(request).await
                    });
                    let mut answer = self.$pool.answered($name, called.await?)?;
                    let error = answer.error.take();
                    self.$pool.accepted($name, answer, error)
                }
            )+
        }
    };
}

sales! {
    creations {
        reservations ReservationServiceClient create_reservation "CreateReservation":
            reservation::CreateReservationRequest => reservation::CreateReservationResponse;
        payments PaymentServiceClient create_payment_intent "CreatePaymentIntent":
            payment::CreatePaymentIntentRequest => payment::CreatePaymentIntentResponse;
    }
    calls {
        reservations ReservationServiceClient get_reservation "GetReservation":
            reservation::GetReservationRequest => reservation::GetReservationResponse;
        reservations ReservationServiceClient confirm_reservation "ConfirmReservation":
            reservation::ConfirmReservationRequest => reservation::ConfirmReservationResponse;
        reservations ReservationServiceClient cancel_reservation "CancelReservation":
            reservation::CancelReservationRequest => reservation::CancelReservationResponse;
        payments PaymentServiceClient get_payment_status "GetPaymentStatus":
            payment::GetPaymentStatusRequest => payment::GetPaymentStatusResponse;
        payments PaymentServiceClient simulate_webhook "SimulateWebhook":
            payment::SimulateWebhookRequest => payment::SimulateWebhookResponse;
    }
}

impl Pool {
    /// A status is a refusal if the peer understood the request and refused it, or reports the
    /// outcome at a peer of its own: the request may have been carried out there, and the message
    /// is for the buyer. Else it is a failure.
    fn answered<T>(&self, method: &str, answer: Result<T, Status>) -> Answer<T> {
        let is_for_the_buyer = |class, error: &WireError| {
            class == FaultClass::Permanent
                || matches!(
                    error.code,
                    Code::UpstreamTimeout | Code::UpstreamError | Code::ConcurrentModification
                )
        };
        answer.map_err(|status| match (class_of_status(&status), WireError::from_status(&status)) {
            (class, Some(error)) if is_for_the_buyer(class, &error) => PortError::Rejected(error),
            (class, _) => {
                let what = self.what(method);
                PortError::Failed(
                    Fault::new(class, format!("{what}: status {:?}", status.code())).because(status),
                )
            }
        })
    }

    fn accepted<T>(&self, method: &str, answer: T, error: Option<common::Error>) -> Answer<T> {
        match error {
            None => Ok(answer),
            Some(error) if error.code == 0 => Ok(answer),
            Some(error) => {
                let unknown =
                    || Fault::transient(format!("{}: an error of no known code", self.what(method)));
                let error = WireError::from_proto(error).ok_or_else(unknown)?;
                match error.code {
                    // A failure inside of the peer is not the buyer's fault.
                    Code::Internal | Code::DataCorruption => {
                        Err(Fault::transient(format!("{}: {error}", self.what(method))).into())
                    }
                    _ => Err(PortError::Rejected(error)),
                }
            }
        }
    }
}
