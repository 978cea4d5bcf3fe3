//! FIFO queues: order, groups, deduplication.

use super::{
    QueueHarness, bodies, deleted, is_empty, is_permanent, let_leases_end, message, receive, receive_all,
    receive_one, send_one, sent, visible_in,
};
use crate::together::together;
use core::pin::Pin;
use core::time::Duration;
use ports::queue::{Message, Outgoing, Queue, QueueKind, Sent};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

async fn fifo(harness: &dyn QueueHarness) -> Arc<dyn Queue> {
    harness.queue(QueueKind::Fifo).await
}

pub(super) fn entry(group: &str, body: &str) -> Outgoing {
    message(QueueKind::Fifo, group, body)
}

/// Over several sends and several receives.
pub async fn a_group_comes_in_the_order_it_was_sent(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    for batch in 0..3 {
        let entries =
            (0..10).map(|n| entry(if n % 2 == 0 { "even" } else { "odd" }, &format!("{batch}{n}"))).collect();
        sent(&*queue, entries).await;
    }
    let mut got: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
    for round in 0..30 {
        let messages = receive_all(harness, &*queue, 1 + round % 4).await;
        deleted(&*queue, &messages).await;
        for message in messages {
            got.entry(message.group.expect("a FIFO message has a group")).or_default().push(message.body);
        }
    }
    for (group, mut bodies) in got {
        let order = bodies.clone();
        bodies.sort();
        assert_eq!(order, bodies, "group {group}");
        assert_eq!(bodies.len(), 15, "group {group}");
    }
}

/// Until that message is settled; the other groups do not wait.
pub async fn a_group_with_a_message_in_flight_gives_nothing_and_others_flow(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    sent(&*queue, vec![entry("a", "a1"), entry("a", "a2"), entry("b", "b1"), entry("a", "a3")]).await;
    let first = receive(harness, &*queue, 1).await;
    assert_eq!(bodies(&first), ["a1"]);
    let second = receive_all(harness, &*queue, 10).await;
    assert_eq!(bodies(&second), ["b1"]);
    send_one(&*queue, "a", "a4").await;
    send_one(&*queue, "c", "c1").await;
    assert_eq!(bodies(&receive_all(harness, &*queue, 10).await), ["c1"]);
    deleted(&*queue, &first).await;
    assert_eq!(bodies(&receive(harness, &*queue, 2).await), ["a2", "a3"]);
}

/// Each message in flight, however it is settled.
pub async fn a_group_flows_again_when_its_last_message_in_flight_is_settled(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    sent(&*queue, vec![entry("a", "1"), entry("a", "2"), entry("a", "3"), entry("a", "4")]).await;
    let out = receive(harness, &*queue, 3).await;
    assert_eq!(bodies(&out), ["1", "2", "3"]);
    deleted(&*queue, &out[..1]).await;
    is_empty(harness, &*queue).await;
    visible_in(&*queue, &out[1], Duration::ZERO).await.expect("a lease in force is given up");
    if !harness.differences().handing_back_frees_the_group {
        is_empty(harness, &*queue).await;
    }
    deleted(&*queue, &out[2..]).await;
    assert_eq!(bodies(&receive(harness, &*queue, 10).await), ["2", "4"]);
}

/// As many as are there and were asked for.
pub async fn one_receive_may_bring_several_of_a_group_in_order(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    sent(&*queue, (0..10).map(|n| entry("a", &format!("{n}"))).collect()).await;
    let messages = receive(harness, &*queue, 10).await;
    assert!(!messages.is_empty());
    let expected: Vec<String> = (0..messages.len()).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&messages), expected);
}

/// Guards trap T-T3: a failed head is redelivered before its followers.
pub async fn a_message_returns_to_its_old_place_in_its_group(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    sent(&*queue, vec![entry("a", "1"), entry("a", "2"), entry("a", "3")]).await;
    assert_eq!(bodies(&receive(harness, &*queue, 1).await), ["1"]);
    let_leases_end(harness).await;
    let all = receive(harness, &*queue, 3).await;
    assert_eq!(bodies(&all), ["1", "2", "3"]);
    // Handed back in any order, they are redelivered in their own; the head first, then none before
    // it.
    for place in [2, 0, 1] {
        visible_in(&*queue, &all[place], Duration::ZERO).await.expect("a lease in force is given up");
    }
    let again = receive(harness, &*queue, 1).await;
    assert_eq!(bodies(&again), ["1"]);
    // The lane as a unit: the head waits, its followers are visible and must not overtake it.
    visible_in(&*queue, &again[0], Duration::from_secs(8)).await.expect("a lease in force is moved");
    let_leases_end(harness).await;
    is_empty(harness, &*queue).await;
    harness.advance(Duration::from_secs(8)).await;
    assert_eq!(bodies(&receive(harness, &*queue, 3).await), ["1", "2", "3"]);
}

/// An entry without them fails alone.
pub async fn a_fifo_queue_needs_a_group_and_a_deduplication_id(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    let without_group = Outgoing { group: None, ..entry("a", "1") };
    let without_dedup = Outgoing { dedup_id: None, ..entry("a", "2") };
    for entry in [without_group, without_dedup] {
        let results = queue.send(vec![entry]).await;
        is_permanent(results.and_then(|mut results| results.pop().expect("one result")));
    }
    is_empty(harness, &*queue).await;
}

/// Only whole FIFO queues can be delayed.
pub async fn a_fifo_queue_delays_no_single_message(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    let entry = Outgoing { delay: Duration::from_secs(5), ..entry("a", "1") };
    let results = queue.send(vec![entry]).await;
    is_permanent(results.and_then(|mut results| results.pop().expect("one result")));
    is_empty(harness, &*queue).await;
}

/// Whether the first is still stored or not, in another batch or the same, with any body and group.
pub async fn a_repetition_within_the_window_is_answered_with_the_first_and_not_stored(
    harness: &dyn QueueHarness,
) {
    let queue = fifo(harness).await;
    let said = !harness.differences().silent_deduplication;
    let with = |body: &str, group: &str| Outgoing { dedup_id: Some("id".to_owned()), ..entry(group, body) };
    let answers = sent(&*queue, vec![with("first", "a"), with("second", "a"), entry("a", "other")]).await;
    assert_eq!(answers[0].message_id, answers[1].message_id);
    assert_ne!(answers[0].message_id, answers[2].message_id);
    if said {
        let deduplicated: Vec<_> = answers.iter().map(|answer| answer.deduplicated).collect();
        assert_eq!(deduplicated, [Some(false), Some(true), Some(false)]);
    }
    let messages = receive_all(harness, &*queue, 3).await;
    assert_eq!(bodies(&messages), ["first", "other"]);
    deleted(&*queue, &messages).await;
    let again = sent(&*queue, vec![with("third", "b")]).await;
    assert_eq!(again[0].message_id, answers[0].message_id);
    is_empty(harness, &*queue).await;
}

/// Five minutes after the first.
pub async fn a_repetition_after_the_window_is_a_new_message(harness: &dyn QueueHarness) {
    if harness.differences().minutes_are_real {
        return;
    }
    let queue = fifo(harness).await;
    let first = send_one(&*queue, "a", "x").await;
    let got = receive_one(harness, &*queue).await;
    deleted(&*queue, &[got]).await;
    harness.advance(Duration::from_secs(290)).await;
    assert_eq!(send_one(&*queue, "a", "x").await.message_id, first.message_id);
    harness.advance(Duration::from_secs(11)).await;
    assert_ne!(send_one(&*queue, "a", "x").await.message_id, first.message_id);
    assert_eq!(receive_one(harness, &*queue).await.body, "x");
}

/// One of them is stored, all have its id.
pub async fn repetitions_sent_at_the_same_time_store_one_message(harness: &dyn QueueHarness) {
    let queue = fifo(harness).await;
    let senders = (0..12).map(|_| {
        let queue = &*queue;
        Box::pin(async move { send_one(queue, "a", "x").await }) as Pin<Box<dyn Future<Output = Sent> + Send>>
    });
    let ids: BTreeSet<_> =
        together(senders.collect()).await.into_iter().map(|sent| sent.message_id).collect();
    assert_eq!(ids.len(), 1);
    let messages: Vec<Message> = receive_all(harness, &*queue, 2).await;
    assert_eq!(bodies(&messages), ["x"]);
}

/// The queue does not even look at them.
pub async fn a_standard_queue_ignores_deduplication_ids(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    let entry = Outgoing { body: "x".to_owned(), dedup_id: Some("id".to_owned()), ..Outgoing::default() };
    let answers = sent(&*queue, vec![entry.clone(), entry]).await;
    assert_ne!(answers[0].message_id, answers[1].message_id);
    assert_eq!(receive_all(harness, &*queue, 2).await.len(), 2);
}
