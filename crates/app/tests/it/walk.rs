//! The walks of ARCHITECTURE.md over real sockets: a buyer gets a seat, a hold expires, a payment
//! is late. Each on `tacos up`, and on one process per service with SQS and DynamoDB.

use crate::running::Running;
use anyhow::{Result, ensure};
use app::client::Answer;
use contracts::common::v1::Money;
use contracts::payment::v1::payment_service_client::PaymentServiceClient;
use contracts::payment::v1::{
    CreatePaymentIntentRequest, GetPaymentStatusRequest, PaymentScenario, PaymentStatus,
    ProcessPaymentRequest,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tonic::transport::{Channel, Endpoint};

/// The engines of a walk's platform.
#[derive(Clone, Copy)]
enum On {
    Folder,
    Aws,
}

struct Walk {
    _folder: Option<tempfile::TempDir>,
    platform: Running,
    payments: PaymentServiceClient<Channel>,
}

/// A show of one named row and a floor.
async fn start(on: On, hold: &str) -> Result<Walk> {
    let (folder, platform) = match on {
        On::Folder => {
            let folder = tempfile::tempdir()?;
            let platform = Running::start(folder.path(), hold).await?;
            (Some(folder), platform)
        }
        On::Aws => (None, Running::start_on_aws(hold).await?),
    };
    let show = json!({"event_id": "s", "name": "S", "sections": [
        {"id": "A", "price": 100, "rows": [{"row": "1", "from": 1, "to": 4}]},
        {"id": "F", "price": 50, "capacity": 3}]});
    let opened = platform.post("inventory_http", "/admin/shows", &[], &show).await?;
    ensure!(opened.status == StatusCode::CREATED, "{opened:?}");
    let endpoint = Endpoint::from_shared(format!("http://{}", platform.address("payment_grpc")))?;
    let payments = PaymentServiceClient::new(endpoint.connect().await?);
    Ok(Walk { _folder: folder, platform, payments })
}

impl Walk {
    async fn reserve(&self, key: &str, seats: &[&str]) -> Result<Value> {
        let body = json!({"event_id": "s", "seat_ids": seats, "quantity": seats.len(), "user_id": key, "reservation_token": ""});
        let answer = self
            .platform
            .post("reservation_http", "/v1/reservations", &[("idempotency-key", key)], &body)
            .await?;
        ensure!(answer.status == StatusCode::CREATED, "{answer:?}");
        ensure!(answer.body["status"] == "HOLD", "{answer:?}");
        Ok(answer.body)
    }

    async fn pay(
        &mut self,
        reservation: &Value,
        scenario: PaymentScenario,
        key: &str,
    ) -> Result<(String, PaymentStatus)> {
        let request = CreatePaymentIntentRequest {
            reservation_id: reservation["reservation_id"].as_str().unwrap_or_default().to_owned(),
            amount: Some(Money {
                amount: reservation["total_amount"].as_i64().unwrap_or_default(),
                currency: "KRW".into(),
            }),
            scenario: scenario.into(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        let intent = self.payments.create_payment_intent(request).await?.into_inner().payment_intent_id;
        let request = ProcessPaymentRequest { payment_intent_id: intent.clone(), ..Default::default() };
        let status = self.payments.process_payment(request).await?.into_inner().status();
        Ok((intent, status))
    }

    async fn payment(&self, intent: &str) -> Result<PaymentStatus> {
        let request = GetPaymentStatusRequest { payment_intent_id: intent.to_owned(), ..Default::default() };
        let payment = self.payments.clone().get_payment_status(request).await?.into_inner().payment;
        Ok(payment.map_or(PaymentStatus::Unspecified, |payment| payment.status()))
    }

    async fn status(&self, reservation: &Value) -> Result<Value> {
        let path = format!("/v1/reservations/{}", reservation["reservation_id"].as_str().unwrap_or_default());
        Ok(self.platform.get("reservation_http", &path).await?.body)
    }

    async fn becomes(&self, reservation: &Value, status: &str) -> Result<Value> {
        let what = format!("{} is {status}", reservation["reservation_id"]);
        self.platform.until(&what, async || Ok(self.status(reservation).await?["status"] == status)).await?;
        self.status(reservation).await
    }

    async fn remaining(&self, section: &str) -> Result<u64> {
        let show = self.platform.get("inventory_http", "/admin/shows/s").await?.body;
        let sections = show["sections"].as_array().cloned().unwrap_or_default();
        let found = sections.into_iter().find(|found| found["id"] == section).unwrap_or_default();
        Ok(found["remaining"].as_u64().unwrap_or(u64::MAX))
    }
}

async fn an_approved_payment_sells_the_seats_once(on: On) -> Result<()> {
    let mut walk = start(on, "60s").await?;
    let held = walk.reserve("buyer", &["A-1-1", "A-1-2"]).await?;
    ensure!(held["total_amount"] == 200, "{held}");
    ensure!(walk.remaining("A").await? == 2, "two are held");
    let (intent, status) = walk.pay(&held, PaymentScenario::Approve, "k").await?;
    ensure!(status == PaymentStatus::Completed, "{status:?}");
    let confirmed = walk.becomes(&held, "CONFIRMED").await?;
    ensure!(confirmed["payment_intent_id"] == intent, "{confirmed}");
    let path = format!("/v1/reservations/{}/confirm", held["reservation_id"].as_str().unwrap_or_default());
    let answer =
        walk.platform.post("reservation_http", &path, &[], &json!({"payment_intent_id": intent})).await?;
    ensure!(
        answer.status == StatusCode::OK && answer.body["order_id"] == confirmed["order_id"],
        "{answer:?}"
    );
    ensure!(walk.remaining("A").await? == 2, "two are sold");
    Ok(())
}

async fn a_hold_that_runs_out_gives_its_seats_back(on: On) -> Result<()> {
    let walk = start(on, on.short_hold()).await?;
    let held = walk.reserve("walker", &["A-1-1"]).await?;
    walk.becomes(&held, "EXPIRED").await?;
    ensure!(walk.remaining("A").await? == 4, "all are free again");
    walk.platform.at_rest().await
}

async fn a_declined_payment_gives_the_seats_back_and_a_second_card_takes_them_again(on: On) -> Result<()> {
    let mut walk = start(on, "60s").await?;
    let held = walk.reserve("buyer", &["A-1-1"]).await?;
    let (_, status) = walk.pay(&held, PaymentScenario::Fail, "first").await?;
    ensure!(status == PaymentStatus::Failed, "{status:?}");
    walk.becomes(&held, "CANCELLED").await?;
    ensure!(walk.remaining("A").await? == 4, "free again");
    walk.pay(&held, PaymentScenario::Approve, "second").await?;
    walk.becomes(&held, "CONFIRMED").await?;
    ensure!(walk.remaining("A").await? == 3, "sold");
    Ok(())
}

/// Trap T-M1: a late payment gets its seats again, if they are free.
async fn a_late_payment_takes_the_seats_again_if_they_are_free(on: On) -> Result<()> {
    let mut walk = start(on, on.short_hold()).await?;
    let held = walk.reserve("late", &["A-1-1"]).await?;
    walk.becomes(&held, "EXPIRED").await?;
    walk.pay(&held, PaymentScenario::Approve, "k").await?;
    walk.becomes(&held, "CONFIRMED").await?;
    ensure!(walk.remaining("A").await? == 3, "sold");
    Ok(())
}

/// Trap T-M1: a late payment is refunded, if its seats are taken.
async fn a_late_payment_for_seats_that_are_gone_is_given_back_once(on: On) -> Result<()> {
    let mut walk = start(on, on.short_hold()).await?;
    let late = walk.reserve("late", &["A-1-1"]).await?;
    walk.becomes(&late, "EXPIRED").await?;
    let other = walk.reserve("quick", &["A-1-1"]).await?;
    walk.pay(&other, PaymentScenario::Approve, "quick").await?;
    walk.becomes(&other, "CONFIRMED").await?;
    let (intent, _) = walk.pay(&late, PaymentScenario::Approve, "late").await?;
    let given_back = async || Ok(walk.payment(&intent).await? == PaymentStatus::Refunded);
    walk.platform.until("the money is given back", given_back).await?;
    walk.platform.at_rest().await?;
    ensure!(walk.status(&late).await?["status"] == "EXPIRED", "it stays as it ended");
    Ok(())
}

/// Trap T-M1: of two payments for the same seats, one is refunded.
async fn a_buyer_who_pays_twice_gets_one_refund(on: On) -> Result<()> {
    let mut walk = start(on, "60s").await?;
    let held = walk.reserve("twice", &["A-1-1"]).await?;
    let (first, _) = walk.pay(&held, PaymentScenario::Approve, "first").await?;
    let (second, _) = walk.pay(&held, PaymentScenario::Approve, "second").await?;
    walk.becomes(&held, "CONFIRMED").await?;
    let one_is_back = async || {
        let statuses = [walk.payment(&first).await?, walk.payment(&second).await?];
        Ok(statuses.contains(&PaymentStatus::Refunded))
    };
    walk.platform.until("one payment is refunded", one_is_back).await?;
    walk.platform.at_rest().await?;
    let statuses = [walk.payment(&first).await?, walk.payment(&second).await?];
    ensure!(statuses.contains(&PaymentStatus::Completed), "{statuses:?}");
    Ok(())
}

/// Trap T-W1: a show with a waiting room sells nothing without a pass, and one pass buys once.
async fn a_show_behind_a_waiting_room_is_entered_once_with_a_pass(on: On) -> Result<()> {
    let walk = start(on, "60s").await?;
    let show = json!({"event_id": "w", "name": "W", "sections": [{"id": "A", "price": 1, "capacity": 5}],
                      "waiting_room": {"rate_per_sec": 10, "required": true}});
    let opened = walk.platform.post("inventory_http", "/admin/shows", &[], &show).await?;
    ensure!(opened.status == StatusCode::CREATED, "{opened:?}");
    let reserve = async |key: &str, pass: &str| {
        let body = json!({"event_id": "w", "seat_ids": [], "section": "A", "quantity": 1, "user_id": "kim", "reservation_token": pass});
        let headers = [("idempotency-key", key)];
        walk.platform.post("reservation_http", "/v1/reservations", &headers, &body).await
    };
    let pass = walk.platform.pass("w:1", "w", "kim")?;
    let mut forged = pass.clone().into_bytes();
    forged[10] ^= 1;
    let (forged, other) = (String::from_utf8(forged)?, walk.platform.pass("w:2", "w", "lee")?);
    for (token, words) in [
        ("", "the request has none"),
        ("made-up", "this is not one"),
        (&*forged, "wrong signature"),
        (&*other, "another person"),
    ] {
        let answer = reserve("k", token).await?;
        ensure!(answer.status == StatusCode::FORBIDDEN, "{answer:?}");
        let message = answer.body["error"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains(words), "{answer:?}");
    }
    let placed = reserve("k", &pass).await?;
    ensure!(placed.status == StatusCode::CREATED, "{placed:?}");
    let again = reserve("k", &pass).await?;
    ensure!(again.status == StatusCode::CREATED && again.body == placed.body, "{again:?}");
    let spent = reserve("another", &pass).await?;
    ensure!(spent.status == StatusCode::FORBIDDEN, "{spent:?}");
    let message = spent.body["error"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("used for another reservation"), "{spent:?}");
    Ok(())
}

/// The whole way of the page: in line, in, held, paid, sold; all over the gateway by a signed-in
/// person. Traps T-W1 to T-W8 have their own tests; this one joins the parts.
async fn a_ticket_is_bought_over_the_gateway(on: On) -> Result<()> {
    let walk = start(on, "60s").await?;
    let show = json!({"event_id": "g", "name": "G", "sections": [{"id": "A", "price": 70, "rows": [{"row": "1", "from": 1, "to": 4}]}],
                      "waiting_room": {"rate_per_sec": 10}});
    let opened = walk.platform.post("inventory_http", "/admin/shows", &[], &show).await?;
    ensure!(opened.status == StatusCode::CREATED, "{opened:?}");
    let (kim, lee) = (walk.platform.bearer("kim")?, walk.platform.bearer("lee")?);
    let call = async |method: Method, path: &str, who: &str, more: &[(&str, &str)], body: Option<Value>| {
        let url = format!("http://{}/api/v1{path}", walk.platform.address("gateway_http"));
        let headers: Vec<_> = [("authorization", who)].into_iter().chain(more.iter().copied()).collect();
        walk.platform.http.call(method, &url, &headers, body.as_ref()).await
    };
    let joined = call(Method::POST, "/queue/join", &kim, &[], Some(json!({"event_id": "g"}))).await?;
    ensure!(joined.status == StatusCode::ACCEPTED, "{joined:?}");
    let ticket = joined.text("waiting_token").to_owned();
    let ready = async || {
        let status = call(Method::GET, &format!("/queue/status?token={ticket}"), &kim, &[], None).await?;
        Ok(status.text("status") == "ready")
    };
    walk.platform.until("it is their turn", ready).await?;
    let enter = json!({"waiting_token": ticket});
    let entered = call(Method::POST, "/queue/enter", &kim, &[], Some(enter.clone())).await?;
    ensure!(entered.status == StatusCode::OK, "{entered:?}");
    let again = call(Method::POST, "/queue/enter", &kim, &[], Some(enter)).await?;
    let pass = entered.text("reservation_token");
    ensure!(again.text("reservation_token") == pass, "{again:?}");

    let wish =
        |seat: &str, pass: &str| json!({"event_id": "g", "seat_ids": [seat], "reservation_token": pass});
    let key = [("idempotency-key", "k")];
    for (who, pass, why) in [(&kim, "", "without a pass"), (&lee, pass, "with somebody else's")] {
        let answer = call(Method::POST, "/reservations", who, &key, Some(wish("A-1-1", pass))).await?;
        ensure!(answer.status == StatusCode::FORBIDDEN, "{why}: {answer:?}");
    }
    let keyless = call(Method::POST, "/reservations", &kim, &[], Some(wish("A-1-1", pass))).await?;
    ensure!(keyless.code() == "IDEMPOTENCY_REQUIRED", "{keyless:?}");
    let held = call(Method::POST, "/reservations", &kim, &key, Some(wish("A-1-1", pass))).await?;
    ensure!(held.status == StatusCode::CREATED && held.body["total_amount"] == 70, "{held:?}");
    let repeated = call(Method::POST, "/reservations", &kim, &key, Some(wish("A-1-1", pass))).await?;
    ensure!(repeated.body["reservation_id"] == held.body["reservation_id"], "{repeated:?}");
    let other = call(Method::POST, "/reservations", &kim, &key, Some(wish("A-1-2", pass))).await?;
    ensure!(other.code() == "IDEMPOTENCY_CONFLICT", "{other:?}");

    let path = format!("/reservations/{}", held.text("reservation_id"));
    let foreign = call(Method::GET, &path, &lee, &[], None).await?;
    ensure!(foreign.status == StatusCode::FORBIDDEN, "{foreign:?}");
    let wrong = json!({"reservation_id": held.text("reservation_id"), "amount": 1});
    let wrong = call(Method::POST, "/payment/intent", &kim, &[], Some(wrong)).await?;
    ensure!(wrong.status == StatusCode::BAD_REQUEST, "{wrong:?}");
    let unpaid = call(Method::POST, &format!("{path}/confirm"), &kim, &[], Some(json!({}))).await?;
    ensure!(unpaid.status == StatusCode::PRECONDITION_FAILED, "{unpaid:?}");
    let intent = json!({"reservation_id": held.text("reservation_id"), "amount": 70});
    let keyed = async || call(Method::POST, "/payment/intent", &kim, &key, Some(intent.clone())).await;
    let (intent, again) = (keyed().await?, keyed().await?);
    ensure!(intent.body["next"] == "webhook" && again.body == intent.body, "{intent:?} {again:?}");
    let is_recorded = |answer: &Answer| answer.headers.contains_key("x-idempotency-cached");
    ensure!(is_recorded(&again) && !is_recorded(&intent), "{intent:?} {again:?}");
    let process = json!({"payment_intent_id": intent.text("payment_intent_id"), "action": "approve"});
    let foreign = call(Method::POST, "/payment/process", &lee, &[], Some(process.clone())).await?;
    ensure!(foreign.status == StatusCode::NOT_FOUND, "{foreign:?}");
    for _ in 0..2 {
        let paid = call(Method::POST, "/payments/process", &kim, &[], Some(process.clone())).await?;
        ensure!(paid.text("status") == "COMPLETED", "{paid:?}");
    }
    let sold = async || Ok(call(Method::GET, &path, &kim, &[], None).await?.text("status") == "CONFIRMED");
    walk.platform.until("it is sold", sold).await?;
    let confirmed = call(Method::POST, &format!("{path}/confirm"), &kim, &[], Some(json!({}))).await?;
    ensure!(
        confirmed.text("status") == "CONFIRMED" && !confirmed.text("order_id").is_empty(),
        "{confirmed:?}"
    );
    let late = call(Method::DELETE, &path, &kim, &[], None).await?;
    ensure!(late.status == StatusCode::CONFLICT, "{late:?}");
    let is_seen = async || {
        let seats = call(Method::GET, "/events/g/seats?section=A", &kim, &[], None).await?;
        Ok(seats.body["seats"][0]["status"] == "SOLD")
    };
    walk.platform.until("the plan shows it", is_seen).await
}

impl On {
    /// A hold that runs out soon, and not before a buyer has been answered: DynamoDB Local takes
    /// its time.
    const fn short_hold(self) -> &'static str {
        match self {
            Self::Folder => "1s",
            Self::Aws => "3s",
        }
    }
}

macro_rules! walks {
    ($($walk:ident),* $(,)?) => {
        mod on_a_folder {
            use super::On;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $walk() -> anyhow::Result<()> {
                super::$walk(On::Folder).await
            })*
        }
        mod on_aws {
            use super::On;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $walk() -> anyhow::Result<()> {
                super::$walk(On::Aws).await
            })*
        }
    };
}

walks! {
    an_approved_payment_sells_the_seats_once,
    a_hold_that_runs_out_gives_its_seats_back,
    a_declined_payment_gives_the_seats_back_and_a_second_card_takes_them_again,
    a_late_payment_takes_the_seats_again_if_they_are_free,
    a_late_payment_for_seats_that_are_gone_is_given_back_once,
    a_buyer_who_pays_twice_gets_one_refund,
    a_show_behind_a_waiting_room_is_entered_once_with_a_pass,
    a_ticket_is_bought_over_the_gateway,
}
