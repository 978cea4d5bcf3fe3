//! How many polls are in the air, and how many messages each asks for.
//!
//! The results of polls set the number: a full answer asks for one more poll, an answer that is
//! less than half full for one less. So an idle queue costs one long poll, and a full one is
//! emptied as fast as messages can start.
//!
//! A poll asks only for messages that can start soon: the free places, plus the number that will
//! start while it is on its way (measured). It asks for ten where it can, because a receive of one
//! costs the same as a receive of ten.
//!
//! A poll is never cancelled (trap T-T2). A poll far longer in the air than its wait means that the
//! queue hangs, and liveness reports it (trap T-T11).

use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use std::collections::BTreeMap;

/// The most polls in the air: 32 polls of ten at 20 ms are 16,000 messages a second.
const IN_AIR_MAX: usize = 32;
/// The most messages that are requested beyond the free places.
const AHEAD_MAX: usize = 1_000;
/// How far ahead of the starts messages are fetched, besides the time that a poll takes. Messages
/// that wait here take memory and are hidden from other workers.
const AHEAD: Duration = Duration::from_millis(20);
/// The window in which starts are counted.
const RATE_WINDOW: Duration = Duration::from_millis(100);
/// How much longer than its wait a receive may take before the queue counts as hanging.
pub(crate) const HANG_AFTER: Duration = Duration::from_secs(30);
/// The first and the longest rest after a poll that failed.
const REST: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Polls {
    in_air: BTreeMap<u64, InAir>,
    asked: usize,
    target: usize,
    next: u64,
    failures: u32,
    rest_until: Duration,
    took: Duration,
    starts: u32,
    starts_since: Duration,
    start_rate: f64,
}

#[derive(Debug, Clone, Copy)]
struct InAir {
    asked: usize,
    since: Duration,
}

/// A poll to start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) id: u64,
    pub(crate) max: usize,
}

/// The room for more messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// The limit of runs at a time.
    pub(crate) limit: usize,
    /// Runs now.
    pub(crate) running: usize,
    /// Messages that could start.
    pub(crate) ready: usize,
    /// Messages that have not started, including those behind a run of their lane.
    pub(crate) waiting: usize,
}

impl Polls {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            in_air: BTreeMap::new(),
            asked: 0,
            target: 1,
            next: 0,
            failures: 0,
            rest_until: Duration::ZERO,
            took: Duration::from_millis(5),
            starts: 0,
            starts_since: now,
            start_rate: 0.0,
        }
    }

    /// The next poll to start, if one more is wanted.
    pub(crate) fn start(&mut self, demand: Demand, now: Duration) -> Option<Poll> {
        if now < self.rest_until || self.in_air.len() >= self.target {
            return None;
        }
        if demand.waiting >= (demand.limit * 2).max(100) {
            return None;
        }
        let room = (demand.limit + self.ahead()).saturating_sub(demand.running + demand.ready + self.asked);
        let starving = self.in_air.is_empty() && demand.running + demand.ready < demand.limit;
        let worth = QUEUE_BATCH_MAX.min(demand.limit);
        if room == 0 || (room < worth && !starving) {
            return None;
        }
        Some(self.launch(room.min(QUEUE_BATCH_MAX), now))
    }

    /// A poll for one message, as a probe; only when nothing else is in the air.
    pub(crate) fn start_probe(&mut self, now: Duration) -> Option<Poll> {
        (now >= self.rest_until && self.in_air.is_empty()).then(|| self.launch(1, now))
    }

    /// A poll returned `got` messages.
    pub(crate) fn brought(&mut self, poll: u64, got: usize, now: Duration) {
        let Some(landed) = self.land(poll) else { return };
        self.failures = 0;
        if got >= landed.asked {
            // A full answer did not wait, so its time is the cost of a receive.
            let took = now.saturating_sub(landed.since);
            self.took = (self.took * 7 + took) / 8;
            self.target = (self.target + 1).min(IN_AIR_MAX);
        } else if got * 2 < landed.asked {
            self.target = (self.target - 1).max(1);
        }
    }

    /// A poll failed: the next waits a little, longer each time. Returns the failures in a row.
    pub(crate) fn failed(&mut self, poll: u64, now: Duration) -> u32 {
        self.land(poll);
        self.failures += 1;
        self.target = 1;
        self.rest_until = now + (REST * 2u32.pow(self.failures.min(8) - 1)).min(REST_MAX);
        self.failures
    }

    /// A run started.
    pub(crate) fn run_started(&mut self, now: Duration) {
        self.starts += 1;
        let age = now.saturating_sub(self.starts_since);
        if age >= RATE_WINDOW {
            self.start_rate = (self.start_rate + f64::from(self.starts) / age.as_secs_f64()) / 2.0;
            self.starts = 0;
            self.starts_since = now;
        }
    }

    /// When polling may resume after a failure.
    pub(crate) fn rest_until(&self) -> Duration {
        self.rest_until
    }

    pub(crate) fn in_air(&self) -> usize {
        self.in_air.len()
    }

    /// Failures since the last answer.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// How long the oldest poll has been in the air.
    pub(crate) fn oldest(&self, now: Duration) -> Duration {
        self.in_air.values().map(|poll| now.saturating_sub(poll.since)).max().unwrap_or_default()
    }

    fn ahead(&self) -> usize {
        let horizon = AHEAD + self.took;
        ((self.start_rate * horizon.as_secs_f64()).ceil() as usize).clamp(1, AHEAD_MAX)
    }

    fn launch(&mut self, max: usize, now: Duration) -> Poll {
        let id = self.next;
        self.next += 1;
        self.asked += max;
        self.in_air.insert(id, InAir { asked: max, since: now });
        Poll { id, max }
    }

    fn land(&mut self, poll: u64) -> Option<InAir> {
        let landed = self.in_air.remove(&poll)?;
        self.asked -= landed.asked;
        Some(landed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Demand = Demand { limit: 20, running: 0, ready: 0, waiting: 0 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_idle_queue_costs_one_long_poll() {
        let mut polls = Polls::new(at(0));
        for n in 0..10 {
            let poll = polls.start(IDLE, at(n * 20_000)).expect("one poll");
            assert_eq!(polls.start(IDLE, at(n * 20_000)), None);
            polls.brought(poll.id, 0, at((n + 1) * 20_000));
        }
    }

    #[test]
    fn full_answers_bring_more_polls_and_empty_ones_fewer() {
        let mut polls = Polls::new(at(0));
        let room = Demand { limit: 2_000, ..IDLE };
        let mut air = Vec::new();
        for n in 0..40 {
            while let Some(poll) = polls.start(room, at(n)) {
                air.push(poll);
            }
            for poll in air.drain(..) {
                assert_eq!(poll.max, 10);
                polls.brought(poll.id, 10, at(n + 1));
            }
        }
        assert_eq!(polls.target, IN_AIR_MAX);
        for n in 0..40 {
            let poll = polls.start(room, at(100 + n)).expect("room");
            polls.brought(poll.id, 0, at(100 + n));
        }
        assert_eq!(polls.target, 1);
    }

    #[test]
    fn it_asks_only_for_what_can_start() {
        let mut polls = Polls::new(at(0));
        assert_eq!(polls.start(Demand { running: 20, ready: 1, waiting: 1, ..IDLE }, at(0)), None);
        let poll = polls.start(Demand { running: 18, ..IDLE }, at(0)).expect("starving");
        assert_eq!(poll.max, 3);
        polls.brought(poll.id, 3, at(1));
        assert_eq!(polls.start(Demand { running: 20, ..IDLE }, at(2)), None, "one ahead is not worth a call");
    }

    #[test]
    fn a_failed_poll_rests_longer_each_time() {
        let mut polls = Polls::new(at(0));
        let mut now = at(0);
        for _ in 0..12 {
            let poll = polls.start(IDLE, now).expect("rested");
            polls.failed(poll.id, now);
            assert_eq!(polls.start(IDLE, now), None);
            assert!(polls.rest_until() - now <= REST_MAX);
            now = polls.rest_until();
        }
        assert_eq!(polls.rest_until() - now, Duration::ZERO);
    }

    /// Trap T-T11: the age of a poll that never ends shows.
    #[test]
    fn a_hanging_poll_is_seen_by_its_age() {
        let mut polls = Polls::new(at(0));
        polls.start(IDLE, at(0)).expect("one poll");
        assert_eq!(polls.oldest(at(55_000)), at(55_000));
    }
}
