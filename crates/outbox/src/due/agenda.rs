//! The timer itself: the keys of waiting rows in the order of their due times, and the keys of rows
//! that the relay is working on. Pure.
//!
//! A waiting row costs one compact key in an ordered set, which is both the timer and the answer to
//! "is it known already". A row is taken when it is due, and forgotten when it is deleted or found
//! to be gone. While it is taken, announcing it again changes nothing.

use std::collections::BTreeSet;

/// Keys of rows by due time, in milliseconds.
#[derive(Debug)]
pub struct Agenda<K> {
    waiting: BTreeSet<(u64, K)>,
    taken: BTreeSet<K>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self { waiting: BTreeSet::new(), taken: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Agenda<K> {
    /// Adds a row that is due at `due_ms`; false if it is known already.
    pub fn add(&mut self, due_ms: u64, id: K) -> bool {
        !self.taken.contains(&id) && self.waiting.insert((due_ms, id))
    }

    /// Adds many rows; much faster than one by one when nothing waits yet.
    pub fn add_all(&mut self, rows: Vec<(u64, K)>) {
        if self.waiting.is_empty() && self.taken.is_empty() {
            self.waiting = rows.into_iter().collect();
        } else {
            for (due_ms, id) in rows {
                self.add(due_ms, id);
            }
        }
    }

    /// Takes up to `max` due rows, earliest first.
    pub fn take_due(&mut self, now_ms: u64, max: usize) -> Vec<K> {
        let mut due = Vec::new();
        while due.len() < max && self.waiting.first().is_some_and(|(due_ms, _)| *due_ms <= now_ms) {
            let (_, id) = self.waiting.pop_first().expect("there is a first");
            // A rewritten row may be known under two due times; the row itself says which is right.
            if self.taken.insert(id.clone()) {
                due.push(id);
            }
        }
        due
    }

    /// Forgets a taken row that is gone.
    pub fn forget(&mut self, id: &K) {
        self.taken.remove(id);
    }

    /// Puts back a taken row that is due later.
    pub fn put_back(&mut self, due_ms: u64, id: K) {
        self.taken.remove(&id);
        self.waiting.insert((due_ms, id));
    }

    /// When the earliest waiting row is due.
    pub fn next_due(&self) -> Option<u64> {
        self.waiting.first().map(|(due_ms, _)| *due_ms)
    }

    /// Rows that wait or are taken.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.taken.len()
    }

    /// Whether nothing waits and nothing is taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CompactId;

    fn id(n: u32) -> CompactId {
        CompactId::new(&format!("e{n}"))
    }

    #[test]
    fn rows_are_taken_when_due_earliest_first_and_never_before() {
        let mut agenda = Agenda::<CompactId>::default();
        for (due, n) in [(30, 3), (10, 1), (20, 2), (40, 4)] {
            assert!(agenda.add(due, id(n)));
        }
        assert!(agenda.take_due(9, 10).is_empty());
        assert_eq!(agenda.take_due(30, 2), [id(1), id(2)]);
        assert_eq!(agenda.take_due(30, 10), [id(3)]);
        assert_eq!(agenda.next_due(), Some(40));
    }

    #[test]
    fn a_row_in_hand_is_not_taken_twice() {
        let mut agenda = Agenda::<CompactId>::default();
        assert!(agenda.add(10, id(1)));
        assert!(!agenda.add(10, id(1)), "the same announcement");
        assert_eq!(agenda.take_due(10, 10), [id(1)]);
        assert!(!agenda.add(10, id(1)), "found by a rescan while it is being sent");
        assert!(agenda.take_due(10, 10).is_empty());
        agenda.forget(&id(1));
        assert!(agenda.add(10, id(1)), "written again after it was deleted");
        assert_eq!(agenda.len(), 1);
    }

    #[test]
    fn a_row_with_a_later_due_time_waits_again() {
        let mut agenda = Agenda::<CompactId>::default();
        agenda.add_all(vec![(10, id(1)), (20, id(2))]);
        assert_eq!(agenda.take_due(10, 10), [id(1)]);
        agenda.put_back(15, id(1));
        agenda.add_all(vec![(20, id(2)), (12, id(3))]);
        assert_eq!(agenda.len(), 3);
        assert_eq!(agenda.take_due(15, 10), [id(3), id(1)]);
    }
}
