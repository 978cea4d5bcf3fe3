//! The store: rows of readable attributes with versions, committed in batches, whole or not at all.

use crate::fault::Fault;
use async_trait::async_trait;
use domain::time::Timestamp;
use std::sync::Arc;

/// One table.
///
/// # Contract
/// - A **row** lives under a partition and a sort key and has a version of at least 1. A write that
///   names [`Expect::Absent`] gives version 1, one that names [`Expect::Version`]`(v)` gives `v +
///   1`.
/// - **commit** takes 1 to 100 writes on different rows and applies all of them or none. It is
///   refused as [`CommitError::Conflict`], naming the first write whose expectation does not hold,
///   and then changed nothing. When it answers `Ok` the rows are durable.
///   [`CommitError::Ambiguous`]: the rows may have been written; read and compare.
/// - **get** and **list** see every commit that was answered before they were asked.
/// - **list** gives the rows of a partition in the order of the bytes of their sort keys.
/// - **due** gives index entries in ascending order of `(at, partition, sort)`. The index is
///   eventually consistent: an entry may be missing for a while after its commit and may outlive
///   its row for a while. Read the row again before acting.
/// - **scan** gives every row that exists from before the scan to after it, once, in an order that
///   the engine chooses.
///
/// Row size is at most 400 KB, a partition or sort key at most 1 KB, an index name is one of a
/// small fixed set.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads rows; the answers are in the order of the keys. Up to 100 keys.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault>;
    /// Reads up to `limit` rows of a partition with a sort key after `after`.
    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault>;
    /// Reads up to `limit` entries of one shard of an index, with `after < (at, key)` and `at <=
    /// until`.
    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault>;
    /// Applies all writes or none.
    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError>;
    /// Reads the whole table, `limit` rows a page, starting after `after`.
    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault>;
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Rows of one partition are stored together and listed in order.
    pub partition: Arc<str>,
    /// The position within the partition.
    pub sort: Arc<str>,
}

impl Key {
    /// A key from its two parts.
    pub fn new(partition: impl Into<Arc<str>>, sort: impl Into<Arc<str>>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its key.
    pub key: Key,
    /// Grows by one with each write.
    pub version: u64,
    /// Its content.
    pub attributes: Attributes,
}

/// One write of a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Writes a row. Index entries that the row had and that this write does not name are removed.
    Put {
        /// The row's key.
        key: Key,
        /// The required state before: `Absent` or `Version`.
        expect: Expect,
        /// The whole content.
        attributes: Attributes,
        /// The index entries of the row after this write, at most one per index.
        indexes: Vec<IndexEntry>,
    },
    /// Removes a row and its index entries.
    Delete {
        /// The row's key.
        key: Key,
        /// The required state before; `Any` holds even if there is no row.
        expect: Expect,
    },
    /// Writes nothing, but the commit only happens if the expectation holds.
    Check {
        /// The row's key.
        key: Key,
        /// The required state.
        expect: Expect,
    },
}

impl Write {
    /// The row that the write is about.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => key,
        }
    }
}

/// The state of a key that a commit requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No row.
    Absent,
    /// The row at this version.
    Version(u64),
    /// Any state; for deletes only.
    Any,
}

impl Expect {
    /// Requires that nothing changed since a read that gave this version; 0 = there was no row.
    pub const fn unchanged(version: u64) -> Self {
        if version == 0 { Self::Absent } else { Self::Version(version) }
    }
}

/// Puts a row into an index, ordered by a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The name of the index.
    pub index: &'static str,
    /// Which part of the index; readers ask for one shard at a time.
    pub shard: Arc<str>,
    /// The time that orders it.
    pub at: Timestamp,
}

/// An index entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The time that orders it.
    pub at: Timestamp,
    /// The row.
    pub key: Key,
}

/// Named values, few enough for a linear search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes(pub Vec<(&'static str, Value)>);

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Arc<str>),
    /// An integer.
    Number(i64),
    /// A boolean.
    Flag(bool),
    /// A list of texts.
    Texts(Vec<Arc<str>>),
}

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// No attributes, with room for that many.
    pub fn with_room(attributes: usize) -> Self {
        Self(Vec::with_capacity(attributes))
    }

    /// Adds an attribute; the name must be new.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        debug_assert!(self.get(name).is_none(), "attribute {name} twice");
        self.0.push((name, value.into()));
        self
    }

    /// Adds an attribute if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The text under a name.
    pub fn text(&self, name: &str) -> Option<&Arc<str>> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number under a name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The flag under a name.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The list of texts under a name.
    pub fn texts(&self, name: &str) -> Option<&[Arc<str>]> {
        match self.get(name) {
            Some(Value::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// The point in time under a name, stored as milliseconds since the Unix epoch.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.number(name).and_then(|n| u64::try_from(n).ok()).map(Timestamp::from_millis)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    /// Numbers beyond `i64::MAX` are stored as `i64::MAX`.
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        at.as_millis().into()
    }
}

impl From<Vec<Arc<str>>> for Value {
    fn from(texts: Vec<Arc<str>>) -> Self {
        Self::Texts(texts)
    }
}

/// Why a commit did not happen, or may not have happened.
#[derive(Debug)]
pub enum CommitError {
    /// The expectation of this write (its place in the commit) does not hold. Nothing was written.
    Conflict {
        /// Position of the first such write.
        at: usize,
    },
    /// Nothing was written.
    Failed(Fault),
    /// The answer was lost: the rows may have been written, or may still be written.
    Ambiguous(Fault),
}
