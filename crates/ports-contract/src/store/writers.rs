//! Many writers at once, and what remains after a restart.

use super::{
    INDEX, StoreHarness, committed, delete, due_is, entry, found, number, put, put_indexed, row, together,
};
use core::pin::Pin;
use ports::fault::FaultClass;
use ports::store::{CommitError, Expect, Key, Store, Write};

/// Commits the writes of `decide`; after a lost race it decides again on fresh rows.
async fn until_committed<D: Future<Output = Vec<Write>>>(store: &dyn Store, decide: impl Fn() -> D) {
    for _ in 0..10_000 {
        let writes = decide().await;
        match store.commit(writes).await {
            Ok(()) => return,
            Err(CommitError::Conflict { .. }) => {}
            Err(CommitError::Failed(fault)) if fault.class != FaultClass::Permanent => {}
            Err(error) => panic!("a commit under contention: {error:?}"),
        }
    }
    panic!("a writer never won");
}

/// Exactly one, whichever it is.
pub async fn one_of_many_writers_wins_each_version(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    for version in 0..10u64 {
        let attempts = (0..16u64).map(|writer| {
            let write = put(&key, Expect::unchanged(version), writer);
            let store = &store;
            Box::pin(async move { (writer, store.commit(vec![write]).await) })
                as Pin<Box<dyn Future<Output = _> + Send>>
        });
        let mut winners = Vec::new();
        for (writer, result) in together(attempts.collect()).await {
            match result {
                Ok(()) => winners.push(writer),
                Err(CommitError::Conflict { at: 0 }) => {}
                Err(CommitError::Failed(fault)) if fault.class != FaultClass::Permanent => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "winners of version {}: {winners:?}", version + 1);
        let winner = winners.first().copied().unwrap_or_default() as i64;
        assert_eq!(number(&*store, &key).await, (version + 1, winner));
    }
}

/// No increment is lost, none is counted twice.
pub async fn counted_increments_by_many_writers_add_up(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "counter");
    let writers = (0..8).map(|_| {
        let (store, key) = (&*store, &key);
        Box::pin(async move {
            for _ in 0..10 {
                until_committed(store, || async move {
                    let (version, value) = number(store, key).await;
                    vec![put(key, Expect::unchanged(version), value as u64 + 1)]
                })
                .await;
            }
        }) as Pin<Box<dyn Future<Output = ()> + Send>>
    });
    together(writers.collect()).await;
    assert_eq!(number(&*store, &key).await, (80, 80));
}

/// Every commit moves both rows or none, so the sum stays; no reader sees one half of a transfer.
pub async fn transfers_by_many_writers_keep_the_sum(harness: &dyn StoreHarness) {
    const ACCOUNTS: u64 = 4;
    let store = harness.store().await;
    let keys: Vec<Key> = (0..ACCOUNTS).map(|n| Key::new(format!("p{n}"), "account")).collect();
    committed(&*store, keys.iter().map(|key| put(key, Expect::Absent, 1_000)).collect()).await;
    let writers = (0..6usize).map(|writer| {
        let (store, keys) = (&*store, &keys);
        Box::pin(async move {
            for round in 0..10usize {
                let (from, to) = (&keys[(writer + round) % 4], &keys[(writer + round * 2 + 1) % 4]);
                if from == to {
                    continue;
                }
                until_committed(store, || {
                    Box::pin(async move {
                        let ((v1, a), (v2, b)) = (number(store, from).await, number(store, to).await);
                        vec![
                            put(from, Expect::Version(v1), a as u64 - 1),
                            put(to, Expect::Version(v2), b as u64 + 1),
                        ]
                    })
                })
                .await;
            }
        }) as Pin<Box<dyn Future<Output = ()> + Send>>
    });
    together(writers.collect()).await;
    let rows = store.get(&keys).await.expect("rows can be read");
    let sum: i64 = rows.iter().flatten().filter_map(|row| row.attributes.number("number")).sum();
    assert_eq!(sum, 1_000 * ACCOUNTS as i64);
}

/// By `get` and by `list`, each time, while others write.
pub async fn an_answered_commit_is_seen_by_every_later_read(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let writers = (0..8u64).map(|writer| {
        let store = &*store;
        Box::pin(async move {
            let key = Key::new("shared", format!("{writer}"));
            for version in 0..20u64 {
                committed(store, vec![put(&key, Expect::unchanged(version), version)]).await;
                assert_eq!(number(store, &key).await, (version + 1, version as i64));
                let rows = store.list("shared", None, 100).await.expect("a list can be read");
                let mine = rows.iter().find(|row| row.key == key).expect("the row is listed");
                assert_eq!(mine.version, version + 1);
            }
            committed(store, vec![delete(&key, Expect::Version(20))]).await;
            assert!(row(store, &key).await.is_none());
        }) as Pin<Box<dyn Future<Output = ()> + Send>>
    });
    together(writers.collect()).await;
    assert!(store.list("shared", None, 100).await.expect("a list can be read").is_empty());
}

/// Rows, versions, index entries; and removed rows stay removed.
pub async fn everything_answered_survives_a_restart(harness: &dyn StoreHarness) {
    let mut store = harness.store().await;
    let key = |n: u64| Key::new("p", format!("{n:02}"));
    for round in 0..3u64 {
        for n in 0..10u64 {
            let (version, _) = number(&*store, &key(n)).await;
            assert_eq!(version, round);
            let indexes = vec![entry(INDEX, "x", 100 * round + n)];
            committed(&*store, vec![put_indexed(&key(n), Expect::unchanged(version), round, indexes)]).await;
        }
        match harness.reopen(store).await {
            Some(reopened) => store = reopened,
            None => return,
        }
        let expected: Vec<_> = (0..10u64).map(|n| found(100 * round + n, &key(n))).collect();
        due_is(harness, &*store, "x", &expected).await;
    }
    committed(&*store, vec![delete(&key(3), Expect::Version(3))]).await;
    let Some(store) = harness.reopen(store).await else { return };
    assert!(row(&*store, &key(3)).await.is_none());
    assert_eq!(number(&*store, &key(4)).await, (3, 2));
    committed(&*store, vec![put(&key(3), Expect::Absent, 1)]).await;
}
