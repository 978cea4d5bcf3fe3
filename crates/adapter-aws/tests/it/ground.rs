//! The base of these tests: a server, unique names, queues, and a bounded wait for messages.
#![allow(clippy::unwrap_used, reason = "tests")]

use adapter_aws::setup::{ExistingQueue, Mode, QueueDefinition};
use adapter_aws::{Aws, SqsQueue};
use core::time::Duration;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, PersonId, ReservationId, SeatId, ShowId};
use domain::time::Timestamp;
use ports::Entropy;
use ports::queue::{Message, QueueKind, Receive};
use runtime::SystemEntropy;

pub(crate) const REGION: &str = "ap-northeast-2";
/// A reserved port on which nothing listens.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";
/// Long polls of 5 s before a test gives up: a minute and a half.
const POLLS_MAX: u32 = 18;

pub(crate) fn ministack() -> Aws {
    Aws::local(&engines::ministack(), REGION)
}

/// Engines outlive a run of the tests, so a counter from zero is not enough.
pub(crate) fn unique_name() -> String {
    format!("test-{:016x}", SystemEntropy::new().next_u64())
}

pub(crate) fn definition(stem: &str, kind: QueueKind) -> QueueDefinition {
    QueueDefinition { stem: stem.to_owned(), kind, visibility: Duration::from_secs(60), redrive: None }
}

/// A standard queue with a unique name.
pub(crate) async fn standard_queue(aws: &Aws) -> ExistingQueue {
    let definition = definition(&unique_name(), QueueKind::Standard);
    let (_, queue) = definition.ensure(aws, Mode::Make).await.unwrap();
    queue.unwrap()
}

/// Receives until that many messages have arrived.
pub(crate) async fn received(aws: &Aws, queue: &ExistingQueue, count: usize) -> Vec<Message> {
    use ports::Queue as _;
    let queue = SqsQueue::new(aws, &queue.url);
    let request = Receive { max: 10, wait: Duration::from_secs(5), visibility: None };
    let mut messages = Vec::new();
    for _ in 0..POLLS_MAX {
        messages.extend(queue.receive(request).await.unwrap());
        if messages.len() >= count {
            return messages;
        }
    }
    panic!("{} of {count} messages came: {messages:?}", messages.len());
}

/// An event with everything that an envelope may carry.
pub(crate) fn event(reservation: &str) -> Event {
    let seats = ["A-1", "A-2"].map(|seat| SeatId::parse(seat).unwrap());
    Event {
        id: EventId::parse(&format!("evt_{reservation}")).unwrap(),
        source: "reservation-api".into(),
        at: Timestamp::from_millis(1_737_626_400_000),
        trace_id: None,
        reservation: ReservationId::parse(reservation).unwrap(),
        seats: SeatsHint {
            show: Some(ShowId::parse("evt_2025_1001").unwrap()),
            seats: seats.into(),
            quantity: Some(2),
        },
        person: Some(PersonId::parse("kim").unwrap()),
        fact: Fact::ReservationExpired { expired_at: Some(Timestamp::from_millis(1_737_626_400_000)) },
    }
}
