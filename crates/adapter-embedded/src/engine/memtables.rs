//! Frees memtables off the writer's path.
//!
//! The tree drops a memtable that was written out while it holds the lock that every read and write
//! needs, and freeing hundreds of thousands of nodes takes 100 ms and more. So the writer keeps a
//! handle on each memtable that it writes into, which turns that drop into a decrement, and hands
//! the handle to a thread of low priority when the tree has started the next memtable.

use core::time::Duration;
use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// The time between two looks at the memtables that the tree still holds.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A handle on a memtable of the tree, whose type has no public name.
trait Handle: Send {
    /// Its address in memory.
    fn address(&self) -> usize;
    /// Whether it is the last handle, so that dropping it frees the memtable.
    fn is_last(&self) -> bool;
}

impl<T: Any + Send + Sync> Handle for Arc<T> {
    fn address(&self) -> usize {
        Self::as_ptr(self).addr()
    }

    fn is_last(&self) -> bool {
        Self::strong_count(self) == 1
    }
}

pub(crate) struct Memtables {
    /// The memtable that each table of the tree writes into, by the table's number.
    active: BTreeMap<u64, Box<dyn Handle>>,
    retired: Sender<Box<dyn Handle>>,
}

impl Memtables {
    /// Starts the thread, which ends when this is dropped.
    pub(crate) fn start() -> io::Result<Self> {
        let (retired, received) = channel();
        std::thread::Builder::new().name("tacos-free".to_owned()).spawn(move || free(&received))?;
        Ok(Self { active: BTreeMap::new(), retired })
    }

    /// The writer has written into this memtable of this table.
    pub(crate) fn wrote<T: Any + Send + Sync>(&mut self, table: u64, memtable: Arc<T>) {
        match self.active.get_mut(&table) {
            Some(known) if known.address() == memtable.address() => {}
            Some(known) => {
                let before = core::mem::replace(known, Box::new(memtable));
                // The send fails only if the thread is gone, and then this thread frees it.
                drop(self.retired.send(before));
            }
            None => drop(self.active.insert(table, Box::new(memtable))),
        }
    }
}

fn free(received: &Receiver<Box<dyn Handle>>) {
    // This thread takes no lock that others need. If the system refuses, it keeps the normal
    // priority.
    let _ = rustix::process::nice(10);
    let mut waiting: Vec<Box<dyn Handle>> = Vec::new();
    loop {
        let next = if waiting.is_empty() {
            received.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            received.recv_timeout(LOOK_EVERY)
        };
        match next {
            Ok(retired) => waiting.push(retired),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        waiting.retain(|memtable| !memtable.is_last());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memtable_is_freed_when_the_tree_has_let_go_of_it_and_not_by_the_writer() {
        let mut memtables = Memtables::start().unwrap();
        let (first, second) = (Arc::new(1), Arc::new(2));
        memtables.wrote(7, first.clone());
        memtables.wrote(7, first.clone());
        assert_eq!(Arc::strong_count(&first), 2);
        memtables.wrote(7, second.clone());
        let freed = Arc::downgrade(&first);
        assert!(freed.upgrade().is_some());
        drop(first);
        while freed.strong_count() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(Arc::strong_count(&second), 2);
    }
}
