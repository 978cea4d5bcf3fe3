//! The payment webhook: accepted only if signed and fresh, once, and never more than an event.

use crate::fixture::{Fixture, SECRET};
use contracts::webhook_signature::sign;
use core::time::Duration;
use domain::event::{Fact, Kind};
use domain::id::{ID_BYTES_MAX, PaymentIntentId, ReservationId};
use domain::reservation::Status;
use ports::{Clock, Trace};
use reservation::{Refusal, WebhookCall};
use runtime::Refusal as _;
use testkit::START_MS;

pub(crate) fn body(kind: &str, reservation: &ReservationId, intent: &str) -> String {
    format!(
        r#"{{"type":"{kind}","reservation_id":"{reservation}","payment_intent_id":"{intent}","amount":240000,"currency":"KRW","ts":"2025-06-15T15:06:40.000Z"}}"#
    )
}

async fn deliver(fixture: &Fixture, id: &str, body: &str) -> Result<(), Refusal> {
    let timestamp = (fixture.clock.now().as_millis() / 1_000).to_string();
    let signature = sign(SECRET.as_bytes(), &timestamp, body.as_bytes());
    let call = WebhookCall {
        id: Some(id),
        timestamp: Some(&timestamp),
        signature: Some(&signature),
        body: body.as_bytes(),
    };
    fixture.service.accept_webhook(call, &Trace::default()).await
}

/// Trap T-M4: the event, the webhook and the status disagreed.
#[tokio::test]
async fn a_webhook_becomes_the_very_event_that_the_provider_puts_on_the_queue() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    deliver(&fixture, "wh_1", &body("payment.approved", &id, "pay_1")).await.unwrap();
    let intent = PaymentIntentId::parse("pay_1").unwrap();
    let waiting = fixture.waiting().await;
    let event =
        waiting.iter().find(|event| event.id == outbox::payment_event_id(&intent, Kind::Approved)).unwrap();
    let Fact::PaymentApproved { intent: paid, amount } = &event.fact else { panic!("{event:?}") };
    assert_eq!((paid, amount.as_ref().unwrap().amount), (&intent, 240_000));
    assert_eq!(event.at.as_millis(), START_MS);
    assert_eq!(fixture.status(&id).await, Status::Hold, "a webhook changes no status itself");
    assert_eq!(fixture.inventory.calls(), ["hold"]);
}

/// Rules R1: an approved payment of another amount is recorded while the seats are held, and passed
/// on: its event's handler refunds it.
#[tokio::test]
async fn a_webhook_of_another_amount_is_recorded_and_passed_on() {
    for (right, wrong, code) in [("240000", "1", "AMOUNT_MISMATCH"), ("KRW", "EUR", "CURRENCY_MISMATCH")] {
        let change = |text: &str| text.replace(right, wrong);
        let fixture = Fixture::new();
        let id = fixture.placed().await;
        deliver(&fixture, "wh_1", &change(&body("payment.failed", &id, "pay_1"))).await.unwrap();
        assert_eq!(fixture.stored(&id).await.reservation.error_code, None, "a declined payment pays nothing");
        deliver(&fixture, "wh_2", &change(&body("payment.approved", &id, "pay_2"))).await.unwrap();
        let recorded = fixture.stored(&id).await.reservation;
        assert_eq!((recorded.status, recorded.error_code.as_deref()), (Status::Hold, Some(code)));
        assert_eq!(fixture.waiting().await.len(), 3, "both events and the expiry wait");
        // The first code stays, and so does a reservation that has ended.
        deliver(&fixture, "wh_3", &body("payment.approved", &id, "pay_3").replace("240000", "1"))
            .await
            .unwrap();
        assert_eq!(fixture.stored(&id).await.reservation, recorded);
        fixture.service.cancel(&id, None, &Trace::default()).await.unwrap();
        let ended = fixture.stored(&id).await.reservation;
        deliver(&fixture, "wh_4", &body("payment.approved", &id, "pay_4").replace("240000", "1"))
            .await
            .unwrap();
        assert_eq!(fixture.stored(&id).await.reservation, ended);
    }
}

/// Trap T-M5: webhooks were unsigned and could be replayed.
#[tokio::test]
async fn a_replayed_webhook_is_answered_as_the_first_time_and_has_no_second_effect() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let body = body("payment.failed", &id, "pay_1");
    deliver(&fixture, "wh_1", &body).await.unwrap();
    let rows = fixture.rows().await;
    deliver(&fixture, "wh_1", &body).await.unwrap();
    assert_eq!(fixture.rows().await, rows);

    let running = fixture.run_background();
    let published = fixture.taken(1, Duration::ZERO).await;
    assert_eq!(published[0].fact.kind(), Kind::Failed);
    testkit::until(&fixture.clock, Duration::ZERO, "the row is gone", || async {
        fixture.waiting().await.len() == 1
    })
    .await;
    deliver(&fixture, "wh_1", &body).await.unwrap();
    assert_eq!(fixture.waiting().await.len(), 1, "only the expiry waits");
    running.stop().await;
}

#[tokio::test]
async fn two_webhooks_of_one_fact_leave_one_event() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let body = body("payment.approved", &id, "pay_1");
    deliver(&fixture, "wh_1", &body).await.unwrap();
    deliver(&fixture, "wh_2", &body).await.unwrap();
    assert_eq!(fixture.waiting().await.len(), 2, "the approval and the expiry");
}

#[tokio::test]
async fn a_webhook_id_that_was_used_for_another_payment_is_refused() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    deliver(&fixture, "wh_1", &body("payment.approved", &id, "pay_1")).await.unwrap();
    let refused = deliver(&fixture, "wh_1", &body("payment.approved", &id, "pay_2")).await.unwrap_err();
    assert_eq!(refused.reply().http_status().as_u16(), 409);
    assert_eq!(fixture.waiting().await.len(), 2);
}

#[tokio::test]
async fn a_webhook_for_an_unknown_reservation_is_refused() {
    let fixture = Fixture::new();
    let nobody = ReservationId::parse("rsv_nobody").unwrap();
    let refused = deliver(&fixture, "wh_1", &body("payment.approved", &nobody, "pay_1")).await.unwrap_err();
    assert_eq!(refused.reply().http_status().as_u16(), 404);
    assert!(fixture.rows().await.is_empty());
}

/// Trap T-M5: a webhook with any defect leaves nothing.
#[tokio::test]
async fn an_unsigned_or_malformed_webhook_is_refused_and_stores_nothing() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let rows = fixture.rows().await;
    let good = body("payment.approved", &id, "pay_1");
    let now = fixture.clock.now().as_millis() / 1_000;
    let signed =
        |at: u64, body: &str| (at.to_string(), sign(SECRET.as_bytes(), &at.to_string(), body.as_bytes()));
    let unknown_field = good.replace("\"amount\"", "\"amuont\"");
    let expired_kind = good.replace("payment.approved", "reservation.expired");
    let nobody = good.replace(id.as_str(), "");
    let currency = good.replace("KRW", "won");
    let ts = good.replace("2025-06-15T15:06:40.000Z", "yesterday");
    let table: [(&str, (String, String), &str, u16); 11] = [
        ("old", signed(now - 301, &good), &good, 401),
        ("from the future", signed(now + 301, &good), &good, 401),
        ("another body", signed(now, &good), &unknown_field, 401),
        ("another secret", (now.to_string(), sign(b"other", &now.to_string(), good.as_bytes())), &good, 401),
        ("no signature", (now.to_string(), String::new()), &good, 401),
        ("not JSON", signed(now, "x"), "x", 400),
        ("unknown field", signed(now, &unknown_field), &unknown_field, 400),
        ("unknown type", signed(now, &expired_kind), &expired_kind, 400),
        ("empty reservation", signed(now, &nobody), &nobody, 400),
        ("no currency", signed(now, &currency), &currency, 400),
        ("no time", signed(now, &ts), &ts, 400),
    ];
    for (what, (timestamp, signature), body, status) in table {
        let call = WebhookCall {
            id: Some("wh_1"),
            timestamp: Some(&timestamp),
            signature: Some(&signature),
            body: body.as_bytes(),
        };
        let refused = fixture.service.accept_webhook(call, &Trace::default()).await.unwrap_err();
        assert_eq!(refused.reply().http_status().as_u16(), status, "{what}: {refused:?}");
    }
    let (timestamp, signature) = signed(now, &good);
    let long = "x".repeat(ID_BYTES_MAX + 1);
    for id in [None, Some(""), Some(&*long)] {
        let call = WebhookCall {
            id,
            timestamp: Some(&timestamp),
            signature: Some(&signature),
            body: good.as_bytes(),
        };
        let refused = fixture.service.accept_webhook(call, &Trace::default()).await.unwrap_err();
        assert_eq!(refused.reply().http_status().as_u16(), 400, "{id:?}");
    }
    assert_eq!(fixture.rows().await, rows);
}
