//! The operator's rules of a line, and the line's time limits.

use super::bucket::{BURST_MAX, RATE_MAX};
use core::time::Duration;

/// A capacity that no line reaches; any store can represent every whole number up to it.
pub const CAPACITY_MAX: u64 = 1 << 53;

/// The operator's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Turns a second.
    pub rate: u32,
    /// Turns at once, beyond the rate.
    pub burst: u32,
    /// Nobody gets a turn. People whose turn it is may still enter.
    pub paused: bool,
    /// Nobody new may join; the line keeps moving.
    pub closed: bool,
    /// Nobody new may join while this many wait.
    pub capacity: u64,
}

impl Rules {
    /// An open line with this rate, and a burst of one second of it.
    pub const fn at(rate: u32) -> Self {
        Self { rate, burst: rate, paused: false, closed: false, capacity: CAPACITY_MAX }
    }

    /// These rules with the values in `change`.
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

/// The operator's changes; `None` keeps the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleChange {
    /// Turns a second, 1 to [`RATE_MAX`].
    pub rate: Option<u32>,
    /// Turns at once, 1 to [`BURST_MAX`].
    pub burst: Option<u32>,
    /// Whether turns are paused.
    pub paused: Option<bool>,
    /// Whether the line is closed to new people.
    pub closed: Option<bool>,
    /// How many may wait, up to [`CAPACITY_MAX`], which means no limit.
    pub capacity: Option<u64>,
}

/// The line's time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After this long without a sign of life a person is absent.
    pub grace: Duration,
    /// A turn that is not used within this time gives its token back.
    pub prompt: Duration,
    /// How long a turn can be used.
    pub ready_for: Duration,
    /// How long a pass is good.
    pub pass_for: Duration,
    /// How long the line remembers people after they became absent, entered or left.
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
