//! What the writer remembers of rows: their version and their index entries, so that a version check on a row written
//! lately costs one look-up in memory.
//!
//! Two generations: new and used entries are in the young one; when it is full it becomes the old one and the old one is
//! forgotten. Generations turn only between batches, because within a batch this memory is the only place that knows
//! the writes accepted a moment ago. Between batches everything it says is also in the tree, so forgetting is free.

use core::hash::BuildHasherDefault;
use fjall::Slice;
use std::collections::HashMap;
use std::hash::DefaultHasher;

/// What a row looks like to the next write. Version 0 = there is no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) version: u64,
    pub(crate) index_keys: Vec<Slice>,
}

type Generation = HashMap<Slice, Known, BuildHasherDefault<DefaultHasher>>;

pub(crate) struct Versions {
    young: Generation,
    old: Generation,
    rows_max: usize,
}

impl Versions {
    /// Remembers at least `rows_max` of the rows used last, and at most twice as many beside the current batch.
    pub(crate) fn new(rows_max: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), rows_max }
    }

    pub(crate) fn get(&mut self, key: &Slice) -> Option<&Known> {
        if !self.young.contains_key(key) {
            let known = self.old.remove(key)?;
            self.young.insert(key.clone(), known);
        }
        self.young.get(key)
    }

    /// Sets what is known of a row and gives what was known before.
    pub(crate) fn set(&mut self, key: Slice, known: Known) -> Option<Known> {
        let before = self.old.remove(&key);
        self.young.insert(key, known).or(before)
    }

    /// Called between batches.
    pub(crate) fn turn(&mut self) {
        if self.young.len() >= self.rows_max {
            self.old = core::mem::take(&mut self.young);
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
        versions.set("a".into(), known(1));
        versions.set("b".into(), known(2));
        versions.turn();
        assert_eq!(versions.get(&"a".into()), Some(&known(1)));
        versions.set("c".into(), known(3));
        versions.turn();
        assert_eq!(versions.get(&"a".into()), Some(&known(1)));
        assert_eq!(versions.get(&"b".into()), None);
    }

    #[test]
    fn setting_gives_the_state_before_from_either_generation() {
        let mut versions = Versions::new(1);
        assert_eq!(versions.set("a".into(), known(1)), None);
        versions.turn();
        assert_eq!(versions.set("a".into(), known(2)), Some(known(1)));
        assert_eq!(versions.set("a".into(), known(3)), Some(known(2)));
    }
}
