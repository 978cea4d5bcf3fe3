//! Reading the index: all of it at the start, and then slowly for rows that nobody announced here.
//!
//! Announcements get lost (a crash or a dropped handler between commit and announcement, another instance that died).
//! Each rescan looks at what is overdue by more than the grace, from where the last one ended; now and then it starts from
//! the beginning, for rows that were committed late under an early due time. What is known already changes nothing.

use super::{Found, Relay, RelayPorts};
use crate::backoff;
use crate::id::CompactId;
use crate::row::{INDEX, event_id_of, shard_name};
use core::time::Duration;
use domain::time::Timestamp;
use futures_util::StreamExt;
use futures_util::stream;
use ports::store::{Entry, Key};
use ports::{Fault, clock};
use std::sync::Arc;

/// Entries of one read at the start: a million rows are a hundred reads.
const RECOVERY_PAGE: usize = 10_000;
/// Entries of one shard in one rescan; the rest comes with the next.
const RESCAN_PAGE: usize = 1_000;
/// Shards that are read at the same time.
const SHARDS_AT_ONCE: usize = 4;

/// When to look next, and where in each shard.
pub(super) struct RescanPlan {
    pub(super) next: Duration,
    round: u32,
    cursors: Vec<Option<Entry>>,
    until: Timestamp,
}

impl RescanPlan {
    pub(super) fn new(shards: u32) -> Self {
        Self {
            next: Duration::ZERO,
            round: 0,
            cursors: vec![None; shards.max(1) as usize],
            until: Timestamp::EPOCH,
        }
    }
}

impl Relay {
    /// Reads every row that waits, until the store has answered for all shards.
    pub(super) async fn recover(&mut self) {
        let (ports, options) = (self.ports.clone(), self.options.clone());
        let started = ports.clock.now();
        let shards = self.rescan.cursors.len() as u32;
        let mut reads = stream::iter(0..shards)
            .map(|shard| {
                let (ports, options, state) = (ports.clone(), options.clone(), Arc::clone(&self.state));
                async move {
                    let (mut rows, mut after, mut failures) = (Vec::new(), None, 0);
                    let mut dice = ports.dice.clone();
                    loop {
                        let read =
                            page(&ports, &options, shard, after.as_ref(), Timestamp::MAX, RECOVERY_PAGE)
                                .await;
                        match read {
                            Ok(entries) if entries.is_empty() => return rows,
                            Ok(entries) => {
                                failures = 0;
                                rows.extend(entries.iter().filter_map(known_by));
                                after = entries.into_iter().next_back();
                            }
                            Err(fault) => {
                                failures += 1;
                                let error = fault.chain();
                                tracing::warn!(error, failures, "the outbox cannot be read; trying again");
                                state.send_if_modified(|state| state.store.replace(error).is_none());
                                let rest =
                                    backoff::rest(failures, options.rest_first, options.rest_max, &mut dice);
                                ports.clock.sleep(rest).await;
                            }
                        }
                    }
                }
            })
            .buffered(SHARDS_AT_ONCE);
        let mut all = Vec::new();
        while let Some(rows) = reads.next().await {
            all.extend(rows);
        }
        drop(reads);
        let rows = all.len();
        self.agenda.note_all(all);
        self.count();
        self.rescan.next = self.ports.clock.elapsed() + self.options.rescan_every;
        let seen = before(started, self.options.rescan_grace);
        self.rescan.cursors.fill(Some(start_of(seen)));
        self.state_set(|state| (state.starting, state.store) = (false, None));
        tracing::info!(rows, "the outbox is read");
    }

    /// Starts a rescan when it is time and none is running.
    pub(super) fn start_rescan(&mut self) {
        let elapsed = self.ports.clock.elapsed();
        if elapsed < self.rescan.next || !self.rescans.is_empty() {
            return;
        }
        self.rescan.next = elapsed + self.options.rescan_every;
        self.rescan.round = self.rescan.round.wrapping_add(1);
        self.rescan.until = before(self.ports.clock.now(), self.options.rescan_grace);
        if self.rescan.round.is_multiple_of(self.options.rescan_whole_every.max(1)) {
            self.rescan.cursors.fill(None);
        }
        let (ports, options, until) = (self.ports.clone(), self.options.clone(), self.rescan.until);
        let cursors = self.rescan.cursors.clone();
        self.rescans.push(Box::pin(async move {
            let mut found = Vec::new();
            for (shard, after) in cursors.iter().enumerate() {
                match page(&ports, &options, shard as u32, after.as_ref(), until, RESCAN_PAGE).await {
                    Ok(entries) => {
                        let ended = entries.is_empty();
                        found.push((shard, entries, ended));
                    }
                    // The next rescan tries again from the same place.
                    Err(fault) => tracing::warn!(
                        error = fault.chain(),
                        shard,
                        "a shard of the outbox was not rescanned"
                    ),
                }
            }
            found
        }));
    }

    /// Takes in what a rescan found.
    pub(super) fn found(&mut self, found: Vec<Found>) {
        let mut unknown = 0_u32;
        for (shard, entries, ended) in found {
            for entry in &entries {
                if let Some((due_ms, id)) = known_by(entry)
                    && self.agenda.note(due_ms, id)
                {
                    unknown += 1;
                }
            }
            // Behind a read that found nothing the cursor moves up to its end, so that the next one does not walk over what was
            // deleted since.
            let next =
                if ended { Some(start_of(self.rescan.until)) } else { entries.into_iter().next_back() };
            self.rescan.cursors[shard] = next;
        }
        if unknown > 0 {
            tracing::info!(rows = unknown, "overdue events that nobody announced here");
        }
    }
}

/// One read of one shard.
async fn page(
    ports: &RelayPorts,
    options: &super::RelayOptions,
    shard: u32,
    after: Option<&Entry>,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    let name = shard_name(shard);
    let read = ports.store.due(INDEX, &name, after, until, limit);
    clock::timeout(&*ports.clock, options.call_timeout, read)
        .await
        .unwrap_or_else(|_| Err(Fault::unavailable("reading the outbox's index took too long")))
}

/// What the agenda keeps of an entry.
fn known_by(entry: &Entry) -> Option<(u64, CompactId)> {
    event_id_of(&entry.key).map(|id| (entry.at.as_millis(), CompactId::new(id)))
}

fn before(at: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_sub(duration.as_millis() as u64))
}

/// The cursor before every entry of a point in time: no key is smaller than the empty one.
fn start_of(at: Timestamp) -> Entry {
    Entry { at, key: Key::new("", "") }
}
