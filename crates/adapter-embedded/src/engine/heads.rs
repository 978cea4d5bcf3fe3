//! What readers saw of rows: version and index entries, passed on to the write that follows.
//!
//! Nearly every write of a row follows a read of it by the same caller. Without this the writer,
//! which is one thread for all callers, would read the row a second time. A head carries the batch
//! as of which it was seen; the writer accepts it only if it remembers every write since, so an old
//! head is useless but harmless.
//!
//! One slot per hash, the latest wins: memory is bounded, and a replaced head costs a look-up in
//! the tree.

use super::versions::Seen;
use core::hash::{BuildHasher, BuildHasherDefault};
use fjall::Slice;
use parking_lot::{Mutex, MutexGuard};
use std::hash::DefaultHasher;

/// More than all callers together have between a read and the write that follows.
const SLOTS: usize = 4_096;

/// The row seen last of those that share the slot.
type Slot = Option<(Slice, Seen)>;

pub(crate) struct Heads {
    slots: Box<[Mutex<Slot>]>,
}

impl Default for Heads {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }
}

impl Heads {
    /// A reader saw this row.
    pub(crate) fn put(&self, key: Slice, seen: Seen) {
        let mut slot = self.slot(&key);
        *slot = Some((key, seen));
    }

    /// What the last reader of this row saw; a second call finds nothing.
    pub(crate) fn take(&self, key: &Slice) -> Option<Seen> {
        self.slot(key).take_if(|(of, _)| of == key).map(|(_, seen)| seen)
    }

    fn slot(&self, key: &Slice) -> MutexGuard<'_, Slot> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        self.slots[hash as usize % SLOTS].lock()
    }
}

#[cfg(test)]
mod tests {
    use super::super::versions::Known;
    use super::*;

    #[test]
    fn a_head_is_taken_once_and_by_its_own_row_only() {
        let heads = Heads::default();
        let seen = Seen { as_of: 3, known: Known { version: 7, index_keys: Vec::new() } };
        heads.put("a".into(), seen.clone());
        assert_eq!(heads.take(&"b".into()), None);
        assert_eq!(heads.take(&"a".into()), Some(seen));
        assert_eq!(heads.take(&"a".into()), None);
    }
}
