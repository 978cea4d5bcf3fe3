//! Which rows certainly do not exist: a Bloom filter over the keys of a table, so that creating a
//! row costs one cache line instead of a search through every memtable of the tree.
//!
//! One block of 64 bytes a key, six bits in it (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007). The writer adds a key before the batch that creates it is
//! published, so a reader that finds no key sees no row as of the last published batch. Keys are
//! never removed: a deleted row is looked up in the tree again.
//!
//! After an open the filter is empty. It is filled from the tree a little with each batch, so that
//! opening stays quick; until that is complete it answers "perhaps" to everything. Its size is
//! fixed: past some 4 million rows (16 bits a key) more and more answers are "perhaps", which costs
//! a search and is never wrong.

use core::hash::{Hash, Hasher};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use fjall::{Keyspace, Slice};
use parking_lot::Mutex;
use std::hash::DefaultHasher;

const WORDS_PER_BLOCK: usize = 8;
const BITS_PER_KEY: u32 = 6;
/// Memory of one filter; the operating system provides it as it is used.
const BYTES: usize = 8 << 20;
/// Keys copied from the tree after each batch.
const LEARNED_AT_ONCE: usize = 512;

pub(crate) struct Filter {
    words: Box<[AtomicU64]>,
    /// Every key of the tree is in it.
    complete: AtomicBool,
    /// The last key that was copied from the tree.
    cursor: Mutex<Option<Slice>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self::with_bytes(BYTES)
    }
}

impl Filter {
    fn with_bytes(bytes: usize) -> Self {
        let blocks = (bytes / (WORDS_PER_BLOCK * size_of::<u64>())).next_power_of_two();
        let words = (0..blocks * WORDS_PER_BLOCK).map(|_| AtomicU64::new(0)).collect();
        Self { words, complete: AtomicBool::new(false), cursor: Mutex::default() }
    }

    /// The writer is about to create this row.
    pub(crate) fn add(&self, key: &[u8]) {
        for (word, bits) in self.bits(key) {
            word.fetch_or(bits, Ordering::Relaxed);
        }
    }

    /// Whether no batch that was published before the call has created this row. `false`: perhaps
    /// one has.
    pub(crate) fn surely_absent(&self, key: &[u8]) -> bool {
        // Read after the caller read how far batches are published, which orders these loads after
        // the writer's stores.
        self.complete.load(Ordering::Acquire)
            && self.bits(key).any(|(word, bits)| word.load(Ordering::Relaxed) & bits == 0)
    }

    /// Copies some more keys of the tree; the writer calls it between batches.
    pub(crate) fn learn(&self, rows: &Keyspace) -> fjall::Result<()> {
        if self.complete.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut cursor = self.cursor.lock();
        let start = cursor.as_ref().map_or_else(Vec::new, |last| [last, &[0][..]].concat());
        let mut learned = 0;
        for guard in rows.range(start..).take(LEARNED_AT_ONCE) {
            let key = guard.key()?;
            self.add(&key);
            *cursor = Some(key);
            learned += 1;
        }
        if learned < LEARNED_AT_ONCE {
            self.complete.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The bits of a key, each with its word.
    fn bits(&self, key: &[u8]) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        let blocks = self.words.len() / WORDS_PER_BLOCK;
        // The block comes from the upper half, the bits from six groups of nine below it, mixed
        // once more.
        let first = (hash >> 32) as usize % blocks * WORDS_PER_BLOCK;
        let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (0..BITS_PER_KEY).map(move |nth| {
            let bit = (mixed >> (10 + 9 * nth)) as usize % (WORDS_PER_BLOCK * 64);
            (&self.words[first + bit / 64], 1 << (bit % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(keys: u64, bytes: usize) -> Filter {
        let filter = Filter::with_bytes(bytes);
        filter.complete.store(true, Ordering::Release);
        (0..keys).for_each(|key| filter.add(&key.to_be_bytes()));
        filter
    }

    #[test]
    fn a_key_that_was_added_is_never_called_absent() {
        let filter = filled(100_000, 16 << 10);
        assert!((0..100_000u64).all(|key| !filter.surely_absent(&key.to_be_bytes())));
    }

    #[test]
    fn at_sixteen_bits_a_key_few_others_are_taken_for_present() {
        let filter = filled(65_536, 128 << 10);
        let perhaps =
            (1_000_000..1_100_000u64).filter(|key| !filter.surely_absent(&key.to_be_bytes())).count();
        assert!(perhaps < 500, "{perhaps} of 100,000");
    }

    #[test]
    fn until_it_knows_the_whole_tree_it_calls_nothing_absent() {
        assert!(!Filter::with_bytes(64).surely_absent(b"key"));
    }
}
