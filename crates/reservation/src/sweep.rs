//! The sweeper: it announces expiries again that never had their effect, and deletes old rows.
//!
//! **Expiry, layer 4** (ARCHITECTURE.md, walk 2). Normally the relay's timer announces an expiry
//! and the worker ends the reservation. A reservation that is still HOLD some time after its hold
//! was due, and whose event no longer waits in the outbox, is announced again here: the same event
//! under the same id, so a queue drops it if it has it, and the worker finds it done. The next look
//! at it comes later and later, because a worker that is behind must not get its own backlog again
//! and again. Each index entry's row is read again before it is acted on, and the announcement
//! commits only over the version that was read. Timers affect latency, never safety (trap T-S7).
//!
//! **Forgetting.** Idempotency records and ids of webhooks are kept for 14 days. DynamoDB deletes
//! them by itself (`expires_at`); the sweeper does it on every engine.

use crate::config::Config;
use crate::deps::Deps;
use crate::metrics::ServiceMetrics;
use crate::rows::{DUE, FORGET, IdempotencyRow, SHARDS, Stored, WebhookRow};
use crate::service::{expiry_event, table};
use core::time::Duration;
use domain::limits::{MEMORY, ROWS_PER_COMMIT_MAX};
use domain::reservation::Status;
use domain::time::Timestamp;
use outbox::RelayHandle;
use outbox::due::{IndexReader, Rescan, RescanOptions};
use ports::store::{CommitError, Entry, Expect, Key, Row, Write};
use ports::{Clock, Fault, Table, Trace};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// When to look again at a reservation whose expiry was announced again: longer than a queue's
/// deduplication window, and doubled each time up to the longest.
const LOOK_AGAIN_FIRST: Duration = Duration::from_secs(5 * 60);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(60 * 60);

/// Both sweeps. Driven by [`Sweeper::run`].
pub struct Sweeper {
    table: Table,
    clock: Arc<dyn Clock>,
    relay: RelayHandle,
    metrics: ServiceMetrics,
    outbox_shards: u32,
    due: Rescan,
    forget: Rescan,
}

impl Sweeper {
    /// A sweeper that has read nothing yet.
    pub fn new(config: &Config, deps: &Deps, relay: RelayHandle, metrics: ServiceMetrics) -> Self {
        let options = &config.sweeper;
        let rescan = |index, every, grace| {
            let (store, clock) = (Arc::clone(&deps.store), Arc::clone(&deps.clock));
            let reader = IndexReader::new(store, clock, Arc::clone(&deps.entropy), index, SHARDS);
            Rescan::new(reader, RescanOptions { every, grace, whole_every: options.whole_every })
        };
        Self {
            due: rescan(DUE, options.every, options.grace),
            forget: rescan(FORGET, options.forget_every, Duration::ZERO),
            table: table(config, deps),
            clock: Arc::clone(&deps.clock),
            relay,
            metrics,
            outbox_shards: config.relay.shards,
        }
    }

    /// Sweeps until `shutdown`. A sweep may be dropped anywhere: each announcement and each batch
    /// of deletes is one commit.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let work = async {
            loop {
                self.sweep().await;
                let now = self.clock.elapsed();
                let next = self.due.next().min(self.forget.next());
                self.clock.sleep(next.saturating_sub(now)).await;
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    /// One sweep of each index whose time has come.
    pub async fn sweep(&mut self) {
        if let Some(rescan) = self.due.start() {
            let found = rescan.await;
            let mut announced = Announced::default();
            for entries in self.due.found(found).chunks(ROWS_PER_COMMIT_MAX) {
                if let Err(fault) = self.announce(entries, &mut announced).await {
                    tracing::warn!(
                        error = fault.chain(),
                        "due reservations not read; the next sweep retries"
                    );
                }
            }
            announced.log();
        }
        if let Some(rescan) = self.forget.start() {
            let found = rescan.await;
            for entries in self.forget.found(found).chunks(ROWS_PER_COMMIT_MAX) {
                if let Err(fault) = self.forget(entries).await {
                    tracing::warn!(error = fault.chain(), "old rows not deleted; the next sweep retries");
                }
            }
        }
    }

    /// Announces overdue reservations again that no longer wait in the outbox.
    async fn announce(&self, entries: &[Entry], announced: &mut Announced) -> Result<(), Fault> {
        let keys: Vec<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
        for row in self.table.rows(&keys).await?.into_iter().flatten() {
            let Some(stored) = Stored::read(&row) else {
                tracing::error!(row = &*row.key.partition, "unreadable reservation row");
                continue;
            };
            if stored.reservation.status == Status::Hold && stored.look_at <= self.clock.now() {
                self.announce_one(stored, announced).await?;
            }
        }
        Ok(())
    }

    async fn announce_one(&self, stored: Stored, announced: &mut Announced) -> Result<(), Fault> {
        let event = expiry_event(&stored.reservation, &Trace::default());
        let [waiting] = self.table.get([outbox::row_key(event.id.as_str())]).await?;
        if waiting.is_some() {
            return Ok(());
        }
        // The event is due as of now: the time must not be from before the rows were read.
        let now = self.clock.now();
        let rest = LOOK_AGAIN_FIRST * 2_u32.saturating_pow(stored.announced_again.min(16));
        let mut history = stored.history.clone();
        history.add(now, "expiry announced again");
        let next = Stored {
            look_at: now.plus(rest.min(LOOK_AGAIN_MAX)),
            announced_again: stored.announced_again.saturating_add(1),
            history,
            ..stored
        };
        let announcement = outbox::row_write(&event, now, self.outbox_shards);
        match self.table.commit(vec![next.write(), announcement]).await {
            Ok(()) => {
                self.relay.notify(now, &event.id);
                self.metrics.swept();
                let overdue = now.since(next.reservation.hold_expires_at);
                tracing::debug!(
                    reservation_id = %next.reservation.id,
                    times = next.announced_again,
                    overdue_ms = overdue.as_millis() as u64,
                    "overdue reservation announced again"
                );
                announced.add(overdue);
                Ok(())
            }
            // It ended meanwhile, or another instance announced it.
            Err(CommitError::Conflict { .. }) => Ok(()),
            // Whether it was written or not, the next sweep reads the truth.
            Err(CommitError::Failed(fault) | CommitError::Ambiguous(fault)) => Err(fault),
        }
    }

    /// Deletes rows that were kept long enough.
    async fn forget(&self, entries: &[Entry]) -> Result<(), Fault> {
        let keys: Vec<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
        let now = self.clock.now();
        let rows = self.table.rows(&keys).await?.into_iter().flatten();
        let old = rows.filter(|row| remembered_since(row).is_some_and(|at| at.plus(MEMORY) <= now));
        let deletes: Vec<Write> =
            old.map(|row| Write::Delete { key: row.key, expect: Expect::Version(row.version) }).collect();
        if deletes.is_empty() {
            return Ok(());
        }
        match self.table.commit(deletes).await {
            // Another instance was faster.
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(CommitError::Failed(fault) | CommitError::Ambiguous(fault)) => Err(fault),
        }
    }
}

/// How many reservations one sweep announced again.
#[derive(Default)]
struct Announced {
    reservations: u64,
    overdue_max: Duration,
}

impl Announced {
    fn add(&mut self, overdue: Duration) {
        self.reservations += 1;
        self.overdue_max = self.overdue_max.max(overdue);
    }

    /// One log line a sweep: a worker that is behind leaves thousands of reservations.
    fn log(&self) {
        if self.reservations > 0 {
            tracing::warn!(
                reservations = self.reservations,
                overdue_ms_max = self.overdue_max.as_millis() as u64,
                "overdue reservations announced again; check the worker and its queue"
            );
        }
    }
}

/// When a row was first remembered, if it is one that is forgotten.
fn remembered_since(row: &Row) -> Option<Timestamp> {
    IdempotencyRow::read(row)
        .map(|record| record.created_at)
        .or_else(|| WebhookRow::read(row).map(|webhook| webhook.received_at))
}
