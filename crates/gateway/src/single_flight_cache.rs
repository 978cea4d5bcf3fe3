//! Answers that many callers ask for, fetched once for all of them and cached for a moment.
//!
//! A fetch is a task of its own: callers that ask while it runs wait for the same answer, and a
//! caller that goes away does not stop it. So a thousand callers of a backend that hangs wait no
//! longer than one would.

use core::time::Duration;
use futures_util::FutureExt;
use futures_util::future::Shared;
use parking_lot::{Mutex, MutexGuard};
use ports::{Clock, Fault, Tasks};
use std::collections::HashMap;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Cached answers, at most: the keys come from callers, who may ask for anything.
const KEPT_MAX: usize = 10_000;
/// How long an old answer is served while there is no new one.
const STALE_FOR: Duration = Duration::from_secs(30);
/// How long after a failed fetch the next one may begin.
const REST: Duration = Duration::from_millis(250);

/// The shared result of a fetch.
type Fetched<V> = Result<V, Arc<Fault>>;

/// Answers by key.
pub(crate) struct SingleFlightCache<K, V> {
    kept_for: Duration,
    slots: Arc<Mutex<HashMap<K, Slot<V>>>>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
}

struct Slot<V> {
    value: Option<(V, Duration)>,
    failed: Option<(Arc<Fault>, Duration)>,
    /// Wakes its waiters in a fixed order, so that a simulation can be repeated.
    running: Option<Shared<oneshot::Receiver<Fetched<V>>>>,
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { value: None, failed: None, running: None }
    }
}

impl<K: Hash + Eq + Clone + Send + 'static, V: Clone + Send + Sync + 'static> SingleFlightCache<K, V> {
    /// A cache whose answers are fresh for `kept_for`.
    pub(crate) fn new(kept_for: Duration, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        Self { kept_for, slots: Arc::default(), clock, tasks }
    }

    /// The cached answer if it is fresh, else a new one.
    ///
    /// # Errors
    /// The fetch's fault, if there is no new answer and the last one is too old.
    pub(crate) async fn get<F>(&self, key: &K, fetch: impl FnOnce() -> F) -> Fetched<V>
    where
        F: Future<Output = Result<V, Fault>> + Send + 'static,
    {
        let running = {
            let now = self.clock.elapsed();
            let mut slots = self.lock();
            if slots.len() >= KEPT_MAX && !slots.contains_key(key) {
                let is_kept = |at: Duration| now.saturating_sub(at) < self.kept_for;
                slots.retain(|_, slot| {
                    slot.running.is_some() || slot.value.as_ref().is_some_and(|(_, at)| is_kept(*at))
                });
            }
            let slot = slots.entry(key.clone()).or_default();
            match (&slot.value, &slot.failed, &slot.running) {
                (Some((value, at)), ..) if now.saturating_sub(*at) < self.kept_for => {
                    return Ok(value.clone());
                }
                (.., Some(running)) => running.clone(),
                (value, Some((fault, at)), None) if now.saturating_sub(*at) < REST => {
                    return slot.stale(value.as_ref(), now).ok_or_else(|| Arc::clone(fault));
                }
                _ => {
                    let (tell, running) = oneshot::channel();
                    let (fetch, running) = (fetch(), running.shared());
                    slot.running = Some(running.clone());
                    self.begin(key.clone(), fetch, tell);
                    running
                }
            }
        };
        let gone = || Arc::new(Fault::unavailable("the process is ending"));
        // The sender is dropped without a result only if the task was dropped.
        let fetched = running.await.unwrap_or_else(|_| Err(gone()));
        fetched.or_else(|fault| {
            let slots = self.lock();
            let slot = slots.get(key);
            let stale = slot.and_then(|slot| slot.stale(slot.value.as_ref(), self.clock.elapsed()));
            stale.ok_or(fault)
        })
    }

    /// The cached answer, if it is fresh.
    pub(crate) fn kept(&self, key: &K) -> Option<V> {
        let (slots, now) = (self.lock(), self.clock.elapsed());
        let (value, at) = slots.get(key)?.value.as_ref()?;
        (now.saturating_sub(*at) < self.kept_for).then(|| value.clone())
    }

    /// Every cached answer, fresh or not.
    pub(crate) fn all(&self) -> Vec<(K, V)> {
        let slots = self.lock();
        let value = |(key, slot): (&K, &Slot<V>)| Some((key.clone(), slot.value.as_ref()?.0.clone()));
        slots.iter().filter_map(value).collect()
    }

    fn begin(
        &self,
        key: K,
        fetch: impl Future<Output = Result<V, Fault>> + Send + 'static,
        tell: oneshot::Sender<Fetched<V>>,
    ) {
        let (slots, clock) = (Arc::clone(&self.slots), Arc::clone(&self.clock));
        self.tasks.spawn(async move {
            let fetched = AssertUnwindSafe(fetch).catch_unwind().await;
            // The next caller tries again.
            let fetched = fetched.unwrap_or_else(|_| Err(Fault::unavailable("the fetch panicked")));
            let fetched = fetched.map_err(Arc::new);
            let now = clock.elapsed();
            let mut slots = slots.lock();
            let slot = slots.entry(key).or_default();
            slot.running = None;
            match &fetched {
                Ok(value) => (slot.value, slot.failed) = (Some((value.clone(), now)), None),
                Err(fault) => slot.failed = Some((Arc::clone(fault), now)),
            }
            // All callers may have gone away.
            drop(tell.send(fetched));
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Slot<V>>> {
        self.slots.lock()
    }
}

impl<V: Clone> Slot<V> {
    fn stale(&self, value: Option<&(V, Duration)>, now: Duration) -> Option<V> {
        value.filter(|(_, at)| now.saturating_sub(*at) < STALE_FOR).map(|(value, _)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use testkit::ManualClock;
    use tokio::sync::Notify;

    fn cache() -> (Arc<ManualClock>, Arc<SingleFlightCache<u32, u32>>) {
        let clock = Arc::new(ManualClock::default());
        let cache = SingleFlightCache::new(Duration::from_millis(250), clock.clone(), Tasks::new());
        (clock, Arc::new(cache))
    }

    fn at(clock: &ManualClock, ms: u64) {
        clock.advance_to(Duration::from_millis(ms));
    }

    async fn failed() -> Result<u32, Fault> {
        Err(Fault::transient("no"))
    }

    #[tokio::test]
    async fn one_of_many_fetches() {
        let (clock, cache) = cache();
        let fetched = Arc::new(AtomicU32::new(0));
        let fetch = || {
            let fetched = fetched.clone();
            async move {
                fetched.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(7)
            }
        };
        let all = futures_util::future::join_all((0..50).map(|_| cache.get(&1, fetch))).await;
        assert!(all.iter().all(|value| value.as_ref().is_ok_and(|value| *value == 7)));
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
        for (ms, times) in [(249, 1), (250, 2)] {
            at(&clock, ms);
            cache.get(&1, fetch).await.unwrap();
            assert_eq!(fetched.load(Ordering::Relaxed), times);
        }
    }

    /// The caller that began the fetch goes away, and the others still get their answer; a failure
    /// reaches all of them at once.
    #[tokio::test]
    async fn nobody_waits_longer_than_one_fetch_takes() {
        let (_, cache) = cache();
        let (go, begun) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let hang = || {
            let (go, begun) = (go.clone(), begun.clone());
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                failed().await
            }
        };
        {
            let mut first = Box::pin(cache.get(&1, hang));
            assert!(futures_util::poll!(&mut first).is_pending());
        }
        let mut rest: Vec<_> = (0..100).map(|_| Box::pin(cache.get(&1, hang))).collect();
        for one in &mut rest {
            assert!(futures_util::poll!(one).is_pending());
        }
        tokio::task::yield_now().await;
        go.notify_one();
        for one in rest {
            assert!(one.await.is_err());
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        assert!(cache.get(&1, hang).await.is_err(), "no new fetch so soon after a failed one");
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_stale_answer_is_served_for_a_while_without_a_new_one() {
        let (clock, cache) = cache();
        cache.get(&1, || async { Ok(7) }).await.unwrap();
        at(&clock, 29_999);
        assert_eq!(cache.get(&1, failed).await.unwrap(), 7);
        at(&clock, 30_000);
        assert!(cache.get(&1, failed).await.is_err());
    }

    #[tokio::test]
    async fn stale_answers_make_room() {
        let (clock, cache) = cache();
        for key in 0..KEPT_MAX as u32 {
            cache.get(&key, || async { Ok(1) }).await.unwrap();
        }
        at(&clock, 200);
        cache.get(&0, || async { Ok(1) }).await.unwrap();
        at(&clock, 251);
        cache.get(&7_000_000, || async { Ok(1) }).await.unwrap();
        assert_eq!(cache.lock().len(), 1);
    }
}
