//! Signs of life, sent to the store in batches.
//!
//! Every poll is a sign of life, but not every poll is a call to the store: one per person is sent
//! every [`BEAT_EVERY`], up to 500 people in one call. People who may have had a turn ask where
//! they stand; the answer comes with the next call, milliseconds later.
//!
//! How a person's wait ended (entered, left or expired) is remembered and answered from here: a
//! store that has lost everything would take them back into the line in front of everybody.

use super::people::People;
use core::time::Duration;
use domain::waiting_room::{Standing, Ticket};
use parking_lot::{Mutex, MutexGuard};
use ports::waiting_room::BEATS_MAX;
use std::collections::BTreeSet;
use tokio::sync::{Notify, oneshot};

/// How often one person's sign of life is sent: three times within the line's grace.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(10);

/// The people that this gateway heard from.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    state: Mutex<State>,
    work: Notify,
    /// Notified by the first person after a time without any.
    somebody: Notify,
}

#[derive(Debug, Default)]
struct State {
    people: People<Person>,
    /// The numbers whose sign of life waits to be sent, in the order of the line: the front matters
    /// most.
    due: BTreeSet<u64>,
    /// A caller waits for an answer.
    is_urgent: bool,
}

#[derive(Debug)]
struct Person {
    ticket: Ticket,
    heard_at: Duration,
    sent_at: Option<Duration>,
    last: Option<Standing>,
    asking: Vec<oneshot::Sender<Standing>>,
}

/// How soon the next call should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Haste {
    /// There is time to gather more.
    None,
    /// Somebody waits for the answer.
    Some,
    /// The batch is full.
    Full,
}

/// What is known about a person after a sign of life.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The counts say where they stand.
    InLine,
    /// Their wait has ended; the store said so before.
    Ended(Standing),
    /// The store is asked; the answer will come here.
    Asked(oneshot::Receiver<Standing>),
}

/// Whether this ticket never returns to the line, whatever the store has lost.
const fn is_end(standing: Standing) -> bool {
    matches!(standing, Standing::Entered { .. } | Standing::Left | Standing::Expired)
}

impl Beats {
    /// Records a sign of life. `asks`: the counts do not say where the person stands.
    pub(crate) fn record(&self, ticket: &Ticket, asks: bool, now: Duration) -> Heard {
        let mut state = self.lock();
        let (person, is_other) = self.heard(&mut state, ticket, now);
        if let Some(standing) = person.last.filter(|standing| is_end(*standing)) {
            return Heard::Ended(standing);
        }
        if asks || is_other {
            let (sender, answer) = oneshot::channel();
            // Earlier callers may have gone away while the store did not answer.
            person.asking.retain(|asking| !asking.is_closed());
            person.asking.push(sender);
            state.due.insert(ticket.number);
            state.is_urgent = true;
            self.work.notify_one();
            return Heard::Asked(answer);
        }
        if person.sent_at.is_none_or(|at| now.saturating_sub(at) >= BEAT_EVERY) {
            person.sent_at = Some(now);
            state.due.insert(ticket.number);
            self.work.notify_one();
        }
        Heard::InLine
    }

    /// Records a join, which the store has counted as a sign of life.
    pub(crate) fn joined(&self, ticket: &Ticket, now: Duration) {
        let mut state = self.lock();
        self.heard(&mut state, ticket, now).0.sent_at = Some(now);
    }

    /// The person of a ticket, and whether the number belonged to somebody else before: a number
    /// can be given twice after a loss. The store knows whose it is, so each of the two asks.
    fn heard<'s>(&self, state: &'s mut State, ticket: &Ticket, now: Duration) -> (&'s mut Person, bool) {
        if state.people.is_empty() {
            self.somebody.notify_one();
        }
        let new = || Person {
            ticket: ticket.clone(),
            heard_at: now,
            sent_at: None,
            last: None,
            asking: Vec::new(),
        };
        let person = state.people.get_or_insert_with(ticket.number, new);
        let is_other = person.ticket.key != ticket.key;
        if is_other {
            *person = new();
        }
        person.heard_at = now;
        (person, is_other)
    }

    /// Returns when there is at least one person.
    pub(crate) async fn anybody(&self) {
        while self.people() == 0 {
            self.somebody.notified().await;
        }
    }

    /// The last known standing of a ticket.
    pub(crate) fn last(&self, ticket: &Ticket) -> Option<Standing> {
        let state = self.lock();
        let person = state.people.get(ticket.number).filter(|person| person.ticket.key == ticket.key);
        person.and_then(|person| person.last)
    }

    /// Records the standing that a command of the store returned.
    pub(crate) fn record_standing(&self, ticket: &Ticket, standing: Standing, now: Duration) {
        let mut state = self.lock();
        self.heard(&mut state, ticket, now);
        state.answer(ticket, standing);
    }

    /// Waits until there is something to send, and returns how soon.
    pub(crate) async fn work(&self) -> Haste {
        loop {
            if let Some(haste) = self.lock().haste() {
                return haste;
            }
            self.work.notified().await;
        }
    }

    /// Returns when the next call should be sent without more gathering.
    pub(crate) async fn haste(&self) -> Haste {
        loop {
            match self.lock().haste() {
                Some(haste) if haste > Haste::None => return haste,
                _ => {}
            }
            self.work.notified().await;
        }
    }

    /// The next batch: up to [`BEATS_MAX`] tickets.
    pub(crate) fn take(&self, now: Duration) -> Vec<Ticket> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut tickets = Vec::new();
        while tickets.len() < BEATS_MAX
            && let Some(number) = state.due.pop_first()
        {
            // Forgotten people, and people whose wait has ended, send none.
            let person = state.people.get_mut(number);
            if let Some(person) = person.filter(|person| !person.last.is_some_and(is_end)) {
                person.sent_at = Some(now);
                tickets.push(person.ticket.clone());
            }
        }
        if state.due.is_empty() {
            state.is_urgent = false;
        }
        tickets
    }

    /// Records the answers to a batch.
    pub(crate) fn answered(&self, tickets: &[Ticket], standings: &[Standing]) {
        let mut state = self.lock();
        for (ticket, standing) in tickets.iter().zip(standings) {
            state.answer(ticket, *standing);
        }
    }

    /// A batch got no answer; `again`: send it once more. Waiting callers get no answer and use
    /// what is known.
    pub(crate) fn unanswered(&self, tickets: Vec<Ticket>, again: bool) {
        let mut state = self.lock();
        for ticket in tickets {
            if let Some(person) = state.people.get_mut(ticket.number) {
                person.asking.clear();
                if again {
                    state.due.insert(ticket.number);
                }
            }
        }
    }

    /// The store has lost data: all waiting people heard from lately are sent to it again. Numbers
    /// up to `high` had a turn before: those who still want one ask by themselves, and the others
    /// must not return in front of everybody.
    pub(crate) fn again(&self, high: u64, now: Duration) {
        let mut guard = self.lock();
        let state = &mut *guard;
        for person in state.people.values_mut() {
            let is_lately = now.saturating_sub(person.heard_at) < 3 * BEAT_EVERY;
            if person.last.is_some_and(is_end) {
                continue;
            }
            // The store has lost what was sent before, so their next sign of life is sent at once.
            (person.last, person.sent_at) = (None, None);
            if is_lately && person.ticket.number > high {
                person.sent_at = Some(now);
                state.due.insert(person.ticket.number);
            }
        }
        drop(guard);
        self.work.notify_one();
    }

    /// Forgets the people not heard from for long.
    pub(crate) fn forget(&self, now: Duration) {
        // Dropped without the lock: it may be hundreds of thousands of people.
        let forgotten = self.lock().people.turn(now);
        drop(forgotten);
    }

    /// How many people were heard from lately.
    pub(crate) fn people(&self) -> usize {
        self.lock().people.len()
    }

    /// How many signs of life wait to be sent.
    pub(crate) fn due(&self) -> usize {
        self.lock().due.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn haste(&self) -> Option<Haste> {
        match self.due.len() {
            0 => None,
            BEATS_MAX.. => Some(Haste::Full),
            _ if self.is_urgent => Some(Haste::Some),
            _ => Some(Haste::None),
        }
    }

    fn answer(&mut self, ticket: &Ticket, standing: Standing) {
        let person = self.people.get_mut(ticket.number).filter(|person| person.ticket.key == ticket.key);
        let Some(person) = person else { return };
        person.last = Some(standing);
        for asking in person.asking.drain(..) {
            // The caller may have gone away.
            let _ = asking.send(standing);
        }
    }
}

#[cfg(test)]
mod tests;
