//! reservation-api and payment-sim-api as the public edge calls them: messages of the wire, passed
//! on unchanged.
//!
//! A refusal is a refusal in either form, in the answer or as a status: the edge returns it to the
//! buyer.

use crate::grpc::{Method, Pool};
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use contracts::answer::grpc::{buyers_answer, buyers_error_from_status};
use contracts::backends::{Answer, Sales};
use contracts::payment::v1 as payment;
use contracts::payment::v1::payment_service_client::PaymentServiceClient;
use contracts::reservation::v1 as reservation;
use contracts::reservation::v1::reservation_service_client::ReservationServiceClient;
use contracts::wire::RECORDED;
use ports::{CallContext, Clock};
use std::sync::Arc;
use tonic::Response;

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

/// One method of [`Sales`] a line: the service, its generated client, and the method's name on the
/// wire.
macro_rules! sales {
    (
        creations { $($c_pool:ident $c_client:ident $c_method:ident $c_name:literal: $c_request:ty => $c_response:ty;)+ }
        calls { $($pool:ident $client:ident $method:ident $name:literal $since:ident: $request:ty => $response:ty;)+ }
    ) => {
        #[async_trait]
        impl Sales for SalesClient {
            $(
                async fn $c_method(&self, cx: &CallContext, message: $c_request) -> Answer<($c_response, bool)> {
                    let called = self.$c_pool.call(cx, $c_name, message, async |connection, request| {
                        let response = $c_client::new(connection).$c_method(request).await?;
                        let recorded = response.metadata().contains_key(RECORDED);
                        Ok(Response::new((response.into_inner(), recorded)))
                    });
                    let refused = |status| buyers_error_from_status(&self.$c_pool.what($c_name), status);
                    let (mut answer, recorded) = called.await?.map_err(refused)?;
                    let error = answer.error.take();
                    buyers_answer(|| self.$c_pool.what($c_name), (answer, recorded), error)
                }
            )+
            $(
                async fn $method(&self, cx: &CallContext, message: $request) -> Answer<$response> {
                    let called = self.$pool.call(cx, $name, message, async |connection, request| {
                        $client::new(connection).$method(request).await
                    });
                    let mut answer = match called.await? {
                        Ok(answer) => answer,
                        Err(status) => return Err(self.$pool.buyers_error(Method::$since($name), status)),
                    };
                    let error = answer.error.take();
                    buyers_answer(|| self.$pool.what($name), answer, error)
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
        reservations ReservationServiceClient get_reservation "GetReservation" first:
            reservation::GetReservationRequest => reservation::GetReservationResponse;
        reservations ReservationServiceClient confirm_reservation "ConfirmReservation" first:
            reservation::ConfirmReservationRequest => reservation::ConfirmReservationResponse;
        reservations ReservationServiceClient cancel_reservation "CancelReservation" first:
            reservation::CancelReservationRequest => reservation::CancelReservationResponse;
        payments PaymentServiceClient get_payment_status "GetPaymentStatus" first:
            payment::GetPaymentStatusRequest => payment::GetPaymentStatusResponse;
        payments PaymentServiceClient simulate_webhook "SimulateWebhook" added:
            payment::SimulateWebhookRequest => payment::SimulateWebhookResponse;
        payments PaymentServiceClient process_payment "ProcessPayment" first:
            payment::ProcessPaymentRequest => payment::ProcessPaymentResponse;
    }
}
