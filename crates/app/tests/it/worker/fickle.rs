//! A proxy in front of the stand-ins for errors that those cannot produce: in-band errors of the
//! inventory (gRPC status OK and `error` set) and status 500 of reservation-api. Other calls pass,
//! with their trace.

use anyhow::Result;
use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use contracts::error::{Code, WireError};
use contracts::reservation::v1::inventory_service_client::InventoryServiceClient;
use contracts::reservation::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use contracts::reservation::v1::{
    CheckAvailabilityRequest, CheckAvailabilityResponse, CommitReservationRequest, CommitReservationResponse,
    CommitStatus, GetInventoryStatusRequest, GetInventoryStatusResponse, RefusePaymentRequest,
    RefusePaymentResponse, ReleaseHoldRequest, ReleaseHoldResponse, ReleaseStatus, ReserveSeatRequest,
    ReserveSeatResponse,
};
use domain::random::{Random, SplitMix64};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ports::Tasks;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

/// The share of calls that fail, 0.0 to 1.0; it may change at any time.
#[derive(Clone)]
pub(crate) struct Share(Arc<Mutex<(f64, SplitMix64)>>);

impl Share {
    pub(crate) fn new(share: f64, seed: u64) -> Self {
        Self(Arc::new(Mutex::new((share, SplitMix64::new(seed)))))
    }

    pub(crate) fn set(&self, share: f64) {
        self.0.lock().expect("no holder of the lock panics").0 = share;
    }

    fn strikes(&self) -> bool {
        let mut guard = self.0.lock().expect("no holder of the lock panics");
        let luck = guard.1.unit();
        luck < guard.0
    }
}

/// The two proxies; they end with the tasks.
pub(crate) struct Fronts {
    /// `INVENTORY_GRPC_ADDR`.
    pub(crate) inventory: String,
    /// `RESERVATION_API_BASE`.
    pub(crate) reservations: String,
    tasks: Tasks,
}

impl Drop for Fronts {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

impl Fronts {
    pub(crate) async fn start(inventory: SocketAddr, reservations: &str, share: &Share) -> Result<Self> {
        let tasks = Tasks::new();
        let channel = Endpoint::from_shared(format!("http://{inventory}"))?.connect_lazy();
        let front = Inventory { behind: InventoryServiceClient::new(channel), share: share.clone() };
        let incoming = TcpIncoming::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let inventory = incoming.local_addr()?.to_string();
        let server = Server::builder().add_service(InventoryServiceServer::new(front));
        tasks.spawn(async move {
            let _ = server.serve_with_incoming(incoming).await;
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let behind = Behind {
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            base: reservations.to_owned(),
            share: share.clone(),
        };
        let reservations = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass_on).with_state(behind);
        tasks.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inventory, reservations, tasks })
    }
}

struct Inventory {
    behind: InventoryServiceClient<Channel>,
    share: Share,
}

type Answer<T> = Result<tonic::Response<T>, tonic::Status>;

fn in_band() -> Option<contracts::common::v1::Error> {
    Some(WireError::new(Code::Internal, "in-band, as configured").to_proto())
}

#[async_trait]
impl InventoryService for Inventory {
    async fn commit_reservation(
        &self,
        request: tonic::Request<CommitReservationRequest>,
    ) -> Answer<CommitReservationResponse> {
        if self.share.strikes() {
            let status = CommitStatus::Unspecified as i32;
            let failed = CommitReservationResponse { status, error: in_band(), ..Default::default() };
            return Ok(tonic::Response::new(failed));
        }
        self.behind.clone().commit_reservation(request).await
    }

    async fn release_hold(&self, request: tonic::Request<ReleaseHoldRequest>) -> Answer<ReleaseHoldResponse> {
        if self.share.strikes() {
            let status = ReleaseStatus::Failed as i32;
            let failed = ReleaseHoldResponse { status, error: in_band(), ..Default::default() };
            return Ok(tonic::Response::new(failed));
        }
        self.behind.clone().release_hold(request).await
    }

    async fn refuse_payment(&self, _: tonic::Request<RefusePaymentRequest>) -> Answer<RefusePaymentResponse> {
        Err(tonic::Status::unimplemented("an older inventory"))
    }

    async fn check_availability(
        &self,
        _: tonic::Request<CheckAvailabilityRequest>,
    ) -> Answer<CheckAvailabilityResponse> {
        Err(tonic::Status::unimplemented("the worker never calls this"))
    }

    async fn reserve_seat(&self, _: tonic::Request<ReserveSeatRequest>) -> Answer<ReserveSeatResponse> {
        Err(tonic::Status::unimplemented("the worker never calls this"))
    }

    async fn get_inventory_status(
        &self,
        _: tonic::Request<GetInventoryStatusRequest>,
    ) -> Answer<GetInventoryStatusResponse> {
        Err(tonic::Status::unimplemented("the worker never calls this"))
    }
}

#[derive(Clone)]
struct Behind {
    client: Client<HttpConnector, axum::body::Body>,
    base: String,
    share: Share,
}

async fn pass_on(State(behind): State<Behind>, mut request: Request) -> Response {
    use axum::http::StatusCode;
    if behind.share.strikes() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "not an error body of the contract").into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = format!("{}{path}", behind.base).parse() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    // The whole body is passed on, with the length that the stand-in requires.
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let request = Request::from_parts(head, axum::body::Body::from(body.to_bytes()));
    match behind.client.request(request).await {
        Ok(answer) => answer.map(axum::body::Body::new).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
