//! Rows as items and back. Attributes keep their names and become DynamoDB's own types: text `S`,
//! number `N`, flag `BOOL`, texts `L` of `S`.

use super::index::sort_key;
use super::names::{self, OPERATION, PARTITION, SORT, VERSION, at_of, shard_of};
use aws_sdk_dynamodb::types::AttributeValue;
use ports::Fault;
use ports::store::{Attributes, IndexEntry, Key, Row, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// An item in the SDK's form.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Largest item, in bytes.
pub(crate) const ITEM_BYTES_MAX: usize = 400 * 1_024;

/// The key of a row.
pub(crate) fn key_item(key: &Key) -> Item {
    HashMap::from([(PARTITION.to_owned(), text(&key.partition)), (SORT.to_owned(), text(&key.sort))])
}

/// The item of a row that will be written.
pub(crate) fn encode(
    key: &Key,
    version: u64,
    operation: &str,
    attributes: &Attributes,
    indexes: &[IndexEntry],
) -> Item {
    let mut item = HashMap::with_capacity(4 + attributes.0.len() + 2 * indexes.len());
    item.insert(PARTITION.to_owned(), text(&key.partition));
    item.insert(SORT.to_owned(), text(&key.sort));
    item.insert(VERSION.to_owned(), AttributeValue::N(version.to_string()));
    item.insert(OPERATION.to_owned(), text(operation));
    for entry in indexes {
        item.insert(shard_of(entry.index), text(&entry.shard));
        item.insert(at_of(entry.index), AttributeValue::S(sort_key(entry.at, key)));
    }
    for (name, value) in &attributes.0 {
        item.insert((*name).to_owned(), to_native(value));
    }
    item
}

/// The row of an item. Attributes are sorted by name: an item has no order of its own.
pub(crate) fn decode(item: Item, indexes: &[&str]) -> Result<Row, Fault> {
    let key = key_of(&item)?;
    let damaged = |what: &str| {
        let Key { partition, sort } = &key;
        Fault::permanent(format!("the row {partition:?} / {sort:?} is damaged: {what}"))
    };
    let version = version_of(&item).ok_or_else(|| damaged("it has no version"))?;
    let mut attributes = Vec::with_capacity(item.len());
    for (name, value) in item {
        if names::is_reserved(&name, indexes) {
            continue;
        }
        let Some(value) = from_native(value) else {
            return Err(damaged(&format!("{name} has a type that no row has")));
        };
        attributes.push((names::keep(&name)?, value));
    }
    attributes.sort_unstable_by_key(|(name, _)| *name);
    Ok(Row { key, version, attributes: Attributes(attributes) })
}

/// The key of an item.
pub(crate) fn key_of(item: &Item) -> Result<Key, Fault> {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    match (part(PARTITION), part(SORT)) {
        (Some(partition), Some(sort)) => Ok(Key::new(partition.as_str(), sort.as_str())),
        _ => Err(Fault::permanent("an item without its key")),
    }
}

/// The version of an item.
pub(crate) fn version_of(item: &Item) -> Option<u64> {
    item.get(VERSION)?.as_n().ok()?.parse().ok()
}

/// The id of the commit that wrote an item last.
pub(crate) fn operation_of(item: &Item) -> Option<&str> {
    item.get(OPERATION)?.as_s().ok().map(String::as_str)
}

/// The size that DynamoDB counts for an item, rounded up where it documents an approximation.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        // About a byte for two digits, plus one; signs count.
        AttributeValue::N(number) => number.len() / 2 + 2,
        AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        _ => 1,
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn to_native(value: &Value) -> AttributeValue {
    match value {
        Value::Text(value) => text(value),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::Flag(flag) => AttributeValue::Bool(*flag),
        Value::Texts(texts) => AttributeValue::L(texts.iter().map(|value| text(value)).collect()),
    }
}

fn from_native(value: AttributeValue) -> Option<Value> {
    Some(match value {
        AttributeValue::S(text) => Value::Text(text.into()),
        AttributeValue::N(number) => Value::Number(number.parse().ok()?),
        AttributeValue::Bool(flag) => Value::Flag(flag),
        AttributeValue::L(values) => {
            let texts = values.into_iter().map(|value| match value {
                AttributeValue::S(text) => Some(Arc::from(text)),
                _ => None,
            });
            Value::Texts(texts.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
