//! Servers with scripted answers, and what every test needs.

use adapter_peers::PeerOptions;
use contracts::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use contracts::reservation::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use contracts::{payment::v1 as pay, reservation::v1 as rsv};
use core::fmt::Debug;
use core::time::Duration;
use parking_lot::Mutex;
use ports::{CallContext, Clock, Fault, FaultClass, PortError, Trace};
use std::collections::VecDeque;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

pub(crate) const TRACEPARENT: &str = "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01";

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(runtime::SystemClock::new())
}

/// Generous, for tests that expect an answer.
pub(crate) fn patient() -> PeerOptions {
    PeerOptions { timeout: Duration::from_secs(60), ..PeerOptions::grpc() }
}

/// For servers that never answer.
pub(crate) fn hasty() -> CallContext {
    CallContext { timeout: Some(Duration::from_millis(100)), ..CallContext::default() }
}

pub(crate) fn traced() -> CallContext {
    let trace = Trace {
        trace_id: Some("5b8aa5a2d2c872e8321cf37308d69df2".into()),
        traceparent: Some(TRACEPARENT.into()),
    };
    CallContext { trace, timeout: None }
}

#[track_caller]
pub(crate) fn fault<T: Debug, R: Debug>(answer: Result<T, PortError<R>>) -> Fault {
    match answer {
        Err(PortError::Failed(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn rejection<T: Debug, R: Debug>(answer: Result<T, PortError<R>>) -> R {
    match answer {
        Err(PortError::Rejected(rejection)) => rejection,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn class<T: Debug, R: Debug>(answer: Result<T, PortError<R>>) -> FaultClass {
    fault(answer).class
}

/// One prepared answer.
pub(crate) enum Answer<T> {
    Message(T),
    Status(Status),
    Never,
}

/// Prepared answers of one method, and the calls that arrived.
pub(crate) struct Script<Q, A> {
    answers: Mutex<VecDeque<Answer<A>>>,
    seen: Mutex<Vec<(Q, MetadataMap)>>,
}

impl<Q, A> Default for Script<Q, A> {
    fn default() -> Self {
        Self { answers: Mutex::default(), seen: Mutex::default() }
    }
}

impl<Q: Clone, A> Script<Q, A> {
    pub(crate) fn then(&self, answer: Answer<A>) {
        self.answers.lock().push_back(answer);
    }

    pub(crate) fn message(&self, message: A) {
        self.then(Answer::Message(message));
    }

    pub(crate) fn status(&self, status: Status) {
        self.then(Answer::Status(status));
    }

    pub(crate) fn last(&self) -> (Q, MetadataMap) {
        self.seen.lock().last().expect("a call was made").clone()
    }

    async fn play(&self, request: Request<Q>) -> Result<Response<A>, Status> {
        let metadata = request.metadata().clone();
        self.seen.lock().push((request.into_inner(), metadata));
        let answer = self.answers.lock().pop_front();
        match answer {
            Some(Answer::Message(message)) => Ok(Response::new(message)),
            Some(Answer::Status(status)) => Err(status),
            Some(Answer::Never) => pending().await,
            None => Err(Status::unimplemented("no answer was prepared")),
        }
    }
}

/// An inventory and a payment provider with scripted answers.
#[derive(Default)]
pub(crate) struct Peer {
    pub(crate) reserve: Script<rsv::ReserveSeatRequest, rsv::ReserveSeatResponse>,
    pub(crate) commit: Script<rsv::CommitReservationRequest, rsv::CommitReservationResponse>,
    pub(crate) release: Script<rsv::ReleaseHoldRequest, rsv::ReleaseHoldResponse>,
    pub(crate) process: Script<pay::ProcessPaymentRequest, pay::ProcessPaymentResponse>,
    pub(crate) simulate: Script<pay::SimulateWebhookRequest, pay::SimulateWebhookResponse>,
    pub(crate) refuse: Script<rsv::RefusePaymentRequest, rsv::RefusePaymentResponse>,
    pub(crate) get_payment: Script<pay::GetPaymentStatusRequest, pay::GetPaymentStatusResponse>,
    pub(crate) cancel_payment: Script<pay::CancelPaymentRequest, pay::CancelPaymentResponse>,
}

impl Peer {
    /// Serves on a free port.
    pub(crate) async fn serve() -> (Arc<Self>, String) {
        let peer = Arc::new(Self::default());
        let (listener, address) = listen().await;
        let server = Server::builder()
            .add_service(InventoryServiceServer::from_arc(Arc::clone(&peer)))
            .add_service(PaymentServiceServer::from_arc(Arc::clone(&peer)));
        go(async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap() });
        (peer, address.to_string())
    }
}

#[allow(clippy::disallowed_methods, reason = "a test's server ends with the test's runtime")]
pub(crate) fn go(future: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(future)
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nothing listens.
pub(crate) async fn nobody() -> String {
    listen().await.1.to_string()
}

/// A server that accepts connections and closes them at the first byte.
pub(crate) async fn rude() -> String {
    let (listener, address) = listen().await;
    go(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.readable().await;
            let _ = socket.set_zero_linger();
        }
    });
    address.to_string()
}

#[tonic::async_trait]
impl InventoryService for Peer {
    async fn check_availability(
        &self,
        _: Request<rsv::CheckAvailabilityRequest>,
    ) -> Result<Response<rsv::CheckAvailabilityResponse>, Status> {
        Err(Status::unimplemented("not asked by any client"))
    }

    async fn reserve_seat(
        &self,
        request: Request<rsv::ReserveSeatRequest>,
    ) -> Result<Response<rsv::ReserveSeatResponse>, Status> {
        self.reserve.play(request).await
    }

    async fn commit_reservation(
        &self,
        request: Request<rsv::CommitReservationRequest>,
    ) -> Result<Response<rsv::CommitReservationResponse>, Status> {
        self.commit.play(request).await
    }

    async fn release_hold(
        &self,
        request: Request<rsv::ReleaseHoldRequest>,
    ) -> Result<Response<rsv::ReleaseHoldResponse>, Status> {
        self.release.play(request).await
    }

    async fn refuse_payment(
        &self,
        request: Request<rsv::RefusePaymentRequest>,
    ) -> Result<Response<rsv::RefusePaymentResponse>, Status> {
        self.refuse.play(request).await
    }

    async fn get_inventory_status(
        &self,
        _: Request<rsv::GetInventoryStatusRequest>,
    ) -> Result<Response<rsv::GetInventoryStatusResponse>, Status> {
        Err(Status::unimplemented("not asked by any client"))
    }
}

#[tonic::async_trait]
impl PaymentService for Peer {
    async fn create_payment_intent(
        &self,
        _: Request<pay::CreatePaymentIntentRequest>,
    ) -> Result<Response<pay::CreatePaymentIntentResponse>, Status> {
        Err(Status::unimplemented("not asked by any client"))
    }

    async fn process_payment(
        &self,
        request: Request<pay::ProcessPaymentRequest>,
    ) -> Result<Response<pay::ProcessPaymentResponse>, Status> {
        self.process.play(request).await
    }

    async fn get_payment_status(
        &self,
        request: Request<pay::GetPaymentStatusRequest>,
    ) -> Result<Response<pay::GetPaymentStatusResponse>, Status> {
        self.get_payment.play(request).await
    }

    async fn cancel_payment(
        &self,
        request: Request<pay::CancelPaymentRequest>,
    ) -> Result<Response<pay::CancelPaymentResponse>, Status> {
        self.cancel_payment.play(request).await
    }

    async fn list_payments(
        &self,
        _: Request<pay::ListPaymentsRequest>,
    ) -> Result<Response<pay::ListPaymentsResponse>, Status> {
        Err(Status::unimplemented("not asked by any client"))
    }

    async fn simulate_webhook(
        &self,
        request: Request<pay::SimulateWebhookRequest>,
    ) -> Result<Response<pay::SimulateWebhookResponse>, Status> {
        self.simulate.play(request).await
    }
}
