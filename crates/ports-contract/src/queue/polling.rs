//! Long polls: which events wake them, and that no poll is forgotten.
//!
//! The poll is started first and polled until it waits; then the event happens. On a manual clock
//! only the event can end the poll, so a case that hangs has found a missing wake-up.

use super::{
    QueueHarness, VISIBILITY, bodies, deleted, message, receive, receive_one, send_one, sent, visible_in,
};
use crate::together::together;
use core::pin::Pin;
use core::time::Duration;
use ports::queue::{Message, Outgoing, Queue, QueueKind, Receive};
use std::collections::BTreeSet;

const WAIT: Duration = Duration::from_secs(20);

async fn long_poll(queue: &dyn Queue, max: usize) -> Vec<Message> {
    queue.receive(Receive { max, wait: WAIT, visibility: None }).await.expect("a receive succeeds")
}

/// Polls while `event` happens.
async fn woken_by(queue: &dyn Queue, event: impl Future<Output = ()> + Send) -> Vec<Message> {
    let poll = long_poll(queue, 10);
    tokio::pin!(poll);
    tokio::select! {
        biased;
        messages = &mut poll => panic!("a poll of an empty queue answered at once: {:?}", bodies(&messages)),
        () = core::future::ready(()) => {}
    }
    // From here on the poll may be answered before the event has ended: a server answers both
    // whenever it likes.
    let (messages, ()) = tokio::join!(biased; poll, event);
    messages
}

/// At once, not at the end of the wait.
pub async fn a_long_poll_answers_when_a_message_is_sent(harness: &dyn QueueHarness) {
    for kind in super::KINDS {
        let queue = harness.queue(kind).await;
        let (poll, _) = tokio::join!(biased; long_poll(&*queue, 10), send_one(&*queue, "g", "a"));
        assert_eq!(bodies(&poll), ["a"]);
    }
}

/// The poll began while the message was out.
pub async fn a_long_poll_answers_when_a_lease_ends(harness: &dyn QueueHarness) {
    for kind in super::KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        receive_one(harness, &*queue).await;
        let (poll, ()) = tokio::join!(biased; long_poll(&*queue, 10), harness.advance(VISIBILITY + Duration::from_secs(1)));
        assert_eq!(bodies(&poll), ["a"]);
        assert_eq!(poll[0].receive_count, 2);
    }
}

/// Also if the message was sent after the poll began.
pub async fn a_long_poll_answers_when_a_delay_ends(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    let delayed = Outgoing { delay: Duration::from_secs(3), ..message(QueueKind::Standard, "", "a") };
    let event = async {
        sent(&*queue, vec![delayed]).await;
        harness.advance(Duration::from_secs(4)).await;
    };
    let (poll, ()) = tokio::join!(biased; long_poll(&*queue, 10), event);
    assert_eq!(bodies(&poll), ["a"]);
}

/// Or when its lease is cut short.
pub async fn a_long_poll_answers_when_a_message_is_handed_back(harness: &dyn QueueHarness) {
    for kind in super::KINDS {
        let queue = harness.queue(kind).await;
        send_one(&*queue, "g", "a").await;
        let got = receive_one(harness, &*queue).await;
        let again = woken_by(&*queue, async {
            visible_in(&*queue, &got, Duration::ZERO).await.expect("a lease in force is given up");
        })
        .await;
        assert_eq!(bodies(&again), ["a"]);
        // A lease that is shortened while the poll sleeps until its old end.
        visible_in(&*queue, &again[0], Duration::from_secs(600)).await.expect("a lease in force is moved");
        let event = async {
            visible_in(&*queue, &again[0], Duration::from_secs(1)).await.expect("a lease in force is moved");
            harness.advance(Duration::from_secs(2)).await;
        };
        let (poll, ()) = tokio::join!(biased; long_poll(&*queue, 10), event);
        assert_eq!(bodies(&poll), ["a"]);
    }
}

/// The next of the group comes when the one in flight is deleted.
pub async fn a_long_poll_answers_when_its_group_is_free(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Fifo).await;
    sent(&*queue, vec![message(QueueKind::Fifo, "g", "1"), message(QueueKind::Fifo, "g", "2")]).await;
    let first = receive(harness, &*queue, 1).await;
    assert_eq!(bodies(&first), ["1"]);
    let (poll, ()) = tokio::join!(biased; long_poll(&*queue, 10), deleted(&*queue, &first));
    assert_eq!(bodies(&poll), ["2"]);
}

/// And returns nothing.
pub async fn a_long_poll_without_a_message_ends_with_its_wait(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Standard).await;
    let request = Receive { max: 10, wait: Duration::from_secs(2), visibility: None };
    let (poll, ()) = tokio::join!(biased; queue.receive(request), harness.advance(Duration::from_secs(3)));
    assert!(poll.expect("a receive succeeds").is_empty());
}

/// A poll that needs no wake-up does not swallow one.
pub async fn every_one_of_many_long_polls_gets_its_message(harness: &dyn QueueHarness) {
    for kind in super::KINDS {
        let queue = harness.queue(kind).await;
        let mut work: Vec<Pin<Box<dyn Future<Output = Vec<Message>> + Send>>> = Vec::new();
        for _ in 0..12 {
            work.push(Box::pin(long_poll(&*queue, 1)));
        }
        work.push(Box::pin(async {
            let entries = |from: u32, to: u32| {
                (from..to).map(|n| message(kind, &format!("g{n}"), &format!("{n}"))).collect::<Vec<_>>()
            };
            sent(&*queue, entries(0, 7)).await;
            for n in 7..12 {
                sent(&*queue, entries(n, n + 1)).await;
            }
            Vec::new()
        }));
        let got: Vec<Message> = together(work).await.into_iter().flatten().collect();
        let different: BTreeSet<_> = got.iter().map(|message| message.body.clone()).collect();
        assert_eq!((got.len(), different.len()), (12, 12));
    }
}

/// The next receive gets the message, and a poll beside it is woken instead. Guards trap T-T2.
pub async fn a_dropped_long_poll_takes_nothing_along(harness: &dyn QueueHarness) {
    if harness.differences().dropped_receive_may_orphan {
        return;
    }
    for kind in super::KINDS {
        let queue = harness.queue(kind).await;
        for round in 0..20 {
            let body = format!("{round}");
            let mut dropped = Box::pin(long_poll(&*queue, 10));
            let staying = long_poll(&*queue, 10);
            tokio::pin!(staying);
            let sending = async {
                send_one(&*queue, "g", &body).await;
            };
            tokio::pin!(sending);
            // The dropped poll waits first, so the wake-up is its own; it may or may not have run
            // when it is dropped.
            tokio::select! {
                biased;
                messages = &mut dropped => panic!("{:?} came from nowhere", bodies(&messages)),
                messages = &mut staying => panic!("{:?} came from nowhere", bodies(&messages)),
                () = core::future::ready(()) => {}
            }
            sending.await;
            drop(dropped);
            let got = staying.await;
            assert_eq!(bodies(&got), [body.as_str()]);
            assert_eq!(got[0].receive_count, 1);
            deleted(&*queue, &got).await;
        }
    }
}
