//! The layers of expiry in this crate: the relay's timer and the sweeper. Timers affect latency,
//! never safety.

use crate::ends::release;
use crate::fixture::{Fixture, HOLD, Running, expired};
use core::time::Duration;
use domain::event::Fact;
use domain::hold::ReleaseCause;
use domain::limits::MEMORY;
use domain::reservation::Status;
use ports::Clock;
use ports::store::{Expect, Key, Write};
use reservation::{ServiceMetrics, Sweeper};
use testkit::until;

const MS: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

async fn started(fixture: &Fixture) -> Running {
    let running = fixture.run_background();
    let health = &fixture.process.health;
    until(&fixture.clock, Duration::ZERO, "ready", || async { health.is_ready() }).await;
    running
}

/// Trap T-S7, layer 2: the event is published when the hold is due, not before.
#[tokio::test]
async fn a_due_hold_is_announced_at_its_time() {
    let fixture = Fixture::new();
    let running = started(&fixture).await;
    let id = fixture.placed().await;
    let due = fixture.stored(&id).await.reservation.hold_expires_at;
    fixture.clock.advance(HOLD - 20 * MS);
    let events = fixture.taken(1, MS).await;
    assert!(fixture.clock.now() >= due);
    assert_eq!(events[0].fact, Fact::ReservationExpired { expired_at: Some(due) });
    assert_eq!(events[0].id, outbox::expired_event_id(&id));
    running.stop().await;
}

/// Trap T-S7: the timers are rebuilt from the store.
#[tokio::test]
async fn a_restart_forgets_no_expiry() {
    let mut fixture = Fixture::new();
    let running = started(&fixture).await;
    let id = fixture.placed().await;
    running.crash().await;
    fixture.restart();
    let running = started(&fixture).await;
    fixture.clock.advance(HOLD);
    assert_eq!(fixture.taken(1, MS).await[0].reservation, id);
    running.stop().await;
}

#[tokio::test]
async fn an_ended_reservation_is_not_announced() {
    let fixture = Fixture::new();
    let running = started(&fixture).await;
    let ended = fixture.placed().await;
    let other = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    release(&fixture, &ended, ReleaseCause::PaymentFailed).await;
    fixture.end(&ended, crate::fixture::cancelled("payment_failed", None), true).await.unwrap();
    fixture.clock.advance(HOLD);
    let events = fixture.taken(1, MS).await;
    assert_eq!(events.iter().map(|event| &event.reservation).collect::<Vec<_>>(), [&other]);
    running.stop().await;
}

/// Trap T-S7, layer 4: the announcement is lost and the reservation is still HOLD.
#[tokio::test]
async fn a_due_reservation_whose_announcement_is_lost_is_announced_again_as_the_same_event() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    lose_announcement(&fixture, &id).await;
    let running = started(&fixture).await;
    let again = fixture.taken(1, SECOND).await;
    assert_eq!(again[0].id, outbox::expired_event_id(&id));
    let due = fixture.stored(&id).await.reservation.hold_expires_at;
    let grace = reservation::SweeperOptions::default().grace;
    assert!(fixture.clock.now() >= due.plus(grace), "its event had the grace to come");
    let stored = fixture.stored(&id).await;
    assert_eq!((stored.reservation.status, stored.announced_again), (Status::Hold, 1));
    assert!(stored.look_at >= due.plus(Duration::from_secs(300)), "a worker that is behind is left alone");
    running.stop().await;
    fixture.check().await;
}

#[tokio::test]
async fn a_reservation_that_stays_in_hold_is_announced_more_and_more_rarely() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    lose_announcement(&fixture, &id).await;
    let running = started(&fixture).await;
    until(&fixture.clock, 20 * SECOND, "announced again and again", || async {
        fixture.stored(&id).await.announced_again >= 5
    })
    .await;
    let entries = fixture.stored(&id).await.history.entries();
    let again: Vec<_> = entries.iter().filter(|entry| &*entry.text == "expiry announced again").collect();
    let rests = again.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_secs() / 60);
    for (rest, least) in rests.zip([5, 10, 20, 40]) {
        assert!(rest >= least, "{rest} minutes instead of {least}");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_sweeper_ignores_ended_reservations_and_waiting_events() {
    let fixture = Fixture::new();
    let ended = fixture.placed().await;
    let waits = fixture.create("k2", ["A-3", "A-4"]).await.unwrap().placed.id;
    let lost = fixture.create("k3", ["A-5", "A-6"]).await.unwrap().placed.id;
    lose_announcement(&fixture, &lost).await;
    fixture.clock.advance(HOLD);
    release(&fixture, &ended, ReleaseCause::Expired).await;
    fixture.end(&ended, expired(None), true).await.unwrap();

    let deps = fixture.deps();
    // The relay does not run: waiting rows stay.
    let relay = outbox::Relay::new(
        deps.store.clone(),
        deps.events.clone(),
        deps.clock.clone(),
        deps.entropy.clone(),
        fixture.config.relay.clone(),
    );
    let metrics = ServiceMetrics::register(&deps.process.metrics);
    let mut sweeper = Sweeper::new(&fixture.config, &deps, relay.handle(), metrics);
    for _ in 0..30 {
        fixture.clock.advance(5 * SECOND);
        sweeper.sweep().await;
    }
    assert!(deps.process.metrics.render().contains("reservations_swept_total 1"));
    assert_eq!(fixture.stored(&lost).await.announced_again, 1);
    assert!(fixture.is_announced(&lost).await && fixture.is_announced(&waits).await);
    assert_eq!(fixture.stored(&waits).await.announced_again, 0);
    assert_eq!((fixture.status(&ended).await, fixture.is_announced(&ended).await), (Status::Expired, false));
}

#[tokio::test]
async fn records_and_webhook_ids_are_forgotten_after_fourteen_days_and_not_before() {
    let fixture = Fixture::new();
    let id = fixture.placed().await;
    fixture.end(&id, crate::fixture::cancelled("user", None), false).await.unwrap();
    fixture.clock.advance(MEMORY - SECOND * 60);
    let running = started(&fixture).await;
    assert!(fixture.create("k", ["A-1", "A-2"]).await.unwrap().recorded);
    until(&fixture.clock, 10 * SECOND, "the record is forgotten", || async {
        fixture.rows().await.len() == 1
    })
    .await;
    assert!(fixture.clock.now() >= fixture.stored(&id).await.reservation.created_at.plus(MEMORY));
    // The reservation itself is kept, so the old key cannot become another one under the same id.
    let refused = fixture.create("k", ["A-1", "A-2"]).await;
    assert_eq!(crate::fixture::code(refused), "IDEMPOTENCY_CONFLICT");
    running.stop().await;
}

async fn lose_announcement(fixture: &Fixture, id: &domain::id::ReservationId) {
    let key: Key = outbox::row_key(outbox::expired_event_id(id).as_str());
    fixture.store.commit(vec![Write::Delete { key, expect: Expect::Version(1) }]).await.unwrap();
}
