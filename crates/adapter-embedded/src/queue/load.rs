//! Opens a queue: reads its records in the folder and builds the index in memory.
//!
//! In-flight messages become visible at once; receive counts, the deduplication window and the rest
//! of each delay continue. Counts whose message is gone (a delete overtook them) are removed.

use super::core::{QueueCore, State, fresh, group_of, micros};
use super::dedup::{Dedup, WINDOW_MS};
use super::index::Index;
use super::options::QueueOptions;
use super::record::{self, Record};
use crate::codec::be64;
use crate::engine::request::{RawWrite, Request};
use crate::engine::{Inner, OpenError};
use core::time::Duration;
use fjall::{Keyspace, PersistMode, Slice};
use ports::queue::QueueKind;
use std::collections::BTreeMap;

/// Key of the count of queues in the meta table.
const QUEUES: &str = "queues";
/// A delay on disk is never longer than this, whatever the wall clock did since.
const DELAY_MAX_MS: u64 = 15 * 60 * 1_000;

pub(crate) fn load(
    name: &str,
    messages: Keyspace,
    options: QueueOptions,
    engine: &Inner,
) -> Result<QueueCore, OpenError> {
    let number = identify(name, &messages, &options, engine)?;
    let damaged =
        |what: &str| OpenError::corrupt(&engine.folder, format!("queue {name}: {what} is unreadable"));
    let tree = |e| OpenError::tree(&engine.folder, "read a queue", e);
    let (now_ms, now) = (engine.clock.now().as_millis(), micros(engine.clock.elapsed()));

    let mut receives: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
    for guard in messages.prefix([record::RECEIVES]) {
        let (key, value) = guard.into_inner().map_err(tree)?;
        let (place, count) =
            record::place_of(&key).zip(record::read_receives(&value)).ok_or_else(|| damaged("a count"))?;
        receives.insert(place, count);
    }
    let mut index = Index::new(options.kind == QueueKind::Fifo);
    let mut foreign = BTreeMap::new();
    let mut next_place = 0;
    for guard in messages.prefix([record::MESSAGE]) {
        let (key, value) = guard.into_inner().map_err(tree)?;
        let place = record::place_of(&key).ok_or_else(|| damaged("a key"))?;
        let record = Record::decode(&value).map_err(|_| damaged("a message"))?;
        let left = record.visible.saturating_sub(now_ms).min(DELAY_MAX_MS);
        let until = (left > 0).then(|| now.saturating_add(micros(Duration::from_millis(left))));
        let mut entry = fresh(group_of(&record), record.arrived, until);
        if let Some((count, first)) = receives.remove(&place) {
            (entry.received, entry.first_received) = (count, first);
        }
        if record.id != 0 {
            foreign.insert(record.id, place);
        }
        index.add(place, entry);
        next_place = place + 1;
    }
    if let Some(reserved) = messages.get(record::PLACES).map_err(tree)? {
        next_place = next_place.max(be64(&reserved).ok_or_else(|| damaged("the count of places"))?);
    }
    let mut dedup = Dedup::default();
    for guard in messages.prefix([record::DEDUP]) {
        let (key, value) = guard.into_inner().map_err(tree)?;
        let ((expiry, hash), id) =
            record::read_dedup_key(&key).zip(be64(&value)).ok_or_else(|| damaged("a deduplication id"))?;
        // A wall clock that went back must not stretch the window.
        dedup.add(hash, id, expiry.min(now_ms + WINDOW_MS), expiry);
    }
    let orphans: Vec<RawWrite> = receives
        .into_keys()
        .map(|place| RawWrite {
            keyspace: messages.clone(),
            key: Slice::from(record::key(record::RECEIVES, place)),
            value: None,
        })
        .collect();
    if !orphans.is_empty() {
        // Refused only by an engine that has stopped; the next open tries again.
        drop(engine.queues.shared.submit(Request::Raw { writes: orphans, durable: false, done: None }));
    }
    Ok(QueueCore::new(name, number, messages, options, engine, State::new(index, dedup, foreign, next_place)))
}

/// Gives a new queue its number and kind; checks the kind of an existing one.
fn identify(
    name: &str,
    messages: &Keyspace,
    options: &QueueOptions,
    engine: &Inner,
) -> Result<u64, OpenError> {
    let tree = |e| OpenError::tree(&engine.folder, "set up a queue", e);
    let mismatch = |why: &str| OpenError::Mismatch { name: name.to_owned(), why: why.to_owned() };
    if let Some(redrive) = &options.redrive
        && redrive.dead_letter.core().options.kind != options.kind
    {
        return Err(mismatch("a dead-letter queue is of the same kind as its queue"));
    }
    let kind: &[u8] = match options.kind {
        QueueKind::Standard => b"standard",
        QueueKind::Fifo => b"fifo",
    };
    let known = messages.get(record::NUMBER).map_err(tree)?;
    if let Some(number) = known {
        let there = messages.get(record::KIND).map_err(tree)?;
        return match (there, be64(&number)) {
            (Some(there), Some(number)) if there.as_ref() == kind => Ok(number),
            (Some(_), Some(_)) => Err(mismatch("it is a queue of the other kind")),
            _ => Err(OpenError::corrupt(&engine.folder, format!("queue {name}: its number is unreadable"))),
        };
    }
    let last = engine.queues.meta.get(QUEUES).map_err(tree)?.and_then(|n| be64(&n)).unwrap_or(0);
    let number = last + 1;
    let mut batch = engine.queues.db.batch().durability(Some(PersistMode::SyncAll));
    batch.insert(&engine.queues.meta, QUEUES, number.to_be_bytes());
    batch.insert(messages, record::NUMBER, number.to_be_bytes());
    batch.insert(messages, record::KIND, kind);
    batch.commit().map_err(tree)?;
    Ok(number)
}
