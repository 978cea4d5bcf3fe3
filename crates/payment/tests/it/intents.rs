//! Opening, reading and listing intents.

use crate::fixture::{Fixture, intent};
use contracts::IdempotencyKey;
use core::time::Duration;
use domain::id::{PersonId, ReservationId};
use domain::payment::{Scenario, Status};
use payment::{CreateIntent, ListPayments, Refusal};
use ports::{Clock, Trace};

fn keyed(key: &str) -> CreateIntent {
    CreateIntent {
        idempotency_key: Some(IdempotencyKey::parse(key).unwrap()),
        ..intent("rsv_1", Scenario::Approve)
    }
}

#[tokio::test]
async fn a_repeated_request_returns_the_same_intent_in_any_state() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let trace = Trace::default();
    let (first, is_recorded) = running.service.create(keyed("k1"), &trace).await.unwrap();
    assert!(!is_recorded);
    assert_eq!(running.service.create(keyed("k1"), &trace).await.unwrap().0.payment, first.payment);
    running.service.process(&first.payment.intent, &trace).await.unwrap();
    let (again, is_recorded) = running.service.create(keyed("k1"), &trace).await.unwrap();
    assert!(is_recorded);
    assert_eq!((again.payment.intent, again.payment.status), (first.payment.intent, Status::Captured));
    assert_eq!(fixture.payments().await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_its_person_and_its_request() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let trace = Trace::default();
    let (first, _) = running.service.create(keyed("k1"), &trace).await.unwrap();
    let other_person = CreateIntent { person: PersonId::parse("u_2").ok(), ..keyed("k1") };
    let (other, _) = running.service.create(other_person, &trace).await.unwrap();
    assert_ne!(other.payment.intent, first.payment.intent);
    for changed in [
        CreateIntent { reservation: ReservationId::parse("rsv_2").unwrap(), ..keyed("k1") },
        CreateIntent { scenario: Scenario::Fail, ..keyed("k1") },
        CreateIntent { amount: domain::money::Money { amount: 1, ..keyed("k1").amount }, ..keyed("k1") },
    ] {
        let refused = running.service.create(changed, &trace).await;
        assert!(matches!(refused, Err(Refusal::OtherRequest)), "{refused:?}");
    }
    running.stop().await;
}

/// Case M10.
#[tokio::test]
async fn a_hold_that_has_run_out_opens_no_payment_and_a_key_of_before_gets_its_answer() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let trace = Trace::default();
    let open_until = Some(fixture.clock.now().plus(Duration::from_secs(60)));
    let keyed = |key: &str| CreateIntent { open_until, ..keyed(key) };
    let (first, _) = running.service.create(keyed("k1"), &trace).await.unwrap();
    fixture.clock.advance(Duration::from_secs(61));
    let (again, is_recorded) = running.service.create(keyed("k1"), &trace).await.unwrap();
    assert_eq!((again.payment, is_recorded), (first.payment, true));
    let late = running.service.create(keyed("k2"), &trace).await;
    assert!(matches!(late, Err(Refusal::HoldOver(_))), "{late:?}");
    let keyless = CreateIntent { open_until, ..intent("rsv_1", Scenario::Approve) };
    assert!(matches!(running.service.create(keyless, &trace).await, Err(Refusal::HoldOver(_))));
    assert_eq!(fixture.payments().await.len(), 1);
    running.stop().await;
}

/// Trap T-S9: the intent was stored and its answer lost.
#[tokio::test]
async fn an_intent_whose_answer_was_lost_is_found_again() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    fixture.store.on_commit(|_| Some(testkit::Fate::AnswerLost));
    for command in [keyed("k1"), intent("rsv_1", Scenario::Approve)] {
        let (row, _) = running.service.create(command, &Trace::default()).await.unwrap();
        assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment, row.payment);
    }
    fixture.store.heal();
    assert_eq!(fixture.payments().await.len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_failing_store_changes_nothing_and_is_reported() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let (row, _) = running.service.create(keyed("k1"), &Trace::default()).await.unwrap();
    fixture.store.on_commit(|_| Some(testkit::Fate::Failed));
    let refused = running.service.process(&row.payment.intent, &Trace::default()).await;
    assert!(matches!(refused, Err(Refusal::Failed(_))), "{refused:?}");
    fixture.store.heal();
    assert_eq!(running.service.get(&row.payment.intent).await.unwrap().payment.status, Status::Pending);
    assert!(fixture.webhooks().await.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn lists_are_newest_first_and_turn_pages() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let trace = Trace::default();
    let mut made = Vec::new();
    for n in 0..7 {
        let (row, _) = running
            .service
            .create(intent(&format!("rsv_{}", n % 2), Scenario::Approve), &trace)
            .await
            .unwrap();
        made.push(row.payment.intent);
        fixture.clock.advance(Duration::from_millis(10));
    }
    running.service.process(&made[3], &trace).await.unwrap();
    made.reverse();
    let person = PersonId::parse("u_1").ok();
    let mut request = ListPayments { person: person.clone(), page_size: 3, ..ListPayments::default() };
    let mut listed = Vec::new();
    let mut pages = 0;
    loop {
        let page = running.service.list(&request).await.unwrap();
        pages += 1;
        assert!(page.payments.len() <= 3);
        listed.extend(page.payments.into_iter().map(|row| row.payment.intent));
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    assert_eq!((listed, pages), (made.clone(), 3));
    let of = |reservation: &str, status| ListPayments {
        reservation: ReservationId::parse(reservation).ok(),
        status,
        person: person.clone(),
        ..ListPayments::default()
    };
    assert_eq!(running.service.list(&of("rsv_0", None)).await.unwrap().payments.len(), 4);
    let captured = running.service.list(&of("rsv_1", Some(Status::Captured))).await.unwrap();
    assert_eq!(captured.payments[0].payment.intent, made[3]);
    assert_eq!(captured.payments.len(), 1);
    let mut foreign = of("rsv_0", None);
    foreign.person = PersonId::parse("u_2").ok();
    assert!(running.service.list(&foreign).await.unwrap().payments.is_empty());
    running.stop().await;
}
