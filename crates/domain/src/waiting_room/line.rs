//! The line of one show: who waits, whose turn it is, and who has gone.
//!
//! Whoever joins takes the next number, and the lowest number that waits is next: who vanishes leaves no hole, and who comes
//! back is where they were, ahead of everybody behind them (trap W2, W3).
//!
//! ```text
//!  join ─▶ Waiting ──turn──▶ Ready ──enter──▶ Entered
//!           ▲    │silent       │unused
//!      beat │    ▼             ▼
//!           └─ Absent ◀────────┘      third time, or too long: Expired;  leave, from anywhere: Left
//! ```
//!
//! **Two buckets.** A turn takes a token, and being ready is a grant (trap W5). If a turn is not used within
//! [`Patience::prompt`] its token goes back and somebody else gets a turn, so no-shows cost nothing; who comes later than
//! that takes a token all the same, even one that is not there yet, and so does who missed a turn before. The second bucket
//! is of passes: it says from when on each is given, so that no window has more of them than the rate and the burst, whenever
//! people choose to come (W2). No more people are ready than could enter within the time that they are, so nobody waits
//! longer than that for a pass. That bound is also where no-shows begin to cost: up to about 40 % who do not come leave the
//! rate as it is, half leave some, and above that it falls.
//!
//! **Loss.** Numbers of a line that is begun anew, or that has lost what came last, are higher than all that were given
//! before (by the clock, 64 a millisecond). Tickets from before carry their number, so whoever shows one is taken back at it;
//! from the first of them on nobody gets a turn for a moment, so that those in front have the time to come (trap W10). A store
//! that loses twice within two seconds may give a number twice: it is the person's whom the line knows by it, and the
//! other's ticket has ended.
//!
//! All work of one call is bounded by [`STEPS_MAX`], whatever the length of the line.

mod time;

use super::bucket::Bucket;
use super::places::{BLOCK, block_of};
use super::rules::{Patience, RuleChange, Rules};
use super::snapshot::{Snapshot, Totals};
use crate::time::Timestamp;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// People that one call of [`Line::tick`] moves for each reason, at most.
pub const STEPS_MAX: usize = 500;
/// Blocks that one snapshot tells, at most.
pub const BLOCKS_MAX: usize = 1_000;
/// By how many numbers a line that has lost what came last jumps ahead at least, whatever the clock says: more than a second of
/// joins. No more than that, because a line that is begun anew soon afterwards begins by the clock, 64 a millisecond: while the
/// numbers are ahead of it, here for two seconds, some would be given twice.
pub const JUMP: u64 = 1 << 17;
/// How long nobody gets a turn after a loss: those in front send a sign of life every second or two.
pub const HOLD: Duration = Duration::from_secs(3);
/// If nobody has ticked for so long, signs of life were lost on their way, and nobody is absent for that.
pub const STALL: Duration = Duration::from_secs(2);
/// Turns that a person may leave unused.
pub const MISSED_MAX: u8 = 3;

/// What a ticket says: it is the person's, signed, and outlives the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The number in line.
    pub number: u64,
    /// Who it is: the same key has the same number.
    pub key: Arc<str>,
    /// When they joined.
    pub joined_at: Timestamp,
}

/// Where somebody stands.
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
    /// They came too late, too often.
    Expired,
}

/// Why nobody new may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The line is closed.
    Closed,
    /// As many wait as may.
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
    /// Numbers up to this were given before the line was begun, by what was lost.
    base: u64,
    /// Numbers after the first and up to the second may have been given by what was lost since.
    gap: (u64, u64),
    last: u64,
    high: u64,
    /// When it was begun, or last went on after a loss; and whether anybody from before has come since.
    founded_at: Timestamp,
    is_found_again: bool,
    no_turns_before: Timestamp,
    nobody_absent_before: Timestamp,
    ticked_at: Timestamp,
    turns: Bucket,
    passes: Bucket,
    // Trees, because a table of a hundred thousand people takes tens of milliseconds to grow, and all wait meanwhile.
    people: BTreeMap<u64, Person>,
    numbers: BTreeMap<Arc<str>, u64>,
    waiting: BTreeSet<u64>,
    /// Those who wait, who has been silent longest first.
    seen: BTreeSet<(Timestamp, u64)>,
    /// Those whose turn's token is kept, oldest turn first, and those whose is not.
    held: BTreeSet<(Timestamp, u64)>,
    unheld: BTreeSet<(Timestamp, u64)>,
    /// Those who are only remembered, by since when.
    remembered: BTreeSet<(Timestamp, u64)>,
    /// How many wait in each block, and at which version that changed.
    blocks: BTreeMap<u64, (u64, u64)>,
    changes: BTreeMap<u64, u64>,
    /// Changes of blocks so far.
    version: u64,
    /// The block before which everything was cleared away, and the version at which that was done.
    cleared: (u64, u64),
    totals: Totals,
}

impl Line {
    /// A line without anybody. `incarnation` is a number that no line had before, for example a random one.
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

    /// The store has lost what came last. Numbers are given above all that may have been given, for a moment nobody gets
    /// a turn, and the rules are the last that are known.
    pub fn lost(&mut self, incarnation: u64, rules: Rules, now: Timestamp) {
        self.incarnation = incarnation;
        self.rules = rules.with(RuleChange::default());
        self.turns.set(self.rules.rate, self.rules.burst, now);
        self.passes.set(self.rules.rate, self.rules.burst, now);
        if self.gap.1 == self.base || now.since(self.founded_at) >= HOLD {
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

    /// Takes the next number, or tells the place that this person has. It is a sign of life as well.
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

    /// A sign of life of who holds this ticket, and where they stand.
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

    /// Turns a turn into a pass: [`Standing::Entered`] with the time from which on it may be given. Once more: the same
    /// (trap W8). Anything else is where they stand instead.
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

    /// Goes away for good. Who has entered has entered.
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

    /// What a gateway that has the line at `since` (an incarnation and a version) does not know yet.
    pub fn snapshot(&self, since: Option<(u64, u64)>, now: Timestamp) -> Snapshot {
        let since = since.filter(|(incarnation, _)| *incarnation == self.incarnation);
        let from = since.map_or(0, |(_, version)| version.min(self.version));
        let mut changed = self.changes.range(from + 1..);
        let told: Vec<_> = changed.by_ref().take(BLOCKS_MAX).collect();
        let more = changed.next().is_some();
        let version = if more { *told[told.len() - 1].0 } else { self.version };
        Snapshot {
            incarnation: self.incarnation,
            version,
            at: now,
            head: self.head(),
            high: self.high,
            last: self.last,
            rules: self.rules,
            totals: self.totals,
            blocks: told.into_iter().map(|(_, block)| (*block, self.blocks[block].0)).collect(),
            cleared: if from < self.cleared.1 { self.cleared.0 } else { 0 },
            more,
        }
    }

    /// What the operator changes, from now on; and what the rules are then.
    pub fn rule(&mut self, change: RuleChange, now: Timestamp) -> Rules {
        let rules = self.rules.with(change);
        self.turns.set(rules.rate, rules.burst, now);
        self.passes.set(rules.rate, rules.burst, now);
        self.rules = rules;
        rules
    }

    /// What the operator has decided.
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    fn head(&self) -> u64 {
        self.waiting.first().copied().unwrap_or(self.last + 1)
    }

    fn hold(&mut self, now: Timestamp) {
        self.no_turns_before = self.no_turns_before.max(now.plus(HOLD));
        self.nobody_absent_before = self.nobody_absent_before.max(now.plus(self.patience.grace));
    }

    /// Somebody with a ticket that the line does not know: it has been lost, or forgotten long after its time (`false`).
    fn take_back(&mut self, ticket: &Ticket, now: Timestamp) -> bool {
        let is_ours = ticket.number > self.base && ticket.number <= self.last;
        if is_ours && (ticket.number <= self.gap.0 || ticket.number > self.gap.1) {
            return false;
        }
        // Who has joined again meanwhile has two tickets, of which the first counts.
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
        // The first of those from before; others in front of them will come as well. Who comes while the line is held for
        // the loss itself holds it a half longer at most: entry goes on within 5 s.
        if !self.is_found_again {
            self.is_found_again = true;
            let is_held = now < self.no_turns_before;
            self.hold(if is_held { now.min(self.founded_at.plus(HOLD / 2)) } else { now });
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

    /// Moves somebody from one state to another, in every index and count.
    fn set(&mut self, number: u64, state: State) {
        let Some(person) = self.people.get_mut(&number) else { return };
        let before = core::mem::replace(&mut person.state, state);
        if let (State::Waiting { seen }, State::Waiting { seen: again }) = (before, state) {
            // By far the most common, and of no interest to anybody who knows the line.
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
