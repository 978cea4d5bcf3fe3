//! What a gRPC caller sees.

use contracts::reservation::v1 as pb;
use core::time::Duration;
use pb::inventory_service_client::InventoryServiceClient;
use pb::inventory_service_server::{InventoryService, InventoryServiceServer};
use ports::Tasks;
use runtime::Process;
use runtime::grpc::{Gate, Limits, Services};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const NAME: &str = "reservation.v1.InventoryService";

/// One method per behaviour of a handler.
#[derive(Clone, Default)]
struct Behaviours {
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[tonic::async_trait]
impl InventoryService for Behaviours {
    async fn check_availability(
        &self,
        request: Request<pb::CheckAvailabilityRequest>,
    ) -> Result<Response<pb::CheckAvailabilityResponse>, Status> {
        let trace = runtime::grpc::trace_of_metadata(request.metadata());
        let unavailable_seat_ids = vec![trace.trace_id.unwrap().to_string()];
        Ok(Response::new(pb::CheckAvailabilityResponse { unavailable_seat_ids, ..Default::default() }))
    }

    async fn reserve_seat(
        &self,
        _: Request<pb::ReserveSeatRequest>,
    ) -> Result<Response<pb::ReserveSeatResponse>, Status> {
        panic!("on purpose")
    }

    async fn commit_reservation(
        &self,
        _: Request<pb::CommitReservationRequest>,
    ) -> Result<Response<pb::CommitReservationResponse>, Status> {
        self.entered.notify_one();
        self.go_on.notified().await;
        Ok(Response::new(pb::CommitReservationResponse { order_id: "ord_1".into(), ..Default::default() }))
    }

    async fn release_hold(
        &self,
        _: Request<pb::ReleaseHoldRequest>,
    ) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
        Err(Status::unavailable("the store does not answer"))
    }

    async fn refuse_payment(
        &self,
        _: Request<pb::RefusePaymentRequest>,
    ) -> Result<Response<pb::RefusePaymentResponse>, Status> {
        Err(Status::unimplemented("an older inventory"))
    }

    async fn get_inventory_status(
        &self,
        _: Request<pb::GetInventoryStatusRequest>,
    ) -> Result<Response<pb::GetInventoryStatusResponse>, Status> {
        std::future::pending().await
    }
}

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: Tasks,
    process: Process,
    behaviours: Behaviours,
}

impl Server {
    async fn start() -> Self {
        Self::within(Limits::default()).await
    }

    async fn within(limits: Limits) -> Self {
        Self::behind(None, limits).await
    }

    async fn behind(gate: Option<Gate>, limits: Limits) -> Self {
        let (process, behaviours) = (Process::new("test-api"), Behaviours::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, tasks) = (CancellationToken::new(), Tasks::new());
        let services = Services::default().with(InventoryServiceServer::new(behaviours.clone()));
        let services = if let Some(gate) = gate { services.behind(gate) } else { services };
        let (token, inner, received) = (shutdown.clone(), tasks.clone(), process.clone());
        tasks.spawn(async move {
            runtime::grpc::serve_within(limits, listener, services, token, &inner, &received).await.unwrap();
        });
        Self { address, shutdown, tasks, process, behaviours }
    }

    async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    async fn client(&self) -> InventoryServiceClient<Channel> {
        InventoryServiceClient::new(self.channel().await)
    }

    fn counts(&self, line: &str) {
        let text = self.process.metrics.render();
        assert!(text.contains(line), "{line} in {text}");
    }
}

fn availability() -> pb::CheckAvailabilityRequest {
    pb::CheckAvailabilityRequest { event_id: "evt_1".into(), ..Default::default() }
}

#[tokio::test]
async fn calls_are_answered_and_counted_by_method_and_code() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for _ in 0..3 {
        client.check_availability(availability()).await.unwrap();
    }
    let refused = client.release_hold(pb::ReleaseHoldRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    server.counts(&format!(
        "grpc_server_requests_total{{method=\"{NAME}/CheckAvailability\",code=\"OK\"}} 3\n"
    ));
    server.counts(&format!(
        "grpc_server_requests_total{{method=\"{NAME}/ReleaseHold\",code=\"UNAVAILABLE\"}} 1\n"
    ));
    server.counts(&format!("grpc_server_handling_seconds_count{{method=\"{NAME}/CheckAvailability\"}} 3\n"));
}

#[tokio::test]
async fn the_trace_of_a_call_is_the_one_it_names_or_a_new_one() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut request = Request::new(availability());
    let parent = "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01";
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    let received = client.check_availability(request).await.unwrap().into_inner().unavailable_seat_ids;
    assert_eq!(received, ["5b8aa5a2d2c872e8321cf37308d69df2"]);
    let received = client.check_availability(availability()).await.unwrap().into_inner().unavailable_seat_ids;
    assert_eq!(received[0].len(), 32);
}

#[tokio::test]
async fn a_panic_is_internal_and_the_connection_stays_open() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let status = client.reserve_seat(pb::ReserveSeatRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    client.check_availability(availability()).await.unwrap();
    server.counts(&format!(
        "grpc_server_requests_total{{method=\"{NAME}/ReserveSeat\",code=\"INTERNAL\"}} 1\n"
    ));
}

#[tokio::test]
async fn a_message_over_the_limit_is_resource_exhausted_and_the_connection_stays_open() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for bytes in [64 * 1024, 10 * 1024 * 1024] {
        let request = pb::CheckAvailabilityRequest { event_id: "x".repeat(bytes), ..Default::default() };
        let status = client.check_availability(request).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{bytes}: {status:?}");
    }
    let request = pb::CheckAvailabilityRequest { event_id: "x".repeat(60 * 1024), ..Default::default() };
    client.check_availability(request).await.unwrap();
}

#[tokio::test]
async fn calls_over_the_limit_are_refused_until_others_end() {
    let server = Server::within(Limits { in_flight_max: 1, ..Limits::default() }).await;
    let mut client = server.client().await;
    let running = {
        let mut client = client.clone();
        tokio::spawn(async move { client.commit_reservation(pb::CommitReservationRequest::default()).await })
    };
    server.behaviours.entered.notified().await;
    let refused = client.check_availability(availability()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    server.counts(&format!(
        "grpc_server_requests_total{{method=\"{NAME}/CheckAvailability\",code=\"UNAVAILABLE\"}} 1\n"
    ));
    server.behaviours.go_on.notify_one();
    running.await.unwrap().unwrap();
    // The place is free once the server let go of the answer, a moment after the caller has it.
    while client.check_availability(availability()).await.is_err() {}
}

/// A caller that begins calls and abandons them keeps nobody out for longer than that.
#[tokio::test]
async fn a_call_ends_at_the_servers_limit_despite_a_longer_deadline() {
    let server = Server::within(Limits { time_max: Duration::from_millis(50), ..Limits::default() }).await;
    let mut client = server.client().await;
    let never = pb::GetInventoryStatusRequest::default;
    let status = client.get_inventory_status(never()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let mut patient = Request::new(never());
    patient.set_timeout(Duration::from_secs(3_600));
    assert_eq!(client.get_inventory_status(patient).await.unwrap_err().code(), Code::DeadlineExceeded);
    client.check_availability(availability()).await.unwrap();
}

/// A window of nothing: the answer is there and cannot be sent.
#[tokio::test]
async fn a_caller_that_reads_no_answer_blocks_no_other() {
    let server = Server::within(Limits { in_flight_max: 1, ..Limits::default() }).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let narrow = endpoint.initial_stream_window_size(0).connect().await.unwrap();
    let parked = tokio::spawn(async move {
        let mut client = InventoryServiceClient::new(narrow);
        client.commit_reservation(pb::CommitReservationRequest::default()).await
    });
    server.behaviours.entered.notified().await;
    server.behaviours.go_on.notify_one();
    let mut client = server.client().await;
    for _ in 0..10_000 {
        if client.check_availability(availability()).await.is_ok() {
            assert!(!parked.is_finished(), "its answer has not come");
            return parked.abort();
        }
    }
    panic!("its place is never free");
}

#[tokio::test]
async fn probes_are_answered_under_load_and_streams_have_their_own_limit() {
    let server = Server::within(Limits { in_flight_max: 1, streams_max: 1, ..Limits::default() }).await;
    let mut client = server.client().await;
    let running = tokio::spawn({
        let mut client = client.clone();
        async move { client.commit_reservation(pb::CommitReservationRequest::default()).await }
    });
    server.behaviours.entered.notified().await;
    assert_eq!(client.check_availability(availability()).await.unwrap_err().code(), Code::Unavailable);
    let mut health = HealthClient::new(server.channel().await);
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(watched.next().await.unwrap().is_ok());
    let second = health.watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(second.code(), Code::Unavailable, "there is one already");
    health.check(HealthCheckRequest::default()).await.expect("a probe");
    server.behaviours.go_on.notify_one();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_gate_decides_by_head_and_peer() {
    let gate: Gate = Arc::new(|headers, extensions| {
        let runtime::PeerAddress(peer) = extensions.get().expect("a peer");
        assert!(peer.ip().is_loopback());
        let is_welcome = headers.get("x-who").is_some_and(|who| who == "kim");
        if is_welcome { Ok(()) } else { Err(Status::resource_exhausted("not you")) }
    });
    let server = Server::behind(Some(gate), Limits::default()).await;
    let mut client = server.client().await;
    let refused = client.check_availability(availability()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, "not you"));
    let mut request = Request::new(availability());
    request.metadata_mut().insert("x-who", "kim".parse().unwrap());
    client.check_availability(request).await.unwrap();
    server.counts(&format!(
        "grpc_server_requests_total{{method=\"{NAME}/CheckAvailability\",code=\"RESOURCE_EXHAUSTED\"}} 1\n"
    ));
}

#[tokio::test]
async fn two_thousand_concurrent_calls_on_a_connection_are_all_answered() {
    let server = Server::start().await;
    let client = server.client().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..2_000 {
        let mut client = client.clone();
        calls.spawn(async move { client.check_availability(availability()).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_callers_deadline_ends_the_call() {
    let server = Server::start().await;
    // By hand, because tonic's client would end the call by itself before the server answers.
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://{}/{NAME}/GetInventoryStatus", server.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "50m")
        .body(http_body_util::Full::new(bytes::Bytes::from_static(&[0, 0, 0, 0, 0])))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(Status::from_header_map(response.headers()).unwrap().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_caller_that_goes_away_counts_as_cancelled() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let call = {
        let mut client = client.clone();
        tokio::spawn(async move { client.commit_reservation(pb::CommitReservationRequest::default()).await })
    };
    server.behaviours.entered.notified().await;
    call.abort();
    let line =
        format!("grpc_server_requests_total{{method=\"{NAME}/CommitReservation\",code=\"CANCELLED\"}} 1\n");
    while !server.process.metrics.render().contains(&line) {
        client.check_availability(availability()).await.unwrap();
    }
}

#[tokio::test]
async fn health_follows_readiness_for_the_server_and_each_service() {
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel().await);
    let mut check = async |service: &str| {
        let answer = client.check(HealthCheckRequest { service: service.into() }).await;
        answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
    };
    assert_eq!(check("").await, Ok(ServingStatus::Serving));
    assert_eq!(check(NAME).await, Ok(ServingStatus::Serving));
    assert_eq!(check("no.such.Service").await, Err(Code::NotFound));
    server.process.health.ready_set("store", Err("closed".into()));
    assert_eq!(check("").await, Ok(ServingStatus::NotServing));
    assert_eq!(check(NAME).await, Ok(ServingStatus::NotServing));
}

#[tokio::test]
async fn a_health_watch_reports_each_change_and_ends_with_the_server() {
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel().await);
    let mut watch = client.watch(HealthCheckRequest { service: NAME.into() }).await.unwrap().into_inner();
    let mut next = async || watch.next().await.map(|status| status.unwrap().status());
    assert_eq!(next().await, Some(ServingStatus::Serving));
    server.process.health.draining();
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    server.shutdown.cancel();
    assert_eq!(next().await, None);
    server.tasks.finished().await;
}

#[tokio::test]
async fn a_watch_of_an_unknown_service_reports_that_and_stays_open() {
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel().await);
    server.process.health.ready_set("store", Err("closed".into()));
    let mut watch = client.watch(HealthCheckRequest { service: "x.Y".into() }).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    server.shutdown.cancel();
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn reflection_v1_lists_and_describes_the_services() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let server = Server::start().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let mut ask = async |request: MessageRequest| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        let mut answers =
            client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
        answers.next().await.unwrap().unwrap().message_response.unwrap()
    };
    let MessageResponse::ListServicesResponse(list) = ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("not a list")
    };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(names, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", NAME]);
    let described = ask(MessageRequest::FileContainingSymbol(NAME.into())).await;
    assert!(matches!(described, MessageResponse::FileDescriptorResponse(_)), "{described:?}");
}

#[tokio::test]
async fn reflection_v1alpha_answers_older_tools() {
    use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;
    let server = Server::start().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let message_request = Some(MessageRequest::FileContainingSymbol(NAME.into()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.next().await.unwrap().unwrap().message_response.unwrap();
    assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_adds_no_metric() {
    let server = Server::start().await;
    let mut client = tonic::client::Grpc::new(server.channel().await);
    for number in 0..3 {
        client.ready().await.unwrap();
        let path = format!("/made.up.Service/Method{number}").parse().unwrap();
        let codec =
            tonic_prost::ProstCodec::<pb::CheckAvailabilityRequest, pb::CheckAvailabilityResponse>::default();
        let status = client.unary(Request::new(availability()), path, codec).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }
    server.counts("grpc_server_requests_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 3\n");
    assert!(!server.process.metrics.render().contains("made.up"));
}

#[tokio::test]
async fn a_call_that_was_begun_is_answered_while_the_server_drains() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let call =
        tokio::spawn(async move { client.commit_reservation(pb::CommitReservationRequest::default()).await });
    server.behaviours.entered.notified().await;
    server.shutdown.cancel();
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.behaviours.go_on.notify_one();
    assert_eq!(call.await.unwrap().unwrap().into_inner().order_id, "ord_1");
    server.tasks.finished().await;
}

#[tokio::test]
async fn a_crash_drops_every_handler_at_once() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let call =
        tokio::spawn(async move { client.commit_reservation(pb::CommitReservationRequest::default()).await });
    server.behaviours.entered.notified().await;
    server.tasks.abort_all();
    server.tasks.finished().await;
    assert!(call.await.unwrap().is_err());
    assert_eq!(Arc::strong_count(&server.behaviours.entered), 1, "a handler still holds the service");
}
