//! Every operation is ended at each of its calls in each way, and then repeated: one effect, one
//! answer.
//!
//! The loop over `skip` ends when the operation has no such call any more, so calls that are added
//! later are covered too.

use crate::ends::{commit, release};
use crate::fixture::{Fixture, HOLD, SECRET, confirmed, expired, floor, intent, wish};
use crate::passes::with_pass;
use crate::webhooks;
use domain::hold::ReleaseCause;
use domain::id::ReservationId;
use domain::payment;
use domain::reservation::Status;
use ports::{Clock, Trace};
use reservation::request::Create;
use reservation::{Refusal, WebhookCall};
use runtime::Refusal as _;
use testkit::{Ended, Mishap};

/// Runs `operation` once with the mishap at its call number `skip`. `None`: it has no such call.
async fn mishap<T>(
    fixture: &Fixture,
    skip: u32,
    mishap: Mishap,
    operation: impl Future<Output = Result<T, Refusal>>,
) -> Option<Ended<Result<T, Refusal>>> {
    fixture.fuse.arm(skip, mishap);
    let ended = fixture.fuse.run(operation).await;
    (!fixture.fuse.disarm()).then_some(ended)
}

/// A refusal after a mishap reports a failure, never a mistake of the buyer.
fn blameless<T: core::fmt::Debug>(ended: &Ended<Result<T, Refusal>>, at: (u32, Mishap)) {
    if let Ended::Answered(Err(refusal)) = ended {
        let reply = refusal.reply();
        assert!(reply.http_status().is_server_error(), "{at:?}: {refusal:?}");
    }
}

/// A reservation in HOLD for the point `skip`.
async fn placed(fixture: &Fixture, skip: u32) -> ReservationId {
    let seats = [format!("A-{}", 2 * skip + 1), format!("A-{}", 2 * skip + 2)];
    fixture.create(&format!("k{skip}"), [&seats[0], &seats[1]]).await.unwrap().placed.id
}

async fn create_at_each_point(
    fixture: impl Fn() -> Fixture,
    rows: usize,
    wish: impl Fn(&Fixture, u32) -> Create,
) {
    for how in Mishap::ALL {
        let fixture = fixture();
        for skip in 0.. {
            let (create, trace) = (wish(&fixture, skip), Trace::default());
            let holds = fixture.inventory.holds().len();
            let Some(ended) = mishap(&fixture, skip, how, fixture.service.create(&create, &trace)).await
            else {
                assert!(skip >= 3, "a create reads, holds and commits");
                break;
            };
            blameless(&ended, (skip, how));
            fixture.check().await;
            let answer = fixture.service.create(&create, &trace).await.unwrap();
            let again = fixture.service.create(&create, &trace).await.unwrap();
            assert_eq!((&again.placed, again.recorded), (&answer.placed, true), "{skip} {how:?}");
            if let Ended::Answered(Ok(first)) = ended {
                assert_eq!(first.placed, answer.placed, "an answer stays true");
            }
            assert_eq!(fixture.inventory.holds().len(), holds + 1, "{skip} {how:?}: one hold");
            assert_eq!(
                fixture.rows().await.len(),
                rows,
                "{skip} {how:?}: reservation, record, event, and a pass"
            );
            fixture.check().await;
            fixture.clear().await;
        }
    }
}

/// Traps T-T14 and T-S9.
#[tokio::test]
async fn a_create_that_is_interrupted_anywhere_is_one_reservation_after_the_retry() {
    create_at_each_point(Fixture::new, 3, |_, n| wish(&format!("k{n}"), "kim", &[&format!("A-{}", n + 1)]))
        .await;
    create_at_each_point(Fixture::new, 3, |_, n| floor(&format!("k{n}"), "kim", 2)).await;
    create_at_each_point(Fixture::behind_a_waiting_room, 4, |fixture, n| {
        with_pass(fixture, floor("k", "kim", 2), &n.to_string())
    })
    .await;
}

/// Traps T-S3 and T-S9.
#[tokio::test]
async fn a_confirm_that_is_interrupted_anywhere_is_one_order_after_the_retry() {
    for how in Mishap::ALL {
        let fixture = Fixture::new();
        for skip in 0.. {
            let (id, by) = (placed(&fixture, skip).await, intent(&format!("pay_{skip}")));
            fixture.payments.put(by.as_str(), &id, payment::Status::Captured);
            let trace = Trace::default();
            let Some(ended) =
                mishap(&fixture, skip, how, fixture.service.confirm(&id, Some(&by), None, &trace)).await
            else {
                assert!(skip >= 4, "a confirm reads, asks the provider, commits the seats and commits");
                break;
            };
            blameless(&ended, (skip, how));
            fixture.check().await;
            let ended = fixture.service.confirm(&id, Some(&by), None, &trace).await.unwrap();
            assert_eq!(
                (ended.status, ended.order),
                (Status::Confirmed, fixture.inventory.order_of(&id)),
                "{skip} {how:?}"
            );
            assert!(!fixture.is_announced(&id).await);
            fixture.check().await;
        }
    }
}

/// Traps T-S3 and T-S9.
#[tokio::test]
async fn a_cancel_that_is_interrupted_anywhere_gives_the_seats_back_once() {
    for how in Mishap::ALL {
        let fixture = Fixture::new();
        for skip in 0.. {
            let (id, trace) = (placed(&fixture, skip).await, Trace::default());
            let Some(ended) = mishap(&fixture, skip, how, fixture.service.cancel(&id, None, &trace)).await
            else {
                assert!(skip >= 3, "a cancel reads, releases and commits");
                break;
            };
            blameless(&ended, (skip, how));
            fixture.check().await;
            let ended = fixture.service.cancel(&id, None, &trace).await.unwrap();
            let expected = (Status::Cancelled, Some("user"));
            assert_eq!((ended.status, ended.cancel_reason.as_deref()), expected, "{skip} {how:?}");
            assert_eq!(fixture.live_holds(), 0);
            fixture.check().await;
        }
    }
}

/// An interrupted cancel that its buyer does not retry: the timer finds the seats released and
/// records the end.
#[tokio::test]
async fn an_interrupted_cancel_is_completed_by_the_expiry() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    let trace = Trace::default();
    mishap(&fixture, 1, Mishap::CrashAfter, fixture.service.cancel(&id, None, &trace)).await.unwrap();
    assert_eq!((fixture.status(&id).await, fixture.live_holds()), (Status::Hold, 0));
    fixture.clock.advance(HOLD);
    // As the worker does: the release finds the seats released, and the record follows.
    assert_eq!(fixture.end(&id, expired(None), true).await.unwrap().status, Status::Expired);
    fixture.check().await;
}

/// Traps T-S3 and T-S9, for a worker that settles and for one that does not.
#[tokio::test]
async fn an_end_that_is_interrupted_anywhere_is_recorded_once_after_the_retry() {
    for (settled, how) in Mishap::ALL.into_iter().flat_map(|how| [(true, how), (false, how)]) {
        let fixture = Fixture::new();
        for skip in 0.. {
            let id = placed(&fixture, skip).await;
            let by = format!("pay_{skip}");
            if settled {
                commit(&fixture, &id, &by).await;
            }
            let end = || fixture.end(&id, confirmed(&id, &by), settled);
            let Some(ended) = mishap(&fixture, skip, how, end()).await else {
                assert!(skip >= 2, "an end reads and commits");
                break;
            };
            blameless(&ended, (skip, how));
            fixture.check().await;
            let ended = end().await.unwrap();
            assert_eq!((ended.status, ended.order), (Status::Confirmed, fixture.inventory.order_of(&id)));
            let stored = fixture.stored(&id).await;
            assert_eq!((stored.version, stored.history.entries().len()), (2, 2), "{skip} {how:?}: once");
            fixture.check().await;
        }
    }
}

/// Traps T-M5, T-T14 and T-S9.
#[tokio::test]
async fn a_webhook_that_is_interrupted_anywhere_is_one_event_after_the_retry() {
    for how in Mishap::ALL {
        let fixture = Fixture::new();
        for skip in 0.. {
            let id = placed(&fixture, skip).await;
            let body = webhooks::body("payment.approved", &id, &format!("pay_{skip}"));
            let timestamp = (fixture.clock.now().as_millis() / 1_000).to_string();
            let signature =
                contracts::webhook_signature::sign(SECRET.as_bytes(), &timestamp, body.as_bytes());
            let webhook_id = format!("wh_{skip}");
            let call = WebhookCall {
                id: Some(&webhook_id),
                timestamp: Some(&timestamp),
                signature: Some(&signature),
                body: body.as_bytes(),
            };
            let trace = Trace::default();
            let Some(ended) = mishap(&fixture, skip, how, fixture.service.accept_webhook(call, &trace)).await
            else {
                assert!(skip >= 3, "a webhook reads twice and commits");
                break;
            };
            blameless(&ended, (skip, how));
            if matches!(ended, Ended::Answered(Ok(()))) {
                assert_eq!(fixture.waiting().await.len(), 2, "answered means durable");
            }
            fixture.service.accept_webhook(call, &trace).await.unwrap();
            assert_eq!(
                fixture.rows().await.len(),
                5,
                "{skip} {how:?}: the reservation's three, the id, the event"
            );
            fixture.clear().await;
        }
    }
}

/// Trap T-S2 across a crash: the buyer's confirm died between the seats and the record, and the
/// timer fired meanwhile.
#[tokio::test]
async fn an_interrupted_confirm_is_not_undone_by_the_expiry() {
    let fixture = Fixture::new();
    let id: ReservationId = fixture.placed().await;
    fixture.payments.put("pay_1", &id, payment::Status::Captured);
    let trace = Trace::default();
    let by = intent("pay_1");
    mishap(&fixture, 2, Mishap::CrashAfter, fixture.service.confirm(&id, Some(&by), None, &trace))
        .await
        .unwrap();
    fixture.clock.advance(HOLD);
    let refused = fixture.end(&id, expired(None), false).await;
    assert!(matches!(refused, Err(Refusal::NotMoved { current: Status::Hold, .. })), "{refused:?}");
    assert_eq!(fixture.end(&id, confirmed(&id, "pay_1"), true).await.unwrap().status, Status::Confirmed);
    fixture.check().await;
}

/// A record that is late by a release, with a payment by the buyer's second card in between.
#[tokio::test]
async fn a_late_record_does_not_undo_a_second_card() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    release(&fixture, &id, ReleaseCause::PaymentFailed).await;
    fixture.payments.put("pay_2", &id, payment::Status::Captured);
    let trace = Trace::default();
    fixture.service.confirm(&id, Some(&intent("pay_2")), None, &trace).await.unwrap();
    let refused = fixture.end(&id, crate::fixture::cancelled("payment_failed", None), true).await;
    assert!(matches!(refused, Err(Refusal::Illegal { current: Status::Confirmed, .. })), "{refused:?}");
    fixture.check().await;
}
