//! The head of a stored row, which the next write needs: its version and its index entries. The
//! attributes behind it are the store's.

use super::keys::{index_key, split_row_key};
use super::versions::Known;
use crate::codec::Reader;
use domain::time::Timestamp;

/// The version of a row and the keys of its index entries.
pub(crate) fn head(row_key: &[u8], bytes: &[u8]) -> Option<Known> {
    let (partition, sort) = split_row_key(row_key)?;
    let mut reader = Reader::new(bytes);
    let version = reader.number()?;
    let count = reader.number()?;
    let mut index_keys = Vec::new();
    for _ in 0..count {
        let (index, shard, at) = index_entry(&mut reader)?;
        index_keys.push(index_key(index, shard, at, partition, sort).into());
    }
    Some(Known { version, index_keys })
}

/// The index, shard and time of one entry in a head.
pub(crate) fn index_entry<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a str, Timestamp)> {
    let index = u16::try_from(reader.number()?).ok()?;
    let shard = reader.text()?;
    Some((index, shard, Timestamp::from_millis(reader.number()?)))
}
