//! The store suite on the embedded engine.

use adapter_embedded::{Engine, EngineOptions};
use async_trait::async_trait;
use parking_lot::Mutex;
use ports::Store;
use ports_contract::store::StoreHarness;
use std::sync::Arc;
use tempfile::TempDir;
use testkit::{FaultyStore, ManualClock};

struct Embedded {
    folder: TempDir,
    engine: Mutex<Option<Engine>>,
}

impl Embedded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Mutex::new(Some(open(&folder)));
        Self { folder, engine }
    }
}

fn open(folder: &TempDir) -> Engine {
    // A small memory of versions, so that the suite also reads versions from the tree.
    let options = EngineOptions { version_rows: 16, batch_max: 8, ..EngineOptions::default() };
    Engine::open(folder.path(), options, Arc::new(ManualClock::default())).unwrap()
}

#[async_trait]
impl StoreHarness for Embedded {
    async fn store(&self) -> Arc<dyn Store> {
        self.engine.lock().as_ref().unwrap().store("rows").unwrap()
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        drop(store);
        let mut engine = self.engine.lock();
        *engine = None;
        let reopened = open(&self.folder);
        let store = reopened.store("rows").unwrap();
        *engine = Some(reopened);
        Some(store)
    }
}

ports_contract::store_contract!(Embedded::new());

/// The wrapper of testkit, without a fault, is a store like the one that it wraps.
mod behind_a_faulty_store {
    use super::*;

    struct Wrapped(Embedded);

    #[async_trait]
    impl StoreHarness for Wrapped {
        async fn store(&self) -> Arc<dyn Store> {
            Arc::new(FaultyStore::over(self.0.store().await))
        }

        async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
            Some(Arc::new(FaultyStore::over(self.0.reopen(store).await?)))
        }
    }

    ports_contract::store_contract!(Wrapped(Embedded::new()));
}

#[tokio::test]
async fn two_stores_in_one_folder_have_their_own_rows() {
    use ports::store::{Attributes, Expect, IndexEntry, Key, Write};
    use ports_contract::store::INDEX;
    let harness = Embedded::new();
    let engine = harness.engine.lock().clone().unwrap();
    let (a, b) = (engine.store("a").unwrap(), engine.store("b").unwrap());
    let key = Key::new("p", "s");
    let write = |number: u64| Write::Put {
        key: key.clone(),
        expect: Expect::Absent,
        attributes: Attributes::new().with("number", number),
        indexes: vec![IndexEntry {
            index: INDEX,
            shard: "x".into(),
            at: domain::time::Timestamp::from_millis(number),
        }],
    };
    a.commit(vec![write(1)]).await.unwrap();
    b.commit(vec![write(2)]).await.unwrap();
    for (store, number) in [(&a, 1), (&b, 2)] {
        let rows = store.get(std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(rows[0].as_ref().unwrap().attributes.number("number"), Some(number));
        let due = store.due(INDEX, "x", None, domain::time::Timestamp::MAX, 10).await.unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].at.as_millis(), number as u64);
    }
}

#[tokio::test]
async fn the_same_name_gives_the_same_store() {
    use ports::store::{Attributes, Expect, Key, Write};
    let harness = Embedded::new();
    let engine = harness.engine.lock().clone().unwrap();
    let (one, two) = (engine.store("a").unwrap(), engine.store("a").unwrap());
    let put = || Write::Put {
        key: Key::new("p", "s"),
        expect: Expect::Absent,
        attributes: Attributes::new(),
        indexes: Vec::new(),
    };
    let (first, second) = tokio::join!(one.commit(vec![put()]), two.commit(vec![put()]));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}

/// The filter that avoids the search for a new row is filled a little with each batch after an
/// open.
#[tokio::test]
async fn rows_of_an_earlier_run_are_not_created_again_while_the_filter_fills_and_after() {
    use ports::store::{Attributes, CommitError, Expect, Key, Write};
    let harness = Embedded::new();
    let create = |number: usize| Write::Put {
        key: Key::new(format!("p{number}"), "s"),
        expect: Expect::Absent,
        attributes: Attributes::new(),
        indexes: Vec::new(),
    };
    let store = harness.store().await;
    for first in (0..3_000).step_by(100) {
        store.commit((first..first + 100).map(create).collect()).await.unwrap();
    }
    let store = harness.reopen(store).await.unwrap();
    // Each of these is a batch, so the filter is empty at the first and full at the last.
    for number in 0..50 {
        let again = store.commit(vec![create(number * 60)]).await;
        assert!(matches!(again, Err(CommitError::Conflict { at: 0 })), "{number}: {again:?}");
        store.commit(vec![create(10_000 + number)]).await.unwrap();
        let again = store.commit(vec![create(10_000 + number)]).await;
        assert!(matches!(again, Err(CommitError::Conflict { at: 0 })), "{number}: {again:?}");
    }
}
