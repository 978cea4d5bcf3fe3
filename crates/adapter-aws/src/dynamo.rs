//! The `Store` port on one DynamoDB table.
//!
//! A row is an item: `pk` and `sk` are its key, `v` is its version, `op` names the commit that
//! wrote it last, and the row's own attributes stand beside them under their own names and in
//! DynamoDB's own types, so that a person can read a row in the console. Each index of the port is
//! a sparse secondary index of the same name.
//!
//! Every commit is conditional on versions. One write is one conditional call; more are one
//! transaction. A try whose answer is lost is repeated: the repetition either writes, or is refused
//! and shows the present row, and the operation id of that row says which commit wrote it. If that
//! does not decide it, the answer is ambiguous, never "done" or "not done".
//!
//! The SDK's own retries are off here. They would repeat a conditional write and return the refusal
//! of the repetition, which says nothing about the first try.

mod ask;
mod backoff;
mod check;
mod classify;
mod commit;
mod create;
mod definition;
mod faults;
mod index;
mod item;
mod names;
mod plan;
mod read;
mod refusal;

pub use create::Created;
pub use definition::{TableDefinition, table_definition};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use core::time::Duration;
use domain::time::Timestamp;
use ports::store::{CommitError, Entry, Key, Row, Write};
use ports::{Clock, Entropy, Fault, Store};
use std::sync::Arc;

/// The limit of one call, connecting included. DynamoDB answers within tens of milliseconds; a call
/// that takes this long is lost, and the caller needs the rest of its own deadline to find out what
/// the call did.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit of connecting. Nothing was sent before, so such a try has certainly written nothing.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One table.
pub struct DynamoStore {
    client: Client,
    table: Arc<str>,
    indexes: &'static [&'static str],
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl DynamoStore {
    /// A store over a table that has these indexes. Calls nothing; see [`check`](Self::check).
    ///
    /// Replaces the retries and timeouts of the client with the store's own.
    pub fn new(
        client: &Client,
        table: impl Into<Arc<str>>,
        indexes: &'static [&'static str],
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { client: with_our_limits(client), table: table.into(), indexes, clock, entropy }
    }

    /// Checks that the table exists and has the keys and indexes that this store needs. The error
    /// names what to change; its class is `Unavailable` if the service did not answer or the table
    /// is still being made, else `Permanent`.
    pub async fn check(&self) -> Result<(), Fault> {
        check::check(&self.client, &self.definition(), &*self.clock, &*self.entropy).await
    }

    /// The table that this store needs.
    pub fn definition(&self) -> TableDefinition {
        table_definition(Arc::clone(&self.table), self.indexes)
    }

    /// Indexes are few and fixed, so an index that the store was not made with is a mistake of the
    /// program.
    fn known(&self, index: &str) -> Result<(), Fault> {
        if self.indexes.contains(&index) {
            return Ok(());
        }
        let table = &self.table;
        Err(Fault::permanent(format!("the table {table} was opened without the index {index}")))
    }
}

fn with_our_limits(client: &Client) -> Client {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
    let config = client.config().to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    Client::from_conf(config.build())
}

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        self.read_rows(keys).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.read_partition(partition, after, limit).await
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.read_index(index, shard, after, until, limit).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        self.write(writes).await
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.read_table(after, limit).await
    }
}
