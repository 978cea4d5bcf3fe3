//! The meaning of an answer: poll again, a turn, a count, or an error.

use super::Plan;
use super::link::{Ended, Sent};
use super::people::{People, Who};
use super::tally::Tally;
use super::wire::{Answer, Operation, field, number};
use domain::random::{Random, SplitMix64};
use std::collections::VecDeque;

/// A turn that is used later than this, in nanoseconds, may be over.
const TURN: u64 = 8_000_000_000;

/// A request to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) at: u64,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Join,
    Status,
    /// Somebody whose turn it is not asks to enter.
    Early,
    Enter(Who),
}

impl What {
    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::Join => Operation::Join,
            Self::Status => Operation::Status,
            Self::Early | Self::Enter(_) => Operation::Enter,
        }
    }
}

/// What an answer changes.
pub(super) struct World<'w> {
    pub(super) plan: &'w Plan,
    pub(super) people: &'w mut People,
    pub(super) tally: &'w mut Tally,
    pub(super) urgent: &'w mut VecDeque<Due>,
    pub(super) dice: &'w mut SplitMix64,
    pub(super) now: u64,
}

impl World<'_> {
    pub(super) fn ended(&mut self, ended: Ended<'_>) {
        match ended {
            Ended::Answered(sent, answer) => {
                if self.answered(&sent, &answer) {
                    self.tally.answered(sent.operation, sent.due, sent.at, self.now);
                } else {
                    let when =
                        if sent.operation == Operation::Enter && !sent.early { " in their turn" } else { "" };
                    self.tally.error(sent.operation, &format!("{}{when}", answer.status));
                    self.again(&sent);
                }
            }
            Ended::Lost(sent, why) => {
                self.tally.error(sent.operation, why);
                self.again(&sent);
            }
        }
    }

    /// After a failed poll the person polls again. Everybody else does so anyway, or has had
    /// their turn.
    fn again(&mut self, sent: &Sent) {
        if let (Operation::Status, Some(who)) = (sent.operation, sent.who) {
            self.people.wait(who, None, self.now);
        }
    }

    /// Whether the answer is an expected one.
    fn answered(&mut self, sent: &Sent, answer: &Answer<'_>) -> bool {
        let body = answer.body;
        match (sent.operation, answer.status, sent.who) {
            (Operation::Join, 200..=202, _) => {
                let Some(token) = field(body, "waiting_token") else { return false };
                self.people.joined(token, number(body, "poll_after_ms"), self.now);
                true
            }
            (Operation::Status, 200, Some(who)) => {
                self.stands(who, body);
                true
            }
            (Operation::Enter, 200, Some(who)) => {
                let Some(pass) = field(body, "reservation_token") else { return false };
                self.tally.passed(pass, self.now);
                self.people.gone(who);
                true
            }
            (Operation::Enter, 403 | 409 | 425, _) if sent.early => {
                self.tally.not_ready += 1;
                true
            }
            // It was the generator that was late.
            (Operation::Enter, 403 | 410, Some(who))
                if self.people.ready_since(who).is_some_and(|since| since + TURN < self.now) =>
            {
                self.people.gone(who);
                self.tally.lapsed += 1;
                true
            }
            _ => false,
        }
    }

    fn stands(&mut self, who: Who, body: &[u8]) {
        if field(body, "ready_for_entry") == Some(b"true") {
            if !self.people.ready(who, self.now) {
                return;
            }
            if self.dice.unit() < self.plan.no_shows {
                self.tally.no_shows += 1;
                self.people.gone(who);
            } else {
                self.urgent.push_back(Due { at: self.now, what: What::Enter(who) });
            }
        } else if matches!(field(body, "status"), Some(b"expired" | b"left")) {
            self.people.gone(who);
            self.tally.lapsed += 1;
        } else {
            self.people.wait(who, number(body, "poll_after_ms"), self.now);
        }
    }
}
