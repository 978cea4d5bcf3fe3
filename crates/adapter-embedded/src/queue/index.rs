//! Which messages exist and which are leased: the part of a queue that is kept in memory, about 100
//! bytes a message. Pure: no I/O, no clock; times are arguments.
//!
//! Standard: `ready` holds the visible messages, oldest first. FIFO: `waiting` holds the visible
//! messages of each group in order, `busy` the groups with messages in flight, and `ready` the head
//! of each group with none in flight. So a receive costs O(log n) whatever is queued, and a group
//! with a message in flight gives nothing.
//!
//! A message leaves in two steps: `leave` hides it (and keeps its group blocked) while its removal
//! is being written, `gone` forgets it once that is durable.

use std::collections::{BTreeMap, BTreeSet};

/// Microseconds of the process's monotonic clock.
pub(crate) type Instant = u64;

/// The lease of a message in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) number: u64,
    pub(crate) taken: Instant,
    pub(crate) until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Visible,
    Delayed(Instant),
    Leased(Lease),
    Leaving,
}

/// What the index knows of a message without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Hash of the group. Two groups with the same hash block each other and keep their order,
    /// which is harmless.
    pub(crate) group: u64,
    /// When the message entered this queue, in milliseconds since the Unix epoch.
    pub(crate) arrived: u64,
    /// When it was first received; 0 = never.
    pub(crate) first_received: u64,
    pub(crate) received: u32,
    pub(crate) state: State,
}

/// The messages that a receive found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Handed out, in order, with their state at that moment.
    pub(crate) leased: Vec<Leased>,
    /// Received too often: to move to the dead-letter queue; `leave` has been done.
    pub(crate) spent: Vec<u64>,
}

/// A message that a receive hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) place: u64,
    pub(crate) lease: u64,
    pub(crate) received: u32,
    pub(crate) first_received: u64,
}

/// How a receive takes messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Take {
    pub(crate) max: usize,
    pub(crate) now: Instant,
    pub(crate) until: Instant,
    /// Wall-clock milliseconds.
    pub(crate) at: u64,
    pub(crate) receives_max: u32,
}

pub(crate) struct Index {
    fifo: bool,
    messages: BTreeMap<u64, Entry>,
    /// (place, group) of the messages that a receive may begin with.
    ready: BTreeSet<(u64, u64)>,
    /// (group, place) of visible messages; FIFO only.
    waiting: BTreeSet<(u64, u64)>,
    /// How many messages of a group are in flight or leaving; FIFO only.
    busy: BTreeMap<u64, u32>,
    /// Ends of leases and delays.
    timers: BTreeSet<(Instant, u64)>,
    out: u64,
    delayed: u64,
    last_lease: u64,
}

impl Index {
    pub(crate) fn new(fifo: bool) -> Self {
        Self {
            fifo,
            messages: BTreeMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            busy: BTreeMap::new(),
            timers: BTreeSet::new(),
            out: 0,
            delayed: 0,
            last_lease: 0,
        }
    }

    /// Adds a message that is now durable. Its state is visible or delayed.
    pub(crate) fn add(&mut self, place: u64, entry: Entry) {
        self.messages.insert(place, entry);
        match entry.state {
            State::Delayed(until) => {
                self.delayed += 1;
                self.timers.insert((until, place));
            }
            _ => self.show(place, entry.group),
        }
    }

    /// Makes due messages visible. Returns whether there were any.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(&(until, place)) = self.timers.first() {
            if until > now {
                break;
            }
            self.surface(place);
            any = true;
        }
        any
    }

    /// Leases up to `max` messages, oldest first; of one group as many as there are, in order.
    pub(crate) fn take(&mut self, take: Take) -> Taken {
        let mut taken = Taken::default();
        while taken.leased.len() < take.max {
            let Some(&(head, group)) = self.ready.first() else { break };
            if self.is_spent(head, take.receives_max) {
                self.leave(head);
                taken.spent.push(head);
                continue;
            }
            self.ready.pop_first();
            if !self.fifo {
                taken.leased.extend(self.lease(head, take));
                continue;
            }
            let room = take.max - taken.leased.len();
            let run: Vec<u64> = self
                .waiting
                .range((group, 0)..=(group, u64::MAX))
                .map(|&(_, place)| place)
                .take(room)
                .take_while(|&place| !self.is_spent(place, take.receives_max))
                .collect();
            for place in run {
                self.waiting.remove(&(group, place));
                *self.busy.entry(group).or_default() += 1;
                taken.leased.extend(self.lease(place, take));
            }
        }
        taken
    }

    /// Whether a receive would find something now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the next lease or delay ends.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|&(until, _)| until)
    }

    pub(crate) fn get(&self, place: u64) -> Option<&Entry> {
        self.messages.get(&place)
    }

    /// Messages in order, from a place on.
    pub(crate) fn from(&self, place: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.messages.range(place..).map(|(place, entry)| (*place, entry))
    }

    /// Moves the end of a lease.
    pub(crate) fn extend(&mut self, place: u64, until: Instant) {
        if let Some(Entry { state: State::Leased(lease), .. }) = self.messages.get_mut(&place) {
            self.timers.remove(&(lease.until, place));
            lease.until = until;
            self.timers.insert((until, place));
        }
    }

    /// Ends a lease or delay: the message is visible again, at its old place.
    pub(crate) fn surface(&mut self, place: u64) {
        let Some(entry) = self.messages.get_mut(&place) else { return };
        let group = entry.group;
        match entry.state {
            State::Delayed(until) => {
                self.delayed -= 1;
                self.timers.remove(&(until, place));
            }
            State::Leased(lease) => {
                self.out -= 1;
                self.timers.remove(&(lease.until, place));
            }
            State::Visible | State::Leaving => return,
        }
        let was_out = matches!(entry.state, State::Leased(_));
        entry.state = State::Visible;
        self.show(place, group);
        if was_out && self.fifo {
            self.unblock(group);
        }
    }

    /// Hides a message until `gone`. Returns whether it was there and not leaving yet.
    pub(crate) fn leave(&mut self, place: u64) -> bool {
        let Some(entry) = self.messages.get_mut(&place) else { return false };
        let (group, before) = (entry.group, entry.state);
        if before == State::Leaving {
            return false;
        }
        entry.state = State::Leaving;
        match before {
            State::Leased(lease) => {
                self.timers.remove(&(lease.until, place));
                return true;
            }
            State::Delayed(until) => {
                self.delayed -= 1;
                self.timers.remove(&(until, place));
            }
            State::Visible | State::Leaving => {}
        }
        self.out += 1;
        if self.fifo {
            if let Some(head) = self.head(group) {
                self.ready.remove(&(head, group));
            }
            self.waiting.remove(&(group, place));
            *self.busy.entry(group).or_default() += 1;
        } else {
            self.ready.remove(&(place, group));
        }
        true
    }

    /// Forgets a message whose removal is durable.
    pub(crate) fn gone(&mut self, place: u64) {
        let Some(entry) = self.messages.remove(&place) else { return };
        debug_assert_eq!(entry.state, State::Leaving);
        self.out -= 1;
        if self.fifo {
            self.unblock(entry.group);
        }
    }

    /// Messages visible, in flight (including leaving ones), and delayed.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        (self.messages.len() as u64 - self.out - self.delayed, self.out, self.delayed)
    }

    fn is_spent(&self, place: u64, receives_max: u32) -> bool {
        self.messages.get(&place).is_some_and(|entry| entry.received >= receives_max)
    }

    fn lease(&mut self, place: u64, take: Take) -> Option<Leased> {
        let entry = self.messages.get_mut(&place)?;
        self.last_lease += 1;
        entry.received = entry.received.saturating_add(1);
        if entry.first_received == 0 {
            entry.first_received = take.at;
        }
        entry.state = State::Leased(Lease { number: self.last_lease, taken: take.now, until: take.until });
        let leased = Leased {
            place,
            lease: self.last_lease,
            received: entry.received,
            first_received: entry.first_received,
        };
        self.timers.insert((take.until, place));
        self.out += 1;
        Some(leased)
    }

    /// Makes a visible message available to receives.
    fn show(&mut self, place: u64, group: u64) {
        if !self.fifo {
            self.ready.insert((place, group));
            return;
        }
        let blocked = self.busy.contains_key(&group);
        let head = self.head(group);
        self.waiting.insert((group, place));
        if !blocked && head.is_none_or(|head| place < head) {
            if let Some(head) = head {
                self.ready.remove(&(head, group));
            }
            self.ready.insert((place, group));
        }
    }

    /// One message of the group is no longer in flight.
    fn unblock(&mut self, group: u64) {
        let Some(out) = self.busy.get_mut(&group) else { return };
        *out -= 1;
        if *out > 0 {
            return;
        }
        self.busy.remove(&group);
        if let Some(head) = self.head(group) {
            self.ready.insert((head, group));
        }
    }

    fn head(&self, group: u64) -> Option<u64> {
        self.waiting.range((group, 0)..=(group, u64::MAX)).next().map(|&(_, place)| place)
    }
}
