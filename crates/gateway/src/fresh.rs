//! Answers that many ask for, fetched by one of them and kept for a moment.

use core::time::Duration;
use ports::Fault;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Answers that are kept, at most. What is asked for comes from callers, who may ask for anything.
const KEPT_MAX: usize = 10_000;
/// For how long an old answer is told while there is no new one.
const STALE_FOR: Duration = Duration::from_secs(30);

/// Answers by what was asked for. While one asks for a new answer the others wait for it.
pub(crate) struct Fresh<K, V> {
    kept_for: Duration,
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
}

type Slot<V> = tokio::sync::Mutex<Option<(Arc<V>, Duration)>>;

impl<K: Hash + Eq + Clone, V> Fresh<K, V> {
    /// Answers that are kept for so long.
    pub(crate) fn new(kept_for: Duration) -> Self {
        Self { kept_for, slots: Mutex::default() }
    }

    /// The answer of a moment ago, or a new one. `now` only grows.
    ///
    /// # Errors
    /// When there is no new answer and the last one is too old.
    pub(crate) async fn get(
        &self,
        key: &K,
        now: Duration,
        fetch: impl Future<Output = Result<V, Fault>>,
    ) -> Result<Arc<V>, Fault> {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some((value, at)) = &*slot
            && now.saturating_sub(*at) < self.kept_for
        {
            return Ok(Arc::clone(value));
        }
        match fetch.await {
            Ok(value) => {
                let value = Arc::new(value);
                *slot = Some((Arc::clone(&value), now));
                Ok(value)
            }
            Err(fault) => match &*slot {
                Some((value, at)) if now.saturating_sub(*at) < STALE_FOR => Ok(Arc::clone(value)),
                _ => Err(fault),
            },
        }
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT_MAX && !slots.contains_key(key) {
            // Whoever is fetching keeps the slot.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::ready;
    use std::sync::atomic::{AtomicU32, Ordering};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test]
    async fn one_of_many_fetches() {
        let fresh = Fresh::new(ms(250));
        let fetched = AtomicU32::new(0);
        let fetch = async || {
            fetched.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(7)
        };
        let all = futures_util::future::join_all((0..50).map(|_| fresh.get(&"a", ms(0), fetch()))).await;
        assert!(all.iter().all(|value| value.as_ref().is_ok_and(|value| **value == 7)));
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
        fresh.get(&"a", ms(249), fetch()).await.unwrap();
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
        fresh.get(&"a", ms(250), fetch()).await.unwrap();
        fresh.get(&"b", ms(250), fetch()).await.unwrap();
        assert_eq!(fetched.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn the_last_answer_stands_for_a_while_where_there_is_no_new_one() {
        let fresh = Fresh::new(ms(250));
        let failed = || ready(Err(Fault::transient("no")));
        assert!(fresh.get(&(), ms(0), failed()).await.is_err());
        fresh.get(&(), ms(0), ready(Ok(7))).await.unwrap();
        assert_eq!(*fresh.get(&(), ms(29_999), failed()).await.unwrap(), 7);
        assert!(fresh.get(&(), ms(30_000), failed()).await.is_err());
    }

    #[tokio::test]
    async fn what_nobody_asks_for_now_makes_room() {
        let fresh = Fresh::new(ms(250));
        for key in 0..KEPT_MAX + 10 {
            fresh.get(&key, ms(0), ready(Ok(key))).await.unwrap();
        }
        assert!(fresh.slots.lock().unwrap().len() <= KEPT_MAX);
    }
}
