//! Rows as bytes: version, the row's index entries, then its attributes with names as numbers.
//!
//! The row carries its index entries so that the next write, which names only the new ones, can
//! remove the old ones in the same batch without a second record.

use crate::codec::{Reader, put_bytes, put_number, put_signed};
use crate::engine::head::index_entry;
use crate::engine::keys::{SHARD_BYTES_MAX, index_key};
use crate::engine::names::Names;
use fjall::Slice;
use ports::Fault;
use ports::store::{Attributes, IndexEntry, Key, Row, Value};
use std::sync::Arc;

/// Largest row, in bytes.
const ROW_BYTES_MAX: usize = 400 * 1_024;

const TEXT: u8 = 0;
const NUMBER: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const TEXTS: u8 = 4;

/// Encodes a row and builds the keys of its index entries.
pub(crate) fn encode(
    names: &Names,
    key: &Key,
    version: u64,
    attributes: &Attributes,
    indexes: &[IndexEntry],
) -> Result<(Slice, Vec<Slice>), Fault> {
    let mut out = Vec::with_capacity(256);
    let mut index_keys = Vec::with_capacity(indexes.len());
    put_number(&mut out, version);
    put_number(&mut out, indexes.len() as u64);
    for (place, entry) in indexes.iter().enumerate() {
        if indexes.iter().take(place).any(|earlier| earlier.index == entry.index) {
            return Err(Fault::permanent(format!("{} names the index {} twice", place_of(key), entry.index)));
        }
        if entry.shard.len() > SHARD_BYTES_MAX {
            return Err(Fault::permanent(format!(
                "{}: a shard has at most {SHARD_BYTES_MAX} bytes",
                place_of(key)
            )));
        }
        let index = names.number(entry.index)?;
        put_number(&mut out, u64::from(index));
        put_bytes(&mut out, entry.shard.as_bytes());
        put_number(&mut out, entry.at.as_millis());
        index_keys.push(index_key(index, &entry.shard, entry.at, &key.partition, &key.sort).into());
    }
    put_number(&mut out, attributes.0.len() as u64);
    for (name, value) in &attributes.0 {
        put_number(&mut out, u64::from(names.number(name)?));
        put_value(&mut out, value);
    }
    if out.len() > ROW_BYTES_MAX {
        return Err(Fault::permanent(format!(
            "{} has {} bytes, at most {ROW_BYTES_MAX}",
            place_of(key),
            out.len()
        )));
    }
    Ok((out.into(), index_keys))
}

/// Decodes a row.
pub(crate) fn decode(names: &Names, key: Key, bytes: &[u8]) -> Result<Row, Fault> {
    let read = || -> Option<(u64, Attributes)> {
        let mut reader = Reader::new(bytes);
        let version = reader.number()?;
        for _ in 0..reader.number()? {
            index_entry(&mut reader)?;
        }
        let count = usize::try_from(reader.number()?).ok()?;
        let mut attributes = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let name = names.name(u16::try_from(reader.number()?).ok()?)?;
            attributes.push((name, value(&mut reader)?));
        }
        reader.is_at_end().then_some((version, Attributes(attributes)))
    };
    match read() {
        Some((version, attributes)) => Ok(Row { key, version, attributes }),
        None => Err(Fault::permanent(format!("{} is damaged", place_of(&key)))),
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            out.push(TEXT);
            put_bytes(out, text.as_bytes());
        }
        Value::Number(number) => {
            out.push(NUMBER);
            put_signed(out, *number);
        }
        Value::Flag(flag) => out.push(if *flag { TRUE } else { FALSE }),
        Value::Texts(texts) => {
            out.push(TEXTS);
            put_number(out, texts.len() as u64);
            for text in texts {
                put_bytes(out, text.as_bytes());
            }
        }
    }
}

fn value(reader: &mut Reader<'_>) -> Option<Value> {
    Some(match reader.byte()? {
        TEXT => Value::Text(reader.text()?.into()),
        NUMBER => Value::Number(reader.signed()?),
        FALSE => Value::Flag(false),
        TRUE => Value::Flag(true),
        TEXTS => {
            let count = usize::try_from(reader.number()?).ok()?;
            let mut texts: Vec<Arc<str>> = Vec::with_capacity(count.min(64));
            for _ in 0..count {
                texts.push(reader.text()?.into());
            }
            Value::Texts(texts)
        }
        _ => return None,
    })
}

fn place_of(key: &Key) -> String {
    format!("the row {:?} / {:?}", key.partition, key.sort)
}
