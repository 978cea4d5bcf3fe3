//! The part of a store that the writer sees: its two tables in the tree and the plan of each write.

use super::error::read_fault;
use super::filter::Filter;
use super::floors::Floors;
use super::head::head;
use super::heads::Heads;
use super::versions::{Known, Seen};
use fjall::{Keyspace, Slice};
use ports::Fault;
use ports::store::Expect;

/// The tables of one store.
pub(crate) struct Table {
    /// Its number among the engine's stores.
    pub(crate) number: u32,
    pub(crate) rows: Keyspace,
    pub(crate) index: Keyspace,
    pub(crate) floors: Floors,
    pub(crate) filter: Filter,
    pub(crate) heads: Heads,
}

/// A write, encoded by its caller so that the writer only checks and copies.
pub(crate) struct Planned {
    pub(crate) key: Slice,
    pub(crate) expect: Expect,
    /// What the caller saw of the row.
    pub(crate) seen: Option<Seen>,
    pub(crate) change: Change,
}

pub(crate) enum Change {
    Put { value: Slice, version: u64, index_keys: Vec<Slice> },
    Delete,
    Check,
}

/// Whether a row at `version` (0 = no row) meets the expectation.
pub(crate) const fn holds(expect: Expect, version: u64) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => version == 0,
        Expect::Version(expected) => version == expected && version != 0,
    }
}

impl Table {
    pub(crate) fn new(number: u32, rows: Keyspace, index: Keyspace) -> Self {
        let (floors, filter, heads) = (Floors::default(), Filter::default(), Heads::default());
        Self { number, rows, index, floors, filter, heads }
    }

    /// The state of a row in the tree.
    pub(crate) fn known(&self, key: &Slice) -> Result<Known, Fault> {
        match self.rows.get(key).map_err(|e| read_fault("read a row", &e))? {
            None => Ok(Known::default()),
            Some(bytes) => match head(key, &bytes) {
                Some(known) => Ok(known),
                None => Err(Fault::permanent("the existing row of a write is damaged")),
            },
        }
    }
}
