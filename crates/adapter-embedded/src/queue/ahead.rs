//! Bodies read ahead: a long queue is read in the order of the disk, so one scan reads the next few
//! dozen bodies for the price of two or three look-ups, each of which would search filters and
//! decode a block again.
//!
//! A place is never used twice and its record never changes, so nothing here can be stale. Unused
//! records are dropped when the bounds are reached.

use super::record::{self, MESSAGE, place_of};
use crate::engine::error::read_fault;
use fjall::{Keyspace, Slice};
use parking_lot::Mutex;
use ports::Fault;
use std::collections::BTreeMap;

/// The number of visible messages from which reading ahead pays.
pub(crate) const WORTH_IT: u64 = 256;
const SCAN_RECORDS: usize = 64;
const SCAN_BYTES: usize = 256 * 1_024;
const KEPT_RECORDS: usize = 1_024;
const KEPT_BYTES: usize = 4 * 1_024 * 1_024;

#[derive(Default)]
pub(crate) struct Ahead {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    records: BTreeMap<u64, Slice>,
    bytes: usize,
}

impl Ahead {
    /// The record at a place, from an earlier scan or a new one. Receives of neighbours wait for
    /// the scan and find theirs.
    pub(crate) fn read(&self, messages: &Keyspace, place: u64) -> Result<Option<Slice>, Fault> {
        let mut kept = self.kept.lock();
        if let Some(record) = kept.records.remove(&place) {
            kept.bytes -= record.len();
            return Ok(Some(record));
        }
        let mut asked = None;
        let mut bytes = 0;
        for guard in
            messages.range(record::key(MESSAGE, place)..=record::key(MESSAGE, u64::MAX)).take(SCAN_RECORDS)
        {
            let (key, record) = guard.into_inner().map_err(|e| read_fault("read messages", &e))?;
            let Some(there) = place_of(&key) else { break };
            bytes += record.len();
            if there == place {
                asked = Some(record);
            } else {
                kept.keep(there, record);
            }
            if asked.is_none() || bytes >= SCAN_BYTES {
                break;
            }
        }
        Ok(asked)
    }
}

impl Kept {
    fn keep(&mut self, place: u64, record: Slice) {
        if self.records.len() >= KEPT_RECORDS || self.bytes >= KEPT_BYTES {
            *self = Self::default();
        }
        self.bytes += record.len();
        if let Some(before) = self.records.insert(place, record) {
            self.bytes -= before.len();
        }
    }
}
