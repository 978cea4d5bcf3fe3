//! Tables on DynamoDB Local, stores over them, and a clock whose sleeps end at once.

use super::proxy::Proxy;
use crate::ground::unique_name;
use adapter_aws::dynamo::table_definition;
use adapter_aws::{Aws, DynamoStore};
use aws_sdk_dynamodb::Client;
use ports::Store;
use ports::store::{Attributes, CommitError, Expect, Key, Row, Write};
use ports_contract::store::{INDEX, OTHER_INDEX};
use runtime::SystemEntropy;
use std::sync::Arc;
use testkit::ManualClock;

/// The indexes of every table here.
pub(crate) const INDEXES: &[&str] = &[INDEX, OTHER_INDEX];

/// A clock whose sleeps end at once but count as elapsed.
pub(crate) fn fast_clock() -> ManualClock {
    ManualClock::default().advancing_by_itself()
}

/// DynamoDB Local.
pub(crate) struct Local {
    pub(crate) client: Client,
}

impl Default for Local {
    fn default() -> Self {
        Self { client: client(&engines::dynamodb()) }
    }
}

impl Local {
    /// Creates a table with a unique name.
    pub(crate) async fn table(&self) -> String {
        let name = unique_name();
        let made = table_definition(name.as_str(), INDEXES)
            .create_if_absent(&self.client, &fast_clock(), &SystemEntropy::new())
            .await;
        made.expect("a table can be made");
        name
    }
}

pub(crate) fn client(endpoint: &str) -> Client {
    Client::new(Aws::local(endpoint, "ap-northeast-2").sdk())
}

/// A store whose rests take no time.
pub(crate) fn opened(client: &Client, table: &str) -> DynamoStore {
    opened_on(client, table, Arc::new(fast_clock()))
}

fn opened_on(client: &Client, table: &str, clock: Arc<ManualClock>) -> DynamoStore {
    DynamoStore::new(client, table, INDEXES, clock, Arc::new(SystemEntropy::new()))
}

/// A table, a store that reaches it through a proxy, and one that reaches it directly.
pub(crate) struct ProxiedTable {
    pub(crate) proxy: Proxy,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: DynamoStore,
    pub(crate) direct: Arc<DynamoStore>,
}

impl ProxiedTable {
    pub(crate) async fn new() -> Self {
        let local = Local::default();
        let table = local.table().await;
        let proxy = Proxy::before(&engines::dynamodb()).await;
        let clock = Arc::new(fast_clock());
        let store = opened_on(&client(&proxy.endpoint()), &table, clock.clone());
        let direct = Arc::new(opened(&local.client, &table));
        Self { proxy, clock, store, direct }
    }

    /// The present row, read past the proxy.
    pub(crate) async fn row(&self, sort: &str) -> Option<Row> {
        self.direct.get(&[key(sort)]).await.unwrap().pop().unwrap()
    }

    /// (version, number) of a row; (0, 0) if there is none.
    pub(crate) async fn number(&self, sort: &str) -> (u64, i64) {
        let row = self.row(sort).await;
        row.map_or((0, 0), |row| (row.version, row.attributes.number("number").unwrap()))
    }

    /// Writes a row past the proxy.
    pub(crate) async fn given(&self, writes: Vec<Write>) {
        self.direct.commit(writes).await.unwrap();
    }
}

pub(crate) fn key(sort: &str) -> Key {
    Key::new("p", sort)
}

pub(crate) fn put(sort: &str, expect: Expect, number: u64) -> Write {
    let attributes = Attributes::new().with("number", number);
    Write::Put { key: key(sort), expect, attributes, indexes: Vec::new() }
}

pub(crate) fn delete(sort: &str, expect: Expect) -> Write {
    Write::Delete { key: key(sort), expect }
}

/// The fault of a commit that certainly wrote nothing.
pub(crate) fn failed(result: Result<(), CommitError>) -> ports::Fault {
    match result {
        Err(CommitError::Failed(fault)) => fault,
        other => panic!("a commit that should have failed: {other:?}"),
    }
}

/// The fault of a commit whose outcome is unknown.
pub(crate) fn ambiguous(result: Result<(), CommitError>) -> ports::Fault {
    match result {
        Err(CommitError::Ambiguous(fault)) => fault,
        other => panic!("a commit that should be ambiguous: {other:?}"),
    }
}
