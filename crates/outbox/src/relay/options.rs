//! The numbers of a relay.

use crate::due::RescanOptions;
use core::time::Duration;

/// The numbers of a relay. The defaults publish 5,000 rows a second with little lag on one core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayOptions {
    /// Shards of the index `outbox`; the same number that the rows are written with.
    pub shards: u32,
    /// Reads of up to 100 rows that may run at the same time.
    pub loads_in_air_max: usize,
    /// Rows in memory with their bodies; more stay keys until there is room.
    pub loaded_max: usize,
    /// Sends of up to 10 messages that may run at the same time.
    pub sends_in_air_max: usize,
    /// Commits of up to 100 deletes that may run at the same time.
    pub deletes_in_air_max: usize,
    /// The longest a call to the queue or the store may take.
    pub call_timeout: Duration,
    /// The first rest after a failure; doubles with each further one.
    pub rest_first: Duration,
    /// The longest rest after failures.
    pub rest_max: Duration,
    /// How the index is looked through for rows that nobody announced here.
    pub rescan: RescanOptions,
    /// How long a shutdown waits for sends in the air and for the deletion of what was sent.
    pub drain_max: Duration,
    /// How long before it is due a row is taken and sent, delayed by what is left: the queue is the timer then, and an
    /// event comes in time though every instance dies. Zero, or up to [`Self::LEAD_MAX`] where the target is a standard
    /// queue: FIFO queues and buses refuse delays. What was sent so cannot be withdrawn any more; the consumer answers it.
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
            loads_in_air_max: 8,
            loaded_max: 4_096,
            sends_in_air_max: 16,
            deletes_in_air_max: 2,
            call_timeout: Duration::from_secs(10),
            rest_first: Duration::from_millis(50),
            rest_max: Duration::from_secs(5),
            rescan: RescanOptions::default(),
            drain_max: Duration::from_secs(10),
            lead: Duration::ZERO,
        }
    }
}
