//! Every operation is ended at each of its calls in each way, and then repeated: one effect, one
//! answer.
//!
//! The loop over `skip` ends when the operation has no such call any more, so calls that are added
//! later are covered too.

use crate::ends::{commit, release};
use crate::passes::with_pass;
use crate::webhooks;
use crate::world::{HOLD, SECRET, World, confirmed, expired, floor, intent, wish};
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
    world: &World,
    skip: u32,
    mishap: Mishap,
    operation: impl Future<Output = Result<T, Refusal>>,
) -> Option<Ended<Result<T, Refusal>>> {
    world.fuse.arm(skip, mishap);
    let ended = world.fuse.run(operation).await;
    (!world.fuse.disarm()).then_some(ended)
}

/// A refusal after a mishap reports a failure, never a mistake of the buyer.
fn blameless<T: core::fmt::Debug>(ended: &Ended<Result<T, Refusal>>, at: (u32, Mishap)) {
    if let Ended::Answered(Err(refusal)) = ended {
        let reply = refusal.reply();
        assert!(reply.http_status().is_server_error(), "{at:?}: {refusal:?}");
    }
}

/// A reservation in HOLD for the point `skip`.
async fn placed(world: &World, skip: u32) -> ReservationId {
    let seats = [format!("A-{}", 2 * skip + 1), format!("A-{}", 2 * skip + 2)];
    world.create(&format!("k{skip}"), [&seats[0], &seats[1]]).await.unwrap().placed.id
}

async fn create_at_each_point(world: impl Fn() -> World, rows: usize, wish: impl Fn(&World, u32) -> Create) {
    for how in Mishap::ALL {
        let world = world();
        for skip in 0.. {
            let (create, trace) = (wish(&world, skip), Trace::default());
            let holds = world.stock.holds().len();
            let Some(ended) = mishap(&world, skip, how, world.service.create(&create, &trace)).await else {
                assert!(skip >= 3, "a create reads, holds and commits");
                break;
            };
            blameless(&ended, (skip, how));
            world.check().await;
            let answer = world.service.create(&create, &trace).await.unwrap();
            let again = world.service.create(&create, &trace).await.unwrap();
            assert_eq!((&again.placed, again.recorded), (&answer.placed, true), "{skip} {how:?}");
            if let Ended::Answered(Ok(first)) = ended {
                assert_eq!(first.placed, answer.placed, "an answer stays true");
            }
            assert_eq!(world.stock.holds().len(), holds + 1, "{skip} {how:?}: one hold");
            assert_eq!(
                world.rows().await.len(),
                rows,
                "{skip} {how:?}: reservation, record, event, and a pass"
            );
            world.check().await;
            world.clear().await;
        }
    }
}

/// Traps T-T14 and T-S9.
#[tokio::test]
async fn a_create_that_is_interrupted_anywhere_is_one_reservation_after_the_retry() {
    create_at_each_point(World::new, 3, |_, n| wish(&format!("k{n}"), "kim", &[&format!("A-{}", n + 1)]))
        .await;
    create_at_each_point(World::new, 3, |_, n| floor(&format!("k{n}"), "kim", 2)).await;
    create_at_each_point(World::behind_a_waiting_room, 4, |world, n| {
        with_pass(world, floor("k", "kim", 2), &n.to_string())
    })
    .await;
}

/// Traps T-S3 and T-S9.
#[tokio::test]
async fn a_confirm_that_is_interrupted_anywhere_is_one_order_after_the_retry() {
    for how in Mishap::ALL {
        let world = World::new();
        for skip in 0.. {
            let (id, by) = (placed(&world, skip).await, intent(&format!("pay_{skip}")));
            world.till.put(by.as_str(), &id, payment::Status::Captured);
            let trace = Trace::default();
            let Some(ended) = mishap(&world, skip, how, world.service.confirm(&id, &by, None, &trace)).await
            else {
                assert!(skip >= 4, "a confirm reads, asks the till, commits the seats and commits");
                break;
            };
            blameless(&ended, (skip, how));
            world.check().await;
            let ended = world.service.confirm(&id, &by, None, &trace).await.unwrap();
            assert_eq!(
                (ended.status, ended.order),
                (Status::Confirmed, world.stock.order_of(&id)),
                "{skip} {how:?}"
            );
            assert!(!world.is_announced(&id).await);
            world.check().await;
        }
    }
}

/// Traps T-S3 and T-S9.
#[tokio::test]
async fn a_cancel_that_is_interrupted_anywhere_gives_the_seats_back_once() {
    for how in Mishap::ALL {
        let world = World::new();
        for skip in 0.. {
            let (id, trace) = (placed(&world, skip).await, Trace::default());
            let Some(ended) = mishap(&world, skip, how, world.service.cancel(&id, None, &trace)).await else {
                assert!(skip >= 3, "a cancel reads, releases and commits");
                break;
            };
            blameless(&ended, (skip, how));
            world.check().await;
            let ended = world.service.cancel(&id, None, &trace).await.unwrap();
            let expected = (Status::Cancelled, Some("user"));
            assert_eq!((ended.status, ended.cancel_reason.as_deref()), expected, "{skip} {how:?}");
            assert_eq!(world.live_holds(), 0);
            world.check().await;
        }
    }
}

/// An interrupted cancel that its buyer does not retry: the timer finds the seats released and
/// records the end.
#[tokio::test]
async fn an_interrupted_cancel_is_completed_by_the_expiry() {
    let world = World::new();
    let id = world.placed().await;
    let trace = Trace::default();
    mishap(&world, 1, Mishap::CrashAfter, world.service.cancel(&id, None, &trace)).await.unwrap();
    assert_eq!((world.status(&id).await, world.live_holds()), (Status::Hold, 0));
    world.clock.advance(HOLD);
    // As the worker does: the release finds the seats released, and the record follows.
    assert_eq!(world.end(&id, expired(None), true).await.unwrap().status, Status::Expired);
    world.check().await;
}

/// Traps T-S3 and T-S9, for a worker that settles and for one that does not.
#[tokio::test]
async fn an_end_that_is_interrupted_anywhere_is_recorded_once_after_the_retry() {
    for (settled, how) in Mishap::ALL.into_iter().flat_map(|how| [(true, how), (false, how)]) {
        let world = World::new();
        for skip in 0.. {
            let id = placed(&world, skip).await;
            let by = format!("pay_{skip}");
            if settled {
                commit(&world, &id, &by).await;
            }
            let end = || world.end(&id, confirmed(&id, &by), settled);
            let Some(ended) = mishap(&world, skip, how, end()).await else {
                assert!(skip >= 2, "an end reads and commits");
                break;
            };
            blameless(&ended, (skip, how));
            world.check().await;
            let ended = end().await.unwrap();
            assert_eq!((ended.status, ended.order), (Status::Confirmed, world.stock.order_of(&id)));
            let stored = world.stored(&id).await;
            assert_eq!((stored.version, stored.history.entries().len()), (2, 2), "{skip} {how:?}: once");
            world.check().await;
        }
    }
}

/// Traps T-M5, T-T14 and T-S9.
#[tokio::test]
async fn a_webhook_that_is_interrupted_anywhere_is_one_event_after_the_retry() {
    for how in Mishap::ALL {
        let world = World::new();
        for skip in 0.. {
            let id = placed(&world, skip).await;
            let body = webhooks::body("payment.approved", &id, &format!("pay_{skip}"));
            let timestamp = (world.clock.now().as_millis() / 1_000).to_string();
            let signature = contracts::webhook::sign(SECRET.as_bytes(), &timestamp, body.as_bytes());
            let webhook_id = format!("wh_{skip}");
            let call = WebhookCall {
                id: Some(&webhook_id),
                timestamp: Some(&timestamp),
                signature: Some(&signature),
                body: body.as_bytes(),
            };
            let trace = Trace::default();
            let Some(ended) = mishap(&world, skip, how, world.service.accept_webhook(call, &trace)).await
            else {
                assert!(skip >= 3, "a webhook reads twice and commits");
                break;
            };
            blameless(&ended, (skip, how));
            if matches!(ended, Ended::Answered(Ok(()))) {
                assert_eq!(world.waiting().await.len(), 2, "answered means durable");
            }
            world.service.accept_webhook(call, &trace).await.unwrap();
            assert_eq!(
                world.rows().await.len(),
                5,
                "{skip} {how:?}: the reservation's three, the id, the event"
            );
            world.clear().await;
        }
    }
}

/// Trap T-S2 across a crash: the buyer's confirm died between the seats and the record, and the
/// timer fired meanwhile.
#[tokio::test]
async fn an_interrupted_confirm_is_not_undone_by_the_expiry() {
    let world = World::new();
    let id: ReservationId = world.placed().await;
    world.till.put("pay_1", &id, payment::Status::Captured);
    let trace = Trace::default();
    let by = intent("pay_1");
    mishap(&world, 2, Mishap::CrashAfter, world.service.confirm(&id, &by, None, &trace)).await.unwrap();
    world.clock.advance(HOLD);
    let refused = world.end(&id, expired(None), false).await;
    assert!(matches!(refused, Err(Refusal::NotMoved { current: Status::Hold, .. })), "{refused:?}");
    assert_eq!(world.end(&id, confirmed(&id, "pay_1"), true).await.unwrap().status, Status::Confirmed);
    world.check().await;
}

/// A record that is late by a release, with a payment by the buyer's second card in between.
#[tokio::test]
async fn a_late_record_does_not_undo_a_second_card() {
    let world = World::new();
    let id = world.placed().await;
    release(&world, &id, ReleaseCause::PaymentFailed).await;
    world.till.put("pay_2", &id, payment::Status::Captured);
    let trace = Trace::default();
    world.service.confirm(&id, &intent("pay_2"), None, &trace).await.unwrap();
    let refused = world.end(&id, crate::world::cancelled("payment_failed", None), true).await;
    assert!(matches!(refused, Err(Refusal::Illegal { current: Status::Confirmed, .. })), "{refused:?}");
    world.check().await;
}
