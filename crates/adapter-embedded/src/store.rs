//! The `Store` port on the embedded engine.
//!
//! The caller encodes rows; the engine's one writer checks and writes them. Readers take a
//! snapshot, so they see each commit whole or not at all, and every commit that was answered before
//! they asked. Index entries are written in the batch of their row, so this index is never behind;
//! callers still read the row again, as the port demands.

mod row;

use crate::engine::Inner;
use crate::engine::error::read_fault;
use crate::engine::head::head;
use crate::engine::keys::{
    KEY_PART_BYTES_MAX, entry_of, index_key, partition_prefix, row_key, shard_prefix, split_row_key,
};
use crate::engine::request::Request;
use crate::engine::table::{Change, Planned, Table};
use crate::engine::versions::{Known, Seen};
use async_trait::async_trait;
use domain::time::Timestamp;
use fjall::{Iter, Readable as _, Slice};
use ports::store::{CommitError, Entry, Expect, Key, Row, Write};
use ports::{Fault, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

const WRITES_MAX: usize = 100;
const KEYS_MAX: usize = 100;

/// One table of rows in the engine's folder.
pub struct EmbeddedStore {
    table: Arc<Table>,
    engine: Arc<Inner>,
}

impl EmbeddedStore {
    pub(crate) fn new(table: Arc<Table>, engine: Arc<Inner>) -> Self {
        Self { table, engine }
    }

    fn plan(&self, write: &Write) -> Result<Planned, Fault> {
        let key = write.key();
        if key.partition.len() > KEY_PART_BYTES_MAX || key.sort.len() > KEY_PART_BYTES_MAX {
            return Err(Fault::permanent(format!(
                "a partition or sort key has at most {KEY_PART_BYTES_MAX} bytes"
            )));
        }
        let row_key: Slice = row_key(key).into();
        let (expect, change) = match write {
            Write::Delete { expect, .. } => (*expect, Change::Delete),
            Write::Check { expect, .. } => (*expect, Change::Check),
            Write::Put { expect, attributes, indexes, .. } => {
                let version = match expect {
                    Expect::Absent => 1,
                    Expect::Version(version) => version.saturating_add(1),
                    Expect::Any => {
                        return Err(Fault::permanent("a put expects a version or the absence of the row"));
                    }
                };
                let (value, index_keys) = row::encode(&self.engine.names, key, version, attributes, indexes)?;
                (*expect, Change::Put { value, version, index_keys })
            }
        };
        let seen = Some(self.look(&row_key)?);
        Ok(Planned { key: row_key, expect, seen, change })
    }

    /// Reads a row before its write, so that the writer need not: it is one thread, callers are
    /// many.
    fn look(&self, row_key: &Slice) -> Result<Seen, Fault> {
        if let Some(seen) = self.table.heads.take(row_key) {
            return Ok(seen);
        }
        let as_of = self.engine.stores.shared.published();
        let absent = self.table.filter.surely_absent(row_key);
        let known = if absent { Known::default() } else { self.table.known(row_key)? };
        Ok(Seen { as_of, known })
    }

    fn plan_all(&self, writes: &[Write]) -> Result<Vec<Planned>, Fault> {
        if writes.is_empty() || writes.len() > WRITES_MAX {
            return Err(Fault::permanent(format!(
                "a commit has 1 to {WRITES_MAX} writes, not {}",
                writes.len()
            )));
        }
        let planned: Vec<Planned> = writes.iter().map(|write| self.plan(write)).collect::<Result<_, _>>()?;
        let twice = if planned.len() <= 8 {
            planned
                .iter()
                .enumerate()
                .any(|(at, write)| planned.iter().take(at).any(|other| other.key == write.key))
        } else {
            planned.iter().map(|write| &write.key).collect::<BTreeSet<_>>().len() < planned.len()
        };
        if twice {
            return Err(Fault::permanent("a commit names each row once"));
        }
        Ok(planned)
    }

    fn rows(&self, rows: Iter, limit: usize) -> Result<Vec<Row>, Fault> {
        let mut found = Vec::with_capacity(limit.min(256));
        for guard in rows.take(limit) {
            let (key, value) = guard.into_inner().map_err(|e| read_fault("read rows", &e))?;
            let (partition, sort) =
                split_row_key(&key).ok_or_else(|| Fault::permanent("a row's key is damaged"))?;
            found.push(row::decode(&self.engine.names, Key::new(partition, sort), &value)?);
        }
        Ok(found)
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        if keys.len() > KEYS_MAX {
            return Err(Fault::permanent(format!(
                "at most {KEYS_MAX} rows can be read at once, not {}",
                keys.len()
            )));
        }
        let as_of = self.engine.stores.shared.published();
        let snapshot = self.engine.stores.db.snapshot();
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let row_key: Slice = row_key(key).into();
            if self.table.filter.surely_absent(&row_key) {
                found.push(None);
                continue;
            }
            let value = snapshot.get(&self.table.rows, &row_key).map_err(|e| read_fault("read a row", &e))?;
            let Some(bytes) = value else {
                found.push(None);
                continue;
            };
            found.push(Some(row::decode(&self.engine.names, key.clone(), &bytes)?));
            if let Some(known) = head(&row_key, &bytes) {
                self.table.heads.put(row_key, Seen { as_of, known });
            }
        }
        Ok(found)
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        if partition.len() > KEY_PART_BYTES_MAX {
            return Ok(Vec::new());
        }
        let prefix = partition_prefix(partition);
        let end = behind(&prefix);
        let start = match after {
            None => prefix,
            Some(sort) => just_after(row_key(&Key::new(partition, sort))),
        };
        if start >= end {
            return Ok(Vec::new());
        }
        self.rows(self.engine.stores.db.snapshot().range(&self.table.rows, start..end), limit)
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let Some(number) = self.engine.names.find(index) else { return Ok(Vec::new()) };
        let prefix = shard_prefix(number, shard);
        let published = self.engine.stores.shared.published();
        let floor = self.table.floors.start(&prefix, || self.engine.stores.shared.started());
        let mut start = floor.to_vec();
        if let Some(after) = after {
            let behind =
                just_after(index_key(number, shard, after.at, &after.key.partition, &after.key.sort));
            start = start.max(behind);
        }
        let mut end = prefix.clone();
        end.extend_from_slice(&until.as_millis().to_be_bytes());
        let end = behind(&end);
        if limit == 0 || start >= end {
            return Ok(Vec::new());
        }
        let from_the_floor = start == *floor;
        let mut found = Vec::with_capacity(limit.min(256));
        let mut first: Option<Slice> = None;
        for guard in self.engine.stores.db.snapshot().range(&self.table.index, start..end.clone()).take(limit)
        {
            let key = guard.key().map_err(|e| read_fault("read an index", &e))?;
            let entry = key.get(prefix.len()..).and_then(entry_of);
            found.push(
                entry.ok_or_else(|| Fault::permanent(format!("an entry of the index {index} is damaged")))?,
            );
            first.get_or_insert(key);
        }
        if from_the_floor {
            self.table.floors.raise(&prefix, first.as_deref().unwrap_or(&end), published);
        }
        Ok(found)
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let writes = self.plan_all(&writes).map_err(CommitError::Failed)?;
        let (answer, answered) = oneshot::channel();
        let request = Request::Commit { table: self.table.clone(), writes, answer };
        self.engine.stores.shared.submit(request).map_err(|error| error.for_commit())?;
        answered.await.unwrap_or_else(|_| {
            Err(CommitError::Ambiguous(Fault::unavailable("the data engine ended before it answered")))
        })
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        let start = after.map_or_else(Vec::new, |key| just_after(row_key(key)));
        self.rows(self.engine.stores.db.snapshot().range(&self.table.rows, start..), limit)
    }
}

/// The first key after a key.
fn just_after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The first key after all keys with this prefix. Every prefix here contains the length of a key,
/// which is below the maximum of its width, so there is one.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xFF {
            end.push(last + 1);
            return end;
        }
    }
    vec![0xFF; prefix.len() + 1]
}
