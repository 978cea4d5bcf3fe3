//! The oracle: sees every command that the store carries out, and checks that the line keeps its
//! promises.
//!
//! It keeps its own record of the commands and answers since the line began; a loss removes from
//! that record what it removes from the line. Where it needs a person's standing it asks a copy of
//! the line.

mod passes;

use super::room::{Room, seconds};
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{
    BLOCK, Line, NO_TURNS_FOR, Patience, Refusal, Rules, Snapshot, Standing, Ticket, Totals,
};
use passes::Passes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long before a loss a gateway must have heard from a person to report them to the store
/// again, in microseconds.
const REPORTED_AGAIN: core::ops::Range<u64> = 700_000..20_000_000;

/// The oracle of one line.
pub(super) struct Oracle {
    show: ShowId,
    patience: Patience,
    /// Every ticket that was ever issued.
    given: BTreeMap<u64, Ticket>,
    highest: u64,
    /// Whether numbers must be unique and higher than all before. Not after a clock went back, and
    /// not in the case that [`Oracle::begun_anew`] names.
    is_ordered: bool,
    pub(super) known: Known,
    pub(super) passes: Passes,
    pub(super) rules: Rules,
    pub(super) ruled_at: u64,
    /// People whom a gateway has answered that they wait.
    pub(super) polls: BTreeMap<u64, Poll>,
    /// Numbers that may have entered, left or come too late, as far as people know.
    pub(super) gone: BTreeSet<u64>,
    /// When a person was counted in again after being counted out, and their number.
    pub(super) returns: Vec<(u64, u64)>,
    /// When each loss was noticed.
    pub(super) losses: Vec<u64>,
    /// The highest number that ever got a turn, and what it was at the last loss.
    high: u64,
    high_at_loss: u64,
    /// When the store's clock reaches the time at which it went back.
    pub(super) behind_until: u64,
    /// When the last turn was given.
    pub(super) turn_at: u64,
    /// When a token was last taken in advance.
    pub(super) owed_at: u64,
    pub(super) checks: BTreeMap<&'static str, u64>,
    found: Vec<(&'static str, String)>,
}

/// The store's commands and answers, as far as it has not lost them.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) people: BTreeMap<u64, Seen>,
    numbers: BTreeMap<Arc<str>, u64>,
    pub(super) totals: Totals,
    /// No turn is given before.
    hold_until: Timestamp,
    is_found_again: bool,
    is_after_loss: bool,
    is_anew: bool,
}

/// A person whom the line knows.
#[derive(Clone)]
pub(super) struct Seen {
    ticket: Ticket,
    /// The last sign of life while waiting.
    heard: Timestamp,
    /// When their turn began.
    pub(super) ready: Option<Timestamp>,
    /// When their last turn ended unused.
    ended: Option<Timestamp>,
    /// From when on their pass may be handed out.
    pub(super) booked: Option<Timestamp>,
}

/// A person's polls at a gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Poll {
    pub(super) gateway: u32,
    /// Since when they have polled without a long pause.
    pub(super) since: u64,
    pub(super) at: u64,
}

/// The state before a command.
pub(super) struct Before {
    totals: Totals,
    is_known: bool,
    standing: Option<Standing>,
}

impl Oracle {
    pub(super) fn new(show: ShowId, patience: Patience, rules: Rules) -> Self {
        Self {
            show,
            patience,
            given: BTreeMap::new(),
            highest: 0,
            is_ordered: true,
            known: Known::default(),
            passes: Passes::new(rules),
            rules,
            ruled_at: 0,
            polls: BTreeMap::new(),
            gone: BTreeSet::new(),
            returns: Vec::new(),
            losses: Vec::new(),
            high: 0,
            high_at_loss: 0,
            behind_until: 0,
            turn_at: 0,
            owed_at: 0,
            checks: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn found(&mut self) -> Vec<(&'static str, String)> {
        core::mem::take(&mut self.found)
    }

    pub(super) fn check(&mut self, name: &'static str, holds: bool, text: impl FnOnce() -> String) {
        *self.checks.entry(name).or_default() += 1;
        if !holds {
            self.found.push((name, text()));
        }
    }

    fn totals(line: &Line, now: Timestamp) -> Totals {
        // Asked for changes since the newest version, the snapshot lists none.
        let snapshot = line.snapshot(None, now);
        snapshot.totals
    }

    /// The state before a command of a person.
    pub(super) fn before(&mut self, line: &Line, ticket: &Ticket, now: Timestamp) -> Before {
        let of_ours = self.given.get(&ticket.number).is_some_and(|given| given.key == ticket.key);
        self.check("forged", of_ours || !self.is_ordered, || {
            format!("nobody was given the ticket {ticket:?}")
        });
        let is_known = self.known.people.contains_key(&ticket.number);
        let standing = is_known.then(|| line.clone().beat(ticket, now));
        Before { totals: Self::totals(line, now), is_known, standing }
    }

    pub(super) fn before_join(&self, line: &Line, key: &str, now: Timestamp) -> Option<(Ticket, Standing)> {
        let number = self.known.numbers.get(key)?;
        let ticket = self.known.people.get(number)?.ticket.clone();
        let standing = line.clone().beat(&ticket, now);
        Some((ticket, standing))
    }

    pub(super) fn joined(
        &mut self,
        line: &Line,
        before: Option<(Ticket, Standing)>,
        key: &str,
        joined: &Result<Ticket, Refusal>,
        now: Timestamp,
        micros: u64,
    ) {
        let waiting_before = self.known.totals.waiting;
        if let Some((ticket, standing)) = &before {
            let has_place = match standing {
                Standing::Waiting | Standing::Ready { .. } => true,
                Standing::Entered { until, .. } => now < *until,
                Standing::Left | Standing::Expired => false,
            };
            let same = joined.as_ref().is_ok_and(|now| now.number == ticket.number);
            self.check("W1", !has_place || same, || {
                format!("{key} has number {} ({standing:?}) and joins as {joined:?}", ticket.number)
            });
        }
        let Ok(ticket) = joined else { return self.look(line, now) };
        let is_old =
            self.known.people.contains_key(&ticket.number) && self.given.contains_key(&ticket.number);
        if !is_old {
            let (twice, highest) = (self.given.get(&ticket.number).cloned(), self.highest);
            self.check("W1", !self.is_ordered || twice.is_none(), || {
                format!("number {} of {key} was given before, to {twice:?}", ticket.number)
            });
            self.check("W1", !self.is_ordered || ticket.number > highest, || {
                format!("{key} gets number {}, and {highest} was given before", ticket.number)
            });
            self.given.insert(ticket.number, ticket.clone());
            self.highest = self.highest.max(ticket.number);
            self.meet(ticket, now);
        } else if let Some(seen) = self.known.people.get_mut(&ticket.number)
            && seen.ready.is_none()
        {
            seen.heard = now;
        }
        self.look(line, now);
        if is_old && self.known.totals.waiting > waiting_before {
            self.returns.push((micros, ticket.number));
        }
    }

    fn meet(&mut self, ticket: &Ticket, now: Timestamp) {
        self.known.numbers.insert(ticket.key.clone(), ticket.number);
        let seen = Seen { ticket: ticket.clone(), heard: now, ready: None, ended: None, booked: None };
        self.known.people.insert(ticket.number, seen);
    }

    /// Checks W6, and records the new totals.
    fn look(&mut self, line: &Line, now: Timestamp) {
        let totals = Self::totals(line, now);
        let Totals { joined, waiting, absent, ready, entered, left, expired, .. } = totals;
        self.known.totals = totals;
        self.check("W6", joined == waiting + absent + ready + entered + left + expired, || {
            format!("{totals:?}")
        });
    }

    pub(super) fn beaten(
        &mut self,
        line: &Line,
        before: Before,
        ticket: &Ticket,
        standing: Standing,
        now: Timestamp,
        micros: u64,
    ) {
        self.heard(line, &before, ticket, standing, now, micros);
        let (was, is) = (before.totals, self.known.totals);
        let same = (was.turns, was.ready, was.entered) == (is.turns, is.ready, is.entered);
        self.check("W5", same, || format!("a sign of life of {} made {was:?} to {is:?}", ticket.number));
    }

    /// Every command of a person is also a sign of life.
    fn heard(
        &mut self,
        line: &Line,
        before: &Before,
        ticket: &Ticket,
        standing: Standing,
        now: Timestamp,
        micros: u64,
    ) {
        let number = ticket.number;
        let is_back = !before.is_known && standing != Standing::Expired;
        if is_back {
            self.meet(ticket, now);
            if !self.known.is_found_again && self.known.is_after_loss {
                self.known.is_found_again = true;
                // While all wait for the loss itself, they wait at most half as long again.
                let (held, hold) = (self.known.hold_until, now.plus(NO_TURNS_FOR));
                self.known.hold_until = if now < held { hold.min(held.plus(NO_TURNS_FOR / 2)) } else { hold };
            }
        }
        self.look(line, now);
        if let Some(seen) = self.known.people.get_mut(&number)
            && standing == Standing::Waiting
        {
            seen.heard = now;
        }
        if is_back || self.known.totals.waiting > before.totals.waiting {
            self.returns.push((micros, number));
        }
        if let Standing::Entered { at, .. } = standing {
            let booked = self.known.people.get(&number).and_then(|seen| seen.booked);
            self.check("W4", booked.is_none_or(|booked| booked == at), || {
                format!("the pass of {number} was good from {booked:?} and is from {at:?}")
            });
        }
    }

    pub(super) fn entered(
        &mut self,
        line: &Line,
        before: Before,
        ticket: &Ticket,
        standing: Standing,
        now: Timestamp,
        micros: u64,
    ) {
        let number = ticket.number;
        self.heard(line, &before, ticket, standing, now, micros);
        let was = before.standing;
        let is_ready = matches!(was, Some(Standing::Ready { .. }));
        let is_in = matches!(standing, Standing::Entered { .. });
        self.check("ready", !is_ready || is_in, || format!("{number} was {was:?} and enters: {standing:?}"));
        let may = is_ready || matches!(was, Some(Standing::Entered { .. }));
        self.check("W3", !is_in || may, || format!("{number} was {was:?} and enters: {standing:?}"));
        let asked = self.passes.is_wished(number);
        self.check("W5", asked, || format!("{number} enters and has not asked to"));
        let patience = self.patience;
        if let Standing::Entered { at, until } = standing {
            let Some(seen) = self.known.people.get_mut(&number) else { return };
            let is_new = seen.booked.is_none();
            seen.booked = Some(at);
            let turn = seen.ready.take();
            if turn.is_some_and(|since| now.since(since) >= patience.prompt) || seen.ended.is_some() {
                self.owed_at = micros;
            }
            self.check("W4", until == at.plus(patience.pass_for), || format!("{number}: {standing:?}"));
            if is_new {
                self.check("W2", at >= now, || {
                    format!("{number} has a pass from {at:?} on, and it is {now:?}")
                });
                let dense = self.passes.book(number, at, micros);
                self.check("W2", dense.is_none(), || dense.unwrap_or_default());
            }
        }
        self.passes.answered(number, standing, now, micros);
    }

    pub(super) fn left(
        &mut self,
        line: &Line,
        before: Before,
        ticket: &Ticket,
        standing: Standing,
        now: Timestamp,
        micros: u64,
    ) {
        self.heard(line, &before, ticket, standing, now, micros);
        if standing == Standing::Left
            && let Some(seen) = self.known.people.get_mut(&ticket.number)
        {
            seen.ready = None;
        }
        let stays = matches!(standing, Standing::Waiting | Standing::Ready { .. });
        self.check("leave", !stays, || format!("{} leaves: {standing:?}", ticket.number));
    }

    /// Checks W3, and returns the numbers that got a turn.
    pub(super) fn ticked(
        &mut self,
        line: &Line,
        snapshot: &Snapshot,
        now: Timestamp,
        world: &Room,
    ) -> Vec<u64> {
        let before = self.known.totals;
        self.look(line, now);
        self.check("W6", snapshot.totals == self.known.totals, || {
            format!("the snapshot says {:?}", snapshot.totals)
        });
        if before == self.known.totals {
            return Vec::new();
        }
        let mut copy = line.clone();
        let (mut turns, mut waits, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for (number, seen) in &mut self.known.people {
            let standing = copy.beat(&seen.ticket, now);
            match (standing, seen.ready) {
                (Standing::Ready { until }, None) => {
                    seen.ready = Some(Timestamp::from_millis(
                        until.as_millis() - self.patience.ready_for.as_millis() as u64,
                    ));
                    turns.push(*number);
                    if seen.ended.is_some() {
                        self.owed_at = world.micros();
                    }
                }
                (Standing::Ready { .. }, Some(_)) => {}
                (_, Some(_)) => {
                    (seen.ready, seen.ended) = (None, Some(now));
                    ended.push(*number);
                }
                (Standing::Waiting, None) => {
                    let was_heard = now.since(seen.heard) <= self.patience.grace;
                    if was_heard && seen.ended.is_none_or(|ended| ended <= seen.heard) {
                        waits.push(*number);
                    }
                }
                _ => {}
            }
        }
        let (paused, hold) = (self.rules.paused, self.known.hold_until);
        if let Some(last) = turns.last().copied() {
            self.turn_at = world.micros();
            let first = waits.first().copied();
            self.check("W3", first.is_none_or(|first| first > last), || {
                format!("{last} gets a turn, and {first:?} is in line ahead of them")
            });
            self.check("W3", !paused, || format!("{turns:?} get turns while the line is paused"));
            self.check("W10", now >= hold, || {
                format!("{turns:?} get turns at {now:?}, and those in front have until {hold:?} to return")
            });
            self.nobody_is_forgotten(last, world);
            self.high = self.high.max(last);
        }
        turns
    }

    /// After a loss in which nothing else went wrong: a person from whom a gateway has heard is
    /// known to the line before anybody behind them gets a turn.
    fn nobody_is_forgotten(&mut self, turn: u64, world: &Room) {
        let Some(lost_at) = self.losses.last().copied() else { return };
        let is_alone = world.trouble_at() + 1_000_000 < lost_at && self.losses.len() < 2
            || self.losses.iter().rev().nth(1).is_some_and(|before| before + 5_000_000 < lost_at)
                && world.trouble_at() + 1_000_000 < lost_at;
        // A line that begins anew does not know of others before the first of them comes.
        if !is_alone || (self.known.is_anew && !self.known.is_found_again) {
            return;
        }
        let gateways: BTreeSet<u32> =
            crate::exec::lock(&world.gateways).iter().map(|gateway| gateway.id).collect();
        let forgotten = self.polls.iter().find(|(number, poll)| {
            let ago = lost_at.saturating_sub(poll.at);
            let key = self.given.get(number).map(|ticket| &ticket.key);
            // Gateways do not report people with an earlier turn: they ask themselves.
            **number > self.high_at_loss
                && **number < turn
                && poll.at < lost_at
                && REPORTED_AGAIN.contains(&ago)
                && gateways.contains(&poll.gateway)
                && !self.gone.contains(number)
                && !self.known.people.contains_key(number)
                && key.is_some_and(|key| !self.known.numbers.contains_key(key))
        });
        let text = forgotten.map(|(number, poll)| {
            format!(
                "{turn} gets a turn; gateway {} heard of {number} at {:.3} s, all was lost at {:.3} s, and the line does not know of them",
                poll.gateway,
                seconds(poll.at),
                seconds(lost_at)
            )
        });
        self.check("W10", text.is_none(), || text.unwrap_or_default());
    }

    pub(super) fn ruled(&mut self, rules: Rules, micros: u64) {
        (self.rules, self.ruled_at) = (rules, micros);
        self.passes.ruled(rules);
    }

    fn lost(&mut self, micros: u64) {
        self.losses.push(micros);
        self.high_at_loss = self.high;
        // People with an earlier turn are known again when they ask themselves.
        self.polls.retain(|number, _| *number > self.high);
    }

    /// The line begins anew and knows nobody.
    pub(super) fn begun_anew(&mut self, now: Timestamp, micros: u64) {
        // A line that continued after a loss has jumped ahead of the clock. If it is lost before
        // the clock has caught up, the next line begins below it: known, see docs/simulation.md.
        self.is_ordered &= self.highest <= now.as_millis().saturating_mul(BLOCK);
        self.passes.lost(0, now);
        self.known = Known { is_after_loss: true, is_anew: true, ..Known::default() };
        self.lost(micros);
    }

    /// The line is restored to an earlier state.
    pub(super) fn restored(&mut self, known: Known, micros: u64) {
        self.known = known;
        self.passes.restored(micros);
    }

    /// The line has noticed that it lost its last commands.
    pub(super) fn went_back(&mut self, now: Timestamp, micros: u64) {
        self.passes.lost(u64::MAX, now);
        self.known.hold_until = now.plus(NO_TURNS_FOR);
        (self.known.is_found_again, self.known.is_after_loss) = (false, true);
        self.lost(micros);
    }

    /// The store's clock went back: no tokens are earned until it has caught up.
    pub(super) fn clock_went_back(&mut self, until: u64) {
        self.is_ordered = false;
        self.behind_until = self.behind_until.max(until);
    }

    pub(super) fn show(&self) -> &ShowId {
        &self.show
    }
}
