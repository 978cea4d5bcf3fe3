//! Making missing parts, finding them again, comparing and removing them: on every server that has
//! the service.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::ground::{NOWHERE, REGION, definition, ministack, standard_queue, unique_name};
use adapter_aws::dynamo::{TableDefinition, table_definition};
use adapter_aws::setup::{self, Done, Mode, RuleDefinition};
use adapter_aws::{Aws, Unusable};
use core::time::Duration;
use ports::queue::QueueKind;
use runtime::{SystemClock, SystemEntropy};

const KINDS: [QueueKind; 2] = [QueueKind::Standard, QueueKind::Fifo];
const MINUTE: Duration = Duration::from_secs(60);

#[track_caller]
fn setting<T: core::fmt::Debug>(answer: Result<T, Unusable>) -> String {
    match answer {
        Err(Unusable::Setting(words)) => words,
        other => panic!("not refused: {other:?}"),
    }
}

async fn queues_are_made_once(aws: &Aws) {
    for kind in KINDS {
        let definition = definition(&unique_name(), kind);
        let dry = definition.ensure(aws, Mode::DryRun).await.unwrap();
        assert_eq!(dry, (Done::Missing, None));
        assert_eq!(definition.ensure(aws, Mode::DryRun).await.unwrap().0, Done::Missing, "nothing was made");
        let (done, made) = definition.ensure(aws, Mode::Make).await.unwrap();
        assert_eq!((done, made.is_some()), (Done::Made, true));
        assert_eq!(made.as_ref().unwrap().url.name(), definition.name());
        for mode in [Mode::Make, Mode::DryRun] {
            assert_eq!(definition.ensure(aws, mode).await.unwrap(), (Done::WasThere, made.clone()));
        }
        definition.remove(aws).await.unwrap();
        assert_eq!(definition.ensure(aws, Mode::DryRun).await.unwrap().0, Done::Missing, "it is gone");
        definition.remove(aws).await.unwrap();
    }
}

async fn differing_queues_are_refused(aws: &Aws) {
    for kind in KINDS {
        let stem = unique_name();
        let letters = definition(&format!("{stem}-dlq"), kind);
        let (_, dead) = letters.ensure(aws, Mode::Make).await.unwrap();
        let mut events = definition(&stem, kind);
        events.redrive = Some((dead.unwrap().arn, 100));
        events.ensure(aws, Mode::Make).await.unwrap();
        assert_eq!(events.ensure(aws, Mode::Make).await.unwrap().0, Done::WasThere);

        let mut other = events.clone();
        other.visibility = MINUTE / 2;
        other.redrive = other.redrive.map(|(arn, _)| (arn, 5));
        for mode in [Mode::Make, Mode::DryRun] {
            let words = setting(other.ensure(aws, mode).await);
            for part in
                ["VisibilityTimeout is 60, should be 30", "RedrivePolicy is", "--prefix", &events.name()]
            {
                assert!(words.contains(part), "{part}: {words}");
            }
        }
        assert_eq!(events.ensure(aws, Mode::Make).await.unwrap().0, Done::WasThere, "nothing was changed");
        // A queue without a dead-letter queue that should have one.
        let words = setting(
            setup::QueueDefinition { redrive: events.redrive.clone(), ..letters.clone() }
                .ensure(aws, Mode::Make)
                .await,
        );
        assert!(words.contains("RedrivePolicy is nothing"), "{words}");
        events.remove(aws).await.unwrap();
        letters.remove(aws).await.unwrap();
    }
}

#[tokio::test]
async fn queues_are_made_once_on_elasticmq() {
    queues_are_made_once(&Aws::local(&engines::sqs(), REGION)).await;
}

#[tokio::test]
async fn queues_are_made_once_on_ministack() {
    queues_are_made_once(&ministack()).await;
}

#[tokio::test]
async fn differing_queues_are_refused_on_elasticmq() {
    differing_queues_are_refused(&Aws::local(&engines::sqs(), REGION)).await;
}

#[tokio::test]
async fn differing_queues_are_refused_on_ministack() {
    differing_queues_are_refused(&ministack()).await;
}

async fn table(aws: &Aws, definition: &TableDefinition, mode: Mode) -> Result<Done, Unusable> {
    setup::table(aws, definition, mode, &SystemClock::new(), &SystemEntropy::new()).await
}

#[tokio::test]
async fn tables_are_made_once_and_removed() {
    let aws = Aws::local(&engines::dynamodb(), REGION);
    let wanted = table_definition(unique_name(), &["due", "outbox"]);
    for _ in 0..2 {
        assert_eq!(table(&aws, &wanted, Mode::DryRun).await.unwrap(), Done::Missing);
    }
    assert_eq!(table(&aws, &wanted, Mode::Make).await.unwrap(), Done::Made);
    for mode in [Mode::Make, Mode::DryRun] {
        assert_eq!(table(&aws, &wanted, mode).await.unwrap(), Done::WasThere);
    }
    let other = table_definition(wanted.name.clone(), &["due", "outbox", "forget"]);
    for mode in [Mode::Make, Mode::DryRun] {
        let words = setting(table(&aws, &other, mode).await);
        assert!(words.contains("index forget is missing"), "{words}");
    }
    setup::remove_table(&aws, &wanted.name).await.unwrap();
    assert_eq!(table(&aws, &wanted, Mode::DryRun).await.unwrap(), Done::Missing);
    setup::remove_table(&aws, &wanted.name).await.unwrap();
}

#[tokio::test]
async fn a_rule_is_made_once_with_its_bus_its_target_and_the_queues_permission() {
    let aws = ministack();
    let (queue, bus) = (standard_queue(&aws).await, unique_name());
    let types = vec!["payment.approved".to_owned()];
    let rule = RuleDefinition { bus: bus.clone(), name: format!("{bus}-events"), types };
    for _ in 0..2 {
        assert_eq!(rule.ensure(&aws, Some(&queue), Mode::DryRun).await.unwrap(), Done::Missing);
        assert_eq!(rule.ensure(&aws, None, Mode::DryRun).await.unwrap(), Done::Missing);
    }
    let client = aws_sdk_eventbridge::Client::new(aws.sdk());
    assert!(client.describe_event_bus().name(&bus).send().await.is_err(), "a dry run makes no bus");
    assert_eq!(rule.ensure(&aws, Some(&queue), Mode::Make).await.unwrap(), Done::Made);
    for mode in [Mode::Make, Mode::DryRun] {
        assert_eq!(rule.ensure(&aws, Some(&queue), mode).await.unwrap(), Done::WasThere);
    }
    let there = client.describe_rule().event_bus_name(&bus).name(&rule.name).send().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(aws.sdk());
    let name = aws_sdk_sqs::types::QueueAttributeName::Policy;
    let asked = sqs.get_queue_attributes().queue_url(queue.url.as_str()).attribute_names(name.clone());
    let policy = asked.send().await.unwrap().attributes.unwrap().remove(&name).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&policy).unwrap(),
        RuleDefinition::queue_policy(&queue, there.arn().unwrap())
    );
    // A rule that forwards other events is corrected, and so is one that lost its target.
    let wider = RuleDefinition { types: vec!["payment.failed".to_owned()], ..rule.clone() };
    assert_eq!(wider.ensure(&aws, Some(&queue), Mode::DryRun).await.unwrap(), Done::Missing);
    assert_eq!(wider.ensure(&aws, Some(&queue), Mode::Make).await.unwrap(), Done::Made);
    let remove = client.remove_targets().event_bus_name(&bus).rule(&rule.name).ids("events");
    remove.send().await.unwrap();
    assert_eq!(wider.ensure(&aws, Some(&queue), Mode::Make).await.unwrap(), Done::Made);
    assert_eq!(wider.ensure(&aws, Some(&queue), Mode::Make).await.unwrap(), Done::WasThere);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_reported() {
    let aws = Aws::local(NOWHERE, REGION);
    let queue = definition("events", QueueKind::Standard).ensure(&aws, Mode::DryRun).await;
    assert!(matches!(queue, Err(Unusable::Silent(_))), "{queue:?}");
    let rule = RuleDefinition { bus: "default".to_owned(), name: "events".to_owned(), types: Vec::new() };
    assert_eq!(rule.ensure(&aws, None, Mode::DryRun).await.unwrap(), Done::Missing, "nothing is asked");
}
