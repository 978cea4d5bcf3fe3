//! A second, slower timer outside of this process, for events that must come even if no instance of ours is left.

use crate::fault::Fault;
use async_trait::async_trait;
use domain::id::EventId;
use domain::time::Timestamp;

/// An event to be sent at a time, whatever becomes of whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The event's id: setting an alarm for the same event again changes nothing.
    pub event_id: EventId,
    /// Not before this.
    pub at: Timestamp,
    /// The encoded event.
    pub body: String,
}

/// Sends events at their time from elsewhere.
///
/// # Contract
/// - **set** is durable when it answers. The same event set twice is sent once; the first time stands.
/// - The body arrives at the events' queue at `at` or up to a minute later, at least once, and then the alarm is gone. The
///   event usually came by a faster way long before: consumers make it effective once.
/// - **cancel** removes an alarm; one that is gone already is a success.
#[async_trait]
pub trait Backstop: Send + Sync + 'static {
    /// Sets an alarm.
    async fn set(&self, alarm: &Alarm) -> Result<(), Fault>;
    /// Removes one.
    async fn cancel(&self, event_id: &EventId) -> Result<(), Fault>;
}
