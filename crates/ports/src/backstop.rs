//! A second, slower timer outside of this process, for events that must arrive even if no instance
//! of ours is left.

use crate::fault::Fault;
use async_trait::async_trait;
use domain::id::EventId;
use domain::time::Timestamp;

/// An event to send at a given time, even if the process that asked for it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The event's id. Setting an alarm again for the same event changes nothing.
    pub event_id: EventId,
    /// Not before this.
    pub at: Timestamp,
    /// The encoded event.
    pub body: String,
}

/// Sends events at their time from outside of this process.
///
/// # Contract
/// - **set** is durable when it answers. The same event set twice is sent once; the first time
///   stands.
/// - The body arrives at the events' queue at `at` or up to a minute later, at least once, and then
///   the alarm is gone. The event usually arrived by a faster way long before: consumers make it
///   effective once.
/// - **cancel** removes an alarm; it succeeds if the alarm is already gone.
#[async_trait]
pub trait Backstop: Send + Sync + 'static {
    /// Sets an alarm.
    async fn set(&self, alarm: &Alarm) -> Result<(), Fault>;
    /// Removes an alarm.
    async fn cancel(&self, event_id: &EventId) -> Result<(), Fault>;
}
