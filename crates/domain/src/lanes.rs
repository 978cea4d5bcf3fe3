//! Lanes: one a reservation. Runs of a lane start one at a time and in the order of receipt; lanes run side by side.
//!
//! - At most one run a lane (invariant Q2), the oldest first (Q3). Lanes take turns: the lane that has waited longest
//!   for a start is next, so one busy reservation cannot starve the others.
//! - A lane fails as a unit (trap T3): the head and its followers leave together, in order, and the lane stays blocked
//!   until the caller says that their settlement is confirmed; whatever arrives meanwhile is refused, so a head
//!   that will be retried is never overtaken.
//! - A message that is in its lane already is not queued again (trap T7): the caller gets both and keeps the newer lease.
//! - A lane has a bounded depth; what does not fit is refused, in order: once one was refused, so is everything
//!   behind it until the lane has emptied, or the lane would let a younger message pass an older one.
//!
//! Lanes know no time, no lease and no queue. `W` is what the caller files under a message id, such as a ticket.

use crate::id::ReservationId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// All lanes of one worker.
#[derive(Debug)]
pub struct Lanes<W> {
    lanes: BTreeMap<ReservationId, Lane<W>>,
    /// Lanes whose head may start, by the turn in which they became ready.
    ready: BTreeMap<u64, ReservationId>,
    next_turn: u64,
    depth_max: usize,
    waiting: usize,
    running: usize,
}

#[derive(Debug)]
struct Lane<W> {
    /// The head first; while a run is going on the head is what runs.
    entries: VecDeque<(Arc<str>, W)>,
    state: State,
    /// Something was refused for want of room, so nothing may enter before the lane is empty.
    overflowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready { turn: u64 },
    Running,
    Failing,
}

/// What became of a message that was offered to its lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<'l, W> {
    /// It waits in its lane.
    Queued,
    /// The lane has that message already: `present` is what was filed, `newer` what was offered and is not filed.
    Known {
        /// What the lane holds.
        present: &'l mut W,
        /// What came now.
        newer: W,
    },
    /// The lane is full, or it is failing: hand this back.
    Refused(W),
}

/// What leaves when a lane fails.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed<W> {
    /// What ran.
    pub head: W,
    /// What waited behind it, in order.
    pub followers: Vec<W>,
}

impl<W> Lanes<W> {
    /// No lanes yet. A lane takes at most `depth_max` messages (at least 1), its run included.
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

    /// Puts a message at the end of its lane.
    pub fn offer(&mut self, lane: &ReservationId, id: &Arc<str>, work: W) -> Offer<'_, W> {
        if !self.lanes.contains_key(lane) {
            let turn = self.turn_for(lane);
            let entries = VecDeque::from([(id.clone(), work)]);
            self.lanes
                .insert(lane.clone(), Lane { entries, state: State::Ready { turn }, overflowed: false });
            self.waiting += 1;
            return Offer::Queued;
        }
        let Some(entry) = self.lanes.get_mut(lane) else { return Offer::Refused(work) };
        if let Some(at) = entry.entries.iter().position(|(known, _)| known == id) {
            return Offer::Known { present: &mut entry.entries[at].1, newer: work };
        }
        if entry.state == State::Failing || entry.overflowed || entry.entries.len() >= self.depth_max {
            entry.overflowed |= entry.state != State::Failing;
            return Offer::Refused(work);
        }
        entry.entries.push_back((id.clone(), work));
        self.waiting += 1;
        Offer::Queued
    }

    /// The heads that may start, the longest waiting lane first.
    pub fn ready(&self) -> impl Iterator<Item = (&ReservationId, &W)> {
        self.ready.values().filter_map(|lane| {
            let (_, head) = self.lanes.get(lane)?.entries.front()?;
            Some((lane, head))
        })
    }

    /// The head that is next to start.
    pub fn next_ready(&self) -> Option<(&ReservationId, &W)> {
        self.ready().next()
    }

    /// Starts the head of a lane. `false`, and nothing changes, if the lane is not ready.
    pub fn start(&mut self, lane: &ReservationId) -> bool {
        let Some(entry) = self.lanes.get_mut(lane) else { return false };
        let State::Ready { turn } = entry.state else { return false };
        entry.state = State::Running;
        self.ready.remove(&turn);
        self.waiting -= 1;
        self.running += 1;
        true
    }

    /// The head is done with: it leaves, and the next of the lane may start. `None` if the lane was not running.
    pub fn finish(&mut self, lane: &ReservationId) -> Option<W> {
        let entry = self.lanes.get_mut(lane)?;
        if entry.state != State::Running {
            return None;
        }
        let (_, head) = entry.entries.pop_front()?;
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

    /// The head failed: it and its followers leave, and the lane is blocked until [`Self::clear`]. `None` if the lane was
    /// not running.
    pub fn fail(&mut self, lane: &ReservationId) -> Option<Failed<W>> {
        let entry = self.lanes.get_mut(lane)?;
        if entry.state != State::Running {
            return None;
        }
        let (_, head) = entry.entries.pop_front()?;
        let followers: Vec<W> = entry.entries.drain(..).map(|(_, work)| work).collect();
        entry.state = State::Failing;
        self.running -= 1;
        self.waiting -= followers.len();
        Some(Failed { head, followers })
    }

    /// The settlement of a failed lane is confirmed: what arrives from now on starts a new lane.
    pub fn clear(&mut self, lane: &ReservationId) {
        if self.lanes.get(lane).is_some_and(|entry| entry.state == State::Failing) {
            self.lanes.remove(lane);
        }
    }

    /// Takes what has not started out of a lane, in order. A run that is going on stays.
    pub fn take_waiting(&mut self, lane: &ReservationId) -> Vec<W> {
        let Some(entry) = self.lanes.get_mut(lane) else { return Vec::new() };
        let taken: Vec<W> = match entry.state {
            State::Ready { turn } => {
                self.ready.remove(&turn);
                let entry = self.lanes.remove(lane);
                entry.into_iter().flat_map(|entry| entry.entries).map(|(_, work)| work).collect()
            }
            State::Running => entry.entries.drain(1..).map(|(_, work)| work).collect(),
            State::Failing => Vec::new(),
        };
        self.waiting -= taken.len();
        taken
    }

    /// Takes out everything that has not started, lane by lane, each in order.
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

    /// Runs that are going on.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Whether there is no lane at all.
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
