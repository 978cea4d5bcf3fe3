//! What a line tells the gateways.

use super::rules::Rules;
use crate::time::Timestamp;

/// How many there are of each kind. `joined` = `waiting` + `absent` + `ready` + `entered` + `left` + `expired` (invariant W6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// People who ever joined, or were taken back after a loss.
    pub joined: u64,
    /// In line.
    pub waiting: u64,
    /// Silent for too long, or their turn went by unused; they may come back.
    pub absent: u64,
    /// Whose turn it is.
    pub ready: u64,
    /// Who ever entered.
    pub entered: u64,
    /// Who ever left.
    pub left: u64,
    /// Who ever came too late.
    pub expired: u64,
    /// Turns that were ever given; more than one to those who missed one.
    pub turns: u64,
}

/// What a gateway knows of a line: enough to tell everybody beyond `high` their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Changes whenever the store has lost something: then send every sign of life again.
    pub incarnation: u64,
    /// Grows with each change of a block.
    pub version: u64,
    /// When this was so, by the store's clock.
    pub at: Timestamp,
    /// The lowest number that waits; the one after the last if none does.
    pub head: u64,
    /// The highest number that ever got a turn. Who is beyond it waits.
    pub high: u64,
    /// The last number that was given.
    pub last: u64,
    /// What the operator has decided.
    pub rules: Rules,
    /// How many there are.
    pub totals: Totals,
    /// How many wait in each block that changed since the version that was asked for, in the order of their changes.
    pub blocks: Vec<(u64, u64)>,
    /// Nobody waits in any block before this one, but for those that changed since; 0 if that is nothing new.
    pub cleared: u64,
    /// There are more: ask again from the last of these.
    pub more: bool,
}
