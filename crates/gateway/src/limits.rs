//! How many requests a person and an address may send.
//!
//! The generic cell rate algorithm: for each key one point in time, at which all that was let through is paid for. It is
//! exact for any pattern of arrival, because nothing is rounded down to whole tokens (trap W9), and takes 8 bytes a key.
//! Each gateway counts for itself: the limit of a person over `n` gateways is `n` times this one.

use core::time::Duration;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Keys that are known at a time, at most. Beyond it those that owe nothing are forgotten; if all owe, the new one is let through.
const KEYS_MAX: usize = 1_000_000;
/// So many that none is large: a table stands still while it grows.
const SHARDS: usize = 256;

/// A limit, and who has used how much of it.
pub(crate) struct Limiter<K> {
    rate: Rate,
    shards: Vec<Mutex<HashMap<K, u64>>>,
}

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// A second, at least 1.
    pub per_second: u32,
    /// At once, at least 1.
    pub burst: u32,
}

/// What the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the request is let through.
    pub(crate) is_allowed: bool,
    /// The most at once.
    pub(crate) limit: u32,
    /// How many more are let through now.
    pub(crate) remaining: u32,
    /// When the next one is, if this was not; else when all of the burst is there again.
    pub(crate) wait: Duration,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Nobody has sent anything yet.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// One request at `now`, which goes on for each caller; of two callers the one with the earlier time may come second.
    pub(crate) fn take(&self, key: &K, now: Duration) -> Verdict {
        let now = now.as_nanos() as u64;
        let every = 1_000_000_000 / u64::from(self.rate.per_second);
        let most = every * u64::from(self.rate.burst);
        let mut shard = self.shards[shard_of(key)].lock().unwrap_or_else(PoisonError::into_inner);
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
        /// Trap W9. At 60 a second offered and 50 allowed, 50 get through.
        #[test]
        fn what_gets_through_is_the_rate_whatever_is_offered(
            per_second in 1u32..500, burst in 1u32..50, gaps in prop::collection::vec(0u64..60_000_000, 1..800),
        ) {
            let limiter = Limiter::new(Rate { per_second, burst });
            let (mut now, mut through, mut offered) = (0u64, 0u64, 0u64);
            // What a bucket of real numbers lets through of the same requests.
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
        fn who_waits_as_long_as_told_is_let_through(per_second in 1u32..500, burst in 1u32..20) {
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
    fn two_who_ask_at_once_may_come_in_the_other_order_of_their_times() {
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
