//! How many requests a person and an address may send.
//!
//! The generic cell rate algorithm: for each key one point in time, when all allowed requests are
//! paid for. It is exact for any pattern of arrival, because nothing is rounded down to whole
//! tokens (trap T-W9), and takes 8 bytes a key. Each gateway counts for itself: over `n` gateways a
//! person has `n` times the limit.

use core::time::Duration;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;

/// Keys at a time, at most. Beyond it the keys that owe nothing are forgotten; if all owe, the new
/// one is allowed.
const KEYS_MAX: usize = 1_000_000;
/// Enough shards to keep each small: a table blocks its users while it grows.
const SHARDS: usize = 256;

/// A limit, and how much of it each key has used.
pub(crate) struct Limiter<K> {
    rate: Rate,
    shards: Vec<Mutex<HashMap<K, u64>>>,
}

/// A limit of requests: a steady rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, at least 1.
    pub per_second: u32,
    /// Requests at once, at least 1.
    pub burst: u32,
}

/// The answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the request is allowed.
    pub(crate) is_allowed: bool,
    /// The burst.
    pub(crate) limit: u32,
    /// How many more are allowed now.
    pub(crate) remaining: u32,
    /// After a refused request: how long until the next is allowed. Else: how long until the whole
    /// burst is available.
    pub(crate) wait: Duration,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// A limiter without keys.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Counts one request at `now`. Each caller's time only grows, but of two callers the one with
    /// the earlier time may come second.
    pub(crate) fn take(&self, key: &K, now: Duration) -> Verdict {
        let now = now.as_nanos() as u64;
        let every = 1_000_000_000 / u64::from(self.rate.per_second);
        let most = every * u64::from(self.rate.burst);
        let mut shard = self.shards[shard_of(key)].lock();
        if shard.len() >= KEYS_MAX / SHARDS && !shard.contains_key(key) {
            shard.retain(|_, paid| *paid > now);
            if shard.len() >= KEYS_MAX / SHARDS {
                return self.verdict(true, 0, every, most);
            }
        }
        let paid = shard.entry(key.clone()).or_insert(0);
        let owed = (*paid).saturating_sub(now);
        let is_allowed = owed + every <= most;
        if is_allowed {
            *paid = now + owed + every;
        }
        self.verdict(is_allowed, if is_allowed { owed + every } else { owed }, every, most)
    }

    fn verdict(&self, is_allowed: bool, owed: u64, every: u64, most: u64) -> Verdict {
        let wait = if is_allowed { owed } else { owed + every - most };
        let remaining = u32::try_from(most.saturating_sub(owed) / every).unwrap_or(u32::MAX);
        Verdict { is_allowed, limit: self.rate.burst, remaining, wait: Duration::from_nanos(wait) }
    }
}

fn shard_of(key: &impl Hash) -> usize {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % SHARDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Trap T-W9: of 60 requests a second against a limit of 50, 50 are allowed.
        #[test]
        fn allowed_requests_follow_the_rate_whatever_is_offered(
            per_second in 1u32..500, burst in 1u32..50, gaps in prop::collection::vec(0u64..60_000_000, 1..800),
        ) {
            let limiter = Limiter::new(Rate { per_second, burst });
            let (mut now, mut through, mut offered) = (0u64, 0u64, 0u64);
            // How many of the same requests a bucket of real numbers allows.
            let (mut tokens, mut exact) = (f64::from(burst), 0u64);
            for gap in gaps {
                now += gap;
                offered += 1;
                tokens = (tokens + gap as f64 * f64::from(per_second) / 1e9).min(f64::from(burst));
                if tokens >= 1.0 {
                    tokens -= 1.0;
                    exact += 1;
                }
                through += u64::from(limiter.take(&(), Duration::from_nanos(now)).is_allowed);
            }
            prop_assert!(through <= offered);
            prop_assert!(through.abs_diff(exact) <= 1, "{through} of {offered}, exactly {exact}");
        }

        #[test]
        fn a_caller_that_waits_as_long_as_asked_is_allowed(per_second in 1u32..500, burst in 1u32..20) {
            let limiter = Limiter::new(Rate { per_second, burst });
            let mut now = Duration::from_secs(1);
            for n in 1..=burst {
                let verdict = limiter.take(&(), now);
                prop_assert!(verdict.is_allowed);
                prop_assert_eq!(verdict.remaining, burst - n);
            }
            let verdict = limiter.take(&(), now);
            prop_assert!(!verdict.is_allowed && verdict.remaining == 0 && !verdict.wait.is_zero());
            now += verdict.wait;
            prop_assert!(limiter.take(&(), now).is_allowed);
            prop_assert!(!limiter.take(&(), now).is_allowed);
        }
    }

    #[test]
    fn concurrent_requests_may_arrive_out_of_order() {
        let limiter = Limiter::new(Rate { per_second: 1, burst: 1 });
        assert!(limiter.take(&(), Duration::from_secs(2)).is_allowed);
        let earlier = limiter.take(&(), Duration::from_secs(1));
        assert_eq!((earlier.is_allowed, earlier.remaining), (false, 0));
        assert_eq!(earlier.wait, Duration::from_secs(2));
    }

    #[test]
    fn keys_have_limits_of_their_own() {
        let limiter = Limiter::new(Rate { per_second: 1, burst: 1 });
        assert!(limiter.take(&"a", Duration::ZERO).is_allowed);
        assert!(limiter.take(&"b", Duration::ZERO).is_allowed);
        assert!(!limiter.take(&"a", Duration::ZERO).is_allowed);
    }
}
