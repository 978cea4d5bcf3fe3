//! The data that gateways get about a line.

use super::rules::Rules;
use crate::time::Timestamp;

/// How many people there are of each kind. `joined` = `waiting` + `absent` + `ready` + `entered` +
/// `left` + `expired` (invariant W6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// People who ever joined, or were taken back after a loss.
    pub joined: u64,
    /// In line.
    pub waiting: u64,
    /// Silent for too long, or their turn passed unused; they may return.
    pub absent: u64,
    /// It is their turn.
    pub ready: u64,
    /// People who ever entered.
    pub entered: u64,
    /// People who ever left.
    pub left: u64,
    /// People who ever expired.
    pub expired: u64,
    /// Turns ever given; people who missed a turn get more than one.
    pub turns: u64,
}

/// A gateway's view of a line: enough to compute the position of everybody beyond `high`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Changes whenever the store has lost data: gateways then send every sign of life again.
    pub incarnation: u64,
    /// Grows with each change of a block.
    pub version: u64,
    /// When this was true, by the store's clock.
    pub at: Timestamp,
    /// The lowest waiting number; the one after the last if nobody waits.
    pub head: u64,
    /// The highest number that ever got a turn. Every person beyond it waits.
    pub high: u64,
    /// The last number given.
    pub last: u64,
    /// The operator's rules.
    pub rules: Rules,
    /// How many people there are.
    pub totals: Totals,
    /// How many people wait in each block that changed since the requested version, in the order of
    /// the changes.
    pub blocks: Vec<(u64, u64)>,
    /// Nobody waits in any block before this one, apart from blocks that changed since; 0 if
    /// nothing new was cleared.
    pub cleared: u64,
    /// More changes exist: ask again from the last of these.
    pub more: bool,
}
