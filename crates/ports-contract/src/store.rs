//! The contract suite of the [`Store`] port.
//!
//! Each case is a function over a [`StoreHarness`]; [`crate::store_contract!`] turns all of them
//! into tests, so that an engine's test binary reports each by name. The cases check what the port
//! promises and DynamoDB documents, and nothing about how an engine does it: they wait until index
//! reads are consistent, and try again a commit that lost a race.

mod commits;
mod indexes;
mod reads;
mod writers;

pub use commits::*;
pub use indexes::*;
pub use reads::*;
pub use writers::*;

use super::together::together;

use async_trait::async_trait;
use domain::time::Timestamp;
use ports::store::{Attributes, CommitError, Entry, Expect, IndexEntry, Key, Row, Store, Write};
use std::sync::Arc;

/// The index that the cases use.
pub const INDEX: &str = "contract_due";
/// A second index; the two must not mix.
pub const OTHER_INDEX: &str = "contract_other";

/// What an engine's tests give to the suite.
#[async_trait]
pub trait StoreHarness: Send + Sync {
    /// A store without rows, with the indexes [`INDEX`] and [`OTHER_INDEX`].
    async fn store(&self) -> Arc<dyn Store>;
    /// The same store after a restart of the engine; `None` if the engine is a service that we
    /// cannot restart.
    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>>;
    /// Gives an eventually consistent index a moment to catch up. Called up to [`SETTLE_TRIES`]
    /// times.
    async fn settle(&self) {}
}

/// How often a case asks an index again before it fails.
pub const SETTLE_TRIES: usize = 100;

/// Turns every case into a test. The argument makes a harness; the calling crate needs tokio with
/// `macros`.
#[macro_export]
macro_rules! store_contract {
    ($harness:expr) => {
        $crate::store_contract!(@cases $harness;
            a_new_row_has_version_one_and_reads_back_whole,
            a_write_replaces_the_whole_row_and_adds_one_to_its_version,
            a_stale_version_is_refused_and_changes_nothing,
            a_row_that_must_be_absent_is_refused_when_it_is_there,
            a_version_is_refused_when_there_is_no_row,
            a_refused_commit_names_the_first_failing_write_and_changes_no_row,
            a_delete_needs_its_version_or_accepts_anything,
            a_deleted_row_begins_again_at_version_one,
            a_check_guards_a_commit_and_writes_nothing,
            a_hundred_rows_commit_at_once,
            a_commit_of_none_or_too_many_or_the_same_row_twice_is_refused,
            a_row_over_the_limit_is_refused_as_permanent,
            rows_are_read_in_the_order_of_the_requested_keys,
            a_partition_is_listed_in_the_order_of_bytes_page_by_page,
            partitions_with_similar_names_are_apart,
            a_cursor_may_name_a_row_that_is_gone,
            keys_and_texts_may_be_any_unicode,
            long_keys_and_large_rows_are_kept,
            a_scan_gives_every_row_once,
            a_scan_during_writes_misses_no_row_that_stays,
            index_entries_appear_move_and_disappear_with_their_row,
            due_entries_come_in_order_and_page_by_page,
            due_includes_the_time_asked_and_nothing_later,
            shards_and_indexes_are_apart,
            due_from_the_front_works_after_many_removals,
            a_late_entry_below_removed_ones_is_found,
            one_of_many_writers_wins_each_version,
            counted_increments_by_many_writers_add_up,
            transfers_by_many_writers_keep_the_sum,
            an_answered_commit_is_seen_by_every_later_read,
            everything_answered_survives_a_restart,
        );
    };
    (@cases $harness:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::store::$case(&$harness).await;
            }
        )*
    };
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn entry(index: &'static str, shard: &str, millis: u64) -> IndexEntry {
    IndexEntry { index, shard: shard.into(), at: at(millis) }
}

pub(crate) fn found(millis: u64, key: &Key) -> Entry {
    Entry { at: at(millis), key: key.clone() }
}

pub(crate) fn put(key: &Key, expect: Expect, number: u64) -> Write {
    put_indexed(key, expect, number, Vec::new())
}

pub(crate) fn put_indexed(key: &Key, expect: Expect, number: u64, indexes: Vec<IndexEntry>) -> Write {
    Write::Put { key: key.clone(), expect, attributes: Attributes::new().with("number", number), indexes }
}

pub(crate) fn delete(key: &Key, expect: Expect) -> Write {
    Write::Delete { key: key.clone(), expect }
}

/// A commit that must succeed.
pub(crate) async fn committed(store: &dyn Store, writes: Vec<Write>) {
    if let Err(error) = store.commit(writes).await {
        panic!("a commit that should succeed: {error:?}");
    }
}

/// A commit that must be refused; returns the position of the write that the refusal names.
pub(crate) async fn refused(store: &dyn Store, writes: Vec<Write>) -> usize {
    match store.commit(writes).await {
        Err(CommitError::Conflict { at }) => at,
        other => panic!("a commit that should be refused as a conflict: {other:?}"),
    }
}

pub(crate) async fn row(store: &dyn Store, key: &Key) -> Option<Row> {
    let rows = store.get(core::slice::from_ref(key)).await;
    let mut rows = rows.expect("a read of one row succeeds");
    assert_eq!(rows.len(), 1, "one answer for one key");
    rows.pop().flatten()
}

/// Version and number of a row; (0, 0) if there is no row.
pub(crate) async fn number(store: &dyn Store, key: &Key) -> (u64, i64) {
    match row(store, key).await {
        None => (0, 0),
        Some(row) => (row.version, row.attributes.number("number").expect("the row has its number")),
    }
}

/// Waits until a shard of an index has exactly these entries.
pub(crate) async fn due_is(harness: &dyn StoreHarness, store: &dyn Store, shard: &str, expected: &[Entry]) {
    let mut last = Vec::new();
    for _ in 0..SETTLE_TRIES {
        last = store.due(INDEX, shard, None, Timestamp::MAX, 1_000).await.expect("an index can be read");
        if last == expected {
            return;
        }
        harness.settle().await;
    }
    assert_eq!(last, expected, "entries of the shard {shard}");
}
