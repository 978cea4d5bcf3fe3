//! One-time schedules of EventBridge Scheduler that send to a queue.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::ground::{NOWHERE, REGION, event, ministack, received, standard_queue, unique_name};
use adapter_aws::{Aws, Schedules};
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindowMode};
use core::time::Duration;
use domain::event::Event;
use domain::id::EventId;
use ports::{Alarm, Backstop, Clock, FaultClass};
use runtime::SystemClock;

const ROLE: &str = "arn:aws:iam::000000000000:role/scheduler";
const QUEUE: &str = "arn:aws:sqs:ap-northeast-2:000000000000:events";
const HOUR: Duration = Duration::from_secs(3_600);
/// Checks, one per second, before a test fails.
const LOOKS_MAX: u32 = 60;

fn alarm(within: Duration) -> (Event, Alarm) {
    let name = unique_name();
    let event = event(&name);
    let at = SystemClock::new().now().plus(within);
    let alarm = Alarm { event_id: event.id.clone(), at, body: contracts::envelope::encode(&event) };
    (event, alarm)
}

async fn is_there(client: &Client, event_id: &EventId) -> bool {
    client.get_schedule().name(Schedules::name_of(event_id)).send().await.is_ok()
}

#[tokio::test]
async fn a_schedule_sends_its_event_when_due_and_is_removed() {
    let aws = ministack();
    let (client, queue) = (Client::new(aws.sdk()), standard_queue(&aws).await);
    let schedules = Schedules::new(&aws, &queue.arn, ROLE);
    let (event, alarm) = alarm(Duration::from_secs(2));
    schedules.set(&alarm).await.unwrap();
    let messages = received(&aws, &queue, 1).await;
    let (came, _) = contracts::envelope::decode(&messages[0].body, "m", &messages[0].attributes).unwrap();
    assert_eq!(came, event);
    assert!(messages[0].sent_at >= alarm.at, "never early");
    let clock = SystemClock::new();
    for _ in 0..LOOKS_MAX {
        if !is_there(&client, &event.id).await {
            return;
        }
        clock.sleep(Duration::from_secs(1)).await;
    }
    panic!("the schedule is still there");
}

#[tokio::test]
async fn setting_a_schedule_twice_keeps_the_first_time() {
    let aws = ministack();
    let client = Client::new(aws.sdk());
    let schedules = Schedules::new(&aws, QUEUE, ROLE);
    let (event, first) = alarm(HOUR);
    schedules.set(&first).await.unwrap();
    schedules.set(&Alarm { at: first.at.plus(HOUR), ..first.clone() }).await.unwrap();
    let name = Schedules::name_of(&event.id);
    let found = client.list_schedules().name_prefix(&name).send().await.unwrap();
    assert_eq!(found.schedules().len(), 1);
    let made = client.get_schedule().name(&name).send().await.unwrap();
    let at = aws_smithy_types::DateTime::from_secs(first.at.as_millis().div_ceil(1_000) as i64);
    let at = at.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap();
    assert_eq!(made.schedule_expression(), Some(&*format!("at({})", at.trim_end_matches('Z'))));
    assert_eq!(made.action_after_completion(), Some(&ActionAfterCompletion::Delete));
    let window = made.flexible_time_window().unwrap();
    assert_eq!(window.mode(), &FlexibleTimeWindowMode::Off);
    let target = made.target().unwrap();
    assert_eq!((target.arn(), target.role_arn(), target.input()), (QUEUE, ROLE, Some(&*first.body)));
    schedules.cancel(&event.id).await.unwrap();
}

#[tokio::test]
async fn a_schedule_is_removed_by_its_event_and_removing_it_again_succeeds() {
    let aws = ministack();
    let client = Client::new(aws.sdk());
    let schedules = Schedules::new(&aws, QUEUE, ROLE);
    let (event, alarm) = alarm(HOUR);
    schedules.set(&alarm).await.unwrap();
    assert!(is_there(&client, &event.id).await);
    schedules.cancel(&event.id).await.unwrap();
    assert!(!is_there(&client, &event.id).await);
    schedules.cancel(&event.id).await.unwrap();
}

#[tokio::test]
async fn an_event_id_that_is_no_valid_name_still_gets_a_schedule() {
    let aws = ministack();
    let schedules = Schedules::new(&aws, QUEUE, ROLE);
    let (_, alarm) = alarm(HOUR);
    let event_id = EventId::parse(&format!("좌석/{} {}", unique_name(), "x".repeat(80))).unwrap();
    schedules.set(&Alarm { event_id: event_id.clone(), ..alarm }).await.unwrap();
    assert!(is_there(&Client::new(aws.sdk()), &event_id).await);
    schedules.cancel(&event_id).await.unwrap();
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_a_transient_fault() {
    let schedules = Schedules::new(&Aws::local(NOWHERE, REGION), QUEUE, ROLE);
    let (event, alarm) = alarm(HOUR);
    assert_eq!(schedules.set(&alarm).await.unwrap_err().class, FaultClass::Unavailable);
    assert_eq!(schedules.cancel(&event.id).await.unwrap_err().class, FaultClass::Unavailable);
}
