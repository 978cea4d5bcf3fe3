//! Dead letters: the content of a copy, and the redrive (trap T-T13).

use crate::bench::{Bench, approved, assert_invariants, expired, raw, rsv};
use domain::reservation::Status;
use ports::{Clock, DeadLetters};
use std::time::Duration;
use worker::dead_letter::DeadLetter;
use worker::redrive::{RedriveOptions, Selection, purge, redrive};

fn all() -> RedriveOptions {
    RedriveOptions { selection: Selection::All, limit: usize::MAX, rate: 1_000, dry_run: false }
}

/// Buries three events of a reservation and one of another, in order.
async fn four_letters() -> Bench {
    let bench = Bench::fifo().with(|o| o.retry.max_retries = 0);
    bench.peers.fail("rsv_1", 3);
    bench.peers.fail("rsv_2", 1);
    bench.put(&approved("rsv_1", "pay_1"));
    bench.put(&approved("rsv_1", "pay_2"));
    bench.put(&expired("rsv_1"));
    bench.start();
    bench.until("three are buried", || bench.letters.len() == 3).await;
    bench.put(&expired("rsv_2"));
    bench.until("four are buried", || bench.letters.len() == 4).await;
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_says_why_it_is_there() {
    let bench = four_letters().await;
    let letters: Vec<DeadLetter> = bench
        .letters
        .browse(None, 10)
        .await
        .expect("the queue answers")
        .iter()
        .map(DeadLetter::read)
        .collect();
    let first = &letters[0];
    assert_eq!(first.r#type, "payment.approved");
    assert_eq!(first.reservation_id, "rsv_1");
    assert_eq!(first.reason, "retries_exhausted");
    assert_eq!(first.error, "inventory: try again");
    assert_eq!(first.attempts, 1);
    assert_eq!(first.trace_id, "5b8aa5a2d2c872e8321cf37308d69df2");
    assert!(first.first_seen <= first.last_seen && first.first_seen.ends_with('Z'));
    let groups: Vec<_> = bench.letters.bodies().into_iter().map(|l| l.group.unwrap_or_default()).collect();
    assert_eq!(groups, ["rsv_1", "rsv_1", "rsv_1", "rsv_2"]);
}

/// Trap T-T13: a redrive keeps group and order, and is not swallowed by the deduplication window.
#[tokio::test(start_paused = true)]
async fn a_redrive_keeps_group_and_order_and_is_not_deduplicated_away() {
    let bench = four_letters().await;
    let calls_before = bench.peers.calls().len();
    let report = redrive(&*bench.letters, &*bench.queue, &*bench.clock, &all()).await.expect("it answers");
    assert_eq!(report.entries.len(), 4);
    assert_eq!(report.stopped, None);
    assert_eq!(bench.letters.len(), 0);
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    let calls: Vec<String> = bench.peers.calls().split_off(calls_before);
    let of_first: Vec<&str> = calls
        .iter()
        .filter(|c| c.starts_with("end rsv_1") || c.starts_with("release"))
        .map(|c| &c[..c.len().min(20)])
        .collect();
    assert_eq!(of_first.len(), 4, "{calls:?}");
    assert!(
        of_first[0].starts_with("end rsv_1 CONFIRMED") && of_first[2].starts_with("release EXPIRED rsv_")
    );
    assert_eq!(bench.peers.ended("rsv_2"), Some(Status::Expired));
}

/// Trap T-T13: an event that is buried again after a redrive is kept, although it is the same event
/// within five minutes.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_buried_again_after_a_redrive_is_kept() {
    let bench = four_letters().await;
    bench.peers.fail("rsv_2", 1);
    let report = redrive(&*bench.letters, &*bench.queue, &*bench.clock, &all()).await.expect("it answers");
    assert_eq!(report.entries.len(), 4);
    bench.until("it is buried again", || bench.letters.len() == 1).await;
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    assert_eq!(bench.letters.bodies()[0].group.as_deref(), Some("rsv_2"));
}

/// Trap T-T13: a dry run changes nothing, a rate is kept, a selection is followed.
#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing_and_a_rate_is_kept() {
    let bench = four_letters().await;
    let dry = RedriveOptions { dry_run: true, ..all() };
    let report = redrive(&*bench.letters, &*bench.queue, &*bench.clock, &dry).await.expect("it answers");
    assert!(report.dry_run && report.entries.len() == 4);
    assert_eq!((bench.letters.len(), bench.queue.len()), (4, 0));

    let one = vec![report.entries[3].id.clone()];
    let some = RedriveOptions { selection: Selection::Ids(one), ..all() };
    let report = redrive(&*bench.letters, &*bench.queue, &*bench.clock, &some).await.expect("it answers");
    assert_eq!(report.entries[0].reservation_id, "rsv_2");
    assert_eq!(bench.letters.len(), 3);

    let begun = bench.clock.elapsed();
    let slow = RedriveOptions { rate: 2, ..all() };
    redrive(&*bench.letters, &*bench.queue, &*bench.clock, &slow).await.expect("it answers");
    assert!(bench.clock.elapsed() - begun >= Duration::from_secs(1), "three at two a second");
}

/// Trap T-T13: a letter that cannot be sent stops the redrive, or its followers would overtake it.
#[tokio::test(start_paused = true)]
async fn a_redrive_stops_where_it_cannot_send() {
    let bench = four_letters().await;
    let mut sends = 0;
    bench.queue.on_send(move |_| {
        sends += 1;
        (sends == 2).then(|| ports::Fault::unavailable("no route"))
    });
    let report = redrive(&*bench.letters, &*bench.queue, &*bench.clock, &all()).await.expect("it answers");
    assert_eq!(report.entries.len(), 1);
    assert!(report.stopped.is_some_and(|why| why.contains("no route")));
    assert_eq!(bench.letters.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_purge_removes_the_selected_letters() {
    let bench = four_letters().await;
    let id = bench.letters.browse(None, 1).await.expect("it answers")[0].id.to_string();
    let report = purge(&*bench.letters, &Selection::Ids(vec![id.clone()]), true).await.expect("it answers");
    assert_eq!((report.entries.len(), bench.letters.len()), (1, 4));
    purge(&*bench.letters, &Selection::Ids(vec![id]), false).await.expect("it answers");
    assert_eq!(bench.letters.len(), 3);
    purge(&*bench.letters, &Selection::All, false).await.expect("it answers");
    assert_eq!(bench.letters.len(), 0);
}

/// A crash between copy and delete leaves one dead letter, not two.
#[tokio::test(start_paused = true)]
async fn a_copy_that_is_made_again_is_stored_once() {
    let bench = Bench::fifo();
    bench.queue.put(raw("not json", "rsv_1", "dedup"));
    bench.queue.on_delete(|_| Some(ports::Fault::transient("internal error")));
    bench.start();
    bench.until("it was copied", || bench.letters.len() == 1).await;
    bench.tasks.abort_all();
    bench.queue.on_delete(|_| None);
    let next = bench.next();
    let handle = next.start();
    next.until("the queue is empty", || next.queue.len() == 0).await;
    assert_eq!(next.letters.len(), 1);
    assert_invariants(&handle);
}

/// The journal shows what was done to an event.
#[tokio::test(start_paused = true)]
async fn the_journal_has_each_step_of_an_event() {
    let bench = Bench::fifo();
    bench.peers.fail("rsv_1", 1);
    bench.put(&expired("rsv_1"));
    bench.put(&expired(&rsv(7)));
    let handle = bench.start();
    bench.until("the queue is empty", || bench.queue.len() == 0).await;
    bench.shut_down().await;
    let words: Vec<&str> =
        handle.journal().entries("rsv_1").iter().map(|e| e.body(String::new()).what).collect();
    assert_eq!(
        words,
        ["received", "started", "ended", "retrying", "received", "started", "ended", "settled"]
    );
}
