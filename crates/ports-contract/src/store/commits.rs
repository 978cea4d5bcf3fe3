//! Commits: versions, all or nothing, limits.

use super::{StoreHarness, committed, delete, number, put, refused, row};
use ports::fault::FaultClass;
use ports::store::{Attributes, CommitError, Expect, Key, Value, Write};
use std::sync::Arc;

/// Every kind of value is read as it was written.
pub async fn a_new_row_has_version_one_and_reads_back_whole(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    let attributes = Attributes::new()
        .with("text", "words")
        .with("empty", "")
        .with("number", Value::Number(i64::MIN))
        .with("large", Value::Number(i64::MAX))
        .with("yes", true)
        .with("no", false)
        .with("texts", vec![Arc::from("one"), Arc::from("two")])
        .with("none", Vec::<Arc<str>>::new());
    let write = Write::Put {
        key: key.clone(),
        expect: Expect::Absent,
        attributes: attributes.clone(),
        indexes: Vec::new(),
    };
    committed(&*store, vec![write]).await;
    let row = row(&*store, &key).await.expect("the row is there");
    assert_eq!((row.key, row.version), (key, 1));
    assert_eq!(row.attributes.0.len(), attributes.0.len());
    for (name, value) in &attributes.0 {
        assert_eq!(row.attributes.get(name), Some(value), "{name}");
    }
}

/// Attributes that the write does not name are gone.
pub async fn a_write_replaces_the_whole_row_and_adds_one_to_its_version(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    let write = |expect, attributes| Write::Put { key: key.clone(), expect, attributes, indexes: Vec::new() };
    committed(&*store, vec![write(Expect::Absent, Attributes::new().with("old", "x"))]).await;
    for version in 1..5 {
        committed(&*store, vec![write(Expect::Version(version), Attributes::new().with("number", version))])
            .await;
    }
    let row = row(&*store, &key).await.expect("the row is there");
    assert_eq!(row.version, 5);
    assert_eq!(row.attributes, Attributes::new().with("number", 4u64));
}

/// The compare in compare-and-set.
pub async fn a_stale_version_is_refused_and_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    committed(&*store, vec![put(&key, Expect::Absent, 1)]).await;
    committed(&*store, vec![put(&key, Expect::Version(1), 2)]).await;
    for stale in [1, 3, 99] {
        assert_eq!(refused(&*store, vec![put(&key, Expect::Version(stale), 7)]).await, 0);
        assert_eq!(refused(&*store, vec![delete(&key, Expect::Version(stale))]).await, 0);
    }
    assert_eq!(number(&*store, &key).await, (2, 2));
}

/// A row is created once.
pub async fn a_row_that_must_be_absent_is_refused_when_it_is_there(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    committed(&*store, vec![put(&key, Expect::Absent, 1)]).await;
    assert_eq!(refused(&*store, vec![put(&key, Expect::Absent, 2)]).await, 0);
    assert_eq!(number(&*store, &key).await, (1, 1));
}

/// A missing row has no version.
pub async fn a_version_is_refused_when_there_is_no_row(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    assert_eq!(refused(&*store, vec![put(&key, Expect::Version(1), 2)]).await, 0);
    assert_eq!(refused(&*store, vec![delete(&key, Expect::Version(1))]).await, 0);
    assert!(row(&*store, &key).await.is_none());
}

/// All or nothing, and the caller learns which write failed.
pub async fn a_refused_commit_names_the_first_failing_write_and_changes_no_row(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|sort| Key::new("p", sort));
    committed(&*store, vec![put(&b, Expect::Absent, 1), put(&d, Expect::Absent, 1)]).await;
    let writes = vec![
        put(&a, Expect::Absent, 5),
        put(&b, Expect::Version(1), 5),
        put(&c, Expect::Version(3), 5),
        delete(&d, Expect::Version(9)),
    ];
    assert_eq!(refused(&*store, writes).await, 2);
    assert_eq!(number(&*store, &a).await, (0, 0));
    assert_eq!(number(&*store, &b).await, (1, 1));
    assert_eq!(number(&*store, &c).await, (0, 0));
    assert_eq!(number(&*store, &d).await, (1, 1));
    // The refused version is free again: nothing of the commit remained.
    committed(&*store, vec![put(&a, Expect::Absent, 6), put(&b, Expect::Version(1), 6)]).await;
    assert_eq!(number(&*store, &b).await, (2, 6));
}

/// `Any` also holds when there is no row.
pub async fn a_delete_needs_its_version_or_accepts_anything(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let (a, b) = (Key::new("p", "a"), Key::new("p", "b"));
    committed(&*store, vec![put(&a, Expect::Absent, 1), put(&b, Expect::Absent, 1)]).await;
    committed(&*store, vec![delete(&a, Expect::Version(1)), delete(&b, Expect::Any)]).await;
    committed(&*store, vec![delete(&a, Expect::Any), delete(&b, Expect::Absent)]).await;
    assert!(row(&*store, &a).await.is_none());
    assert!(row(&*store, &b).await.is_none());
}

/// A deleted row is like a row that never existed.
pub async fn a_deleted_row_begins_again_at_version_one(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "s");
    committed(&*store, vec![put(&key, Expect::Absent, 1)]).await;
    committed(&*store, vec![put(&key, Expect::Version(1), 2)]).await;
    committed(&*store, vec![delete(&key, Expect::Version(2))]).await;
    assert_eq!(refused(&*store, vec![put(&key, Expect::Version(2), 3)]).await, 0);
    committed(&*store, vec![put(&key, Expect::Absent, 4)]).await;
    assert_eq!(number(&*store, &key).await, (1, 4));
}

/// A check holds or the commit does not happen; the row that it names stays unchanged.
pub async fn a_check_guards_a_commit_and_writes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let (guard, key) = (Key::new("p", "guard"), Key::new("p", "key"));
    let check = |expect| Write::Check { key: guard.clone(), expect };
    committed(&*store, vec![check(Expect::Absent), put(&key, Expect::Absent, 1)]).await;
    assert_eq!(refused(&*store, vec![put(&key, Expect::Version(1), 2), check(Expect::Version(1))]).await, 1);
    assert_eq!(number(&*store, &key).await, (1, 1));
    committed(&*store, vec![put(&guard, Expect::Absent, 9)]).await;
    assert_eq!(refused(&*store, vec![check(Expect::Absent), put(&key, Expect::Version(1), 2)]).await, 0);
    committed(&*store, vec![check(Expect::Version(1)), put(&key, Expect::Version(1), 2)]).await;
    assert_eq!(number(&*store, &guard).await, (1, 9));
    assert_eq!(number(&*store, &key).await, (2, 2));
}

/// The largest commit.
pub async fn a_hundred_rows_commit_at_once(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let keys: Vec<Key> = (0..100).map(|n| Key::new("p", format!("{n:03}"))).collect();
    committed(&*store, keys.iter().map(|key| put(key, Expect::Absent, 1)).collect()).await;
    let rows = store.get(&keys).await.expect("a hundred rows can be read");
    assert!(rows.iter().all(Option::is_some));
    let mut writes: Vec<Write> = keys.iter().map(|key| put(key, Expect::Version(1), 2)).collect();
    writes[99] = put(&keys[99], Expect::Absent, 2);
    assert_eq!(refused(&*store, writes).await, 99);
    let rows = store.get(&keys).await.expect("a hundred rows can be read");
    assert!(rows.into_iter().flatten().all(|row| row.version == 1));
}

/// Malformed commits fail with a Permanent fault and change nothing.
pub async fn a_commit_of_none_or_too_many_or_the_same_row_twice_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = |n: usize| Key::new("p", format!("{n:03}"));
    let many: Vec<Write> = (0..101).map(|n| put(&key(n), Expect::Absent, 1)).collect();
    let twice = vec![put(&key(0), Expect::Absent, 1), delete(&key(0), Expect::Any)];
    let mut twice_far = many[..50].to_vec();
    twice_far.push(Write::Check { key: key(7), expect: Expect::Absent });
    for writes in [Vec::new(), many, twice, twice_far] {
        let count = writes.len();
        match store.commit(writes).await {
            Err(CommitError::Failed(fault)) => assert_eq!(fault.class, FaultClass::Permanent, "{fault}"),
            other => panic!("a malformed commit of {count} writes: {other:?}"),
        }
    }
    assert!(row(&*store, &key(0)).await.is_none());
}

/// A retry would not help.
pub async fn a_row_over_the_limit_is_refused_as_permanent(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p", "large");
    let attributes = Attributes::new().with("text", "x".repeat(401 * 1_024));
    let write = Write::Put { key: key.clone(), expect: Expect::Absent, attributes, indexes: Vec::new() };
    let other = Key::new("p", "other");
    match store.commit(vec![put(&other, Expect::Absent, 1), write]).await {
        Err(CommitError::Failed(fault)) => assert_eq!(fault.class, FaultClass::Permanent, "{fault}"),
        other => panic!("a row over the limit: {other:?}"),
    }
    assert!(row(&*store, &key).await.is_none());
    assert!(row(&*store, &other).await.is_none());
}
