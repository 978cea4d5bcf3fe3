//! `gateway.v1.QueueService` over a real socket, with the generated client: the same line and the
//! same limits as over REST.

use crate::fixture::{Fixture, OPEN_SHOW, SHOW};
use crate::served::Served;
use contracts::common::v1::ErrorCode;
use contracts::gateway::v1 as proto;
use contracts::gateway::v1::queue_service_client::QueueServiceClient;
use core::time::Duration;
use gateway::Rate;
use http::StatusCode;
use proto::{AdmissionStatus, QueueStatus};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

type Client = QueueServiceClient<Channel>;

async fn client(served: &Served) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", served.grpc)).unwrap();
    QueueServiceClient::new(endpoint.connect().await.unwrap())
}

/// Lets test time pass while the call runs, at most a few times faster than real time.
#[allow(clippy::disallowed_methods, reason = "real sockets live in real time")]
async fn answered<T>(fixture: &Fixture, call: impl Future<Output = T>) -> T {
    let mut call = core::pin::pin!(call);
    loop {
        tokio::select! {
            biased;
            answer = &mut call => return answer,
            () = tokio::time::sleep(Duration::from_millis(1)) => fixture.pass(Duration::from_millis(5)).await,
        }
    }
}

macro_rules! ask {
    ($fixture:expr, $client:expr, $method:ident, $request:expr) => {
        answered($fixture, $client.clone().$method($request)).await.map(tonic::Response::into_inner)
    };
}

fn join(show: &str, user: &str) -> proto::JoinQueueRequest {
    proto::JoinQueueRequest { event_id: show.to_owned(), user_id: user.to_owned(), ..Default::default() }
}

fn status(ticket: &str) -> proto::GetQueueStatusRequest {
    proto::GetQueueStatusRequest { waiting_token: ticket.to_owned() }
}

fn admission(ticket: &str) -> proto::RequestAdmissionRequest {
    proto::RequestAdmissionRequest { waiting_token: ticket.to_owned(), ..Default::default() }
}

/// The code of a refusal that is answered with status OK.
fn code(error: Option<contracts::common::v1::Error>) -> ErrorCode {
    error.expect("a refusal").code()
}

#[tokio::test]
async fn a_buyer_goes_the_whole_way_and_rest_agrees() {
    let fixture = Fixture::new();
    let (gateway, served) = fixture.serve(|_| {}).await;
    let client = client(&served).await;
    // The people in front take both turns of the first moment.
    for n in 0..8 {
        ask!(&fixture, client, join_queue, join(SHOW, &format!("p-{n}"))).unwrap();
    }
    let joined = ask!(&fixture, client, join_queue, join(SHOW, "kim")).unwrap();
    assert_eq!((joined.status(), &joined.error), (QueueStatus::Waiting, &None));
    let again = ask!(&fixture, client, join_queue, join(SHOW, "kim")).unwrap();
    assert!(again.position_hint <= joined.position_hint, "one place: {again:?} after {joined:?}");
    let ticket = &joined.waiting_token;

    let answer = ask!(&fixture, client, get_queue_status, status(ticket)).unwrap();
    assert_eq!((answer.status(), answer.admission_ready), (QueueStatus::Waiting, false));
    assert!((1..=9).contains(&answer.position), "{answer:?}");
    let over_rest = fixture.status(&gateway, ticket).await;
    assert_eq!(over_rest.number("position"), answer.position as u64);

    let early = ask!(&fixture, client, request_admission, admission(ticket)).unwrap();
    assert_eq!(early.admission(), AdmissionStatus::Denied);
    assert_eq!((early.reservation_token.as_str(), early.error.is_some()), ("", true));

    let ready = loop {
        let answer = ask!(&fixture, client, get_queue_status, status(ticket)).unwrap();
        if answer.admission_ready {
            break answer;
        }
        assert_eq!(answer.status(), QueueStatus::Waiting);
        fixture.pass(Duration::from_millis(500)).await;
    };
    assert_eq!((ready.status(), ready.position), (QueueStatus::Ready, 0));
    assert!(ready.expires_at.is_some(), "until when the turn is theirs");

    let entered = ask!(&fixture, client, request_admission, admission(ticket)).unwrap();
    assert_eq!((entered.admission(), &entered.error), (AdmissionStatus::Granted, &None));
    assert!(entered.ttl_seconds > 0 && entered.valid_until.is_some(), "{entered:?}");
    let again = ask!(&fixture, client, request_admission, admission(ticket)).unwrap();
    assert_eq!(again.reservation_token, entered.reservation_token, "one turn, one pass");
    assert_eq!(fixture.enter(&gateway, ticket).await.text("reservation_token"), entered.reservation_token);
    served.end().await;
}

#[tokio::test]
async fn a_person_who_leaves_has_no_place() {
    let fixture = Fixture::new();
    let (_, served) = fixture.serve(|_| {}).await;
    let client = client(&served).await;
    let ticket = ask!(&fixture, client, join_queue, join(SHOW, "kim")).unwrap().waiting_token;
    let leave =
        proto::LeaveQueueRequest { waiting_token: ticket.clone(), reason: "changed my mind".to_owned() };
    let left = ask!(&fixture, client, leave_queue, leave).unwrap();
    assert!(left.success && left.left_at.is_some(), "{left:?}");
    let answer = ask!(&fixture, client, get_queue_status, status(&ticket)).unwrap();
    assert_eq!((answer.status(), answer.admission_ready), (QueueStatus::Left, false));
    let over = ask!(&fixture, client, request_admission, admission(&ticket)).unwrap();
    assert_eq!((over.admission(), over.error.is_some()), (AdmissionStatus::Expired, true));
    served.end().await;
}

/// A malformed request is a gRPC status; an understood and refused one is status OK with `error`
/// set.
#[tokio::test]
async fn bad_input_is_refused_with_what_to_change() {
    let fixture = Fixture::new();
    let (gateway, served) = fixture.serve(|_| {}).await;
    let client = client(&served).await;
    let status_of = |answer: Result<_, Status>| answer.expect_err("a status").code();

    assert_eq!(status_of(ask!(&fixture, client, join_queue, join("", "kim"))), Code::InvalidArgument);
    assert_eq!(
        status_of(ask!(&fixture, client, join_queue, join(&"x".repeat(300), "kim"))),
        Code::InvalidArgument
    );
    let unknown = ask!(&fixture, client, join_queue, join("nowhere", "kim")).unwrap();
    assert_eq!((unknown.status(), code(unknown.error)), (QueueStatus::Error, ErrorCode::NotFound));
    let without = ask!(&fixture, client, join_queue, join(OPEN_SHOW, "kim")).unwrap();
    assert!(without.error.is_some(), "there is no line to stand in: {without:?}");

    for forged in ["", "nonsense", "a.b.c"] {
        let answer = ask!(&fixture, client, get_queue_status, status(forged)).expect_err("no ticket");
        assert!(
            matches!(answer.code(), Code::Unauthenticated | Code::InvalidArgument),
            "{forged:?}: {answer:?}"
        );
        assert!(forged.is_empty() || !answer.message().contains(forged), "{answer:?}");
    }
    let ticket = fixture.join(&gateway, "kim").await;
    let foreign = proto::RequestAdmissionRequest { user_id: "lee".to_owned(), ..admission(&ticket) };
    let answer = ask!(&fixture, client, request_admission, foreign).unwrap();
    assert_eq!((answer.admission(), code(answer.error)), (AdmissionStatus::Denied, ErrorCode::Forbidden));
    let elsewhere = proto::RequestAdmissionRequest { event_id: OPEN_SHOW.to_owned(), ..admission(&ticket) };
    assert_eq!(
        ask!(&fixture, client, request_admission, elsewhere).expect_err("a status").code(),
        Code::InvalidArgument
    );

    let mut lee = Request::new(join(SHOW, "kim"));
    lee.metadata_mut().insert("authorization", format!("Bearer {}", fixture.token("lee")).parse().unwrap());
    let answer = ask!(&fixture, client, join_queue, lee).unwrap();
    assert_eq!(code(answer.error), ErrorCode::Forbidden, "nobody joins as somebody else");
    for bad in ["Bearer nonsense", "Basic a2ltOmtpbQ==", "Bearer"] {
        let mut request = Request::new(join(SHOW, ""));
        request.metadata_mut().insert("authorization", bad.parse().unwrap());
        assert_eq!(status_of(ask!(&fixture, client, join_queue, request)), Code::Unauthenticated, "{bad}");
    }
    served.end().await;
}

#[tokio::test]
async fn the_figures_of_the_open_lines_are_reported() {
    let fixture = Fixture::new();
    let (_, served) = fixture.serve(|_| {}).await;
    let client = client(&served).await;
    let all = || proto::GetQueueStatsRequest::default();
    let system = ask!(&fixture, client, get_queue_stats, all()).unwrap().system.unwrap();
    assert_eq!(system.total_active_queues, 0, "nobody has opened one here");
    for n in 0..12 {
        ask!(&fixture, client, join_queue, join(SHOW, &format!("p-{n}"))).unwrap();
    }
    fixture.pass(Duration::from_secs(1)).await;
    let answer = ask!(&fixture, client, get_queue_stats, all()).unwrap();
    let system = answer.system.unwrap();
    let [line] = answer.events.as_slice() else { panic!("one line: {:?}", answer.events) };
    assert_eq!((line.event_id.as_str(), system.total_active_queues), (SHOW, 1));
    assert!((1..12).contains(&line.total_waiting), "some had a turn: {line:?}");
    assert_eq!(system.total_waiting_users, line.total_waiting);
    let one =
        ask!(&fixture, client, get_queue_stats, proto::GetQueueStatsRequest { event_id: SHOW.to_owned() });
    assert_eq!(one.unwrap().events[0].event_id, SHOW);
    served.end().await;
}

/// An address has one limit over both ports; a trusted proxy reports the address.
#[tokio::test]
async fn an_address_has_one_limit_for_both_ports() {
    let fixture = Fixture::new();
    let (gateway, served) = fixture
        .serve(|config| {
            config.limits.per_address = Some(Rate { per_second: 1, burst: 3 });
            config.limits.proxies = "127.0.0.0/8".parse().unwrap();
        })
        .await;
    let client = client(&served).await;
    let from = |address: &str, n: u32| {
        let mut request = Request::new(join(SHOW, &format!("p-{n}")));
        request.metadata_mut().insert("x-forwarded-for", address.parse().unwrap());
        request
    };
    // The clock stands still, so the limit allows no further call.
    let mut asked = Vec::new();
    for n in 0..3 {
        asked.push(client.clone().join_queue(from("203.0.113.9", n)).await);
    }
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    let refused = client.clone().join_queue(from("203.0.113.9", 3)).await.expect_err("too many");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    client.clone().join_queue(from("203.0.113.10", 4)).await.expect("another address");
    let over_rest = async |forwarded_for| served.get("/api/v1/events", forwarded_for).await;
    assert_eq!(over_rest(b"203.0.113.9").await, StatusCode::TOO_MANY_REQUESTS);
    // What the sender wrote in front does not count, readable or not.
    assert_eq!(over_rest(b"\xff, 203.0.113.9").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(over_rest(b"203.0.113.10").await, StatusCode::OK);
    assert!(gateway.process.metrics.render().contains(r#"ratelimit_dropped_total{key_type="address"} 3"#));
    served.end().await;
}
