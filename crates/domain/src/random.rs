//! Randomness as an argument.
//!
//! Rules that spread or jitter take a generator. Production passes the entropy of the process;
//! tests and the simulator pass a seeded [`SplitMix64`].

/// A source of uniformly distributed 64-bit numbers.
pub trait Random {
    /// The next number.
    fn next_u64(&mut self) -> u64;

    /// A number in `0..bound`; 0 if `bound` is 0. The bias of the multiplication method is below
    /// 2⁻³² for the bounds of sections and jitters.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0.0..1.0`.
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}

/// The SplitMix64 generator (Steele, Lea, Flood 2014): one word of state, for seeds, tests and
/// simulation.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator that gives the same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Random for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_stays_below_its_bound() {
        let mut random = SplitMix64::new(7);
        assert_eq!(random.below(0), 0);
        for bound in 1..200 {
            assert!(random.below(bound) < bound);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (SplitMix64::new(42), SplitMix64::new(42));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
    }
}
