//! The line of one show: the people in it, their turns and their ends.
//!
//! Each join takes the next number, and the lowest waiting number is next. So people
//! who vanish leave no hole, and people who return get their old position, ahead of everybody
//! behind them (traps T-W2, T-W3).
//!
//! ```text
//!  join ─▶ Waiting ──turn──▶ Ready ──enter──▶ Entered
//!           ▲    │silent       │unused
//!      beat │    ▼             ▼
//!           └─ Absent ◀────────┘     third time, or too long: Expired;  leave, from anywhere: Left
//! ```
//!
//! **Two buckets.** A turn takes a token, and being ready is a grant (trap T-W5). If a turn is not
//! used within [`Patience::prompt`], its token goes back and the next person gets a turn, so
//! no-shows cost nothing. A person who enters later than that still takes a token, even one that is
//! not there yet, and so does a person who missed a turn before. The second bucket is of passes: it
//! says from when on each is given, so that no window has more of them than the rate and the burst,
//! whenever people choose to enter (invariant W2). At most as many people are ready as could enter
//! within the time of a turn, so nobody waits longer than that for a pass. This bound is also where
//! no-shows begin to cost: with up to about 40 % no-shows the line keeps its rate, with half it
//! loses some, and with more the rate falls.
//!
//! **Loss.** A line that starts anew, or that lost its latest changes, gives numbers above all
//! earlier ones (by the clock, 64 a millisecond). Old tickets carry their number, so anybody who
//! shows one gets it back. After the first of them, nobody gets a turn for a moment, so that those
//! in front have the time to come (trap T-W10). A store that loses data twice within two seconds
//! may give a number twice: it belongs to the person the line knows by it, and the other ticket has
//! ended.
//!
//! [`STEPS_MAX`] bounds the work of one call, whatever the length of the line.

mod time;

use super::bucket::Bucket;
use super::places::{BLOCK, block_of};
use super::rules::{Patience, RuleChange, Rules};
use super::snapshot::{Snapshot, Totals};
use crate::time::Timestamp;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One call of [`Line::tick`] moves at most this many people for each reason.
pub const STEPS_MAX: usize = 500;
/// One snapshot has at most this many blocks.
pub const BLOCKS_MAX: usize = 1_000;
/// A line that lost its latest changes jumps ahead by at least this many numbers, whatever the
/// clock says: more than a second of joins. Not by more, because a line that starts anew soon
/// afterwards starts by the clock, 64 a millisecond. As long as the numbers are ahead of the clock,
/// here for two seconds, such a line would give some of them twice.
pub const JUMP: u64 = 1 << 17;
/// For this long after a loss nobody gets a turn: those in front send a sign of life every second
/// or two.
pub const NO_TURNS_FOR: Duration = Duration::from_secs(3);
/// If no tick came for this long, signs of life may have been lost on their way, and nobody becomes
/// absent because of that.
pub const STALL: Duration = Duration::from_secs(2);
/// Turns that a person may leave unused.
pub const MISSED_MAX: u8 = 3;

/// The contents of a ticket: it is signed, belongs to the person, and outlives the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The number in line.
    pub number: u64,
    /// The person: the same key has the same number.
    pub key: Arc<str>,
    /// When the person joined.
    pub joined_at: Timestamp,
}

/// Where a person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In line.
    Waiting,
    /// It is their turn until then.
    Ready {
        /// The end of the turn.
        until: Timestamp,
    },
    /// They have entered; the pass is good from `at` until `until`.
    Entered {
        /// From when on.
        at: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// They have left.
    Left,
    /// They missed their turn too often, or stayed away too long.
    Expired,
}

/// Why nobody new may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The line is closed.
    Closed,
    /// The line is at its capacity.
    Full,
}

#[derive(Debug, Clone)]
struct Person {
    ticket: Ticket,
    missed: u8,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting { seen: Timestamp },
    Absent { since: Timestamp },
    Ready { since: Timestamp, held: bool },
    Entered { at: Timestamp },
    Left { at: Timestamp },
    Expired { at: Timestamp },
}

/// The line of one show.
#[derive(Debug, Clone)]
pub struct Line {
    incarnation: u64,
    rules: Rules,
    patience: Patience,
    /// Numbers up to this were given by an earlier line whose data is lost.
    base: u64,
    /// Numbers after the first and up to the second may have been given in a part of this line that
    /// was lost.
    gap: (u64, u64),
    last: u64,
    high: u64,
    /// When the line started, or continued after a loss; and whether anyone with an older ticket
    /// has come since.
    founded_at: Timestamp,
    is_found_again: bool,
    no_turns_before: Timestamp,
    nobody_absent_before: Timestamp,
    ticked_at: Timestamp,
    turns: Bucket,
    passes: Bucket,
    // Trees, because a table of a hundred thousand people takes tens of milliseconds to grow, and
    // everyone waits meanwhile.
    people: BTreeMap<u64, Person>,
    numbers: BTreeMap<Arc<str>, u64>,
    waiting: BTreeSet<u64>,
    /// Waiting people, those silent for longest first.
    seen: BTreeSet<(Timestamp, u64)>,
    /// Ready people whose token is still reserved, oldest turn first; and those whose token went
    /// back.
    held: BTreeSet<(Timestamp, u64)>,
    unheld: BTreeSet<(Timestamp, u64)>,
    /// People who only are remembered, by when that began.
    remembered: BTreeSet<(Timestamp, u64)>,
    /// How many people wait in each block, and the version of the last change.
    blocks: BTreeMap<u64, (u64, u64)>,
    changes: BTreeMap<u64, u64>,
    /// Changes of blocks so far.
    version: u64,
    /// All blocks before this one are cleared; and the version when that happened.
    cleared: (u64, u64),
    totals: Totals,
}

impl Line {
    /// An empty line. `incarnation` is a number that no earlier line had, for example a random one.
    pub fn new(incarnation: u64, rules: Rules, patience: Patience, now: Timestamp) -> Self {
        let rules = rules.with(RuleChange::default());
        let base = now.as_millis().saturating_mul(BLOCK);
        Self {
            incarnation,
            rules,
            patience,
            base,
            gap: (base, base),
            last: base,
            high: 0,
            founded_at: now,
            is_found_again: false,
            no_turns_before: now,
            nobody_absent_before: now,
            ticked_at: now,
            turns: Bucket::new(rules.rate, rules.burst, now),
            passes: Bucket::new(rules.rate, rules.burst, now),
            people: BTreeMap::new(),
            numbers: BTreeMap::new(),
            waiting: BTreeSet::new(),
            seen: BTreeSet::new(),
            held: BTreeSet::new(),
            unheld: BTreeSet::new(),
            remembered: BTreeSet::new(),
            blocks: BTreeMap::new(),
            changes: BTreeMap::new(),
            version: 0,
            cleared: (0, 0),
            totals: Totals::default(),
        }
    }

    /// The store lost its latest changes. The next numbers are above all that may have been given,
    /// nobody gets a turn for a moment, and the given rules apply: the last known ones.
    pub fn lost(&mut self, incarnation: u64, rules: Rules, now: Timestamp) {
        self.incarnation = incarnation;
        self.rules = rules.with(RuleChange::default());
        self.turns.set(self.rules.rate, self.rules.burst, now);
        self.passes.set(self.rules.rate, self.rules.burst, now);
        if self.gap.1 == self.base || now.since(self.founded_at) >= NO_TURNS_FOR {
            self.gap.0 = self.last;
        }
        self.last = (self.last + JUMP).max(now.as_millis().saturating_mul(BLOCK)).next_multiple_of(BLOCK);
        self.gap.1 = self.last;
        self.founded_at = now;
        self.is_found_again = false;
        self.hold(now);
        self.turns.empty(now);
        self.passes.empty(now);
    }

    /// Takes the next number, or returns this person's existing ticket. It also counts as a sign of
    /// life.
    pub fn join(&mut self, key: &str, now: Timestamp) -> Result<Ticket, Refusal> {
        if let Some(number) = self.numbers.get(key).copied() {
            let person = &self.people[&number];
            let is_over = match person.state {
                State::Entered { at } => now >= at.plus(self.patience.pass_for),
                State::Left { .. } | State::Expired { .. } => true,
                _ => false,
            };
            if !is_over {
                let ticket = person.ticket.clone();
                self.beat(&ticket, now);
                return Ok(ticket);
            }
        }
        if self.rules.closed {
            return Err(Refusal::Closed);
        }
        if self.totals.waiting >= self.rules.capacity {
            return Err(Refusal::Full);
        }
        self.last += 1;
        let ticket = Ticket { number: self.last, key: key.into(), joined_at: now };
        self.add(ticket.clone(), now);
        Ok(ticket)
    }

    /// A sign of life of the owner of this ticket. Returns where they stand.
    pub fn beat(&mut self, ticket: &Ticket, now: Timestamp) -> Standing {
        let Some(person) = self.people.get(&ticket.number) else {
            return if self.take_back(ticket, now) { Standing::Waiting } else { Standing::Expired };
        };
        if person.ticket.key != ticket.key {
            return Standing::Expired;
        }
        match person.state {
            State::Waiting { .. } | State::Absent { .. } => {
                self.set(ticket.number, State::Waiting { seen: now });
                Standing::Waiting
            }
            State::Ready { since, .. } => Standing::Ready { until: since.plus(self.patience.ready_for) },
            State::Entered { at } => Standing::Entered { at, until: at.plus(self.patience.pass_for) },
            State::Left { .. } => Standing::Left,
            State::Expired { .. } => Standing::Expired,
        }
    }

    /// Turns a turn into a pass: [`Standing::Entered`] with the time when the pass may be given. A
    /// repeated call returns the same pass (trap T-W8). Any other standing means that it is not
    /// their turn.
    pub fn enter(&mut self, ticket: &Ticket, now: Timestamp) -> Standing {
        if let Some(Person { ticket: theirs, state: State::Ready { held, .. }, .. }) =
            self.people.get(&ticket.number)
            && theirs.key == ticket.key
        {
            if !held {
                self.turns.take(1, now);
            }
            let at = self.passes.book(now);
            self.set(ticket.number, State::Entered { at });
        }
        self.beat(ticket, now)
    }

    /// Leaves for good, unless the person has already entered.
    pub fn leave(&mut self, ticket: &Ticket, now: Timestamp) -> Standing {
        let standing = self.beat(ticket, now);
        if let Standing::Waiting | Standing::Ready { .. } = standing {
            if let State::Ready { held: true, .. } = self.people[&ticket.number].state {
                self.turns.give_back(1, now);
            }
            self.set(ticket.number, State::Left { at: now });
            return Standing::Left;
        }
        standing
    }

    /// The changes that a gateway lacks if it has the line at `since` (an incarnation and a
    /// version).
    pub fn snapshot(&self, since: Option<(u64, u64)>, now: Timestamp) -> Snapshot {
        let since = since.filter(|(incarnation, _)| *incarnation == self.incarnation);
        let from = since.map_or(0, |(_, version)| version.min(self.version));
        let mut changed = self.changes.range(from + 1..);
        let blocks: Vec<_> = changed.by_ref().take(BLOCKS_MAX).collect();
        let more = changed.next().is_some();
        let version = if more { *blocks[blocks.len() - 1].0 } else { self.version };
        Snapshot {
            incarnation: self.incarnation,
            version,
            at: now,
            head: self.head(),
            high: self.high,
            last: self.last,
            rules: self.rules,
            totals: self.totals,
            blocks: blocks.into_iter().map(|(_, block)| (*block, self.blocks[block].0)).collect(),
            cleared: if from < self.cleared.1 { self.cleared.0 } else { 0 },
            more,
        }
    }

    /// Applies the operator's changes from now on. Returns the new rules.
    pub fn rule(&mut self, change: RuleChange, now: Timestamp) -> Rules {
        let rules = self.rules.with(change);
        self.turns.set(rules.rate, rules.burst, now);
        self.passes.set(rules.rate, rules.burst, now);
        self.rules = rules;
        rules
    }

    /// The operator's rules.
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    fn head(&self) -> u64 {
        self.waiting.first().copied().unwrap_or(self.last + 1)
    }

    fn hold(&mut self, now: Timestamp) {
        self.no_turns_before = self.no_turns_before.max(now.plus(NO_TURNS_FOR));
        self.nobody_absent_before = self.nobody_absent_before.max(now.plus(self.patience.grace));
    }

    /// Takes a person with an unknown ticket back. `false` if the ticket was not lost but
    /// forgotten, long after its time.
    fn take_back(&mut self, ticket: &Ticket, now: Timestamp) -> bool {
        let is_ours = ticket.number > self.base && ticket.number <= self.last;
        if is_ours && (ticket.number <= self.gap.0 || ticket.number > self.gap.1) {
            return false;
        }
        // A person who joined again meanwhile has two tickets; the first one counts.
        if let Some(other) = self.numbers.get(&ticket.key).copied() {
            match self.people[&other].state {
                State::Waiting { .. } | State::Absent { .. } if other > ticket.number => {
                    self.set(other, State::Left { at: now });
                }
                _ => return false,
            }
        }
        if ticket.number > self.last {
            self.last = (ticket.number + JUMP).next_multiple_of(BLOCK);
            self.gap.1 = self.last;
        }
        // This is the first old ticket; others in front of it will come too. If the line already
        // pauses for the loss, this extends the pause by at most half: entry resumes within 5 s.
        if !self.is_found_again {
            self.is_found_again = true;
            let is_held = now < self.no_turns_before;
            self.hold(if is_held { now.min(self.founded_at.plus(NO_TURNS_FOR / 2)) } else { now });
        }
        self.add(ticket.clone(), now);
        true
    }

    fn add(&mut self, ticket: Ticket, now: Timestamp) {
        let number = ticket.number;
        self.numbers.insert(ticket.key.clone(), number);
        let state = State::Waiting { seen: now };
        self.people.insert(number, Person { ticket, missed: 0, state });
        self.totals.joined += 1;
        self.file(number, state, true);
    }

    /// Moves a person from one state to another, in every index and count.
    fn set(&mut self, number: u64, state: State) {
        let Some(person) = self.people.get_mut(&number) else { return };
        let before = core::mem::replace(&mut person.state, state);
        if let (State::Waiting { seen }, State::Waiting { seen: again }) = (before, state) {
            // By far the most common change, and no gateway needs to see it.
            self.seen.remove(&(seen, number));
            self.seen.insert((again, number));
            return;
        }
        self.file(number, before, false);
        self.file(number, state, true);
    }

    fn file(&mut self, number: u64, state: State, is_in: bool) {
        let (index, at, total) = match state {
            State::Waiting { seen } => (&mut self.seen, seen, &mut self.totals.waiting),
            State::Absent { since } => (&mut self.remembered, since, &mut self.totals.absent),
            State::Ready { since, held: true } => (&mut self.held, since, &mut self.totals.ready),
            State::Ready { since, held: false } => (&mut self.unheld, since, &mut self.totals.ready),
            State::Entered { at } => (&mut self.remembered, at, &mut self.totals.entered),
            State::Left { at } => (&mut self.remembered, at, &mut self.totals.left),
            State::Expired { at } => (&mut self.remembered, at, &mut self.totals.expired),
        };
        if is_in {
            index.insert((at, number));
            *total += 1;
        } else {
            index.remove(&(at, number));
            *total -= 1;
        }
        if matches!(state, State::Waiting { .. }) {
            let is_new = if is_in { self.waiting.insert(number) } else { self.waiting.remove(&number) };
            debug_assert!(is_new, "{number} is filed once");
            self.count(block_of(number), is_in);
        }
    }

    fn count(&mut self, block: u64, is_in: bool) {
        self.version += 1;
        let (count, version) = self.blocks.entry(block).or_default();
        *count = if is_in { *count + 1 } else { *count - 1 };
        self.changes.remove(version);
        *version = self.version;
        self.changes.insert(self.version, block);
    }
}

#[cfg(test)]
mod tests;
