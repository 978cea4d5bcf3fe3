//! The options of a relay.

use crate::due::RescanOptions;
use core::time::Duration;

/// The options of a relay. The defaults publish 5,000 rows a second with little lag on one core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayOptions {
    /// Shards of the index `outbox`; writers must use the same number.
    pub shards: u32,
    /// Reads of up to 100 rows that may run at the same time.
    pub loads_in_flight_max: usize,
    /// Rows in memory with their bodies; more stay keys until there is room.
    pub loaded_max: usize,
    /// Sends of up to 10 messages that may run at the same time.
    pub sends_in_flight_max: usize,
    /// Commits of up to 100 deletes that may run at the same time.
    pub deletes_in_flight_max: usize,
    /// The longest a call to the queue or the store may take.
    pub call_timeout: Duration,
    /// The first wait after a failure; it doubles with each further one.
    pub rest_first: Duration,
    /// The longest wait after failures.
    pub rest_max: Duration,
    /// How the index is rescanned for rows that were not announced to this process.
    pub rescan: RescanOptions,
    /// How long a shutdown waits for running sends and for the deletion of sent rows.
    pub drain_max: Duration,
    /// How long before its due time a row is sent, with the remaining time as the message's delay:
    /// the queue is the timer then, and an event arrives in time even if every instance dies. It is
    /// zero, or up to [`Self::LEAD_MAX`] where the target is a standard queue, because FIFO queues
    /// and buses refuse delays. An event sent this way can no longer be withdrawn; the consumer
    /// handles it.
    pub lead: Duration,
}

impl RelayOptions {
    /// The longest that a standard queue delays a message.
    pub const LEAD_MAX: Duration = Duration::from_secs(15 * 60);
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            shards: 16,
            loads_in_flight_max: 8,
            loaded_max: 4_096,
            sends_in_flight_max: 16,
            deletes_in_flight_max: 2,
            call_timeout: Duration::from_secs(10),
            rest_first: Duration::from_millis(50),
            rest_max: Duration::from_secs(5),
            rescan: RescanOptions::default(),
            drain_max: Duration::from_secs(10),
            lead: Duration::ZERO,
        }
    }
}
