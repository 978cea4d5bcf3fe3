//! The waiting room's store: one line of people for each show, shared by all gateways.

use crate::fault::{Fault, PortError};
use async_trait::async_trait;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Refusal, RuleChange, Rules, Snapshot, Standing, Ticket};

/// The largest number of signs of life in one call of [`WaitingRoomStore::beat`].
pub const BEATS_MAX: usize = 500;

/// The largest operator's notice, in bytes.
pub const NOTICE_BYTES_MAX: usize = 1_000;

/// The largest key of a person, in bytes.
pub const PERSON_KEY_BYTES_MAX: usize = 256;

/// Lines of people.
///
/// # Contract
/// - Each line is a [`Line`](domain::waiting_room::Line): the store answers a command as `Line`
///   does. Every method is one atomic step, decided by the clock of the store, and its cost does
///   not grow with the line (it may grow with the logarithm of its length).
/// - A store may lose its last writes, or everything. It notices that by itself, before it gives a
///   number or a pass, and continues as [`Line::lost`](domain::waiting_room::Line::lost) or
///   [`Line::new`](domain::waiting_room::Line::new) say, with the rules that it last received here.
///   The incarnation of its snapshots is then a different one.
/// - A call that ends in a [`Fault`] may have had its effect. Each may be repeated: `join` gives
///   the same ticket, `enter` the same pass.
/// - Shows share nothing. A show that was not opened is
///   [`FaultClass::Permanent`](crate::FaultClass::Permanent).
#[async_trait]
pub trait WaitingRoomStore: Send + Sync + 'static {
    /// Begins the line of a show with these rules. An existing line keeps its rules; returns the
    /// rules in force.
    async fn open(&self, show: &ShowId, rules: Rules) -> Result<Rules, Fault>;
    /// The rules of an existing line, whichever gateway opened it; changes nothing.
    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault>;
    /// A place for a person, whose key is 1 to [`PERSON_KEY_BYTES_MAX`] bytes: a new place, or the
    /// one that they already have.
    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>>;
    /// Signs of life, 1 to [`BEATS_MAX`]: the standing of each ticket, in the order of the tickets.
    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault>;
    /// Exchanges a turn for a pass: [`Standing::Entered`], or the present standing instead.
    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault>;
    /// Leaves for good: [`Standing::Left`], or the standing that the ticket already had.
    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault>;
    /// Lets time pass in the line, and returns what is new to a gateway that has the line at
    /// `since` (incarnation and version).
    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault>;
    /// Changes the rules, and returns the rules in force.
    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault>;
    /// Sets the operator's notice to those who wait, 1 to [`NOTICE_BYTES_MAX`] bytes; `None`
    /// removes it. It is not part of the line: it may be lost.
    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault>;
    /// The notice that [`announce`](Self::announce) last set.
    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault>;
}

/// An answer, and the time of the store's clock: times in the answer are times of that clock.
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
