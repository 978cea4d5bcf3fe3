//! Positions in line, computed from counts.
//!
//! A position is the number of waiting people with a lower number. An exact answer would need every
//! one of them. The counts of each block of [`BLOCK`] numbers give it exactly, apart from absent
//! people ahead in a person's own block: at most `BLOCK - 1` too many. The error only makes a
//! position too high, vanishes at the head, and keeps the important guarantee: a position never
//! gets worse while nobody returns.
//!
//! The store keeps the counts ([`Line`](super::Line)); every gateway keeps a copy and asks only for
//! changes.

use std::collections::BTreeMap;

/// Numbers that share a count.
pub const BLOCK: u64 = 64;

/// The block of a number. Numbers start at 1.
pub const fn block_of(number: u64) -> u64 {
    number.saturating_sub(1) / BLOCK
}

/// How many people wait in each block, as far as a gateway knows.
#[derive(Debug, Clone, Default)]
pub struct Places {
    head: u64,
    waiting: BTreeMap<u64, u64>,
    /// Blocks with waiting people and the sum of all blocks before, ascending.
    before: Vec<(u64, u64)>,
    total: u64,
}

impl Places {
    /// `head` is the lowest waiting number. Nobody waits in the blocks before `cleared`, except as
    /// `changed` says: the new counts of the blocks whose count changed.
    pub fn update(&mut self, head: u64, cleared: u64, changed: impl IntoIterator<Item = (u64, u64)>) {
        self.head = head;
        self.waiting = self.waiting.split_off(&cleared);
        self.waiting.extend(changed);
        self.waiting.retain(|_, count| *count > 0);
        self.total = 0;
        self.before.clear();
        for (block, count) in &self.waiting {
            self.before.push((*block, self.total));
            self.total += count;
        }
    }

    /// How many people wait ahead of `number`: at most `BLOCK - 1` too many, and none ahead of the
    /// head.
    pub fn ahead_of(&self, number: u64) -> u64 {
        let block = block_of(number);
        let next = self.before.partition_point(|(before, _)| *before < block);
        let before = self.before.get(next).map_or(self.total, |(_, sum)| *sum);
        let in_block = number.saturating_sub(self.head.max(block * BLOCK + 1));
        before + in_block
    }

    /// How many people wait.
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Debug, Clone)]
    enum Step {
        Join(u64),
        Leave(usize),
        Return(usize),
        Admit(usize),
    }

    fn steps(returns: bool) -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1u64..50).prop_map(Step::Join),
            any::<usize>().prop_map(Step::Leave),
            any::<usize>().prop_map(Step::Leave),
            any::<usize>().prop_map(Step::Return),
            (0usize..40).prop_map(Step::Admit),
        ];
        let kept = move |steps: Vec<Step>| {
            steps.into_iter().filter(|step| returns || !matches!(step, Step::Return(_))).collect()
        };
        prop::collection::vec(step, 1..60).prop_map(kept)
    }

    /// The line person by person; the counts must agree with it.
    #[derive(Default)]
    struct Everybody {
        last: u64,
        waiting: BTreeSet<u64>,
        gone: BTreeSet<u64>,
        places: Places,
    }

    impl Everybody {
        fn apply(&mut self, step: &Step) {
            let mut touched = BTreeSet::new();
            match *step {
                Step::Join(count) => {
                    touched.extend(self.last + 1..=self.last + count);
                    self.waiting.extend(&touched);
                    self.last += count;
                }
                Step::Leave(luck) => {
                    let luck = luck % self.waiting.len().max(1);
                    touched.extend(self.waiting.iter().nth(luck));
                    self.waiting.retain(|number| !touched.contains(number));
                    self.gone.extend(&touched);
                }
                Step::Return(luck) => {
                    let luck = luck % self.gone.len().max(1);
                    touched.extend(self.gone.iter().nth(luck));
                    self.gone.retain(|number| !touched.contains(number));
                    self.waiting.extend(&touched);
                }
                Step::Admit(count) => {
                    touched.extend(self.waiting.iter().take(count));
                    self.waiting.retain(|number| !touched.contains(number));
                }
            }
            let head = self.waiting.first().copied().unwrap_or(self.last + 1);
            let blocks: BTreeSet<_> = touched.into_iter().map(block_of).collect();
            let count =
                |block| self.waiting.iter().filter(|number| block_of(**number) == block).count() as u64;
            self.places.update(head, 0, blocks.into_iter().map(|block| (block, count(block))));
        }

        fn ahead_of(&self, number: u64) -> u64 {
            self.waiting.range(..number).count() as u64
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn a_place_is_right_but_for_the_absent_of_its_own_block(steps in steps(true)) {
            let mut everybody = Everybody::default();
            for step in steps {
                everybody.apply(&step);
                prop_assert_eq!(everybody.places.total(), everybody.waiting.len() as u64);
                for number in &everybody.waiting {
                    let (position, is) = (everybody.places.ahead_of(*number), everybody.ahead_of(*number));
                    prop_assert!(position >= is && position < is + BLOCK, "{position} for {is} at {number}");
                }
                if let Some(head) = everybody.waiting.first() {
                    prop_assert_eq!(everybody.places.ahead_of(*head), 0);
                }
            }
        }

        #[test]
        fn a_place_never_gets_worse_while_nobody_returns(steps in steps(false)) {
            let mut everybody = Everybody::default();
            let mut shown: BTreeMap<u64, u64> = BTreeMap::new();
            for step in steps {
                everybody.apply(&step);
                for number in 1..=everybody.last {
                    let now = everybody.places.ahead_of(number);
                    let before = shown.insert(number, now).unwrap_or(now);
                    prop_assert!(now <= before, "{number} fell back from {before} to {now}");
                }
            }
        }
    }
}
