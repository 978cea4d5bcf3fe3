//! How the simulated provider answers when it is asked to take the money.

use super::Outcome;
use crate::random::Random;
use core::time::Duration;

/// How an intent is meant to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scenario {
    /// Approved at once.
    #[default]
    Approve,
    /// Declined at once.
    Fail,
    /// Approved after a while.
    Delay,
    /// Approved or declined at once, by dice.
    Random,
    /// No answer, until somebody decides it from outside.
    Timeout,
}

/// The numbers of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScenarioRules {
    /// How late [`Scenario::Delay`] approves.
    pub delay: Duration,
    /// In how many of a hundred cases [`Scenario::Random`] approves.
    pub approve_percent: u8,
}

/// What the provider does when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Decides now.
    Now(Outcome),
    /// Sets the money aside and decides later.
    Later(Duration, Outcome),
    /// Says nothing.
    Silence,
}

impl Scenario {
    /// Every scenario, in the order of the contract.
    pub const ALL: [Self; 5] = [Self::Approve, Self::Fail, Self::Delay, Self::Random, Self::Timeout];

    /// The word of the scenario in rows and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "APPROVE",
            Self::Fail => "FAIL",
            Self::Delay => "DELAY",
            Self::Random => "RANDOM",
            Self::Timeout => "TIMEOUT",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.as_str() == text)
    }

    /// What the provider does when it is asked to take the money. Give a generator that is seeded by the intent, and the
    /// same intent gets the same answer.
    pub fn answer(self, rules: &ScenarioRules, random: &mut impl Random) -> Answer {
        let declined = |code: &str| Outcome::Failed { error_code: code.into() };
        match self {
            Self::Approve => Answer::Now(Outcome::Approved),
            Self::Fail => Answer::Now(declined("CARD_DECLINED")),
            Self::Delay => Answer::Later(rules.delay, Outcome::Approved),
            Self::Random if random.below(100) < u64::from(rules.approve_percent) => {
                Answer::Now(Outcome::Approved)
            }
            Self::Random => Answer::Now(declined("INSUFFICIENT_FUNDS")),
            Self::Timeout => Answer::Silence,
        }
    }
}
