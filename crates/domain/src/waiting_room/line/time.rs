//! How a line changes with time.

use super::{Line, MISSED_MAX, STALL, STEPS_MAX, State};
use crate::time::Timestamp;
use crate::waiting_room::places::block_of;
use std::collections::BTreeSet;

impl Line {
    /// Lets time pass: takes unused turns back, marks silent people absent, forgets the old, and
    /// gives the turns that are due. `true`: more work is left, call again at once.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        if now.since(self.ticked_at) > STALL {
            self.nobody_absent_before = now.plus(self.patience.grace);
        }
        self.ticked_at = self.ticked_at.max(now);
        let unused = self.return_tokens(now);
        let missed = self.end_turns(now);
        let silent = now >= self.nobody_absent_before && self.find_silent(now);
        let forgotten = self.forget(now);
        self.clear_blocks();
        let given = self.give_turns(now);
        unused || missed || silent || forgotten || given
    }

    /// Turns that were not used promptly give their tokens back.
    fn return_tokens(&mut self, now: Timestamp) -> bool {
        let prompt = self.patience.prompt;
        let (due, more) = oldest(&self.held, |since| now.since(since) >= prompt);
        for (since, number) in due {
            self.turns.give_back(1, now);
            self.set(number, State::Ready { since, held: false });
        }
        more
    }

    /// Turns that were not used at all end.
    fn end_turns(&mut self, now: Timestamp) -> bool {
        let ready_for = self.patience.ready_for;
        let (due, more) = oldest(&self.unheld, |since| now.since(since) >= ready_for);
        for (_, number) in due {
            let Some(person) = self.people.get_mut(&number) else { continue };
            person.missed += 1;
            let is_over = person.missed >= MISSED_MAX;
            self.set(number, if is_over { State::Expired { at: now } } else { State::Absent { since: now } });
        }
        more
    }

    fn find_silent(&mut self, now: Timestamp) -> bool {
        let grace = self.patience.grace;
        let (due, more) = oldest(&self.seen, |seen| now.since(seen) > grace);
        for (_, number) in due {
            self.set(number, State::Absent { since: now });
        }
        more
    }

    fn forget(&mut self, now: Timestamp) -> bool {
        let memory = self.patience.memory;
        let (due, more) = oldest(&self.remembered, |at| now.since(at) >= memory);
        for entry in due {
            self.remembered.remove(&entry);
            let Some(person) = self.people.remove(&entry.1) else { continue };
            if matches!(person.state, State::Absent { .. }) {
                self.totals.absent -= 1;
                self.totals.expired += 1;
            }
            if self.numbers.get(&person.ticket.key) == Some(&entry.1) {
                self.numbers.remove(&person.ticket.key);
            }
        }
        more
    }

    /// Nobody waits in the blocks before the head. A gateway that has not seen a change of one of
    /// them yet gets the new bound for all of them.
    fn clear_blocks(&mut self) {
        let head = block_of(self.head());
        if head > self.cleared.0 {
            self.cleared = (head, self.version);
        }
        for _ in 0..STEPS_MAX {
            match self.blocks.first_key_value() {
                Some((block, (0, version))) if *block < self.cleared.0 && *version <= self.cleared.1 => {
                    self.changes.remove(version);
                    self.blocks.pop_first();
                }
                _ => break,
            }
        }
    }

    fn give_turns(&mut self, now: Timestamp) -> bool {
        if self.rules.paused || now < self.no_turns_before {
            return false;
        }
        let seconds = self.patience.ready_for.as_secs().max(1);
        let ready_max = u64::from(self.rules.rate).saturating_mul(seconds);
        let tokens = self.turns.available(now).min(ready_max.saturating_sub(self.totals.ready));
        let due = tokens.min(self.totals.waiting);
        let count = due.min(STEPS_MAX as u64);
        for _ in 0..count {
            let Some(number) = self.waiting.first().copied() else { break };
            let held = self.people.get(&number).is_some_and(|person| person.missed == 0);
            self.turns.take(held.into(), now);
            self.set(number, State::Ready { since: now, held });
            self.high = self.high.max(number);
            self.totals.turns += 1;
        }
        due > count
    }
}

/// The first due entries of an index, up to [`STEPS_MAX`], and whether there are more.
fn oldest(
    index: &BTreeSet<(Timestamp, u64)>,
    is_due: impl Fn(Timestamp) -> bool,
) -> (Vec<(Timestamp, u64)>, bool) {
    let mut due = index.iter().take_while(|(at, _)| is_due(*at)).copied();
    (due.by_ref().take(STEPS_MAX).collect(), due.next().is_some())
}
