//! Reading an index of due rows: all of it at the start, and then slowly, for rows that were not
//! announced to this process.
//!
//! Announcements get lost: by a crash or a dropped handler between commit and announcement, or with
//! another instance that died. Each rescan reads the rows that are overdue by more than the grace,
//! from where the last one ended. Now and then it starts from the beginning, for rows that were
//! committed late under an early due time.

use crate::backoff;
use core::time::Duration;
use domain::time::Timestamp;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use ports::store::{Entry, Key};
use ports::{Clock, Dice, Entropy, Fault, Store, clock};
use std::sync::Arc;

/// Entries of one read at the start: a million rows are a hundred reads.
const WHOLE_PAGE: usize = 10_000;
/// Entries of one shard in one rescan; the rest comes with the next.
const RESCAN_PAGE: usize = 1_000;
/// Shards that are read at the same time.
const SHARDS_AT_ONCE: usize = 4;
/// The longest one read may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The first and the longest wait after failed reads.
const REST_FIRST: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(5);

/// Reads one index of one store. A clone reads the same index.
#[derive(Clone)]
pub struct IndexReader {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    dice: Dice,
    index: &'static str,
    shards: u32,
}

impl IndexReader {
    /// A reader of the shards `0..shards` of an index, named by [`crate::shard_of`].
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        index: &'static str,
        shards: u32,
    ) -> Self {
        Self { store, clock, dice: Dice(entropy), index, shards: shards.max(1) }
    }

    /// Reads every entry and gives each to `take`, retrying until the store has answered for all
    /// shards. `trouble` is called with the text of each failure.
    pub async fn all<T>(
        &self,
        take: impl Fn(&Entry) -> Option<T> + Sync,
        trouble: impl Fn(String) + Sync,
    ) -> Vec<T> {
        let (take, trouble) = (&take, &trouble);
        let mut shards = stream::iter(0..self.shards)
            .map(|shard| self.whole_shard(shard, take, trouble))
            .buffered(SHARDS_AT_ONCE);
        let mut all = Vec::new();
        while let Some(entries) = shards.next().await {
            all.extend(entries);
        }
        all
    }

    async fn whole_shard<T>(
        &self,
        shard: u32,
        take: &(impl Fn(&Entry) -> Option<T> + Sync),
        trouble: &(impl Fn(String) + Sync),
    ) -> Vec<T> {
        let (mut taken, mut after, mut failures) = (Vec::new(), None, 0);
        let mut dice = self.dice.clone();
        loop {
            // A short page need not be the last one; an empty page is.
            match self.page(shard, after.as_ref(), Timestamp::MAX, WHOLE_PAGE).await {
                Ok(entries) if entries.is_empty() => return taken,
                Ok(entries) => {
                    failures = 0;
                    taken.extend(entries.iter().filter_map(take));
                    after = entries.into_iter().next_back();
                }
                Err(fault) => {
                    failures += 1;
                    let error = fault.chain();
                    tracing::warn!(index = self.index, shard, failures, error, "index not read; retrying");
                    trouble(error);
                    self.clock.sleep(backoff::rest(failures, REST_FIRST, REST_MAX, &mut dice)).await;
                }
            }
        }
    }

    async fn page(
        &self,
        shard: u32,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let name = crate::row::shard_name(shard);
        let read = self.store.due(self.index, &name, after, until, limit);
        clock::timeout(&*self.clock, CALL_TIMEOUT, read)
            .await
            .unwrap_or_else(|_| Err(Fault::unavailable("reading an index took too long")))
    }
}

/// When to rescan, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescanOptions {
    /// How often the index is read.
    pub every: Duration,
    /// How long a row is overdue before a rescan takes it: the instance that committed it gets this
    /// long to do the work.
    pub grace: Duration,
    /// Every so many rescans start from the beginning instead of where the last one ended.
    pub whole_every: u32,
}

impl Default for RescanOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(2), grace: Duration::from_secs(2), whole_every: 30 }
    }
}

/// Slow reads of an index, from a cursor in each shard.
pub struct Rescan {
    reader: IndexReader,
    options: RescanOptions,
    next: Duration,
    round: u32,
    cursors: Vec<Option<Entry>>,
}

/// The entries that one rescan found.
pub struct Found {
    until: Timestamp,
    shards: Vec<(usize, Vec<Entry>)>,
}

impl Rescan {
    /// Rescans that start from the beginning.
    pub fn new(reader: IndexReader, options: RescanOptions) -> Self {
        let cursors = vec![None; reader.shards as usize];
        Self { reader, options, next: Duration::ZERO, round: 0, cursors }
    }

    /// The reader, to read the whole index at the start.
    pub fn reader(&self) -> &IndexReader {
        &self.reader
    }

    /// The clock's `elapsed` at which the next rescan starts.
    pub fn next(&self) -> Duration {
        self.next
    }

    /// Records that everything was read, by a read that began at `began`: the first rescan may
    /// start there.
    pub fn set_all_read(&mut self, began: Timestamp) {
        self.cursors.fill(Some(start_of(before(began, self.options.grace))));
        self.next = self.reader.clock.elapsed() + self.options.every;
    }

    /// A rescan, if it is time for one. The caller runs one at a time and gives its result to
    /// [`Self::found`].
    pub fn start(&mut self) -> Option<BoxFuture<'static, Found>> {
        let elapsed = self.reader.clock.elapsed();
        if elapsed < self.next {
            return None;
        }
        self.next = elapsed + self.options.every;
        self.round = self.round.wrapping_add(1);
        if self.round.is_multiple_of(self.options.whole_every.max(1)) {
            self.cursors.fill(None);
        }
        let (reader, cursors) = (self.reader.clone(), self.cursors.clone());
        let until = before(reader.clock.now(), self.options.grace);
        Some(Box::pin(async move {
            let mut shards = Vec::new();
            for (shard, after) in cursors.iter().enumerate() {
                let page = reader.page(shard as u32, after.as_ref(), until, RESCAN_PAGE).await;
                // An engine in this process may answer without waiting, after a walk over thousands
                // of deleted entries; due rows must not wait for all shards.
                tokio::task::yield_now().await;
                match page {
                    Ok(entries) => shards.push((shard, entries)),
                    // The next rescan tries again from the same place.
                    Err(fault) => {
                        tracing::warn!(
                            index = reader.index,
                            shard,
                            error = fault.chain(),
                            "shard not rescanned; the next rescan retries"
                        );
                    }
                }
            }
            Found { until, shards }
        }))
    }

    /// Moves the cursors behind the found entries and returns all of them, known and unknown.
    pub fn found(&mut self, found: Found) -> Vec<Entry> {
        let mut all = Vec::new();
        for (shard, entries) in found.shards {
            // After a read that found nothing the cursor moves to its end, so that the next read
            // does not walk over entries that were deleted since.
            self.cursors[shard] = Some(entries.last().cloned().unwrap_or_else(|| start_of(found.until)));
            all.extend(entries);
        }
        all
    }
}

fn before(at: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_sub(duration.as_millis() as u64))
}

/// The cursor before every entry of a time: no key is smaller than the empty one.
fn start_of(at: Timestamp) -> Entry {
    Entry { at, key: Key::new("", "") }
}
