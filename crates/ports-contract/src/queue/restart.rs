//! What a restart of the engine keeps. Only for engines that we can restart.

use super::{
    KINDS, QueueHarness, bodies, deleted, is_empty, let_leases_end, message, receive, receive_all,
    receive_one, send_one, sent,
};
use core::time::Duration;
use ports::queue::{Outgoing, QueueKind};

/// A sent message stays, a deleted one stays deleted, and a message in flight is redelivered.
pub async fn messages_survive_a_restart_until_they_are_deleted(harness: &dyn QueueHarness) {
    for kind in KINDS {
        let queue = harness.queue(kind).await;
        let mut entries: Vec<Outgoing> =
            (0..9).map(|n| message(kind, &format!("g{n}"), &format!("{n}"))).collect();
        if kind == QueueKind::Standard {
            entries[8].delay = Duration::from_secs(60);
        }
        sent(&*queue, entries).await;
        let out = receive_all(harness, &*queue, 6).await;
        assert_eq!(out.len(), 6);
        deleted(&*queue, &out[..3]).await;
        let Some(queue) = harness.reopen(queue).await else { return };
        let_leases_end(harness).await;
        let mut left: Vec<String> =
            receive_all(harness, &*queue, 9).await.into_iter().map(|message| message.body).collect();
        let mut expected: Vec<String> = (0..9)
            .map(|n| n.to_string())
            .filter(|body| !out[..3].iter().any(|gone| gone.body == *body))
            .filter(|body| kind == QueueKind::Fifo || body != "8")
            .collect();
        left.sort();
        expected.sort();
        assert_eq!(left, expected);
        if kind == QueueKind::Standard {
            harness.advance(Duration::from_secs(60)).await;
            assert!(receive_all(harness, &*queue, 9).await.iter().any(|message| message.body == "8"));
        }
    }
}

/// A message that crashes its reader does not do so forever.
pub async fn receive_counts_survive_a_restart_and_reach_the_redrive(harness: &dyn QueueHarness) {
    let (mut queue, dead) = harness.queue_with_redrive(QueueKind::Standard, 3).await;
    drop(dead);
    send_one(&*queue, "g", "poison").await;
    let first = receive_one(harness, &*queue).await;
    for count in 2..=3 {
        let Some(reopened) = harness.reopen(queue).await else { return };
        queue = reopened;
        let_leases_end(harness).await;
        let again = receive_one(harness, &*queue).await;
        assert_eq!((&again.id, again.receive_count), (&first.id, count));
        assert_eq!(again.first_received_at, first.first_received_at);
        assert_ne!(again.receipt, first.receipt);
    }
    let Some(queue) = harness.reopen(queue).await else { return };
    let_leases_end(harness).await;
    is_empty(harness, &*queue).await;
    let depth = queue.depth().await.expect("the depth can be read");
    assert_eq!(depth.visible + depth.in_flight, 0);
}

/// A producer that retries across a restart still sends once.
pub async fn the_deduplication_window_survives_a_restart(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Fifo).await;
    let first = send_one(&*queue, "g", "x").await;
    let got = receive_one(harness, &*queue).await;
    deleted(&*queue, &[got]).await;
    let Some(queue) = harness.reopen(queue).await else { return };
    assert_eq!(send_one(&*queue, "g", "x").await.message_id, first.message_id);
    is_empty(harness, &*queue).await;
    if harness.differences().minutes_are_real {
        return;
    }
    harness.advance(Duration::from_secs(301)).await;
    assert_ne!(send_one(&*queue, "g", "x").await.message_id, first.message_id);
    assert_eq!(receive_one(harness, &*queue).await.body, "x");
}

/// Earlier messages come before later ones, and a receipt from before the restart is useless.
pub async fn the_order_of_a_group_survives_a_restart(harness: &dyn QueueHarness) {
    let queue = harness.queue(QueueKind::Fifo).await;
    let entry = |body: &str| message(QueueKind::Fifo, "g", body);
    sent(&*queue, vec![entry("1"), entry("2")]).await;
    let out = receive(harness, &*queue, 1).await;
    assert_eq!(bodies(&out), ["1"]);
    let Some(queue) = harness.reopen(queue).await else { return };
    sent(&*queue, vec![entry("3")]).await;
    let_leases_end(harness).await;
    assert_eq!(bodies(&receive_all(harness, &*queue, 3).await), ["1", "2", "3"]);
}
