//! The ports, on real sockets: probes, WorkerService, administration.

use crate::bench::{Bench, approved, expired, raw};
use contracts::reservation::v1::worker_service_client::WorkerServiceClient;
use contracts::reservation::v1::{
    CompensationType, GetJobStatusRequest, HealthCheckRequest, PaymentResultType, ProcessCompensationRequest,
    ProcessPaymentResultRequest, ProcessReservationExpiryRequest, ProcessingStatus, WorkerStatus,
};
use domain::hold::Rejection;
use domain::reservation::Status;
use ports::{Clock, PortError};
use runtime::Listeners;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

struct Served {
    bench: Bench,
    http: SocketAddr,
    admin: SocketAddr,
    client: WorkerServiceClient<Channel>,
    shutdown: CancellationToken,
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    (listener, addr)
}

async fn serve(token: Option<&str>) -> Served {
    let mut bench = Bench::fifo().with(|o| o.wait = Duration::from_millis(50));
    bench.config.admin_token = token.map(Into::into);
    let ((http, http_addr), (grpc, grpc_addr), (admin, admin_addr)) =
        (bind().await, bind().await, bind().await);
    let worker = bench.worker();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    bench.tasks.spawn(async move {
        worker.run(Listeners { http, grpc, admin: Some(admin) }, stop).await.expect("it serves");
    });
    let endpoint = Endpoint::from_shared(format!("http://{grpc_addr}")).expect("a URL");
    let client = WorkerServiceClient::new(endpoint.connect().await.expect("it listens"));
    Served { bench, http: http_addr, admin: admin_addr, client, shutdown }
}

/// One HTTP/1.1 call: status and body.
async fn call(addr: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.expect("it listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

fn json(body: &str) -> serde_json::Value {
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e} in {body}"))
}

#[tokio::test]
async fn an_operator_runs_events_by_hand_through_the_same_handlers() {
    let mut served = serve(None).await;
    let request = ProcessReservationExpiryRequest { reservation_id: "rsv_1".into(), ..Default::default() };
    let answer = served.client.process_reservation_expiry(request).await.expect("an answer").into_inner();
    assert_eq!(answer.status(), ProcessingStatus::Success);
    assert_eq!(answer.released_seats[0].id, "A-1-1");
    assert_eq!(served.bench.peers.ended("rsv_1"), Some(Status::Expired));

    let mut request = ProcessPaymentResultRequest {
        reservation_id: "rsv_2".into(),
        payment_intent_id: "pay_2".into(),
        result_type: PaymentResultType::Approved.into(),
        ..Default::default()
    };
    // Case M4: an invented payment buys nothing.
    let answer = served.client.process_payment_result(request.clone()).await.expect("an answer").into_inner();
    assert_eq!((answer.status(), answer.order_id.as_str()), (ProcessingStatus::Dlq, ""));
    served.bench.peers.pay(&approved("rsv_2", "pay_2"));
    let answer = served.client.process_payment_result(request.clone()).await.expect("an answer").into_inner();
    assert_eq!((answer.status(), answer.order_id.as_str()), (ProcessingStatus::Success, "ord_2"));

    request.result_type = PaymentResultType::Failed.into();
    let answer = served.client.process_payment_result(request.clone()).await.expect("an answer").into_inner();
    assert_eq!(answer.status(), ProcessingStatus::Dlq, "CONFIRMED by no known payment: a contradiction");
    assert!(answer.error.is_some());

    request.result_type = PaymentResultType::Timeout.into();
    let refused = served.client.process_payment_result(request).await.expect_err("a timeout says nothing");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_invalid_event_by_hand_is_an_invalid_argument() {
    let mut served = serve(None).await;
    for request in [
        ProcessReservationExpiryRequest::default(),
        ProcessReservationExpiryRequest { reservation_id: "r\n".into(), ..Default::default() },
        ProcessReservationExpiryRequest { reservation_id: "r".into(), quantity: -1, ..Default::default() },
        ProcessReservationExpiryRequest {
            reservation_id: "r".into(),
            quantity: i32::MAX,
            ..Default::default()
        },
        ProcessReservationExpiryRequest {
            reservation_id: "r".into(),
            seat_ids: vec![String::new()],
            ..Default::default()
        },
    ] {
        let refused = served.client.process_reservation_expiry(request).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let refund = ProcessCompensationRequest {
        reservation_id: "rsv_1".into(),
        compensation_type: CompensationType::RefundPayment.into(),
        ..Default::default()
    };
    let refused = served.client.process_compensation(refund).await.expect_err("no payment named");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(served.bench.peers.run_count(), 0);
}

#[tokio::test]
async fn a_failure_by_hand_says_whether_a_retry_helps() {
    let mut served = serve(None).await;
    let left = Duration::from_secs(3);
    served.bench.peers.script(|s| s.release.push_back(Err(PortError::Rejected(Rejection::NotDue { left }))));
    let request = ProcessReservationExpiryRequest { reservation_id: "rsv_1".into(), ..Default::default() };
    let answer =
        served.client.process_reservation_expiry(request.clone()).await.expect("an answer").into_inner();
    assert_eq!(
        (answer.status(), answer.next_action.as_str()),
        (ProcessingStatus::Retry, "retry after 3000 ms")
    );
    served.bench.peers.inventory_silent(true);
    let answer = served.client.process_reservation_expiry(request).await.expect("an answer").into_inner();
    assert_eq!(answer.status(), ProcessingStatus::Retry);
}

#[tokio::test]
async fn a_refund_by_hand_uses_the_handlers_own_key() {
    let mut served = serve(None).await;
    let refund = ProcessCompensationRequest {
        reservation_id: "rsv_1".into(),
        compensation_type: CompensationType::RefundPayment.into(),
        context: BTreeMap::from([("payment_intent_id".to_owned(), "pay_1".to_owned())]),
        ..Default::default()
    };
    let answer = served.client.process_compensation(refund).await.expect("an answer").into_inner();
    assert_eq!(answer.status(), ProcessingStatus::Success);
    assert!(answer.actions_taken[0].success);
    assert_eq!(served.bench.peers.calls(), ["refuse rsv_1 pay_1", "cancel pay_1 cancel:pay_1"]);
}

#[tokio::test]
async fn health_and_jobs_report_the_handled_events() {
    let mut served = serve(None).await;
    served.bench.put(&expired("rsv_1"));
    served.bench.until("it is done", || served.bench.queue.len() == 0).await;
    let health =
        served.client.health_check(HealthCheckRequest::default()).await.expect("an answer").into_inner();
    assert_eq!((health.status(), health.processed_events_count), (WorkerStatus::Healthy, 1));
    assert!(health.last_processed_at.is_some());
    let all =
        served.client.get_job_status(GetJobStatusRequest::default()).await.expect("an answer").into_inner();
    assert_eq!(all.jobs.len(), 3);
    let one = GetJobStatusRequest { event_type: "reservation.expired".into(), ..Default::default() };
    let one = served.client.get_job_status(one).await.expect("an answer").into_inner();
    assert_eq!((one.jobs.len(), one.jobs[0].events_processed), (1, 1));
}

#[tokio::test]
async fn probes_answer_and_tell_the_drain() {
    let served = serve(None).await;
    for path in ["/health", "/healthz", "/ready", "/readyz", "/metrics", "/version"] {
        assert_eq!(call(served.http, "GET", path, "", "").await.0, 200, "{path}");
    }
    let (_, metrics) = call(served.http, "GET", "/metrics", "", "").await;
    for name in [
        "worker_events_total{type=\"expired\",outcome=\"success\"}",
        "worker_latency_seconds_bucket{",
        "worker_processing_duration_seconds_bucket{",
        "sqs_poll_errors_total ",
        "worker_active_goroutines ",
        "worker_work ",
    ] {
        assert!(metrics.contains(name), "{name}");
    }
    served.bench.peers.slow(Duration::from_millis(800));
    served.bench.put(&expired("rsv_1"));
    served.bench.until("it runs", || served.bench.peers.busy() == 1).await;
    served.shutdown.cancel();
    served.bench.until("it drains", || !served.bench.process.health.is_ready()).await;
    assert_eq!(call(served.http, "GET", "/ready", "", "").await.0, 503, "still there, and not ready");
    served.bench.until("it is done", || served.bench.queue.len() == 0).await;
    served.bench.tasks.finished().await;
    assert!(TcpStream::connect(served.http).await.is_err(), "the port is closed");
}

/// Trap T-O3: with a token, every call needs it.
#[tokio::test]
async fn administration_requires_its_token() {
    let served = serve(Some("a-token-of-the-operator")).await;
    let paths = ["/admin/status", "/admin/journal/rsv_1", "/admin/dlq", "/admin/dlq/x"];
    for path in paths {
        assert_eq!(call(served.admin, "GET", path, "", "").await.0, 401, "{path}");
        assert_eq!(call(served.admin, "GET", path, "x-internal-token: wrong\r\n", "").await.0, 401, "{path}");
    }
    assert_eq!(call(served.admin, "POST", "/admin/dlq/purge", "", "{\"all\":true}").await.0, 401);
    let (status, body) =
        call(served.admin, "GET", paths[0], "x-internal-token: a-token-of-the-operator\r\n", "").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(call(served.http, "GET", "/admin/status", "", "").await.0, 404, "not on the public port");
    let (_, document) = call(served.admin, "GET", "/openapi.json", "", "").await;
    assert!(document.contains("/admin/dlq/{id}"), "the description needs no token: {document}");
}

#[tokio::test]
async fn administration_lists_shows_redrives_and_purges() {
    let served = serve(None).await;
    for n in 0..3 {
        served.bench.queue.put(raw("not json", "rsv_1", &format!("d{n}")));
    }
    served.bench.until("they are buried", || served.bench.letters.len() == 3).await;
    let (_, body) = call(served.admin, "GET", "/admin/dlq?limit=2", "", "").await;
    let page = json(&body);
    assert_eq!(page["entries"][0]["reason"], "undecodable");
    let next = page["next"].as_str().expect("another page");
    let (_, body) = call(served.admin, "GET", &format!("/admin/dlq?limit=2&after={next}"), "", "").await;
    assert_eq!(json(&body)["entries"].as_array().map(Vec::len), Some(1));
    let (_, body) = call(served.admin, "GET", &format!("/admin/dlq/{next}"), "", "").await;
    assert_eq!(json(&body)["body"], "not json");
    assert_eq!(call(served.admin, "GET", "/admin/dlq/none", "", "").await.0, 404);

    let (_, body) = call(served.admin, "POST", "/admin/dlq/redrive", "", "{\"dry_run\":true}").await;
    assert_eq!(json(&body)["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!(served.bench.letters.len(), 3);
    assert_eq!(call(served.admin, "POST", "/admin/dlq/redrive", "", "{\"dryrun\":true}").await.0, 400);
    assert_eq!(
        call(served.admin, "POST", "/admin/dlq/purge", "", "{}").await.0,
        400,
        "all is said, not meant"
    );
    let ids = format!("{{\"ids\":[\"{next}\"],\"rate\":100}}");
    let (_, body) = call(served.admin, "POST", "/admin/dlq/redrive", "", &ids).await;
    assert_eq!(json(&body)["entries"][0]["id"], next);
    served
        .bench
        .until("it is buried again", || served.bench.letters.len() == 3 && served.bench.queue.len() == 0)
        .await;
    let (_, body) = call(served.admin, "POST", "/admin/dlq/purge", "", "{\"all\":true}").await;
    assert_eq!(json(&body)["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!(served.bench.letters.len(), 0);
}

#[tokio::test]
async fn administration_serves_the_numbers_and_the_journal() {
    let served = serve(None).await;
    served.bench.put(&expired("rsv_1"));
    served.bench.until("it is done", || served.bench.queue.len() == 0).await;
    let deadline = served.bench.clock.elapsed() + Duration::from_secs(10);
    let journal = loop {
        let (_, body) = call(served.admin, "GET", "/admin/journal/rsv_1", "", "").await;
        let journal = json(&body);
        if journal["entries"].as_array().is_some_and(|entries| entries.len() == 4) {
            break journal;
        }
        assert!(served.bench.clock.elapsed() < deadline, "{journal}");
    };
    assert_eq!(journal["entries"][3]["what"], "settled");
    assert_eq!(journal["entries"][0]["layer"], "worker");
    let (_, body) = call(served.admin, "GET", "/admin/status", "", "").await;
    let status = json(&body);
    assert_eq!(status["worker"]["succeeded"], 1);
    assert_eq!(status["observations"]["Q2"]["violations"], 0);
    assert_eq!(status["observations"]["Q5"]["checks"], 1);
}
