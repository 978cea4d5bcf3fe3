//! The place of each row's item in a list.
//!
//! The list belongs to the world, whose readers know nothing of rows. Item `n` of the list always
//! belongs to key `n` here: both grow at the end, and a removal moves the last item into the gap on
//! both sides.

use ports::store::Key;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// The slots of one list. They carry its type, so they cannot be used with another list.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    by_key: BTreeMap<Key, usize>,
    /// The key of each slot, to find the item that a removal moves.
    keys: Vec<Key>,
    of: PhantomData<T>,
}

impl<T> Slots<T> {
    /// Replaces the item of a row in its place, or adds it.
    pub(crate) fn set(&mut self, list: &mut Vec<T>, key: &Key, item: T) {
        debug_assert_eq!(list.len(), self.keys.len(), "nobody else adds or removes");
        if let Some(slot) = self.by_key.get(key) {
            list[*slot] = item;
            return;
        }
        self.by_key.insert(key.clone(), list.len());
        self.keys.push(key.clone());
        list.push(item);
    }

    /// Removes the item of a row, if there is one.
    pub(crate) fn remove(&mut self, list: &mut Vec<T>, key: &Key) {
        debug_assert_eq!(list.len(), self.keys.len(), "nobody else adds or removes");
        let Some(slot) = self.by_key.remove(key) else { return };
        list.swap_remove(slot);
        self.keys.swap_remove(slot);
        if let Some(moved) = self.keys.get(slot) {
            self.by_key.insert(moved.clone(), slot);
        }
    }
}

// A derived `Default` would require items with a default, too.
impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), keys: Vec::new(), of: PhantomData }
    }
}
