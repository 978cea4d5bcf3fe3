//! The service over real sockets.

use crate::fixture::Fixture;
use contracts::IdempotencyKey;
use contracts::common::v1::{ErrorCode, Money, Pagination};
use contracts::payment::v1 as proto;
use contracts::payment::v1::payment_service_client::PaymentServiceClient;
use domain::id::ID_BYTES_MAX;
use payment::Config;
use ports::Tasks;
use proto::{PaymentScenario, PaymentStatus};
use runtime::Listeners;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

type Client = PaymentServiceClient<Channel>;

pub(crate) struct Served {
    client: Client,
    pub(crate) grpc: String,
    http: String,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), runtime::RunError>>,
}

pub(crate) async fn serve(fixture: &Fixture, token: Option<&str>) -> Served {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let listeners = Listeners { http: bind().await.unwrap(), grpc: bind().await.unwrap(), admin: None };
    let grpc = format!("http://{}", listeners.grpc.local_addr().unwrap());
    let http = listeners.http.local_addr().unwrap().to_string();
    let config = Config { service: fixture.options(), internal_token: token.map(Into::into) };
    let shutdown = CancellationToken::new();
    let tasks = Tasks::new();
    let run = payment::run(config, fixture.deps(&tasks), listeners, shutdown.clone());
    #[allow(clippy::disallowed_methods, reason = "the test is the process")]
    let running = tokio::spawn(run);
    let client =
        PaymentServiceClient::new(Channel::from_shared(grpc.clone()).unwrap().connect().await.unwrap());
    Served { client, grpc, http, shutdown, running }
}

impl Served {
    pub(crate) async fn stop(self) {
        drop(self.client);
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }

    /// GET over a plain socket: status and body.
    async fn get(&self, path: &str, headers: &str) -> (u16, serde_json::Value) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(&self.http).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

fn create() -> proto::CreatePaymentIntentRequest {
    proto::CreatePaymentIntentRequest {
        reservation_id: "rsv_1".into(),
        amount: Some(Money { amount: 120_000, currency: "KRW".into() }),
        user_id: "u_1".into(),
        scenario: PaymentScenario::Approve as i32,
        ..Default::default()
    }
}

async fn created(client: &mut Client, request: proto::CreatePaymentIntentRequest) -> String {
    let answer = client.create_payment_intent(request).await.unwrap().into_inner();
    assert_eq!(answer.error, None);
    assert_eq!(answer.status(), PaymentStatus::Pending);
    answer.payment_intent_id
}

#[tokio::test]
async fn a_payment_succeeds_over_grpc() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let client = &mut served.client;
    let intent = created(client, create()).await;
    let request = proto::ProcessPaymentRequest { payment_intent_id: intent.clone(), ..Default::default() };
    let processed = client.process_payment(request).await.unwrap().into_inner();
    assert_eq!(processed.status(), PaymentStatus::Completed);
    assert!(processed.result.unwrap().success && processed.transaction_id.starts_with("txn_"));
    let request = proto::GetPaymentStatusRequest { payment_intent_id: intent.clone(), user_id: "u_1".into() };
    let shown = client.get_payment_status(request).await.unwrap().into_inner().payment.unwrap();
    assert_eq!((shown.status(), shown.amount.unwrap().amount), (PaymentStatus::Completed, 120_000));
    let mut refunds = Vec::new();
    for _ in 0..2 {
        let request = proto::CancelPaymentRequest { payment_intent_id: intent.clone(), ..Default::default() };
        refunds.push(client.cancel_payment(request).await.unwrap().into_inner());
    }
    assert_eq!(refunds[0], refunds[1]);
    assert_eq!(refunds[0].status(), PaymentStatus::Refunded);
    assert_eq!(refunds[0].refunded_amount.as_ref().unwrap().amount, 120_000);
    let request = proto::ListPaymentsRequest { user_id: "u_1".into(), ..Default::default() };
    let listed = client.list_payments(request).await.unwrap().into_inner();
    assert_eq!(listed.payments.len(), 1);
    assert_eq!(listed.payments[0].status(), PaymentStatus::Refunded);
    served.stop().await;
    assert_eq!(fixture.refunds().await.len(), 1);
}

/// A decline is an outcome, not an error.
#[tokio::test]
async fn a_decline_is_status_ok_with_its_reason() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let failing = proto::CreatePaymentIntentRequest { scenario: PaymentScenario::Fail as i32, ..create() };
    let intent = created(&mut served.client, failing).await;
    let request = proto::ProcessPaymentRequest { payment_intent_id: intent, ..Default::default() };
    let declined = served.client.process_payment(request).await.unwrap().into_inner();
    assert_eq!((declined.status(), declined.error), (PaymentStatus::Failed, None));
    let result = declined.result.unwrap();
    assert!(!result.success && result.failure_reason.contains("CARD_DECLINED"), "{result:?}");
    served.stop().await;
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let money = |amount, currency: &str| Some(Money { amount, currency: currency.into() });
    let bad = [
        ("amount missing", proto::CreatePaymentIntentRequest { amount: None, ..create() }),
        ("amount 0", proto::CreatePaymentIntentRequest { amount: money(0, "KRW"), ..create() }),
        ("amount negative", proto::CreatePaymentIntentRequest { amount: money(-1, "KRW"), ..create() }),
        ("amount huge", proto::CreatePaymentIntentRequest { amount: money(i64::MAX, "KRW"), ..create() }),
        ("currency lower", proto::CreatePaymentIntentRequest { amount: money(1, "krw"), ..create() }),
        ("currency long", proto::CreatePaymentIntentRequest { amount: money(1, "KRWX"), ..create() }),
        (
            "reservation empty",
            proto::CreatePaymentIntentRequest { reservation_id: String::new(), ..create() },
        ),
        (
            "reservation long",
            proto::CreatePaymentIntentRequest { reservation_id: "x".repeat(ID_BYTES_MAX + 1), ..create() },
        ),
        (
            "reservation control",
            proto::CreatePaymentIntentRequest { reservation_id: "a\nb".into(), ..create() },
        ),
        (
            "user long",
            proto::CreatePaymentIntentRequest { user_id: "x".repeat(ID_BYTES_MAX + 1), ..create() },
        ),
        (
            "key long",
            proto::CreatePaymentIntentRequest {
                idempotency_key: "k".repeat(IdempotencyKey::BYTES_MAX + 1),
                ..create()
            },
        ),
        ("key not ASCII", proto::CreatePaymentIntentRequest { idempotency_key: "ключ".into(), ..create() }),
        ("scenario unknown", proto::CreatePaymentIntentRequest { scenario: 99, ..create() }),
        ("method unknown", proto::CreatePaymentIntentRequest { method: -1, ..create() }),
        ("url https", proto::CreatePaymentIntentRequest { webhook_url: "https://x/y".into(), ..create() }),
        (
            "url file",
            proto::CreatePaymentIntentRequest { webhook_url: "file:///etc/passwd".into(), ..create() },
        ),
        ("url relative", proto::CreatePaymentIntentRequest { webhook_url: "/hook".into(), ..create() }),
        ("url user", proto::CreatePaymentIntentRequest { webhook_url: "http://a:b@x/".into(), ..create() }),
        (
            "url line",
            proto::CreatePaymentIntentRequest { webhook_url: "http://x/\r\nh: v".into(), ..create() },
        ),
    ];
    for (what, request) in bad {
        let refused = served.client.create_payment_intent(request).await;
        assert_eq!(refused.map_err(|status| status.code()).unwrap_err(), Code::InvalidArgument, "{what}");
    }
    assert!(fixture.rows().await.is_empty());
    served.stop().await;
}

#[tokio::test]
async fn requests_about_unknown_payments_are_refused_in_band() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let client = &mut served.client;
    let owned = created(client, create()).await;
    let id = || "pay_unknown".to_owned();
    let of_other = proto::GetPaymentStatusRequest { payment_intent_id: owned.clone(), user_id: "u_2".into() };
    let unknown = proto::GetPaymentStatusRequest { payment_intent_id: id(), ..Default::default() };
    let process = proto::ProcessPaymentRequest { payment_intent_id: id(), ..Default::default() };
    let cancel = proto::CancelPaymentRequest { payment_intent_id: id(), ..Default::default() };
    let simulate = proto::SimulateWebhookRequest {
        payment_intent_id: id(),
        target_status: PaymentStatus::Completed as i32,
        ..Default::default()
    };
    let errors = [
        client.get_payment_status(of_other).await.unwrap().into_inner().error,
        client.get_payment_status(unknown).await.unwrap().into_inner().error,
        client.process_payment(process).await.unwrap().into_inner().error,
        client.cancel_payment(cancel).await.unwrap().into_inner().error,
        client.simulate_webhook(simulate).await.unwrap().into_inner().error,
    ];
    for error in errors {
        assert_eq!(error.unwrap().code(), ErrorCode::NotFound);
    }
    served.stop().await;
}

#[tokio::test]
async fn malformed_requests_about_payments_are_invalid() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let client = &mut served.client;
    let intent = created(client, create()).await;
    let simulate = |target_status, delay_seconds| proto::SimulateWebhookRequest {
        payment_intent_id: intent.clone(),
        target_status,
        delay_seconds,
        force_trigger: false,
    };
    let list =
        |pagination| proto::ListPaymentsRequest { user_id: "u_1".into(), pagination, ..Default::default() };
    let page = |page, page_size, cursor: &str| Some(Pagination { page, page_size, cursor: cursor.into() });
    let refund = proto::CancelPaymentRequest {
        payment_intent_id: intent.clone(),
        refund_amount: Some(Money { amount: -5, currency: "KRW".into() }),
        ..Default::default()
    };
    let completed = PaymentStatus::Completed as i32;
    let refused: Vec<Result<(), Status>> = vec![
        client.process_payment(proto::ProcessPaymentRequest::default()).await.map(|_| ()),
        client.get_payment_status(proto::GetPaymentStatusRequest::default()).await.map(|_| ()),
        client.cancel_payment(proto::CancelPaymentRequest::default()).await.map(|_| ()),
        client.cancel_payment(refund).await.map(|_| ()),
        client.simulate_webhook(simulate(0, 0)).await.map(|_| ()),
        client.simulate_webhook(simulate(PaymentStatus::Refunded as i32, 0)).await.map(|_| ()),
        client.simulate_webhook(simulate(99, 0)).await.map(|_| ()),
        client.simulate_webhook(simulate(completed, -1)).await.map(|_| ()),
        client.simulate_webhook(simulate(completed, i32::MAX)).await.map(|_| ()),
        client.list_payments(proto::ListPaymentsRequest::default()).await.map(|_| ()),
        client.list_payments(list(page(0, -1, ""))).await.map(|_| ()),
        client.list_payments(list(page(0, 101, ""))).await.map(|_| ()),
        client.list_payments(list(page(2, 10, ""))).await.map(|_| ()),
        client.list_payments(list(page(0, 10, "nonsense"))).await.map(|_| ()),
    ];
    for (at, result) in refused.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().code(), Code::InvalidArgument, "request {at}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_key_of_another_request_is_a_conflict_in_band() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let keyed = proto::CreatePaymentIntentRequest { idempotency_key: "k1".into(), ..create() };
    let first = served.client.create_payment_intent(keyed.clone()).await.unwrap();
    assert!(!first.metadata().contains_key(contracts::wire::RECORDED));
    let again = served.client.create_payment_intent(keyed.clone()).await.unwrap();
    assert_eq!(again.metadata().get(contracts::wire::RECORDED).unwrap(), "true");
    assert_eq!(again.into_inner(), first.into_inner());
    let other = proto::CreatePaymentIntentRequest { reservation_id: "rsv_2".into(), ..keyed };
    let answer = served.client.create_payment_intent(other).await.unwrap().into_inner();
    assert_eq!(answer.error.unwrap().code(), ErrorCode::IdempotencyConflict);
    served.stop().await;
}

#[tokio::test]
async fn card_data_is_never_stored() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let intent = created(&mut served.client, create()).await;
    let card = proto::CreditCardDetails {
        card_number: "4242424242424242".into(),
        cvv: "987".into(),
        cardholder_name: "Hong Gildong".into(),
        ..Default::default()
    };
    let details = proto::PaymentDetails { credit_card: Some(card), ..Default::default() };
    let request = proto::ProcessPaymentRequest {
        payment_intent_id: intent,
        payment_details: Some(details),
        ..Default::default()
    };
    served.client.process_payment(request).await.unwrap();
    let rows = format!("{:?}", ports::Store::scan(&**fixture.store.inner(), None, 100).await.unwrap());
    assert!(rows.contains("pay_") && !rows.contains("4242") && !rows.contains("Gildong"), "{rows}");
    served.stop().await;
}

#[tokio::test]
async fn an_operator_reads_a_payment_with_the_token_only() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, Some("op-token")).await;
    let intent = created(&mut served.client, create()).await;
    let request = proto::ProcessPaymentRequest { payment_intent_id: intent.clone(), ..Default::default() };
    served.client.process_payment(request).await.unwrap();
    assert_eq!(served.get("/admin/payments/rsv_1", "").await.0, 401);
    let token = "x-internal-token: op-token\r\n";
    for id in [intent.as_str(), "rsv_1"] {
        let (status, body) = served.get(&format!("/admin/payments/{id}"), token).await;
        assert_eq!(status, 200, "{body}");
        let payment = &body["payments"][0];
        assert_eq!(
            (payment["status"].as_str(), payment["amount"].as_u64()),
            (Some("CAPTURED"), Some(120_000))
        );
        assert_eq!(payment["webhooks"][0]["webhook_id"].as_str().map(|id| &id[..4]), Some("whk_"));
    }
    assert_eq!(served.get("/admin/payments/rsv_unknown", token).await.0, 404);
    assert_eq!(served.get("/health", "").await.0, 200);
    served.stop().await;
}

#[tokio::test]
async fn the_http_port_describes_itself_without_a_token() {
    let fixture = Fixture::new().await;
    let served = serve(&fixture, Some("secret")).await;
    let (status, document) = served.get("/openapi.json", "").await;
    assert_eq!(status, 200);
    let operation = &document["paths"]["/admin/payments/{id}"]["get"];
    assert_eq!(operation["security"][0]["internal_token"], serde_json::json!([]));
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/Payments");
    served.stop().await;
}

/// The event and the webhook of an answered call are still sent, or stay in the outbox.
#[tokio::test]
async fn a_shutdown_ends_and_a_restart_continues() {
    let fixture = Fixture::new().await;
    let mut served = serve(&fixture, None).await;
    let delayed = proto::CreatePaymentIntentRequest { scenario: PaymentScenario::Delay as i32, ..create() };
    for request in [create(), delayed] {
        let intent = created(&mut served.client, request).await;
        let request = proto::ProcessPaymentRequest { payment_intent_id: intent, ..Default::default() };
        served.client.process_payment(request).await.unwrap();
    }
    served.stop().await;
    fixture.clock.advance(core::time::Duration::from_secs(60));
    let served = serve(&fixture, None).await;
    fixture.until_events(2).await;
    fixture.until_webhooks(2).await;
    served.stop().await;
}
