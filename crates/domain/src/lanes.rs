//! Lanes, one for each reservation. The runs of a lane start one at a time and in the order of
//! receipt; lanes run side by side.
//!
//! - A lane has at most one run (invariant Q2) and runs the oldest message first (Q3). Lanes take
//!   turns: the lane that has waited longest starts next, so one busy reservation cannot starve the
//!   others.
//! - A lane fails as a unit (trap T-T3): the head and its followers leave together, in order. The
//!   lane stays blocked until the caller confirms their settlement. Until then every message for it
//!   is refused, so no message overtakes a head that will be retried.
//! - A lane has a bounded depth. After one message was refused for lack of room, all later ones are
//!   refused until the lane is empty. Otherwise a younger message could pass an older one.
//!
//! Lanes know no time, no lease and no queue. `W` is the caller's entry for a message, such as a
//! delivery's id. The caller recognises a message that it already has and does not offer it again
//! (trap T-T7).

use crate::id::ReservationId;
use std::collections::{BTreeMap, VecDeque};

/// All lanes of one worker.
#[derive(Debug)]
pub struct Lanes<W> {
    lanes: BTreeMap<ReservationId, Lane<W>>,
    /// Lanes whose head may start, in the order in which they became ready.
    ready: BTreeMap<u64, ReservationId>,
    next_turn: u64,
    depth_max: usize,
    waiting: usize,
    running: usize,
}

#[derive(Debug)]
struct Lane<W> {
    /// The head first; during a run the head is the running message.
    entries: VecDeque<W>,
    state: State,
    /// A message was refused for lack of room, so nothing may enter before the lane is empty.
    overflowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready { turn: u64 },
    Running,
    Failing,
}

/// The result of offering a message to its lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<W> {
    /// It waits in its lane.
    Queued,
    /// The lane is full or failing: hand the message back.
    Refused(W),
}

/// What leaves when a lane fails.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed<W> {
    /// The message that ran.
    pub head: W,
    /// The messages behind it, in order.
    pub followers: Vec<W>,
}

impl<W> Lanes<W> {
    /// No lanes yet. A lane takes at most `depth_max` messages (at least 1), the running one
    /// included.
    pub fn new(depth_max: usize) -> Self {
        Self {
            lanes: BTreeMap::new(),
            ready: BTreeMap::new(),
            next_turn: 0,
            depth_max: depth_max.max(1),
            waiting: 0,
            running: 0,
        }
    }

    /// Appends a message to its lane.
    pub fn offer(&mut self, lane: &ReservationId, work: W) -> Offer<W> {
        if !self.lanes.contains_key(lane) {
            let turn = self.turn_for(lane);
            let entries = VecDeque::from([work]);
            self.lanes
                .insert(lane.clone(), Lane { entries, state: State::Ready { turn }, overflowed: false });
            self.waiting += 1;
            return Offer::Queued;
        }
        let Some(entry) = self.lanes.get_mut(lane) else { return Offer::Refused(work) };
        if entry.state == State::Failing || entry.overflowed || entry.entries.len() >= self.depth_max {
            entry.overflowed |= entry.state != State::Failing;
            return Offer::Refused(work);
        }
        entry.entries.push_back(work);
        self.waiting += 1;
        Offer::Queued
    }

    /// The heads that may start, the longest waiting lane first.
    pub fn ready(&self) -> impl Iterator<Item = (&ReservationId, &W)> {
        self.ready.values().filter_map(|lane| {
            let head = self.lanes.get(lane)?.entries.front()?;
            Some((lane, head))
        })
    }

    /// The head that starts next.
    pub fn next_ready(&self) -> Option<(&ReservationId, &W)> {
        self.ready().next()
    }

    /// Starts the head of a lane. Returns `false` and changes nothing if the lane is not ready.
    pub fn start(&mut self, lane: &ReservationId) -> bool {
        let Some(entry) = self.lanes.get_mut(lane) else { return false };
        let State::Ready { turn } = entry.state else { return false };
        entry.state = State::Running;
        self.ready.remove(&turn);
        self.waiting -= 1;
        self.running += 1;
        true
    }

    /// The head is finished: it leaves, and the next one of the lane may start. `None` if the lane
    /// was not running.
    pub fn finish(&mut self, lane: &ReservationId) -> Option<W> {
        let entry = self.lanes.get_mut(lane)?;
        if entry.state != State::Running {
            return None;
        }
        let head = entry.entries.pop_front()?;
        self.running -= 1;
        if entry.entries.is_empty() {
            self.lanes.remove(lane);
        } else {
            let turn = self.turn_for(lane);
            if let Some(entry) = self.lanes.get_mut(lane) {
                entry.state = State::Ready { turn };
            }
        }
        Some(head)
    }

    /// The head failed: it and its followers leave, and the lane is blocked until [`Self::clear`].
    /// `None` if the lane was not running.
    pub fn fail(&mut self, lane: &ReservationId) -> Option<Failed<W>> {
        let entry = self.lanes.get_mut(lane)?;
        if entry.state != State::Running {
            return None;
        }
        let head = entry.entries.pop_front()?;
        let followers: Vec<W> = entry.entries.drain(..).collect();
        entry.state = State::Failing;
        self.running -= 1;
        self.waiting -= followers.len();
        Some(Failed { head, followers })
    }

    /// The settlement of a failed lane is confirmed: the next message starts a new lane.
    pub fn clear(&mut self, lane: &ReservationId) {
        if self.lanes.get(lane).is_some_and(|entry| entry.state == State::Failing) {
            self.lanes.remove(lane);
        }
    }

    /// Removes the messages of a lane that have not started, in order. A current run stays.
    pub fn take_waiting(&mut self, lane: &ReservationId) -> Vec<W> {
        let Some(entry) = self.lanes.get_mut(lane) else { return Vec::new() };
        let taken: Vec<W> = match entry.state {
            State::Ready { turn } => {
                self.ready.remove(&turn);
                let entry = self.lanes.remove(lane);
                entry.into_iter().flat_map(|entry| entry.entries).collect()
            }
            State::Running => entry.entries.drain(1..).collect(),
            State::Failing => Vec::new(),
        };
        self.waiting -= taken.len();
        taken
    }

    /// Removes everything that has not started, lane by lane, each in order.
    pub fn take_all_waiting(&mut self) -> Vec<W> {
        let lanes: Vec<ReservationId> = self.lanes.keys().cloned().collect();
        lanes.iter().flat_map(|lane| self.take_waiting(lane)).collect()
    }

    /// Messages that have not started.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Lanes whose head may start.
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Current runs.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Whether no lane exists.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    fn turn_for(&mut self, lane: &ReservationId) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.ready.insert(turn, lane.clone());
        turn
    }
}

#[cfg(test)]
mod tests;
