//! Index entries: they follow their row, come in order, and stay readable after many removals.

use super::{
    INDEX, OTHER_INDEX, SETTLE_TRIES, StoreHarness, at, committed, delete, due_is, entry, found, put,
    put_indexed, refused,
};
use domain::time::Timestamp;
use ports::store::{Entry, Expect, Key, Store, Write};

/// Entries that a write names appear, entries that it does not name disappear; a refused commit
/// changes none.
pub async fn index_entries_appear_move_and_disappear_with_their_row(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    committed(&*store, vec![put_indexed(&key, Expect::Absent, 1, vec![entry(INDEX, "a", 10)])]).await;
    due_is(harness, &*store, "a", &[found(10, &key)]).await;

    committed(&*store, vec![put_indexed(&key, Expect::Version(1), 2, vec![entry(INDEX, "a", 20)])]).await;
    due_is(harness, &*store, "a", &[found(20, &key)]).await;

    committed(&*store, vec![put_indexed(&key, Expect::Version(2), 3, vec![entry(INDEX, "b", 20)])]).await;
    due_is(harness, &*store, "a", &[]).await;
    due_is(harness, &*store, "b", &[found(20, &key)]).await;

    assert_eq!(
        refused(&*store, vec![put_indexed(&key, Expect::Version(1), 4, vec![entry(INDEX, "a", 30)])]).await,
        0
    );
    due_is(harness, &*store, "a", &[]).await;
    due_is(harness, &*store, "b", &[found(20, &key)]).await;

    committed(&*store, vec![put(&key, Expect::Version(3), 5)]).await;
    due_is(harness, &*store, "b", &[]).await;

    committed(&*store, vec![put_indexed(&key, Expect::Version(4), 6, vec![entry(INDEX, "b", 40)])]).await;
    due_is(harness, &*store, "b", &[found(40, &key)]).await;
    committed(&*store, vec![delete(&key, Expect::Version(5))]).await;
    due_is(harness, &*store, "b", &[]).await;
}

/// By time, then partition, then sort key; a page continues after the last entry of the page
/// before.
pub async fn due_entries_come_in_order_and_page_by_page(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let mut expected = Vec::new();
    for (n, partition) in ["b", "a", "ab", "a"].into_iter().enumerate() {
        for time in [300, 5, 70_000, 256] {
            let key = Key::new(partition, format!("{n}-{time}"));
            committed(&*store, vec![put_indexed(&key, Expect::Absent, 1, vec![entry(INDEX, "x", time)])])
                .await;
            expected.push(found(time, &key));
        }
    }
    expected.sort();
    due_is(harness, &*store, "x", &expected).await;
    for page in [1, 3, 16, 50] {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let next = due(&*store, "x", all.last(), Timestamp::MAX, page).await;
            assert!(next.len() <= page);
            if next.is_empty() {
                break;
            }
            all.extend(next);
        }
        assert_eq!(all, expected, "pages of {page}");
    }
}

/// `at <= until`, also together with a cursor.
pub async fn due_includes_the_time_asked_and_nothing_later(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let keys: Vec<Key> = (0..5).map(|n| Key::new("p", format!("{n}"))).collect();
    let mut all = Vec::new();
    for (n, key) in (0u64..).zip(&keys) {
        committed(&*store, vec![put_indexed(key, Expect::Absent, 1, vec![entry(INDEX, "x", n * 10)])]).await;
        all.push(found(n * 10, key));
    }
    due_is(harness, &*store, "x", &all).await;
    assert_eq!(due(&*store, "x", None, at(0), 10).await, all[..1]);
    assert_eq!(due(&*store, "x", None, at(20), 10).await, all[..3]);
    assert_eq!(due(&*store, "x", None, at(29), 10).await, all[..3]);
    assert_eq!(due(&*store, "x", Some(&all[0]), at(20), 10).await, all[1..3]);
    assert_eq!(due(&*store, "x", Some(&all[2]), at(20), 10).await, []);
    assert_eq!(due(&*store, "x", Some(&all[4]), Timestamp::MAX, 10).await, []);
    // A cursor need not be an existing entry.
    let between = Entry { at: at(15), key: Key::new("zzz", "zzz") };
    assert_eq!(due(&*store, "x", Some(&between), Timestamp::MAX, 10).await, all[2..]);
}

/// One row in two indexes; shards with similar names.
pub async fn shards_and_indexes_are_apart(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let (a, b) = (Key::new("p", "a"), Key::new("p", "b"));
    let both = vec![entry(INDEX, "s", 10), entry(OTHER_INDEX, "s", 99)];
    committed(&*store, vec![put_indexed(&a, Expect::Absent, 1, both)]).await;
    committed(&*store, vec![put_indexed(&b, Expect::Absent, 1, vec![entry(INDEX, "s#", 5)])]).await;
    due_is(harness, &*store, "s", &[found(10, &a)]).await;
    due_is(harness, &*store, "s#", &[found(5, &b)]).await;
    due_is(harness, &*store, "s##", &[]).await;
    let mut other = Vec::new();
    for _ in 0..SETTLE_TRIES {
        other = store.due(OTHER_INDEX, "s", None, Timestamp::MAX, 10).await.expect("an index can be read");
        if !other.is_empty() {
            break;
        }
        harness.settle().await;
    }
    assert_eq!(other, [found(99, &a)]);
}

/// The relay and the sweep take from the front forever.
pub async fn due_from_the_front_works_after_many_removals(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let keys: Vec<Key> = (0..300).map(|n| Key::new("p", format!("{n:03}"))).collect();
    let mut all = Vec::new();
    for (chunk, start) in keys.chunks(100).zip((0u64..).step_by(100)) {
        let mut writes: Vec<Write> = Vec::new();
        for (key, time) in chunk.iter().zip(start..) {
            writes.push(put_indexed(key, Expect::Absent, 1, vec![entry(INDEX, "x", time)]));
            all.push(found(time, key));
        }
        committed(&*store, writes).await;
    }
    for (removed, key) in keys.iter().enumerate().take(290) {
        if removed % 10 == 0 {
            due_is(harness, &*store, "x", &all[removed..]).await;
        }
        committed(&*store, vec![delete(key, Expect::Version(1))]).await;
    }
    due_is(harness, &*store, "x", &all[290..]).await;
}

/// An entry below all earlier ones is still found from the front.
pub async fn a_late_entry_below_removed_ones_is_found(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = |n: u64| Key::new("p", format!("{n}"));
    let add = |n: u64, time: u64| put_indexed(&key(n), Expect::Absent, 1, vec![entry(INDEX, "x", time)]);
    committed(&*store, vec![add(1, 100), add(2, 200)]).await;
    due_is(harness, &*store, "x", &[found(100, &key(1)), found(200, &key(2))]).await;
    committed(&*store, vec![delete(&key(1), Expect::Any)]).await;
    due_is(harness, &*store, "x", &[found(200, &key(2))]).await;
    committed(&*store, vec![add(3, 50)]).await;
    due_is(harness, &*store, "x", &[found(50, &key(3)), found(200, &key(2))]).await;
    committed(&*store, vec![delete(&key(2), Expect::Any), delete(&key(3), Expect::Any)]).await;
    due_is(harness, &*store, "x", &[]).await;
    committed(&*store, vec![add(4, 1)]).await;
    due_is(harness, &*store, "x", &[found(1, &key(4))]).await;
}

async fn due(
    store: &dyn Store,
    shard: &str,
    after: Option<&Entry>,
    until: Timestamp,
    limit: usize,
) -> Vec<Entry> {
    store.due(INDEX, shard, after, until, limit).await.expect("an index can be read")
}
