//! Randomness as a port.

use domain::random::Random;
use std::sync::Arc;

/// The process's source of random numbers; shared, so it takes `&self`.
pub trait Entropy: Send + Sync + 'static {
    /// The next uniformly distributed number.
    fn next_u64(&self) -> u64;
}

/// Hands an [`Entropy`] to a rule that wants a [`Random`].
#[derive(Clone)]
pub struct Dice(pub Arc<dyn Entropy>);

impl Random for Dice {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}
