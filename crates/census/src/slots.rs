//! The place of each row's item in a list.
//!
//! The list belongs to the world, whose readers know nothing of rows. Item `n` of the list always
//! belongs to key `n` here: both grow at the end, and a removal moves the last item into the gap on
//! both sides.

use indexmap::IndexSet;
use ports::store::Key;
use std::marker::PhantomData;

/// The slots of one list. They carry its type, so they cannot be used with another list.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    keys: IndexSet<Key>,
    of: PhantomData<T>,
}

impl<T> Slots<T> {
    /// Replaces the item of a row in its place, or adds it.
    pub(crate) fn set(&mut self, list: &mut Vec<T>, key: &Key, item: T) {
        debug_assert_eq!(list.len(), self.keys.len(), "only the slots add and remove items");
        match self.keys.insert_full(key.clone()) {
            (_, true) => list.push(item),
            (slot, false) => list[slot] = item,
        }
    }

    /// Removes the item of a row, if there is one.
    pub(crate) fn remove(&mut self, list: &mut Vec<T>, key: &Key) {
        debug_assert_eq!(list.len(), self.keys.len(), "only the slots add and remove items");
        if let Some((slot, _)) = self.keys.swap_remove_full(key) {
            list.swap_remove(slot);
        }
    }
}

// A derived `Default` would require items with a default, too.
impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { keys: IndexSet::new(), of: PhantomData }
    }
}
