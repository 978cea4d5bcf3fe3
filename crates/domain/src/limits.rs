//! The numbers that bound every input and every loop, in one place.

use core::time::Duration;

/// Seats in one reservation, at most. Every API refuses more (docs/design.md#seats).
pub const SEATS_PER_RESERVATION_MAX: u32 = 10;
/// How long a seat is held for its buyer, unless configured otherwise
/// (docs/design.md#reservations-and-payments).
pub const HOLD_TTL: Duration = Duration::from_secs(60);
/// How long a resolved hold, an idempotency record and a webhook id are remembered: as long as SQS
/// can keep a message (docs/design.md#retention).
pub const MEMORY: Duration = Duration::from_secs(14 * 24 * 3600);
/// Seats that share a partition of the store, so that a hot show spreads over partitions
/// (docs/design.md#limits-of-the-engines).
pub const SEATS_PER_BLOCK: u32 = 64;
/// Rows in one commit of the store, at most: the limit of DynamoDB's TransactWriteItems.
pub const ROWS_PER_COMMIT_MAX: usize = 100;
/// Entries in one batch of the queue, at most: the limit of SQS.
pub const QUEUE_BATCH_MAX: usize = 10;
/// Bytes of one queue message, body and attributes together: a limit that every SQS-compatible
/// server accepts. SQS itself accepts 1 MiB since 2025.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// How often a handler loads and decides again after a conflict before it gives up with a transient
/// fault.
pub const CONFLICT_RETRIES_MAX: u32 = 16;
/// Seats of one show, at most.
pub const SEATS_PER_SHOW_MAX: u32 = 1_000_000;
/// Sections of one show, at most.
pub const SECTIONS_PER_SHOW_MAX: usize = 1_000;
