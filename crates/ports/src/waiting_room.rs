//! The waiting room's store: one line of people for each show, run once for all gateways.

use crate::fault::{Fault, PortError};
use async_trait::async_trait;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Refusal, RuleChange, Rules, Snapshot, Standing, Ticket};

/// Signs of life in one call of [`WaitingRoomStore::beat`], at most.
pub const BEATS_MAX: usize = 500;

/// Bytes of what the operator says to those who wait, at most.
pub const NOTICE_BYTES_MAX: usize = 1_000;

/// Bytes of a person's key, at most.
pub const KEY_BYTES_MAX: usize = 256;

/// Lines of people.
///
/// # Contract
/// - Each line is a [`Line`](domain::waiting_room::Line): what it says of a command is what the store answers. Every method
///   is one atomic step, decided by the clock of the store, and its cost does not grow with the line (it may
///   grow with the logarithm of its length).
/// - A store may lose what came last, or everything. It notices that by itself, before it gives a number or a pass, and goes
///   on as [`Line::lost`](domain::waiting_room::Line::lost) or [`Line::new`](domain::waiting_room::Line::new) say, with the
///   rules that it was last told here. The incarnation of its snapshots is another one then.
/// - A call that ends in a [`Fault`] may have had its effect. Each may be done again: `join` gives the same ticket, `enter` the
///   same pass.
/// - Shows share nothing. A show that was not opened is [`FaultClass::Permanent`](crate::FaultClass::Permanent).
#[async_trait]
pub trait WaitingRoomStore: Send + Sync + 'static {
    /// Begins the line of a show with these rules. A line that there is keeps its own; the answer is what holds.
    async fn open(&self, show: &ShowId, rules: Rules) -> Result<Rules, Fault>;
    /// The rules of a line that there is, opened by anybody; nothing is changed by it.
    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault>;
    /// A place for a person, whose key is 1 to [`KEY_BYTES_MAX`] bytes: a new one, or the one that they have.
    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>>;
    /// Signs of life, 1 to [`BEATS_MAX`]: where each stands, in the order of the tickets.
    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault>;
    /// Turns a turn into a pass: [`Standing::Entered`], or where they stand instead.
    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault>;
    /// Goes away for good: [`Standing::Left`], or where they stood already.
    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault>;
    /// Lets time pass in the line, and tells what a gateway that has it at `since` (incarnation and version) does not know.
    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault>;
    /// Changes the rules, and tells what they are then.
    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault>;
    /// What the operator says to those who wait, 1 to [`NOTICE_BYTES_MAX`]; `None` says nothing any more. It is not part of the
    /// line: it may be lost.
    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault>;
    /// What [`announce`](Self::announce) said last.
    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault>;
}

/// An answer, and what the store's clock said: times in it are times of that clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated<T> {
    /// When it was answered.
    pub at: Timestamp,
    /// The answer.
    pub answer: T,
}

/// The answer to a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticked {
    /// What is new.
    pub snapshot: Snapshot,
    /// There is more to do: tick again at once.
    pub is_busy: bool,
}
