//! Checks the invariants Q2 to Q6 while the worker runs, with its own records.
//!
//! It does not ask the lanes or the table whether they are right: it sees starts, ends and
//! settlements, and keeps the little that it needs to judge them. A violation is counted and
//! logged, and stops nothing. The demo, the crash test and the simulator read the counts.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use domain::id::ReservationId;
use domain::invariant::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The invariants that are watched, in the order of the counters.
const WATCHED: [Name; 5] = [Name::Q2, Name::Q3, Name::Q4, Name::Q5, Name::Q6];

/// How often an invariant was checked and violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// Checks.
    pub checks: u64,
    /// Violations.
    pub violations: u64,
}

/// The counts, readable while the worker runs. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observations(Arc<[[AtomicU64; 2]; 5]>);

impl Observations {
    /// The counts by invariant.
    pub(crate) fn read(&self) -> BTreeMap<Name, Observation> {
        let read = |at: usize| Observation {
            checks: self.0[at][0].load(Ordering::Relaxed),
            violations: self.0[at][1].load(Ordering::Relaxed),
        };
        WATCHED.into_iter().enumerate().map(|(at, name)| (name, read(at))).collect()
    }

    fn check(&self, at: usize, holds: bool, message: impl FnOnce() -> String) {
        self.0[at][0].fetch_add(1, Ordering::Relaxed);
        if !holds {
            self.0[at][1].fetch_add(1, Ordering::Relaxed);
            let invariant = WATCHED[at];
            tracing::error!(invariant = %invariant, meaning = invariant.meaning(), "{}", message());
        }
    }
}

/// The observer. `delivery` is a number that grows with each received delivery.
#[derive(Debug)]
pub(crate) struct Observer {
    counts: Observations,
    fifo: bool,
    lanes: BTreeMap<ReservationId, Lane>,
    /// Deliveries with a confirmed settlement that are still in the table.
    settled: BTreeSet<u64>,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Lane {
    running: Option<u64>,
    /// The newest delivery that was started.
    started: Option<u64>,
    /// A head that was put off: its message, and until when no receive can return it.
    put_off: Option<(Arc<str>, Duration)>,
    /// Deliveries of this lane that the worker has.
    deliveries: u32,
}

impl Observer {
    pub(crate) fn new(fifo: bool, counts: Observations) -> Self {
        Self { counts, fifo, lanes: BTreeMap::new(), settled: BTreeSet::new(), in_flight: 0 }
    }

    pub(crate) fn received(&mut self, lane: &ReservationId) {
        match self.lanes.get_mut(lane) {
            Some(known) => known.deliveries += 1,
            None => {
                self.lanes.insert(lane.clone(), Lane { deliveries: 1, ..Lane::default() });
            }
        }
    }

    pub(crate) fn started(
        &mut self,
        lane: &ReservationId,
        delivery: u64,
        message: &str,
        limit: usize,
        now: Duration,
    ) {
        let Some(seen) = self.lanes.get_mut(lane) else { return };
        self.counts.check(0, seen.running.is_none(), || format!("a second run in lane {lane}"));
        let in_order = seen.started.is_none_or(|before| before < delivery);
        // Only a FIFO queue blocks the group behind a head that was put off.
        let overtaken = self.fifo
            && seen.put_off.as_ref().is_some_and(|(head, until)| &**head != message && now < *until);
        self.counts.check(1, in_order && !overtaken, || {
            format!("message {message} overtook another in lane {lane}")
        });
        seen.running = Some(delivery);
        seen.started = Some(delivery);
        seen.put_off = None;
        self.in_flight += 1;
        let in_flight = self.in_flight;
        self.counts.check(3, in_flight <= limit, || format!("{in_flight} in flight, {limit} allowed"));
    }

    pub(crate) fn ended(&mut self, lane: &ReservationId) {
        if let Some(seen) = self.lanes.get_mut(lane)
            && seen.running.take().is_some()
        {
            self.in_flight -= 1;
        }
    }

    /// A head is put off: on a FIFO queue nothing of its lane may start before that time.
    pub(crate) fn put_off(&mut self, lane: &ReservationId, message: &Arc<str>, until: Duration) {
        if let Some(seen) = self.lanes.get_mut(lane) {
            seen.put_off = Some((message.clone(), until));
        }
    }

    /// The head could not be hidden. Its lease belongs to another receive by now, which settles it.
    pub(crate) fn not_put_off(&mut self, lane: &ReservationId, message: &str) {
        if let Some(seen) = self.lanes.get_mut(lane) {
            seen.put_off.take_if(|(head, _)| &**head == message);
        }
    }

    /// A settlement is being sent.
    pub(crate) fn settling(&self, delivery: u64, message: &str, lease_until: Duration, now: Duration) {
        let first = !self.settled.contains(&delivery);
        self.counts.check(2, first && now < lease_until, || {
            format!("message {message} settled twice or after its lease")
        });
    }

    /// A settlement is confirmed.
    pub(crate) fn settled(&mut self, delivery: u64) {
        self.settled.insert(delivery);
    }

    /// A message is buried because its retries are exhausted.
    pub(crate) fn exhausted(&self, message: &str, attempts: u32, max_retries: u32) {
        self.counts
            .check(4, attempts > max_retries, || format!("message {message} buried after {attempts} runs"));
    }

    /// A delivery was removed. Its lane is forgotten with its last one, unless its head was put
    /// off.
    pub(crate) fn left(&mut self, delivery: u64, lane: &ReservationId, now: Duration) {
        self.settled.remove(&delivery);
        let Some(seen) = self.lanes.get_mut(lane) else { return };
        seen.deliveries = seen.deliveries.saturating_sub(1);
        let kept = seen.put_off.as_ref().is_some_and(|(_, until)| now < *until);
        if seen.deliveries == 0 && !kept {
            self.lanes.remove(lane);
        }
    }

    /// Forgets the lanes that were kept only for a head that was put off.
    pub(crate) fn forget_old(&mut self, now: Duration) {
        self.lanes.retain(|_, seen| {
            seen.deliveries > 0 || seen.put_off.as_ref().is_some_and(|(_, until)| now < *until)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> ReservationId {
        ReservationId::parse("rsv_1").expect("valid")
    }

    fn observer() -> (Observer, Observations) {
        let counts = Observations::default();
        let mut observer = Observer::new(true, counts.clone());
        observer.received(&lane());
        observer.received(&lane());
        (observer, counts)
    }

    fn violations(counts: &Observations, name: Name) -> u64 {
        counts.read()[&name].violations
    }

    #[test]
    fn a_second_run_in_a_lane_violates_q2() {
        let (mut observer, counts) = observer();
        observer.started(&lane(), 1, "a", 9, Duration::ZERO);
        assert_eq!(violations(&counts, Name::Q2), 0);
        observer.started(&lane(), 2, "b", 9, Duration::ZERO);
        assert_eq!(violations(&counts, Name::Q2), 1);
    }

    #[test]
    fn a_younger_start_before_an_older_one_violates_q3() {
        let (mut observer, counts) = observer();
        observer.started(&lane(), 2, "b", 9, Duration::ZERO);
        observer.ended(&lane());
        observer.started(&lane(), 1, "a", 9, Duration::ZERO);
        assert_eq!(violations(&counts, Name::Q3), 1);
    }

    #[test]
    fn overtaking_a_head_that_was_put_off_violates_q3() {
        let (mut observer, counts) = observer();
        observer.started(&lane(), 1, "a", 9, Duration::ZERO);
        observer.ended(&lane());
        observer.put_off(&lane(), &"a".into(), Duration::from_secs(1));
        observer.left(1, &lane(), Duration::ZERO);
        observer.left(2, &lane(), Duration::ZERO);
        observer.received(&lane());
        observer.started(&lane(), 3, "b", 9, Duration::from_millis(999));
        assert_eq!(violations(&counts, Name::Q3), 1);
    }

    #[test]
    fn a_head_that_could_not_be_hidden_is_overtaken_by_nobody() {
        let (mut observer, counts) = observer();
        observer.started(&lane(), 1, "a", 9, Duration::ZERO);
        observer.ended(&lane());
        observer.put_off(&lane(), &"a".into(), Duration::from_secs(1));
        observer.not_put_off(&lane(), "a");
        observer.started(&lane(), 3, "b", 9, Duration::from_millis(999));
        assert_eq!(violations(&counts, Name::Q3), 0);
    }

    #[test]
    fn a_second_settlement_or_a_late_one_violates_q4() {
        let (mut observer, counts) = observer();
        observer.settling(1, "a", Duration::from_secs(1), Duration::ZERO);
        observer.settled(1);
        assert_eq!(violations(&counts, Name::Q4), 0);
        observer.settling(1, "a", Duration::from_secs(1), Duration::ZERO);
        observer.settling(2, "b", Duration::from_secs(1), Duration::from_secs(1));
        assert_eq!(violations(&counts, Name::Q4), 2);
    }

    #[test]
    fn more_in_flight_than_allowed_violates_q5_and_an_early_burial_q6() {
        let (mut observer, counts) = observer();
        observer.started(&lane(), 1, "a", 0, Duration::ZERO);
        observer.exhausted("a", 5, 5);
        observer.exhausted("a", 6, 5);
        let read = counts.read();
        assert_eq!(read[&Name::Q5], Observation { checks: 1, violations: 1 });
        assert_eq!(read[&Name::Q6], Observation { checks: 2, violations: 1 });
    }
}
