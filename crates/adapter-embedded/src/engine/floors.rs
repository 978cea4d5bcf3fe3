//! Where the live entries of each shard of an index begin.
//!
//! Due entries are removed at the front, and a log-structured tree keeps a tombstone for each until
//! it merges. A scan from the front would wade through all of them every time, so the engine
//! remembers, per shard, a key below which there is no live entry. The writer lowers it before it
//! writes an entry below it. A scan that finds the first live entry further up raises it, unless a
//! batch that the scan could not see has put an entry below.
//!
//! Forgetting a floor is always safe: the next scan starts at the front.

use super::keys::shard_prefix_len;
use core::hash::BuildHasherDefault;
use fjall::Slice;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::hash::DefaultHasher;

/// Shards remembered; beyond that all are forgotten at once.
const SHARDS_MAX: usize = 65_536;
/// Batches remembered per shard; a scan that began before them does not raise the floor.
const BATCHES_MAX: usize = 32;

#[derive(Default)]
pub(crate) struct Floors {
    shards: Mutex<HashMap<Slice, Floor, BuildHasherDefault<DefaultHasher>>>,
}

struct Floor {
    /// No live entry is below this key.
    key: Slice,
    /// Lowest key that each of the last batches wrote, oldest batch first.
    lowest: VecDeque<(u64, Slice)>,
    /// `lowest` covers every scan that saw all batches up to this one.
    complete_since: u64,
}

impl Floors {
    /// Records that the writer adds these entries with the batch of this number.
    pub(crate) fn record(&self, index_keys: &[Slice], batch: u64) {
        if index_keys.is_empty() {
            return;
        }
        let mut shards = self.locked();
        for key in index_keys {
            let Some(floor) = key.get(..shard_prefix_len(key)).and_then(|prefix| shards.get_mut(prefix))
            else {
                continue;
            };
            if *key < floor.key {
                floor.key = key.clone();
            }
            match floor.lowest.back_mut() {
                Some((newest, lowest)) if *newest == batch => {
                    if key < lowest {
                        *lowest = key.clone();
                    }
                }
                _ => {
                    floor.lowest.push_back((batch, key.clone()));
                    if floor.lowest.len() > BATCHES_MAX
                        && let Some((oldest, _)) = floor.lowest.pop_front()
                    {
                        floor.complete_since = oldest;
                    }
                }
            }
        }
    }

    /// Where a scan of the shard may begin. Call it after reading `published` and before reading
    /// the tree. `started` returns the last batch that began; it is called under the lock, so a
    /// batch that it does not cover will find the shard here.
    pub(crate) fn start(&self, prefix: &[u8], started: impl FnOnce() -> u64) -> Slice {
        let mut shards = self.locked();
        if let Some(floor) = shards.get(prefix) {
            return floor.key.clone();
        }
        if shards.len() >= SHARDS_MAX {
            shards.clear();
        }
        // Batches under way may have passed before the shard was here, so only a scan that saw all
        // of them may raise the floor.
        shards.insert(
            prefix.into(),
            Floor { key: prefix.into(), lowest: VecDeque::new(), complete_since: started() },
        );
        prefix.into()
    }

    /// A scan that saw every batch up to `published` found nothing below `first`.
    pub(crate) fn raise(&self, prefix: &[u8], first: &[u8], published: u64) {
        let mut shards = self.locked();
        let Some(floor) = shards.get_mut(prefix) else { return };
        if published < floor.complete_since || first <= floor.key.as_ref() {
            return;
        }
        let unseen = floor.lowest.iter().filter(|(batch, _)| *batch > published).map(|(_, key)| key).min();
        let raised: Slice = match unseen {
            Some(key) if key.as_ref() < first => key.clone(),
            _ => first.into(),
        };
        if raised > floor.key {
            floor.key = raised;
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Slice, Floor, BuildHasherDefault<DefaultHasher>>> {
        self.shards.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const PREFIX: [u8; 5] = [0, 7, 0, 1, b'x'];

    fn key(n: u8) -> Slice {
        let mut key = PREFIX.to_vec();
        key.push(n);
        key.into()
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// The writer begins a batch that adds the first and removes the second.
        Write(Vec<u8>, Vec<u8>),
        /// The batch becomes visible.
        Publish,
        /// A scan begins: it reads how far batches are published, its start, and then the visible
        /// entries.
        Begin,
        /// The oldest scan ends and raises the floor.
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        let numbers = || proptest::collection::vec(0u8..50, 0..3);
        prop_oneof![
            4 => (numbers(), numbers()).prop_map(|(put, removed)| Step::Write(put, removed)),
            3 => Just(Step::Publish),
            3 => Just(Step::Begin),
            3 => Just(Step::End),
        ]
    }

    struct Scan {
        published: u64,
        start: Slice,
        visible: BTreeSet<Slice>,
    }

    proptest! {
        /// Whatever the interleaving, no visible or pending entry is below the floor.
        #[test]
        fn nothing_ever_lives_below_the_floor(steps in proptest::collection::vec(step(), 1..200)) {
            let floors = Floors::default();
            let (mut started, mut published) = (0u64, 0u64);
            let mut visible: BTreeSet<Slice> = BTreeSet::new();
            let mut pending: Option<BTreeSet<Slice>> = None;
            let mut scans: VecDeque<Scan> = VecDeque::new();
            for step in steps {
                match step {
                    Step::Write(put, removed) if pending.is_none() => {
                        started += 1;
                        let put: Vec<Slice> = put.into_iter().map(key).collect();
                        floors.record(&put, started);
                        let mut next = visible.clone();
                        next.retain(|there| !removed.iter().any(|n| key(*n) == *there));
                        next.extend(put);
                        pending = Some(next);
                    }
                    Step::Publish => if let Some(next) = pending.take() {
                        visible = next;
                        published = started;
                    }
                    Step::Begin => {
                        let start = floors.start(&PREFIX, || started);
                        scans.push_back(Scan { published, start, visible: visible.clone() });
                    }
                    Step::End => if let Some(scan) = scans.pop_front() {
                        let end = key(0xFF);
                        let first = scan.visible.range(scan.start..).next().unwrap_or(&end);
                        floors.raise(&PREFIX, first, scan.published);
                    }
                    Step::Write(..) => {}
                }
                let floor = floors.start(&PREFIX, || started);
                let lowest = visible.iter().chain(pending.iter().flatten()).min();
                prop_assert!(lowest.is_none_or(|lowest| floor <= *lowest), "{floor:?} is above {lowest:?}");
            }
        }
    }

    #[test]
    fn a_floor_rises_behind_removals_and_falls_for_a_late_entry() {
        let floors = Floors::default();
        assert_eq!(floors.start(&PREFIX, || 1), Slice::from(&PREFIX[..]));
        floors.raise(&PREFIX, &key(9), 1);
        assert_eq!(floors.start(&PREFIX, || 1), key(9));
        floors.record(&[key(4)], 2);
        assert_eq!(floors.start(&PREFIX, || 2), key(4));
        // This scan saw batch 1 only, so it cannot know of the entry of batch 2.
        floors.raise(&PREFIX, &key(9), 1);
        assert_eq!(floors.start(&PREFIX, || 2), key(4));
        floors.raise(&PREFIX, &key(9), 2);
        assert_eq!(floors.start(&PREFIX, || 2), key(9));
    }
}
