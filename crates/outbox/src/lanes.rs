//! Loaded rows in lanes, one lane a reservation: only the head of a lane is being sent, and a
//! failed head holds its followers. Pure.
//!
//! Heads of different lanes share a batch. Two rows of one lane never do, because a batch may fail
//! in part and the follower would overtake (trap T-T3, seen from the sender). A row that makes
//! whole batches fail is sent alone, so that it is found and holds only its own lane.

use crate::row::PendingRow;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Arc<str>, Lane>,
    ready: VecDeque<Arc<str>>,
    resting: BTreeSet<(Duration, Arc<str>)>,
    rows: usize,
}

#[derive(Debug, Default)]
struct Lane {
    rows: VecDeque<PendingRow>,
    /// The head is being sent or waits after a failure; nothing may pass it.
    head_is_fixed: bool,
    failures: u32,
    alone: bool,
}

impl Lanes {
    /// Puts a row in its place in its lane: by due time, and never before a head that was already
    /// tried.
    pub(crate) fn push(&mut self, row: PendingRow) {
        let lane = self.lanes.entry(row.reservation.clone()).or_default();
        if lane.rows.is_empty() {
            self.ready.push_back(row.reservation.clone());
        }
        let from = usize::from(lane.head_is_fixed);
        let order = |row: &PendingRow| (row.due, row.event_id.clone());
        let at = lane.rows.iter().skip(from).position(|other| order(other) > order(&row));
        lane.rows.insert(at.map_or(lane.rows.len(), |at| at + from), row);
        self.rows += 1;
    }

    /// Takes up to `max` heads for one batch. They count as being sent until their result is
    /// recorded.
    pub(crate) fn take(&mut self, max: usize) -> Vec<PendingRow> {
        let mut batch = Vec::new();
        while batch.len() < max {
            let Some(reservation) = self.ready.pop_front() else { break };
            let lane = self.lanes.get_mut(&reservation).expect("a ready lane exists");
            if lane.alone && !batch.is_empty() {
                self.ready.push_front(reservation);
                break;
            }
            lane.head_is_fixed = true;
            batch.push(lane.rows.front().expect("a lane has a head").clone());
            if lane.alone {
                break;
            }
        }
        batch
    }

    /// Records that the queue accepted the head of this lane: the next row may go.
    pub(crate) fn sent(&mut self, reservation: &Arc<str>) {
        let lane = self.lanes.get_mut(reservation).expect("a lane in flight exists");
        lane.rows.pop_front();
        self.rows -= 1;
        if lane.rows.is_empty() {
            self.lanes.remove(reservation);
        } else {
            (lane.head_is_fixed, lane.failures, lane.alone) = (false, 0, false);
            self.ready.push_back(reservation.clone());
        }
    }

    /// Records that the queue refused the head of this lane, which may be tried again at `until`.
    pub(crate) fn failed(&mut self, reservation: &Arc<str>, until: Duration) {
        let lane = self.lanes.get_mut(reservation).expect("a lane in flight exists");
        lane.failures = lane.failures.saturating_add(1);
        self.resting.insert((until, reservation.clone()));
    }

    /// How many times in a row the head of this lane was refused.
    pub(crate) fn failures(&self, reservation: &str) -> u32 {
        self.lanes.get(reservation).map_or(0, |lane| lane.failures)
    }

    /// Records that the whole call failed: the head may be tried again as soon as calls are.
    /// `alone`: in a batch of its own.
    pub(crate) fn call_failed(&mut self, reservation: &Arc<str>, alone: bool) {
        let lane = self.lanes.get_mut(reservation).expect("a lane in flight exists");
        lane.alone |= alone;
        self.ready.push_back(reservation.clone());
    }

    /// Makes lanes ready again whose wait is over.
    pub(crate) fn wake(&mut self, now: Duration) {
        while self.resting.first().is_some_and(|(until, _)| *until <= now) {
            let (_, reservation) = self.resting.pop_first().expect("there is a first");
            self.ready.push_back(reservation);
        }
    }

    /// When the first wait is over.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.resting.first().map(|(until, _)| *until)
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Rows in all lanes.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

#[cfg(test)]
mod tests;
