//! The store with a limit on each call.

use core::time::Duration;
use ports::store::{CommitError, Key, Row, Write};
use ports::{Clock, Fault, Store, clock};
use std::sync::Arc;

/// This service's table.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) call_timeout: Duration,
}

impl Table {
    /// Reads rows, in the order of the keys.
    pub(crate) async fn get<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Row>; N], Fault> {
        self.rows(&keys).await?.try_into().map_err(|_| miscounted())
    }

    /// Reads up to 100 rows, in the order of the keys.
    pub(crate) async fn rows(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        let rows = clock::timeout(&*self.clock, self.call_timeout, self.store.get(keys))
            .await
            .unwrap_or_else(|_| Err(Fault::unavailable("reading rows took too long")))?;
        if rows.len() == keys.len() { Ok(rows) } else { Err(miscounted()) }
    }

    /// Commits. No answer in time is an ambiguous one: the rows may have been written.
    pub(crate) async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        clock::timeout(&*self.clock, self.call_timeout, self.store.commit(writes))
            .await
            .unwrap_or_else(|_| Err(CommitError::Ambiguous(Fault::unavailable("a commit took too long"))))
    }
}

fn miscounted() -> Fault {
    Fault::transient("the store answered with another number of rows than it was asked for")
}
