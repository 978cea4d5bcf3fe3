//! Randomness that a test can repeat.

use core::sync::atomic::{AtomicU64, Ordering};
use domain::random::{Random, SplitMix64};
use ports::Entropy;

/// The numbers of [`SplitMix64`] for a seed, shared between tasks. It prints its seed, which a
/// failing test then shows.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

/// The step of SplitMix64's state.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

static UNIQUE: AtomicU64 = AtomicU64::new(0);

impl SeededEntropy {
    /// The same numbers for the same seed.
    #[allow(clippy::print_stdout, reason = "the test harness shows it when the test fails")]
    pub fn new(seed: u64) -> Self {
        println!("entropy seed: {seed}");
        Self(AtomicU64::new(seed))
    }

    /// Numbers that no other call in this process or in a process that runs at the same time gets.
    /// For names on servers that test processes share.
    pub fn unique() -> Self {
        let count = UNIQUE.fetch_add(1, Ordering::Relaxed);
        Self::new((u64::from(std::process::id()) << 32) + count)
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(7)
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        // The generator has one word of state, so each draw starts it at its own state.
        SplitMix64::new(self.0.fetch_add(GAMMA, Ordering::Relaxed)).next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_domains_generator() {
        let (shared, mut own) = (SeededEntropy::new(42), SplitMix64::new(42));
        for _ in 0..100 {
            assert_eq!(shared.next_u64(), own.next_u64());
        }
    }

    #[test]
    fn unique_entropies_differ() {
        assert_ne!(SeededEntropy::unique().next_u64(), SeededEntropy::unique().next_u64());
    }
}
