//! The store on DynamoDB Local: the contract suite, further demands of DynamoDB on a client, and
//! answers that DynamoDB Local never gives, from a proxy in front of it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod faults;
mod local;
mod lost;
mod pages;
mod proxy;
mod tables;

use adapter_aws::DynamoStore;
use async_trait::async_trait;
use local::{Local, opened};
use parking_lot::Mutex;
use ports::Store;
use ports_contract::store::StoreHarness;
use std::sync::Arc;

/// A table for each store.
#[derive(Default)]
struct Tables {
    local: Local,
    last: Mutex<String>,
}

#[async_trait]
impl StoreHarness for Tables {
    async fn store(&self) -> Arc<dyn Store> {
        let table = self.local.table().await;
        self.last.lock().clone_from(&table);
        Arc::new(opened(&self.local.client, &table))
    }

    /// We cannot restart the service, but a process that opens its table again is a restart: no
    /// state may live in the store.
    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        drop(store);
        let table = self.last.lock().clone();
        Some(Arc::new(opened(&self.local.client, &table)))
    }
}

ports_contract::store_contract!(Tables::default());

#[tokio::test]
async fn two_stores_over_one_table_are_one_store() {
    use ports::store::{Attributes, Expect, Key, Write};
    let local = Local::default();
    let table = local.table().await;
    let (one, two): (DynamoStore, DynamoStore) =
        (opened(&local.client, &table), opened(&local.client, &table));
    let put = || Write::Put {
        key: Key::new("p", "s"),
        expect: Expect::Absent,
        attributes: Attributes::new(),
        indexes: Vec::new(),
    };
    let (first, second) = tokio::join!(one.commit(vec![put()]), two.commit(vec![put()]));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}
