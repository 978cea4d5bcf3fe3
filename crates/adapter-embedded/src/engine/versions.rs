//! What the writer remembers of rows: their version and their index entries, so that a version
//! check on a recently written row costs one look-up in memory.
//!
//! A caller that writes a row reads it first, on its own thread, and reports what it saw as of
//! which batch. The report is accepted if every write since is remembered here: then a row that is
//! not here was not written since.
//!
//! There are two generations: new and used entries are in the young one; when it is full it becomes
//! the old one and the old one is forgotten. Generations change only between batches, because
//! within a batch only this memory knows the writes accepted a moment ago. Between batches
//! everything it knows is also in the tree, so forgetting is free.

use core::hash::BuildHasherDefault;
use fjall::Slice;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, IntoIter};
use std::hash::DefaultHasher;

/// The state of a row for the next write. Version 0 = there is no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) version: u64,
    pub(crate) index_keys: Vec<Slice>,
}

/// A row as a caller saw it in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Every batch up to this one was visible, and perhaps later ones.
    pub(crate) as_of: u64,
    pub(crate) known: Known,
}

type Generation = HashMap<Slice, Known, BuildHasherDefault<DefaultHasher>>;

pub(crate) struct Versions {
    young: Generation,
    old: Generation,
    /// A forgotten generation is freed a little at a time: freeing it at once would delay a batch
    /// for milliseconds.
    forgotten: IntoIter<Slice, Known>,
    /// Writes of batches up to this one may have been forgotten.
    forgotten_until: u64,
    /// The batch after which `old` stopped being young.
    old_until: u64,
    rows_max: usize,
}

/// Rows freed between two batches.
const FREED_AT_ONCE: usize = 8_192;

impl Versions {
    /// Remembers at least `rows_max` of the rows used last, and at most twice as many beside the
    /// current batch.
    pub(crate) fn new(rows_max: usize) -> Self {
        let forgotten = Generation::default().into_iter();
        Self {
            young: Generation::default(),
            old: Generation::default(),
            forgotten,
            forgotten_until: 0,
            old_until: 0,
            rows_max,
        }
    }

    /// The version of a row: remembered, or `seen` by the caller, or else from `read`. Remembers
    /// it.
    pub(crate) fn version<E>(
        &mut self,
        key: &Slice,
        seen: Option<Seen>,
        read: impl FnOnce() -> Result<Known, E>,
    ) -> Result<u64, E> {
        match self.young.entry(key.clone()) {
            Entry::Occupied(entry) => Ok(entry.get().version),
            Entry::Vacant(entry) => {
                let known = match (self.old.remove(key), seen) {
                    (Some(known), _) => known,
                    (None, Some(seen)) if seen.as_of >= self.forgotten_until => seen.known,
                    (None, _) => read()?,
                };
                Ok(entry.insert(known).version)
            }
        }
    }

    /// Sets the state of a row whose version was just asked, and returns the earlier state.
    pub(crate) fn set(&mut self, key: Slice, known: Known) -> Known {
        self.young.insert(key, known).unwrap_or_default()
    }

    /// Called after the batch of this number.
    pub(crate) fn turn(&mut self, batch: u64) {
        self.forgotten.by_ref().take(FREED_AT_ONCE).for_each(drop);
        if self.young.len() >= self.rows_max {
            let young = Generation::with_capacity_and_hasher(self.young.len(), BuildHasherDefault::default());
            let old = core::mem::replace(&mut self.young, young);
            self.forgotten = core::mem::replace(&mut self.old, old).into_iter();
            self.forgotten_until = core::mem::replace(&mut self.old_until, batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(version: u64) -> Known {
        Known { version, index_keys: Vec::new() }
    }

    #[test]
    fn rows_in_use_outlive_a_turn_and_idle_ones_are_forgotten() {
        let mut versions = Versions::new(2);
        let fresh = |versions: &mut Versions, name: &str, version| {
            let asked: Result<u64, ()> = versions.version(&name.into(), None, || Ok(known(version)));
            assert_eq!(asked, Ok(version));
        };
        let remembered =
            |versions: &mut Versions, name: &str| versions.version(&name.into(), None, || Err(())).ok();
        fresh(&mut versions, "a", 1);
        fresh(&mut versions, "b", 2);
        versions.turn(1);
        assert_eq!(remembered(&mut versions, "a"), Some(1));
        fresh(&mut versions, "c", 3);
        versions.turn(2);
        assert_eq!(remembered(&mut versions, "a"), Some(1));
        assert_eq!(remembered(&mut versions, "b"), None);
    }

    #[test]
    fn set_returns_the_earlier_state() {
        let mut versions = Versions::new(1);
        assert_eq!(versions.version(&"a".into(), None, || Ok::<_, ()>(known(1))), Ok(1));
        versions.turn(3);
        assert_eq!(versions.version(&"a".into(), None, || Err(())), Ok(1));
        assert_eq!(versions.set("a".into(), known(2)), known(1));
        assert_eq!(versions.set("a".into(), known(3)), known(2));
        assert_eq!(versions.version(&"a".into(), None, || Err(())), Ok(3));
    }

    #[test]
    fn what_a_caller_saw_is_accepted_only_while_every_write_since_is_remembered() {
        let mut versions = Versions::new(1);
        let ask = |versions: &mut Versions, name: &str, as_of| {
            let seen = Seen { as_of, known: Known::default() };
            versions.version(&name.into(), Some(seen), || Err(())).ok()
        };
        assert_eq!(ask(&mut versions, "new", 0), Some(0));
        versions.turn(1);
        // Written by batch 2: remembered, whatever the caller saw.
        assert_eq!(ask(&mut versions, "row", 1), Some(0));
        versions.set("row".into(), known(1));
        assert_eq!(ask(&mut versions, "row", 1), Some(1));
        versions.turn(2);
        assert_eq!(versions.version(&"filler".into(), None, || Ok::<_, ()>(known(7))), Ok(7));
        versions.turn(3);
        // Forgotten now: a reader from before batch 2 is not accepted, one from after it is.
        assert_eq!(ask(&mut versions, "row", 1), None);
        assert_eq!(ask(&mut versions, "other", 2), Some(0));
    }
}
