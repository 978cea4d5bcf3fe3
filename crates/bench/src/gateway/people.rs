//! The people in line: joined, due to poll, with a turn.

use domain::random::{Random, SplitMix64};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// When a gateway does not say when to poll again.
const POLL_AFTER: u64 = 1_000_000_000;
/// While polls are late by this, new people never poll: there are more people than the rate has
/// polls for.
const LATE_MAX: u64 = 1_000_000_000;

/// Somebody in line, by the order of joining.
pub(super) type Who = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// The gateway answered that it is their turn, at this time.
    Ready {
        at: u64,
    },
    Gone,
}

struct Person {
    token: Box<[u8]>,
    /// The token as it stands in a query, if that is something else.
    query: Option<Box<[u8]>>,
    state: State,
}

/// Everybody in line. Times are nanoseconds.
#[derive(Default)]
pub(super) struct People {
    people: Vec<Person>,
    due: BinaryHeap<Reverse<(u64, Who)>>,
    /// People that joined and were not kept.
    pub(super) forgotten: u64,
}

impl People {
    /// With room for so many: what grows while it is measured stands still meanwhile.
    pub(super) fn with_capacity(people: usize) -> Self {
        Self { people: Vec::with_capacity(people), due: BinaryHeap::with_capacity(people), forgotten: 0 }
    }

    /// Adds a person after a join, to poll when the gateway asked.
    pub(super) fn joined(&mut self, token: &[u8], poll_after_ms: Option<u64>, now: u64) {
        if self.late(now) > LATE_MAX {
            self.forgotten += 1;
            return;
        }
        let who = self.people.len() as Who;
        self.people.push(Person { token: token.into(), query: escaped(token), state: State::Waiting });
        self.wait(who, poll_after_ms, now);
    }

    /// Waits, and polls when the gateway asked.
    pub(super) fn wait(&mut self, who: Who, poll_after_ms: Option<u64>, now: u64) {
        if self.people[who as usize].state == State::Waiting {
            let after = poll_after_ms.map_or(POLL_AFTER, |millis| millis * 1_000_000);
            self.due.push(Reverse((now + after, who)));
        }
    }

    /// The next person to poll; afterwards call [`wait`](Self::wait) again, or whatever fits
    /// the answer.
    pub(super) fn next(&mut self) -> Option<Who> {
        while let Some(Reverse((_, who))) = self.due.pop() {
            if self.people[who as usize].state == State::Waiting {
                return Some(who);
            }
        }
        None
    }

    /// Whether somebody is to poll now.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.due.peek().is_some_and(|Reverse((due, _))| *due <= now)
    }

    /// A waiting person, if a few tries find one.
    pub(super) fn anybody(&self, dice: &mut SplitMix64) -> Option<Who> {
        let mut tries = (0..8).map(|_| dice.below(self.people.len() as u64) as Who);
        tries.find(|who| self.people.get(*who as usize).is_some_and(|person| person.state == State::Waiting))
    }

    /// It is their turn; whether that is news.
    pub(super) fn ready(&mut self, who: Who, now: u64) -> bool {
        let state = &mut self.people[who as usize].state;
        let is_news = *state == State::Waiting;
        if is_news {
            *state = State::Ready { at: now };
        }
        is_news
    }

    /// Since when it is their turn, as far as they know.
    pub(super) fn ready_since(&self, who: Who) -> Option<u64> {
        match self.people[who as usize].state {
            State::Ready { at } => Some(at),
            State::Waiting | State::Gone => None,
        }
    }

    pub(super) fn gone(&mut self, who: Who) {
        self.people[who as usize].state = State::Gone;
    }

    pub(super) fn token(&self, who: Who) -> &[u8] {
        &self.people[who as usize].token
    }

    /// The token as it stands in a query.
    pub(super) fn query(&self, who: Who) -> &[u8] {
        let person = &self.people[who as usize];
        person.query.as_ref().unwrap_or(&person.token)
    }

    /// How many are to poll.
    pub(super) fn polling(&self) -> usize {
        self.due.len()
    }

    fn late(&self, now: u64) -> u64 {
        self.due.peek().map_or(0, |Reverse((due, _))| now.saturating_sub(*due))
    }
}

/// Tickets of ours stand in a query as they are, those of others may not.
fn escaped(token: &[u8]) -> Option<Box<[u8]>> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let escape = |byte: &u8| if is_plain(byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() };
    (!token.iter().all(is_plain)).then(|| token.iter().flat_map(escape).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_due_first_polls_first_and_who_is_gone_does_not() {
        let mut people = People::default();
        for (token, millis) in [("a", 3_000), ("b", 1_000), ("c+/", 2_000)] {
            people.joined(token.as_bytes(), Some(millis), 0);
        }
        assert_eq!((people.next(), people.polling()), (Some(1), 2));
        people.wait(1, Some(5_000), 0);
        people.gone(0);
        assert_eq!([people.token(2), people.query(2), people.query(1)], [&b"c+/"[..], b"c%2B%2F", b"b"]);
        assert_eq!([people.next(), people.next(), people.next()], [Some(2), Some(1), None]);
        assert!(people.ready(1, 7) && !people.ready(1, 8));
        assert_eq!((people.ready_since(1), people.ready_since(2)), (Some(7), None));
    }

    #[test]
    fn who_joins_while_polls_are_late_is_not_kept() {
        let mut people = People::default();
        people.joined(b"a", Some(0), 0);
        people.joined(b"b", Some(0), 2 * LATE_MAX);
        assert_eq!((people.polling(), people.forgotten), (1, 1));
    }
}
