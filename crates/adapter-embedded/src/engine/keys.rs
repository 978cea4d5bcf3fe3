//! Keys of rows and of index entries, built so that the tree's byte order is the order that the
//! port promises.
//!
//! Row: hash of the partition (4 bytes), its length (2), partition, sort. Rows of a partition are
//! together, in the order of the bytes of their sort keys. The hash comes first because the tree
//! keeps the first four bytes of a key beside its nodes: most comparisons then end there, instead
//! of following a pointer to keys that all begin alike. Index entry: number of the index (2),
//! length of the shard (2), shard, time (8), partition, sort. The partition is escaped (`00`
//! becomes `00 FF`) and ended by `00 01`, so that entries of one time come in the order of
//! (partition, sort).

use domain::time::Timestamp;
use ports::store::{Entry, Key};

/// Longest partition or sort key, in bytes.
pub(crate) const KEY_PART_BYTES_MAX: usize = 1_024;
/// Longest shard of an index, in bytes.
pub(crate) const SHARD_BYTES_MAX: usize = 1_024;

/// The key of a row.
pub(crate) fn row_key(key: &Key) -> Vec<u8> {
    let mut out = partition_prefix(&key.partition);
    out.extend_from_slice(key.sort.as_bytes());
    out
}

/// The common prefix of the keys of all rows of a partition.
pub(crate) fn partition_prefix(partition: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(6 + partition.len() + 32);
    out.extend_from_slice(&hash(partition).to_be_bytes());
    // A partition above the limit never has rows: writes refuse it.
    out.extend_from_slice(&(partition.len().min(0xFFFF) as u16).to_be_bytes());
    out.extend_from_slice(partition.as_bytes());
    out
}

/// FNV-1a: it is on disk, so it must not depend on the version of a library.
fn hash(partition: &str) -> u32 {
    partition.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Partition and sort key of a row's key.
pub(crate) fn split_row_key(bytes: &[u8]) -> Option<(&str, &str)> {
    let (length, rest) = bytes.get(4..)?.split_first_chunk()?;
    let (partition, sort) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((core::str::from_utf8(partition).ok()?, core::str::from_utf8(sort).ok()?))
}

/// The common prefix of the keys of all entries of a shard.
pub(crate) fn shard_prefix(index: u16, shard: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + shard.len() + 80);
    out.extend_from_slice(&index.to_be_bytes());
    out.extend_from_slice(&(shard.len().min(0xFFFF) as u16).to_be_bytes());
    out.extend_from_slice(shard.as_bytes());
    out
}

/// The length of the shard's prefix in an entry's key.
pub(crate) fn shard_prefix_len(index_key: &[u8]) -> usize {
    match index_key.get(2..4).and_then(|n| n.first_chunk()) {
        Some(length) => 4 + usize::from(u16::from_be_bytes(*length)),
        None => index_key.len(),
    }
}

/// The key of an index entry.
pub(crate) fn index_key(index: u16, shard: &str, at: Timestamp, partition: &str, sort: &str) -> Vec<u8> {
    let mut out = shard_prefix(index, shard);
    out.extend_from_slice(&at.as_millis().to_be_bytes());
    for byte in partition.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xFF);
        }
    }
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(sort.as_bytes());
    out
}

/// Decodes an index entry from the bytes after its shard's prefix.
pub(crate) fn entry_of(rest: &[u8]) -> Option<Entry> {
    let (at, mut rest) = rest.split_first_chunk()?;
    let at = Timestamp::from_millis(u64::from_be_bytes(*at));
    let mut partition = Vec::with_capacity(rest.len());
    loop {
        match rest {
            [0, 0xFF, tail @ ..] => {
                partition.push(0);
                rest = tail;
            }
            [0, 1, tail @ ..] => {
                let partition = core::str::from_utf8(&partition).ok()?;
                let sort = core::str::from_utf8(tail).ok()?;
                return Some(Entry { at, key: Key::new(partition, sort) });
            }
            [0, ..] | [] => return None,
            [byte, tail @ ..] => {
                partition.push(*byte);
                rest = tail;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('é'), any::<char>()],
            0..6,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    fn entry() -> impl Strategy<Value = Entry> {
        (0u64..4, text(), text()).prop_map(|(at, partition, sort)| Entry {
            at: Timestamp::from_millis(at),
            key: Key::new(partition, sort),
        })
    }

    proptest! {
        #[test]
        fn index_keys_sort_as_their_entries_and_read_back(a in entry(), b in entry(), shard in text()) {
            let key = |e: &Entry| index_key(7, &shard, e.at, &e.key.partition, &e.key.sort);
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            let bytes = key(&a);
            let prefix = shard_prefix_len(&bytes);
            prop_assert_eq!(&bytes[..prefix], &shard_prefix(7, &shard)[..]);
            prop_assert_eq!(entry_of(&bytes[prefix..]), Some(a));
        }

        #[test]
        fn row_keys_read_back_and_sort_within_their_partition(partition in text(), a in text(), b in text()) {
            let (first, second) = (row_key(&Key::new(partition.clone(), a.clone())), row_key(&Key::new(partition.clone(), b.clone())));
            prop_assert_eq!(split_row_key(&first), Some((partition.as_str(), a.as_str())));
            prop_assert_eq!(first.cmp(&second), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
