//! Events through EventBridge: bus, rule, queue, and back into the same event.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::ground::{NOWHERE, REGION, event, ministack, received, standard_queue, unique_name};
use adapter_aws::setup::{Done, Mode, RuleDefinition};
use adapter_aws::{Aws, EventBus, Unusable};
use contracts::envelope;
use domain::event::{Event, Fact, Kind};
use domain::id::PaymentIntentId;
use ports::queue::Outgoing;
use ports::{FaultClass, Publisher};

fn outgoing(event: &Event) -> Outgoing {
    Outgoing { body: envelope::encode(event), ..Outgoing::default() }
}

fn failed(reservation: &str) -> Event {
    let fact = Fact::PaymentFailed {
        intent: PaymentIntentId::parse("pay_1").unwrap(),
        amount: None,
        error_code: Some("CARD_DECLINED".into()),
        error_message: None,
    };
    Event { fact, source: "payment-sim-api".into(), ..event(reservation) }
}

fn rule(bus: &str, kinds: &[Kind]) -> RuleDefinition {
    let types = kinds.iter().map(|kind| kind.wire().to_owned()).collect();
    RuleDefinition { bus: bus.to_owned(), name: format!("{bus}-events"), types }
}

#[tokio::test]
async fn an_event_passes_bus_and_rule_unchanged() {
    let aws = ministack();
    let (queue, name) = (standard_queue(&aws).await, unique_name());
    let rule = rule(&name, &[Kind::Expired, Kind::Approved]);
    assert_eq!(rule.ensure(&aws, Some(&queue), Mode::Make).await.unwrap(), Done::Made);
    let bus = EventBus::new(&aws, &name);
    bus.check("EVENT_BUS_NAME").await.unwrap();

    // First an event that the rule does not forward: the later ones show that it did not arrive.
    let sent = [failed("rsv_0"), event("rsv_1"), event("rsv_2")];
    let results = bus.publish(sent.iter().map(outgoing).collect()).await.unwrap();
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(Result::is_ok), "{results:?}");

    let messages = received(&aws, &queue, 2).await;
    assert_eq!(messages.len(), 2);
    let mut came = Vec::new();
    for message in &messages {
        assert!(message.body.contains("\"detail-type\""), "EventBridge's own envelope: {}", message.body);
        let (event, _) = envelope::decode(&message.body, &message.id, &message.attributes).unwrap();
        came.push(event);
    }
    came.sort_by(|a, b| a.reservation.cmp(&b.reservation));
    for (came, sent) in came.iter().zip(&sent[1..]) {
        // The envelope's own id applies. Its time would be the event's on AWS; MiniStack writes the
        // time of the call.
        let expected = Event { id: came.id.clone(), at: came.at, ..sent.clone() };
        assert_eq!(*came, expected);
    }
    let ids: Vec<_> =
        results[1..].iter().map(|result| result.as_ref().unwrap().message_id.to_string()).collect();
    assert!(came.iter().all(|event| ids.contains(&event.id.to_string())), "{ids:?}");
}

#[tokio::test]
async fn each_entry_has_its_own_result() {
    use core::time::Duration;
    let bus = EventBus::new(&ministack(), "default");
    let delayed = Outgoing { delay: Duration::from_secs(1), ..outgoing(&event("rsv_1")) };
    // Only AWS may use its own source; the server refuses it.
    let foreign = Event { source: "aws.events".into(), ..event("rsv_2") };
    let entries = vec![delayed, outgoing(&event("rsv_3")), outgoing(&foreign), outgoing(&event("rsv_4"))];
    let results = bus.publish(entries).await.unwrap();
    let class = |at: usize| results[at].as_ref().unwrap_err().class;
    assert_eq!((class(0), class(2)), (FaultClass::Permanent, FaultClass::Permanent));
    assert!(results[1].is_ok() && results[3].is_ok(), "{results:?}");
}

#[tokio::test]
async fn events_that_are_too_large_together_go_in_several_calls() {
    let bus = EventBus::new(&ministack(), "default");
    let large = |number: u32| {
        let detail = format!(r#"{{"reservation_id":"rsv_{number}","note":"{}"}}"#, "x".repeat(100_000));
        let body = format!(
            r#"{{"type":"payment.approved","source":"test","time":"2025-01-23T10:00:00Z","detail":{detail}}}"#
        );
        Outgoing { body, ..Outgoing::default() }
    };
    let results = bus.publish((0..5).map(large).collect()).await.unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5, "{results:?}");
}

#[tokio::test]
async fn a_batch_of_none_or_eleven_is_refused() {
    let bus = EventBus::new(&ministack(), "default");
    for count in [0, 11] {
        let entries = (0..count).map(|n| outgoing(&event(&format!("rsv_{n}")))).collect();
        assert_eq!(bus.publish(entries).await.unwrap_err().class, FaultClass::Permanent);
    }
}

#[tokio::test]
async fn a_missing_bus_is_reported_with_its_setting() {
    let bus = EventBus::new(&ministack(), &unique_name());
    match bus.check("EVENT_BUS_NAME").await {
        Err(Unusable::Setting(words)) => assert!(words.contains("EVENT_BUS_NAME"), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_bus_that_does_not_answer_fails_the_call_and_not_the_events() {
    let bus = EventBus::new(&Aws::local(NOWHERE, REGION), "default");
    assert!(matches!(bus.check("EVENT_BUS_NAME").await, Err(Unusable::Silent(_))));
    let fault = bus.publish(vec![outgoing(&event("rsv_1"))]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
}
