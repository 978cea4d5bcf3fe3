//! How the simulated provider answers a request for money.

use super::Outcome;
use crate::random::Random;
use core::time::Duration;

/// The planned course of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scenario {
    /// Approved at once.
    #[default]
    Approve,
    /// Declined at once.
    Fail,
    /// Approved after a delay.
    Delay,
    /// Approved or declined at once, at random.
    Random,
    /// No answer, until an operator decides it.
    Timeout,
}

/// The numbers of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScenarioRules {
    /// How late [`Scenario::Delay`] approves.
    pub delay: Duration,
    /// The percentage of intents that [`Scenario::Random`] approves.
    pub approve_percent: u8,
}

/// The provider's answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A decision now.
    Now(Outcome),
    /// The money is reserved now and the decision comes later.
    Later(Duration, Outcome),
    /// No answer.
    Silence,
}

impl Scenario {
    /// Every scenario, in the order of docs/contracts.md#payment-sim-api.
    pub const ALL: [Self; 5] = [Self::Approve, Self::Fail, Self::Delay, Self::Random, Self::Timeout];

    /// The scenario in rows and logs.
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

    /// The provider's answer to a request for money. With a generator seeded by the intent, the
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
