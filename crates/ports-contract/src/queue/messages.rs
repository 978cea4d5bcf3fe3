//! Sending, receiving and deleting single messages and batches.

use super::{
    KINDS, QueueHarness, bodies, deleted, is_empty, is_permanent, let_leases_end, message, receipts, receive,
    receive_all, receive_one, send_one, sent,
};
use core::time::Duration;
use ports::queue::{Outgoing, QueueKind, Receipt, Receive};
use std::collections::BTreeSet;

/// Body, group, attributes; the first receive counts one.
pub async fn a_sent_message_is_received_as_it_was_sent(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        let attributes = vec![
            ("traceparent".to_owned(), "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01".to_owned()),
            ("reason".to_owned(), "because".to_owned()),
        ];
        let entry = Outgoing { attributes: attributes.clone(), ..message(kind, "g1", "{\"type\":\"x\"}") };
        let answer = sent(&*queue, vec![entry]).await.pop().expect("one result");
        assert!(!answer.message_id.is_empty());
        let got = receive_one(harness, &*queue).await;
        assert_eq!(got.id, answer.message_id);
        assert_eq!(got.body, "{\"type\":\"x\"}");
        assert_eq!(got.group.as_deref(), (kind == QueueKind::Fifo).then_some("g1"));
        assert_eq!(got.receive_count, 1);
        assert!(got.first_received_at >= got.sent_at);
        for attribute in &attributes {
            assert!(got.attributes.contains(attribute), "{attribute:?} in {:?}", got.attributes);
        }
    }
}

/// Results are in the order of the entries, ids are unique.
pub async fn a_batch_of_ten_has_a_result_per_entry(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        let entries: Vec<Outgoing> =
            (0..10).map(|n| message(kind, &format!("g{n}"), &format!("b{n}"))).collect();
        let answers = sent(&*queue, entries).await;
        let ids: BTreeSet<_> = answers.iter().map(|answer| answer.message_id.clone()).collect();
        assert_eq!(ids.len(), 10);
        let messages = receive_all(harness, &*queue, 10).await;
        assert_eq!(messages.len(), 10);
        for message in &messages {
            let place: usize =
                message.body.trim_start_matches('b').parse().expect("the body ends in its place");
            assert_eq!(message.id, answers[place].message_id);
        }
        let results = queue.delete(receipts(&messages)).await.expect("a batch is deleted");
        assert_eq!(results.len(), 10);
        assert!(results.iter().all(Result::is_ok));
        let_leases_end(harness).await;
        is_empty(harness, &*queue).await;
    }
}

/// The whole call is refused, nothing is sent.
pub async fn batches_of_none_or_more_than_ten_are_refused(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        is_permanent(queue.send(Vec::new()).await);
        let many = (0..11).map(|n| message(kind, "g", &format!("b{n}"))).collect();
        is_permanent(queue.send(many).await);
        is_permanent(queue.delete(Vec::new()).await);
        is_permanent(queue.change_visibility(Vec::new()).await);
        is_empty(harness, &*queue).await;
    }
}

/// And a wait of at most 20 s.
pub async fn a_receive_outside_its_limits_is_refused(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    send_one(&*queue, "g", "b").await;
    for (max, wait) in [(0, 0), (11, 0), (1, 21)] {
        is_permanent(queue.receive(Receive { max, wait: Duration::from_secs(wait), visibility: None }).await);
    }
    assert_eq!(receive_one(harness, &*queue).await.receive_count, 1);
}

/// Quotes, other scripts, line ends, a large one.
pub async fn a_message_may_be_any_text(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        let large = "0123456789abcdef".repeat(12 * 1_024);
        for (n, body) in
            ["\"", "'; --", "좌석 🌮", "a\r\n\tb", " ", "<a>&amp;</a>", &large].into_iter().enumerate()
        {
            let mut entry = message(kind, "g", body);
            entry.dedup_id = entry.dedup_id.map(|_| format!("d{n}"));
            sent(&*queue, vec![entry]).await;
            let got = receive_one(harness, &*queue).await;
            assert_eq!(got.body, body);
            deleted(&*queue, &[got]).await;
        }
    }
}

/// An entry that can never be sent fails with a Permanent fault.
pub async fn a_message_over_the_limit_is_refused_and_the_rest_is_sent(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        let mut large = message(kind, "g", &"x".repeat(1_024 * 1_024 + 1));
        large.dedup_id = large.dedup_id.map(|_| "large".to_owned());
        // SQS refuses the whole call; either way nothing of the large entry is stored.
        match queue.send(vec![message(kind, "g", "small"), large]).await {
            Ok(results) => {
                let mut results = results.into_iter();
                assert!(results.next().expect("two results").is_ok());
                is_permanent(results.next().expect("two results"));
                assert_eq!(bodies(&receive_all(harness, &*queue, 2).await), ["small"]);
            }
            Err(fault) => {
                is_permanent::<()>(Err(fault));
                is_empty(harness, &*queue).await;
            }
        }
    }
}

/// Not after its lease, not to any receiver.
pub async fn a_deleted_message_never_comes_again(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        sent(&*queue, vec![message(kind, "g1", "a"), message(kind, "g2", "b")]).await;
        let messages = receive_all(harness, &*queue, 2).await;
        let gone = messages.iter().find(|message| message.body == "a").expect("both were received").clone();
        deleted(&*queue, &[gone]).await;
        let_leases_end(harness).await;
        assert_eq!(bodies(&receive_all(harness, &*queue, 2).await), ["b"]);
    }
}

/// A settlement may be repeated.
pub async fn deleting_a_deleted_message_succeeds(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        let got = receive_one(harness, &*queue).await;
        if !harness.differences().repeated_delete_is_refused {
            for _ in 0..3 {
                deleted(&*queue, core::slice::from_ref(&got)).await;
            }
            let_leases_end(harness).await;
        }
        deleted(&*queue, &[got]).await;
        is_empty(harness, &*queue).await;
    }
}

/// The entries beside it are deleted. Guards trap T-T8: each entry has its result.
pub async fn a_malformed_receipt_fails_alone(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    sent(&*queue, vec![message(QueueKind::Standard, "", "a"), message(QueueKind::Standard, "", "b")]).await;
    let mut handles = receipts(&receive_all(harness, &*queue, 2).await);
    handles.insert(1, Receipt("this is no receipt".into()));
    let results = queue.delete(handles).await.expect("the batch is accepted");
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    is_permanent(results.into_iter().nth(1).expect("three results"));
    let_leases_end(harness).await;
    is_empty(harness, &*queue).await;
}

/// Each with its own delay, beside messages without one; more than 15 minutes is refused.
pub async fn a_delayed_message_stays_hidden_for_its_delay(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    let delayed = |body: &str, seconds| Outgoing {
        delay: Duration::from_secs(seconds),
        ..message(QueueKind::Standard, "", body)
    };
    sent(&*queue, vec![delayed("later", 6), delayed("now", 0), delayed("soon", 3)]).await;
    let now = receive_all(harness, &*queue, 3).await;
    assert_eq!(bodies(&now), ["now"]);
    deleted(&*queue, &now).await;
    harness.advance(Duration::from_secs(4)).await;
    let soon = receive_all(harness, &*queue, 3).await;
    assert_eq!(bodies(&soon), ["soon"]);
    deleted(&*queue, &soon).await;
    harness.advance(Duration::from_secs(4)).await;
    assert_eq!(bodies(&receive_all(harness, &*queue, 3).await), ["later"]);
    let results = queue.send(vec![delayed("never", 901)]).await;
    is_permanent(results.and_then(|mut results| results.pop().expect("one result")));
}

/// The three states of a message.
pub async fn depth_counts_visible_in_flight_and_delayed(harness: &dyn QueueHarness) {
    if harness.differences().depth_is_approximate {
        return;
    }
    let queue = harness.queue(QueueKind::Standard).await;
    let mut entries: Vec<Outgoing> =
        (0..5).map(|n| message(QueueKind::Standard, "", &format!("{n}"))).collect();
    entries[4].delay = Duration::from_secs(60);
    sent(&*queue, entries).await;
    let messages = receive(harness, &*queue, 1).await;
    let depth = queue.depth().await.expect("the depth can be read");
    assert_eq!((depth.visible, depth.in_flight, depth.delayed), (3, 1, 1));
    deleted(&*queue, &messages).await;
    receive_all(harness, &*queue, 2).await;
    let depth = queue.depth().await.expect("the depth can be read");
    assert_eq!((depth.visible, depth.in_flight, depth.delayed), (1, 2, 1));
    harness.advance(Duration::from_secs(61)).await;
    let depth = queue.depth().await.expect("the depth can be read");
    assert_eq!((depth.visible, depth.in_flight, depth.delayed), (4, 0, 0));
}
