//! Values of people, forgotten some time after they were last looked at.
//!
//! Two generations: what is looked at moves to the young one, and when it is time the old one is dropped whole. So
//! forgetting a million people is one swap and not a walk over all of them while everybody waits for the lock. Trees, and not
//! hash tables, because one of those stands still for tens of milliseconds when it grows to so many.

use core::time::Duration;
use std::collections::BTreeMap;
use std::mem;

/// A generation is so long: who is not looked at is forgotten after one to two of them.
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

    /// Without keeping them any longer.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut V> {
        self.young.get_mut(&number).or_else(|| self.old.get_mut(&number))
    }

    /// Who is looked at is kept.
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

    /// Begins a generation if it is time to; the one before the last is handed out, to be dropped.
    pub(super) fn turn(&mut self, now: Duration) -> BTreeMap<u64, V> {
        if now.saturating_sub(self.turned_at) < GENERATION {
            return BTreeMap::new();
        }
        self.turned_at = now;
        let young = mem::take(&mut self.young);
        mem::replace(&mut self.old, young)
    }
}
