//! Code probes, after FoundationDB's: a service says which decision it is acting on, and the simulator demands that its
//! runs reached each of them, so that a promise is not kept only because nothing ever put it to the test.
//!
//! Without the feature `probes` a probe is nothing at all. With it every thread counts for itself: the simulator runs a
//! world on one thread, and worlds that run side by side must not see each other.
//!
//! A point is named `<enum>.<Variant>` where a decision is an enum, chosen by an exhaustive match, so that a new variant
//! does not compile before it has a point; and `<event>.<answer>` where a handler of the worker got an answer.

#[cfg(feature = "probes")]
use std::cell::RefCell;
#[cfg(feature = "probes")]
use std::collections::BTreeMap;

#[cfg(feature = "probes")]
thread_local! {
    static HITS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// This point was reached.
#[cfg(not(feature = "probes"))]
#[inline(always)]
pub fn hit(_: &'static str) {}

/// This point was reached: it is counted on this thread.
#[cfg(feature = "probes")]
pub fn hit(point: &'static str) {
    // A task that is dropped while its thread ends may still hit a point; nobody can ask for it any more.
    let _ = HITS.try_with(|hits| *hits.borrow_mut().entry(point).or_default() += 1);
}

/// How often each point was reached on this thread since it was last asked.
#[cfg(feature = "probes")]
pub fn take() -> BTreeMap<&'static str, u64> {
    HITS.with(RefCell::take)
}

#[cfg(all(test, feature = "probes"))]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_by_point_until_they_are_taken() {
        hit("a.One");
        hit("a.Two");
        hit("a.One");
        assert_eq!(take(), BTreeMap::from([("a.One", 2), ("a.Two", 1)]));
        assert_eq!(take(), BTreeMap::new());
    }
}
