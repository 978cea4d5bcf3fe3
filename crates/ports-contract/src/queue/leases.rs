//! Leases: visibility, renewal, hand-back, and outdated receipts.

use super::{
    KINDS, QueueHarness, VISIBILITY, deleted, is_empty, is_permanent, let_leases_end, message, receipts,
    receive, receive_all, receive_one, send_one, sent, visible_in,
};
use crate::together::together;
use core::pin::Pin;
use core::time::Duration;
use ports::queue::{Message, Outgoing, QueueKind, Receive};
use std::collections::BTreeSet;

/// Hidden before the end, visible after it.
pub async fn a_leased_message_is_hidden_until_its_lease_ends(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        let id = send_one(&*queue, "g", "a").await.message_id;
        assert_eq!(receive_one(harness, &*queue).await.id, id);
        is_empty(harness, &*queue).await;
        harness.advance(VISIBILITY / 2).await;
        is_empty(harness, &*queue).await;
        let_leases_end(harness).await;
        assert_eq!(receive_one(harness, &*queue).await.id, id);
    }
}

/// The id and the first receive stay, the receipt and the count do not.
pub async fn each_receive_has_its_own_receipt_and_counts(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        let first = receive_one(harness, &*queue).await;
        let mut seen = BTreeSet::from([first.receipt.0.to_string()]);
        for count in 2..6 {
            let_leases_end(harness).await;
            let again = receive_one(harness, &*queue).await;
            assert_eq!((&again.id, again.receive_count), (&first.id, count));
            assert_eq!((again.sent_at, again.first_received_at), (first.sent_at, first.first_received_at));
            assert!(seen.insert(again.receipt.0.to_string()), "a receipt came twice");
        }
    }
}

/// Several times.
pub async fn a_renewed_lease_hides_longer(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        let got = receive_one(harness, &*queue).await;
        for _ in 0..4 {
            harness.advance(VISIBILITY / 2).await;
            visible_in(&*queue, &got, VISIBILITY).await.expect("a lease in force is renewed");
        }
        is_empty(harness, &*queue).await;
        deleted(&*queue, &[got]).await;
        let_leases_end(harness).await;
        is_empty(harness, &*queue).await;
    }
}

/// Visibility 0; the old receipt is useless afterwards. Guards trap T-T2: a message that is handed
/// back is not lost for a while.
pub async fn a_message_handed_back_is_visible_at_once(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        let got = receive_one(harness, &*queue).await;
        visible_in(&*queue, &got, Duration::ZERO).await.expect("a lease in force is given up");
        let again = receive_one(harness, &*queue).await;
        assert_eq!((again.id, again.receive_count), (got.id, 2));
    }
}

/// Longer or shorter than the queue's.
pub async fn a_receive_may_set_its_own_visibility(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    send_one(&*queue, "g", "a").await;
    let request = |seconds| Receive {
        max: 1,
        wait: harness.patience(),
        visibility: Some(Duration::from_secs(seconds)),
    };
    let long = queue.receive(request(4 * VISIBILITY.as_secs())).await.expect("a receive succeeds");
    assert_eq!(long.len(), 1);
    let_leases_end(harness).await;
    is_empty(harness, &*queue).await;
    harness.advance(4 * VISIBILITY).await;
    let short = queue.receive(request(1)).await.expect("a receive succeeds");
    assert_eq!(short.len(), 1);
    is_empty(harness, &*queue).await;
    harness.advance(Duration::from_secs(2)).await;
    assert_eq!(receive_one(harness, &*queue).await.receive_count, 3);
}

/// Neither when the lease has ended, nor when the message is gone. Guards trap T-T6: a lost lease
/// is not renewed.
pub async fn a_receipt_whose_lease_has_ended_changes_nothing(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        let old = receive_one(harness, &*queue).await;
        let_leases_end(harness).await;
        let stale = harness.differences().stale_receipt_extends;
        if !stale {
            is_permanent(visible_in(&*queue, &old, VISIBILITY).await);
        }
        let new = receive_one(harness, &*queue).await;
        if !stale {
            is_permanent(visible_in(&*queue, &old, Duration::ZERO).await);
            is_empty(harness, &*queue).await;
        }
        deleted(&*queue, core::slice::from_ref(&new)).await;
        is_permanent(visible_in(&*queue, &new, VISIBILITY).await);
    }
}

/// Not from the last renewal.
pub async fn visibility_ends_twelve_hours_after_the_receive(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    send_one(&*queue, "g", "a").await;
    let got = receive_one(harness, &*queue).await;
    is_permanent(visible_in(&*queue, &got, Duration::from_secs(12 * 3_600 + 60)).await);
    harness.advance(Duration::from_secs(2)).await;
    if !harness.differences().visibility_is_renewed_for_ever {
        is_permanent(visible_in(&*queue, &got, Duration::from_secs(12 * 3_600)).await);
    }
    visible_in(&*queue, &got, Duration::from_secs(11 * 3_600)).await.expect("within twelve hours");
    deleted(&*queue, &[got]).await;
}

/// Whether the message is leased or not.
pub async fn an_old_receipt_deletes_on_a_standard_queue(harness: &dyn QueueHarness) {
    if harness.differences().old_standard_receipt_is_refused {
        return;
    }
    let queue = harness.queue(QueueKind::Standard).await;
    sent(&*queue, vec![message(QueueKind::Standard, "", "a"), message(QueueKind::Standard, "", "b")]).await;
    let old = receive_all(harness, &*queue, 2).await;
    let_leases_end(harness).await;
    // One while it is visible, one while it is leased.
    deleted(&*queue, &old[..1]).await;
    let again = receive_all(harness, &*queue, 2).await;
    assert_eq!(again.len(), 1);
    deleted(&*queue, &old[1..]).await;
    let_leases_end(harness).await;
    is_empty(harness, &*queue).await;
}

/// The message stays and is redelivered.
pub async fn an_old_receipt_is_refused_on_a_fifo_queue(harness: &dyn QueueHarness) {
    if harness.differences().stale_fifo_receipt_deletes {
        return;
    }
    let queue = harness.queue(QueueKind::Fifo).await;
    send_one(&*queue, "g", "a").await;
    let old = receive_one(harness, &*queue).await;
    let_leases_end(harness).await;
    let refused = queue.delete(receipts(core::slice::from_ref(&old))).await.expect("the batch is accepted");
    is_permanent(refused.into_iter().next().expect("one result"));
    let new = receive_one(harness, &*queue).await;
    let refused = queue.delete(receipts(&[old])).await.expect("the batch is accepted");
    is_permanent(refused.into_iter().next().expect("one result"));
    deleted(&*queue, &[new]).await;
    let_leases_end(harness).await;
    is_empty(harness, &*queue).await;
}

/// While the lease holds.
pub async fn two_receivers_never_have_the_same_message(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        for batch in 0..4 {
            let entry = |n: u32| message(kind, &format!("g{batch}-{n}"), &format!("{batch}-{n}"));
            let entries: Vec<Outgoing> = (0..10).map(entry).collect();
            sent(&*queue, entries).await;
        }
        let receivers = (0..5).map(|_| {
            let queue = &*queue;
            Box::pin(async move {
                let mut mine = Vec::new();
                for _ in 0..20 {
                    mine.extend(receive(harness, queue, 3).await);
                }
                mine
            }) as Pin<Box<dyn Future<Output = Vec<Message>> + Send>>
        });
        let all: Vec<Message> = together(receivers.collect()).await.into_iter().flatten().collect();
        let ids: BTreeSet<_> = all.iter().map(|message| message.id.clone()).collect();
        assert_eq!((all.len(), ids.len()), (40, 40));
    }
}
