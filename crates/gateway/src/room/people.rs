//! Values by person, forgotten some time after the last look.
//!
//! Two generations: a look moves a value to the young one, and from time to time the old one is
//! dropped whole. So forgetting a million people is one swap, not a walk over all of them under the
//! lock. Trees, not hash tables, because a hash table of that size blocks for tens of milliseconds
//! when it grows.

use core::time::Duration;
use std::collections::BTreeMap;
use std::mem;

/// The length of a generation: without a look a value is forgotten after one to two of them.
const GENERATION: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct People<V> {
    young: BTreeMap<u64, V>,
    old: BTreeMap<u64, V>,
    turned_at: Duration,
}

impl<V> Default for People<V> {
    fn default() -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), turned_at: Duration::ZERO }
    }
}

impl<V> People<V> {
    pub(super) fn get(&self, number: u64) -> Option<&V> {
        self.young.get(&number).or_else(|| self.old.get(&number))
    }

    /// Does not count as a look.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut V> {
        self.young.get_mut(&number).or_else(|| self.old.get_mut(&number))
    }

    /// Counts as a look.
    pub(super) fn get_or_insert_with(&mut self, number: u64, new: impl FnOnce() -> V) -> &mut V {
        self.young.entry(number).or_insert_with(|| self.old.remove(&number).unwrap_or_else(new))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins a new generation if it is time, and returns the oldest one, for the caller to drop.
    pub(super) fn turn(&mut self, now: Duration) -> BTreeMap<u64, V> {
        if now.saturating_sub(self.turned_at) < GENERATION {
            return BTreeMap::new();
        }
        self.turned_at = now;
        let young = mem::take(&mut self.young);
        mem::replace(&mut self.old, young)
    }
}
