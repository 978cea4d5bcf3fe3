//! The deduplication window of a FIFO queue: which ids were sent in the last five minutes, and as
//! which message.
//!
//! Kept in memory as 128-bit hashes and on disk beside the messages, so that a repetition across a
//! restart is recognised. Times are wall-clock milliseconds, because the window outlives the
//! process.

use super::record::dedup_key;
use core::hash::BuildHasherDefault;
use std::collections::{HashMap, VecDeque};
use std::hash::DefaultHasher;

/// Length of the window.
pub(crate) const WINDOW_MS: u64 = 5 * 60 * 1_000;

#[derive(Default)]
pub(crate) struct Dedup {
    sent: HashMap<u128, Sent, BuildHasherDefault<DefaultHasher>>,
    /// Ends of the window, in the order in which they were written.
    ends: VecDeque<End>,
}

struct End {
    expiry: u64,
    recorded: u64,
    hash: u128,
}

#[derive(Clone, Copy)]
struct Sent {
    id: u64,
    expiry: u64,
}

impl Dedup {
    /// The message that an id was sent as, if the id is in the window.
    pub(crate) fn find(&self, hash: u128, now: u64) -> Option<u64> {
        self.sent.get(&hash).filter(|sent| now < sent.expiry).map(|sent| sent.id)
    }

    /// Remembers an id until `expiry`; its record has the key of `hash` and `recorded`.
    pub(crate) fn add(&mut self, hash: u128, id: u64, expiry: u64, recorded: u64) {
        self.sent.insert(hash, Sent { id, expiry });
        self.ends.push_back(End { expiry, recorded, hash });
    }

    /// Forgets up to `limit` ids whose window has ended and returns the keys of their records.
    pub(crate) fn forget(&mut self, now: u64, limit: usize) -> Vec<[u8; 25]> {
        let mut keys = Vec::new();
        while keys.len() < limit {
            match self.ends.front() {
                Some(&End { expiry, recorded, hash }) if expiry <= now => {
                    self.ends.pop_front();
                    // The id may have been sent again after its window; then the newer entry stays.
                    if self.sent.get(&hash).is_some_and(|sent| sent.expiry == expiry) {
                        self.sent.remove(&hash);
                    }
                    keys.push(dedup_key(recorded, hash));
                }
                _ => break,
            }
        }
        keys
    }
}

/// 128 bits of an id, by FNV-1a: the value is on disk, so it must not depend on the version of a
/// library. Ids come from our own services, which gain nothing by a collision.
pub(crate) fn hash_of(id: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    id.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// 64 bits of a group's name.
pub(crate) fn group_hash(group: &str) -> u64 {
    let hash = hash_of(group);
    (hash >> 64) as u64 ^ hash as u64
}
