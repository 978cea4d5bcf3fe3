//! What the operator of a line decides, and how long it waits for what.

use super::bucket::{BURST_MAX, RATE_MAX};
use core::time::Duration;

/// A capacity that no line reaches: every whole number up to it can be told by any store.
pub const CAPACITY_MAX: u64 = 1 << 53;

/// What the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// People a second.
    pub rate: u32,
    /// People at once, beyond the rate.
    pub burst: u32,
    /// Nobody gets a turn. Who is ready may still enter.
    pub paused: bool,
    /// Nobody new may join; who waits goes on.
    pub closed: bool,
    /// Nobody new may join while so many wait.
    pub capacity: u64,
}

impl Rules {
    /// An open line at a rate, with a burst of one second of it.
    pub const fn at(rate: u32) -> Self {
        Self { rate, burst: rate, paused: false, closed: false, capacity: CAPACITY_MAX }
    }

    /// These with what is named in `change`.
    #[must_use]
    pub fn with(self, change: RuleChange) -> Self {
        Self {
            rate: change.rate.unwrap_or(self.rate).clamp(1, RATE_MAX),
            burst: change.burst.unwrap_or(self.burst).clamp(1, BURST_MAX),
            paused: change.paused.unwrap_or(self.paused),
            closed: change.closed.unwrap_or(self.closed),
            capacity: change.capacity.unwrap_or(self.capacity).min(CAPACITY_MAX),
        }
    }
}

/// What the operator changes; `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleChange {
    /// People a second, 1 to [`RATE_MAX`].
    pub rate: Option<u32>,
    /// People at once, 1 to [`BURST_MAX`].
    pub burst: Option<u32>,
    /// Whether turns are given.
    pub paused: Option<bool>,
    /// Whether somebody new may join.
    pub closed: Option<bool>,
    /// How many may wait, up to [`CAPACITY_MAX`], which is no limit.
    pub capacity: Option<u64>,
}

/// How long the line waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Who is silent longer is absent.
    pub grace: Duration,
    /// Who does not enter within this gives the token of the turn back.
    pub prompt: Duration,
    /// How long a turn can be used.
    pub ready_for: Duration,
    /// How long a pass is good for.
    pub pass_for: Duration,
    /// How long who is absent, has entered or has left is remembered.
    pub memory: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            prompt: Duration::from_secs(2),
            ready_for: Duration::from_secs(15),
            pass_for: Duration::from_secs(30),
            memory: Duration::from_secs(30 * 60),
        }
    }
}
