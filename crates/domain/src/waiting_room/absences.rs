//! Who is absent ahead of a number, counted for each block of numbers.
//!
//! A place in line is the count of people ahead who are still there. Telling it exactly would need to know each of them;
//! knowing how many are absent in each block of [`BLOCK`] numbers tells it exactly but for the absent ahead in a
//! person's own block, so at most `BLOCK - 1` too many. The error goes in one direction, vanishes at the head, and keeps the
//! promise that matters: a place never gets worse while nobody comes back.

use std::collections::BTreeMap;

/// Numbers that share a count.
pub const BLOCK: u64 = 64;

/// The absent numbers beyond a watermark, by block. Numbers begin at 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absences {
    watermark: u64,
    /// Absent numbers beyond the watermark; a block without any has no entry.
    blocks: BTreeMap<u64, u64>,
}

impl Absences {
    /// From what a store keeps: the watermark, and of each block how many numbers beyond the watermark are absent. A count
    /// that no block can have is cut to what it can.
    pub fn new(watermark: u64, blocks: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut this = Self { watermark, blocks: BTreeMap::new() };
        let blocks = blocks.into_iter().map(|(block, count)| (block, count.min(this.room(block))));
        this.blocks = blocks.filter(|(_, count)| *count > 0).collect();
        this
    }

    /// The block of a number.
    pub const fn block(number: u64) -> u64 {
        number.saturating_sub(1) / BLOCK
    }

    /// Up to which number people were let in.
    pub const fn watermark(&self) -> u64 {
        self.watermark
    }

    /// Absent numbers beyond the watermark.
    pub fn total(&self) -> u64 {
        self.blocks.values().sum()
    }

    /// How many are ahead of `number` and still there; 0 for a number that was let in. At most `BLOCK - 1` more than there are.
    pub fn ahead_of(&self, number: u64) -> u64 {
        let Some(between) = number.checked_sub(self.watermark + 1) else { return 0 };
        let absent: u64 = self.blocks.range(..Self::block(number)).map(|(_, count)| count).sum();
        between.saturating_sub(absent)
    }

    /// How many of the numbers up to `last` are waiting: neither let in nor absent.
    pub fn waiting(&self, last: u64) -> u64 {
        last.saturating_sub(self.watermark).saturating_sub(self.total())
    }

    /// A number beyond the watermark became absent. Whoever calls this knows that it was not absent before.
    pub fn left(&mut self, number: u64) {
        let block = Self::block(number);
        if number > self.watermark && self.in_block(block) < self.room(block) {
            *self.blocks.entry(block).or_default() += 1;
        }
    }

    /// A number that was absent is there again.
    pub fn came_back(&mut self, number: u64) {
        let block = Self::block(number);
        if number > self.watermark {
            self.take_one(block);
        }
    }

    /// The watermark moves on to `to`, over `skipped` absent numbers, each with its block.
    pub fn advance(&mut self, to: u64, skipped: impl IntoIterator<Item = u64>) {
        for number in skipped {
            self.take_one(Self::block(number));
        }
        self.watermark = self.watermark.max(to);
        // Of blocks that are behind nothing is beyond the watermark.
        self.blocks = self.blocks.split_off(&Self::block(self.watermark + 1));
    }

    fn in_block(&self, block: u64) -> u64 {
        self.blocks.get(&block).copied().unwrap_or(0)
    }

    /// Numbers of a block that are beyond the watermark.
    const fn room(&self, block: u64) -> u64 {
        let end = block.saturating_add(1).saturating_mul(BLOCK);
        let rest = end.saturating_sub(self.watermark);
        if rest < BLOCK { rest } else { BLOCK }
    }

    fn take_one(&mut self, block: u64) {
        if let Some(there) = self.blocks.get_mut(&block) {
            *there -= 1;
            if *there == 0 {
                self.blocks.remove(&block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The line person by person, which the counts must agree with.
    #[derive(Debug, Default)]
    struct Everybody {
        last: u64,
        watermark: u64,
        absent: BTreeSet<u64>,
    }

    impl Everybody {
        fn ahead_of(&self, number: u64) -> u64 {
            let between = self.watermark + 1..number;
            between.filter(|ahead| !self.absent.contains(ahead)).count() as u64
        }

        /// Lets so many in who are there, and skips the absent at the head.
        fn admit(&mut self, count: u64) -> Vec<u64> {
            let (mut left, mut skipped) = (count, Vec::new());
            while self.watermark < self.last {
                let next = self.watermark + 1;
                if self.absent.remove(&next) {
                    skipped.push(next);
                } else if left == 0 {
                    break;
                } else {
                    left -= 1;
                }
                self.watermark = next;
            }
            skipped
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join(u64),
        Leave(u64),
        Return(u64),
        Admit(u64),
    }

    fn steps(returns: bool) -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1u64..50).prop_map(Step::Join),
            any::<u64>().prop_map(Step::Leave),
            any::<u64>().prop_map(Step::Leave),
            any::<u64>().prop_map(Step::Return),
            (0u64..40).prop_map(Step::Admit),
        ];
        let kept = move |steps: Vec<Step>| {
            steps.into_iter().filter(|step| returns || !matches!(step, Step::Return(_))).collect()
        };
        prop::collection::vec(step, 1..60).prop_map(kept)
    }

    fn apply(step: &Step, everybody: &mut Everybody, absences: &mut Absences) {
        match *step {
            Step::Join(count) => everybody.last += count,
            Step::Leave(luck) => {
                let waiting = everybody.last - everybody.watermark;
                if waiting > 0 && everybody.absent.insert(everybody.watermark + 1 + luck % waiting) {
                    absences.left(everybody.watermark + 1 + luck % waiting);
                }
            }
            Step::Return(luck) => {
                let count = everybody.absent.len().max(1) as u64;
                if let Some(number) = everybody.absent.iter().nth((luck % count) as usize).copied() {
                    everybody.absent.remove(&number);
                    absences.came_back(number);
                }
            }
            Step::Admit(count) => {
                let skipped = everybody.admit(count);
                absences.advance(everybody.watermark, skipped);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn a_place_is_right_but_for_the_absent_of_its_own_block(steps in steps(true)) {
            let (mut everybody, mut absences) = (Everybody::default(), Absences::default());
            for step in steps {
                apply(&step, &mut everybody, &mut absences);
                prop_assert_eq!(absences.watermark(), everybody.watermark);
                prop_assert_eq!(absences.total(), everybody.absent.len() as u64);
                let waiting = everybody.ahead_of(everybody.last + 1);
                prop_assert_eq!(absences.waiting(everybody.last), waiting);
                for number in 1..=everybody.last {
                    let (told, is) = (absences.ahead_of(number), everybody.ahead_of(number));
                    prop_assert!(told >= is && told < is + BLOCK, "{told} told of {is} at {number}");
                    prop_assert!(number > everybody.watermark || told == 0);
                }
                let stored = Absences::new(absences.watermark, absences.blocks.clone());
                prop_assert_eq!(&stored, &absences, "what a store keeps gives the same");
            }
        }

        #[test]
        fn a_place_never_gets_worse_while_nobody_returns(steps in steps(false)) {
            let (mut everybody, mut absences) = (Everybody::default(), Absences::default());
            let mut told: Vec<u64> = Vec::new();
            for step in steps {
                apply(&step, &mut everybody, &mut absences);
                for number in 1..=everybody.last {
                    let now = absences.ahead_of(number);
                    match told.get_mut(number as usize - 1) {
                        Some(before) => {
                            prop_assert!(now <= *before, "{number} fell back from {before} to {now}");
                            *before = now;
                        }
                        None => told.push(now),
                    }
                }
            }
        }
    }

    #[test]
    fn a_store_that_tells_nonsense_moves_nobody_behind_their_number() {
        let absences = Absences::new(70, [(0, 9), (1, 9), (1, 1_000), (5, 64)]);
        assert_eq!(absences.total(), 58 + 64, "block 0 is behind the watermark, block 1 has 58 beyond it");
        assert_eq!(absences.ahead_of(71), 0);
        assert_eq!(absences.ahead_of(129), 0);
        assert_eq!(absences.ahead_of(1_000), 929 - 122);
    }
}
