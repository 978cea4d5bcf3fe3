//! How often a call is tried, and how long it rests between tries: exponential with full jitter, so
//! that callers that were refused together do not retry together.

use core::time::Duration;
use ports::{Clock, Entropy};

/// Tries of one call. Seven rests of at most 25, 50, 100, 200, 400, 500 and 500 ms are 1.8 s at
/// worst and half of it on average.
pub(crate) const TRIES_MAX: u32 = 8;
const REST_BASE: Duration = Duration::from_millis(25);
const REST_MAX: Duration = Duration::from_millis(500);
/// No try begins later than this after the first. It matters only if tries end by timeout: a write
/// then arrives, if at all, within this time plus one timeout. The services rely on that when a
/// seat is in doubt.
pub(crate) const TRY_FOR: Duration = Duration::from_secs(8);

/// The tries of one call.
pub(crate) struct Tries<'a> {
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    begun: Duration,
    made: u32,
}

impl<'a> Tries<'a> {
    /// The first try begins now.
    pub(crate) fn begin(clock: &'a dyn Clock, entropy: &'a dyn Entropy) -> Self {
        Self { clock, entropy, begun: clock.elapsed(), made: 1 }
    }

    /// Rests before the next try; `false` if there is none.
    pub(crate) async fn rest(&mut self) -> bool {
        if self.made >= TRIES_MAX || self.clock.elapsed() >= self.begun + TRY_FOR {
            return false;
        }
        let rest = jittered(self.made, self.entropy.next_u64());
        self.made += 1;
        self.clock.sleep(rest).await;
        true
    }

    /// The last try made progress: the count begins again.
    pub(crate) fn progressed(&mut self) {
        self.begun = self.clock.elapsed();
        self.made = 1;
    }
}

/// A rest after that many tries, drawn from zero to the full length.
fn jittered(tries: u32, random: u64) -> Duration {
    let full = REST_BASE.saturating_mul(1 << (tries - 1).min(16)).min(REST_MAX);
    // The product is scaled down by the range of the random number, so it is below the full length.
    let micros = (full.as_micros() * u128::from(random)) >> 64;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_their_limit_and_are_spread_from_zero() {
        let longest = |tries| jittered(tries, u64::MAX).as_micros().div_ceil(1_000);
        let rests: Vec<u128> = (1..TRIES_MAX).map(longest).collect();
        assert_eq!(rests, [25, 50, 100, 200, 400, 500, 500]);
        assert_eq!(jittered(7, 0), Duration::ZERO);
        assert_eq!(jittered(1, u64::MAX / 2 + 1), Duration::from_micros(12_500));
        assert!(rests.iter().sum::<u128>() <= 2_000);
    }
}
