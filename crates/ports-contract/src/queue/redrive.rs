//! The redrive policy: a message that is received too often moves to the dead-letter queue.

use super::{
    KINDS, QueueHarness, bodies, deleted, is_empty, let_leases_end, message, receive, receive_all,
    receive_one, sent,
};
use ports::queue::{Outgoing, QueueKind};

/// Unchanged, and its queue never delivers it again. Guards trap T-T1: it is in one of the two
/// queues at every moment.
pub async fn a_message_received_too_often_goes_to_the_dead_letter_queue(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let (queue, dead) = harness.queue_with_redrive(kind, 3).await;
        let attributes = vec![("traceparent".to_owned(), "t".to_owned())];
        sent(&*queue, vec![Outgoing { attributes, ..message(kind, "g", "poison") }]).await;
        for count in 1..=3 {
            assert_eq!(receive_one(harness, &*queue).await.receive_count, count);
            is_empty(harness, &*dead).await;
            let_leases_end(harness).await;
        }
        is_empty(harness, &*queue).await;
        let buried = receive_one(harness, &*dead).await;
        assert_eq!(buried.body, "poison");
        assert_eq!(buried.group.as_deref(), (kind == QueueKind::Fifo).then_some("g"));
        assert!(buried.attributes.iter().any(|(name, value)| name == "traceparent" && value == "t"));
        deleted(&*dead, &[buried]).await;
        let_leases_end(harness).await;
        is_empty(harness, &*queue).await;
        is_empty(harness, &*dead).await;
    }
}

/// Its followers are delivered, in order, each with its own count.
pub async fn a_spent_head_does_not_block_its_group(harness: &dyn QueueHarness) {
    let (queue, dead) = harness.queue_with_redrive(QueueKind::Fifo, 2).await;
    let entry = |body: &str| message(QueueKind::Fifo, "g", body);
    sent(&*queue, vec![entry("1"), entry("2"), entry("3")]).await;
    for _ in 0..2 {
        assert_eq!(bodies(&receive(harness, &*queue, 1).await), ["1"]);
        let_leases_end(harness).await;
    }
    // One receive may bring both; it may also bring the first alone.
    let mut next = receive_all(harness, &*queue, 1).await;
    deleted(&*queue, &next).await;
    next.extend(receive_all(harness, &*queue, 1).await);
    assert_eq!(bodies(&next), ["2", "3"]);
    assert!(next.iter().all(|message| message.receive_count == 1));
    assert_eq!(bodies(&receive_all(harness, &*dead, 2).await), ["1"]);
}

/// A worker that does not know where its dead letters are needs it.
pub async fn the_redrive_policy_can_be_read(harness: &dyn QueueHarness) {
    let (queue, dead) = harness.queue_with_redrive(QueueKind::Standard, 7).await;
    let policy = queue.redrive_policy().await.expect("the policy can be read").expect("there is one");
    assert_eq!(policy.max_receive_count, 7);
    assert!(!policy.dead_letter_queue.is_empty());
    assert_eq!(dead.redrive_policy().await.expect("the policy can be read"), None);
}
