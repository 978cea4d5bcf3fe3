//! Create: one key has one effect and one answer, and a refusal has none.

use crate::fixture::{Fixture, HOLD, cancelled, code, floor, person, wish};
use crate::inventory::{PRICE, section, show};
use async_trait::async_trait;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use domain::event::Fact;
use domain::hold::HoldState;
use domain::id::{ReservationId, ShowId};
use domain::reservation::Status;
use domain::time::Timestamp;
use futures_util::future::join_all;
use ports::inventory::HoldSeats;
use ports::store::{CommitError, Entry, Key, Row, Write};
use ports::{CallContext, Clock, Fault, Inventory, Store, Trace};
use reservation::request::{Create, IdempotencyKey, Origin, reservation_id};
use reservation::rows::AnyRow;
use reservation::{Deps, assemble};
use runtime::Refusal as _;
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test]
async fn a_new_reservation_has_its_seats_its_record_and_its_announced_expiry() {
    let fixture = Fixture::new();
    let answer = fixture.create("k", ["A-2", "A-1"]).await.unwrap();
    assert!(!answer.recorded);
    let placed = answer.placed;
    let until = fixture.clock.now().plus(HOLD);
    assert_eq!((placed.hold_expires_at, placed.total.amount), (until, 2 * PRICE));
    let seats: Vec<_> = placed.seats.iter().map(|seat| seat.id.to_string()).collect();
    assert_eq!(seats, ["A-2", "A-1"]);

    let stored = fixture.stored(&placed.id).await.reservation;
    assert_eq!((stored.status, stored.hold_expires_at, stored.section), (Status::Hold, until, None));
    assert_eq!(fixture.inventory.hold_of(&placed.id).unwrap().until, until);
    let [event] = &fixture.waiting().await[..] else { panic!("one event") };
    assert_eq!(event.id, outbox::expired_event_id(&placed.id));
    assert_eq!(event.fact, Fact::ReservationExpired { expired_at: Some(until) });
    assert_eq!((event.seats.show.as_ref(), event.seats.seats.len()), (Some(&show()), 2));
    assert_eq!(fixture.rows().await.len(), 3, "reservation, record, event");
    fixture.check().await;
}

/// Trap T-T14 and invariant X2: the same key and the same request has one effect and the same
/// answer, whatever became of the reservation since.
#[tokio::test]
async fn the_same_key_is_answered_as_the_first_time() {
    let fixture = Fixture::new();
    let first = fixture.create("k", ["A-1", "A-2"]).await.unwrap();
    fixture.inventory.calls();
    let again = fixture.create("k", ["A-1", "A-2"]).await.unwrap();
    assert_eq!((&again.placed, again.recorded), (&first.placed, true));
    fixture.end(&first.placed.id, cancelled("user", None), false).await.unwrap();
    let after_the_end = fixture.create("k", ["A-1", "A-2"]).await.unwrap();
    assert_eq!(after_the_end, again);
    assert_eq!(fixture.inventory.calls(), ["release"]);
    assert_eq!(fixture.status(&first.placed.id).await, Status::Cancelled);
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused_and_changes_nothing() {
    let fixture = Fixture::new();
    fixture.create("k", ["A-1", "A-2"]).await.unwrap();
    let rows = fixture.rows().await;
    for other in [wish("k", "kim", &["A-3"]), wish("k", "kim", &["A-2", "A-1"]), floor("k", "kim", 2)] {
        let answer = fixture.service.create(&other, &Trace::default()).await;
        assert_eq!(code(answer), "IDEMPOTENCY_CONFLICT");
    }
    assert_eq!(fixture.rows().await, rows);
    assert_eq!(fixture.inventory.holds().len(), 1);
    // The same key of another person is another key.
    let lee = wish("k", "lee", &["A-3", "A-4"]);
    assert!(!fixture.service.create(&lee, &Trace::default()).await.unwrap().recorded);
}

/// Trap T-T14: many tries at the same time, as impatient clients and gateways make them.
#[tokio::test]
async fn concurrent_duplicates_make_one_reservation_and_get_one_answer() {
    let fixture = Fixture::new();
    for round in 0..5 {
        let key = format!("k{round}");
        let create = floor(&key, "kim", 2);
        let tries =
            (0..16).map(|_| async { fixture.service.create(&create, &Trace::default()).await.unwrap() });
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|answer| answer.placed == answers[0].placed));
        assert_eq!(answers.iter().filter(|answer| !answer.recorded).count(), 1, "one of them did it");
        assert_eq!(fixture.inventory.holds().len(), round + 1);
    }
    assert_eq!(fixture.rows().await.len(), 15);
    fixture.check().await;
}

/// A store that reads several rows one after the other, as DynamoDB does. A read of two rows waits
/// between them until the test lets it continue.
struct TornReads {
    inner: Arc<dyn Store>,
    halfway: Notify,
    resume: Notify,
    torn: AtomicBool,
}

#[async_trait]
impl Store for TornReads {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        if keys.len() < 2 || self.torn.swap(true, Ordering::Relaxed) {
            return self.inner.get(keys).await;
        }
        let mut rows = self.inner.get(&keys[..1]).await?;
        self.halfway.notify_one();
        self.resume.notified().await;
        rows.extend(self.inner.get(&keys[1..]).await?);
        Ok(rows)
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.inner.list(partition, after, limit).await
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.inner.due(index, shard, after, until, limit).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        self.inner.commit(writes).await
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.inner.scan(after, limit).await
    }
}

/// Trap T-T14 on a store whose reads are not one moment: the request that loses gets the recorded
/// answer of the one that wins, and only another request is a conflict.
#[tokio::test]
async fn a_duplicate_that_reads_while_the_other_commits_gets_its_answer() {
    for same in [true, false] {
        let fixture = Fixture::new();
        let torn = Arc::new(TornReads {
            inner: fixture.store.clone(),
            halfway: Notify::new(),
            resume: Notify::new(),
            torn: AtomicBool::new(false),
        });
        let deps = Deps { store: torn.clone(), ..fixture.deps() };
        let (slow, _background) = assemble(&fixture.config, &deps);
        let winner = floor("k", "kim", 2);
        let loser = Create { quantity: if same { 2 } else { 3 }, ..winner.clone() };
        let trace = Trace::default();
        let first = async {
            torn.halfway.notified().await;
            let answer = fixture.service.create(&winner, &trace).await;
            torn.resume.notify_one();
            answer.unwrap()
        };
        let (first, second) = tokio::join!(first, slow.create(&loser, &trace));
        if same {
            let second = second.unwrap();
            assert_eq!((&second.placed, second.recorded), (&first.placed, true));
        } else {
            assert_eq!(code(second), "IDEMPOTENCY_CONFLICT");
        }
        assert_eq!((fixture.rows().await.len(), fixture.inventory.holds().len()), (3, 1));
        fixture.check().await;
    }
}

#[tokio::test]
async fn a_refusal_is_not_recorded_so_the_same_key_may_try_again() {
    let fixture = Fixture::new();
    let first = fixture.placed().await;
    assert_eq!(code(fixture.create("again", ["A-2", "A-3"]).await), "INVENTORY_CONFLICT");
    assert_eq!(code(fixture.create("again", ["A-3", "B-1"]).await), "NOT_FOUND");
    assert_eq!(fixture.rows().await.len(), 3);
    fixture.end(&first, cancelled("user", None), false).await.unwrap();
    assert!(fixture.create("again", ["A-2", "A-3"]).await.is_ok());
}

#[tokio::test]
async fn a_refusal_of_the_inventory_is_answered_with_its_details() {
    let fixture = Fixture::new();
    fixture.placed().await;
    let taken = fixture.create("k2", ["A-1", "A-2"]).await.unwrap_err().reply();
    let seats: Vec<_> = taken.error().details.iter().map(|detail| detail.value.as_str()).collect();
    assert_eq!((taken.http_status().as_u16(), &seats[..]), (409, &["A-1", "A-2"][..]));
    let nine = fixture.service.create(&floor("a", "kim", 9), &Trace::default()).await.unwrap();
    assert_eq!(nine.placed.seats.len(), 9);
    fixture.service.create(&floor("b", "kim", 9), &Trace::default()).await.unwrap();
    let sold_out =
        fixture.service.create(&floor("c", "kim", 3), &Trace::default()).await.unwrap_err().reply();
    assert_eq!(
        (sold_out.http_status().as_u16(), sold_out.error().code.as_str()),
        (409, "INSUFFICIENT_INVENTORY")
    );
    assert_eq!(sold_out.error().find("REMAINING").unwrap().value, "2");
    let nowhere = Create { show: ShowId::parse("no-show").unwrap(), ..wish("d", "kim", &["A-9"]) };
    assert_eq!(code(fixture.service.create(&nowhere, &Trace::default()).await), "NOT_FOUND");
}

#[tokio::test]
async fn a_silent_inventory_is_reported_in_time_and_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.inventory.hang();
    let answer = async {
        let answer = fixture.create("k", ["A-1", "A-2"]).await;
        answer.unwrap_err().reply()
    };
    let timing = async {
        loop {
            fixture.clock.advance(Duration::from_millis(50));
            tokio::task::yield_now().await;
        }
    };
    let reply = tokio::select! { reply = answer => reply, () = timing => unreachable!() };
    assert_eq!((reply.http_status().as_u16(), reply.error().code.as_str()), (504, "UPSTREAM_TIMEOUT"));
    assert!(!reply.is_in_band(), "an outage is a gRPC status");
    assert!(fixture.rows().await.is_empty());
}

/// An earlier try took the seats and died: the retry finds that hold and no other.
#[tokio::test]
async fn a_retry_takes_over_the_hold_of_an_interrupted_try() {
    let fixture = Fixture::new();
    let until = orphan(&fixture, "k", &["A-1", "A-2"]).await;
    fixture.clock.advance(Duration::from_secs(20));
    let answer = fixture.create("k", ["A-1", "A-2"]).await.unwrap();
    assert_eq!(answer.placed.hold_expires_at, until, "the time of the hold, not a new one");
    assert_eq!((fixture.inventory.holds().len(), answer.recorded), (1, false));
    assert_eq!(fixture.stored(&answer.placed.id).await.look_at, until);
}

#[tokio::test]
async fn a_key_whose_hold_is_over_is_refused() {
    let fixture = Fixture::new();
    orphan(&fixture, "k", &["A-1", "A-2"]).await;
    fixture.clock.advance(HOLD);
    let over = fixture.create("k", ["A-1", "A-2"]).await.unwrap_err().reply();
    assert_eq!((over.http_status().as_u16(), over.error().code.as_str()), (409, "RESERVATION_EXPIRED"));
    assert!(over.error().message.contains("new Idempotency-Key"), "{}", over.error().message);
    assert!(fixture.rows().await.is_empty());
    // The seats are due, so the new key gets them; the old one is over for good.
    let answer = fixture.create("k2", ["A-1", "A-2"]).await.unwrap();
    assert_eq!(code(fixture.create("k", ["A-1", "A-2"]).await), "RESERVATION_EXPIRED");
    assert_eq!(fixture.status(&answer.placed.id).await, Status::Hold);
    fixture.check().await;
}

#[tokio::test]
async fn a_key_that_already_holds_other_seats_is_a_conflict() {
    let fixture = Fixture::new();
    orphan(&fixture, "k", &["A-1", "A-2"]).await;
    assert_eq!(code(fixture.create("k", ["A-3", "A-4"]).await), "IDEMPOTENCY_CONFLICT");
    let create = floor("f", "kim", 2);
    let id = reservation_id(&create.person, Origin::Key(create.key.as_ref().unwrap()));
    hold(&fixture, &id, &create).await;
    let elsewhere = Create { section: Some(section("A")), ..create };
    assert_eq!(code(fixture.service.create(&elsewhere, &Trace::default()).await), "IDEMPOTENCY_CONFLICT");
    assert!(fixture.rows().await.is_empty());
}

/// Callers older than the key: a pass is used once, so it replaces the key; with neither, each
/// request is another one.
#[tokio::test]
async fn earlier_callers_without_a_key_are_served() {
    let fixture = Fixture::new();
    let trace = Trace::default();
    let with_pass = Create { key: None, pass: Some("pass-1".into()), ..floor("-", "kim", 1) };
    let first = fixture.service.create(&with_pass, &trace).await.unwrap();
    let again = fixture.service.create(&with_pass, &trace).await.unwrap();
    assert_eq!((&again.placed, again.recorded), (&first.placed, true));
    let bare = Create { pass: None, ..with_pass };
    let (one, two) = (
        fixture.service.create(&bare, &trace).await.unwrap(),
        fixture.service.create(&bare, &trace).await.unwrap(),
    );
    assert!(one.placed.id != two.placed.id && !two.recorded);
    let records = fixture
        .rows()
        .await
        .iter()
        .filter(|row| matches!(AnyRow::read(row), Some(AnyRow::Idempotency(_))))
        .count();
    assert_eq!(records, 1, "nothing to answer a second time with");
    fixture.check().await;
}

/// The state after a crash between the hold and the commit.
async fn orphan(fixture: &Fixture, key: &str, seats: &[&str]) -> Timestamp {
    let create = wish(key, "kim", seats);
    let key = IdempotencyKey::parse(key).unwrap();
    let id = reservation_id(&person("kim"), Origin::Key(&key));
    hold(fixture, &id, &create).await;
    let hold = fixture.inventory.hold_of(&id).unwrap();
    assert_eq!(hold.state, HoldState::Live);
    hold.until
}

async fn hold(fixture: &Fixture, id: &ReservationId, create: &Create) {
    let command = HoldSeats {
        reservation: id.clone(),
        show: create.show.clone(),
        section: create.section.clone(),
        seats: create.seats.clone(),
        quantity: create.quantity,
        person: create.person.clone(),
        until: fixture.clock.now().plus(HOLD),
    };
    fixture.inventory.hold(&CallContext::default(), command).await.unwrap();
}
