//! The embedded store behind the fuse.

use crate::fuse::Fuse;
use async_trait::async_trait;
use domain::time::Timestamp;
use ports::store::{CommitError, Entry, Key, Row, Write};
use ports::{Fault, Store};
use std::sync::Arc;

pub(crate) struct FusedStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) fuse: Arc<Fuse>,
}

fn silent() -> Fault {
    Fault::unavailable("the store does not answer")
}

#[async_trait]
impl Store for FusedStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        self.fuse.pass(self.inner.get(keys), || Err(silent())).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.inner.list(partition, after, limit).await
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.inner.due(index, shard, after, until, limit).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        // No answer is never a plain failure: the caller cannot know whether the call was carried
        // out.
        self.fuse.pass(self.inner.commit(writes), || Err(CommitError::Ambiguous(silent()))).await
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        self.inner.scan(after, limit).await
    }
}
