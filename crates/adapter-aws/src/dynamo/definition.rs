//! The table that a store needs, as a value that can be printed, created, or compared with the
//! existing table.

use super::names::{EXPIRES, PARTITION, SORT, at_of, shard_of};
use core::fmt;
use serde_json::{Value, json};
use std::sync::Arc;

/// The table that a store needs. Every key is a text; the table is paid per request.
///
/// Its `Display` text is the document for `aws dynamodb create-table --cli-input-json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Name of the table.
    pub name: Arc<str>,
    /// Its primary key.
    pub keys: Keys,
    /// Its global secondary indexes. Each is sparse, because only rows in it carry its keys, and
    /// holds keys only.
    pub indexes: Vec<IndexDefinition>,
    /// The attribute with the second after which DynamoDB may remove a row.
    pub expires: String,
}

/// A partition and a sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Name of the attribute that is the partition key.
    pub partition: String,
    /// Name of the attribute that is the sort key.
    pub sort: String,
}

/// One global secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Name of the index.
    pub name: String,
    /// Its keys: the shard, and the position within it.
    pub keys: Keys,
}

/// The definition of a table with these indexes.
pub fn table_definition(name: impl Into<Arc<str>>, indexes: &[&str]) -> TableDefinition {
    let index = |index: &&str| IndexDefinition {
        name: (*index).to_owned(),
        keys: Keys { partition: shard_of(index), sort: at_of(index) },
    };
    TableDefinition {
        name: name.into(),
        keys: Keys { partition: PARTITION.to_owned(), sort: SORT.to_owned() },
        indexes: indexes.iter().map(index).collect(),
        expires: EXPIRES.to_owned(),
    }
}

impl TableDefinition {
    /// Every attribute that is part of a key.
    pub(crate) fn key_attributes(&self) -> impl Iterator<Item = &str> {
        let keys = core::iter::once(&self.keys).chain(self.indexes.iter().map(|index| &index.keys));
        keys.flat_map(|keys| [&*keys.partition, &*keys.sort])
    }

    /// The document for `aws dynamodb create-table --cli-input-json`.
    pub fn create_document(&self) -> Value {
        let attributes: Vec<Value> = self
            .key_attributes()
            .map(|name| json!({ "AttributeName": name, "AttributeType": "S" }))
            .collect();
        let indexes: Vec<Value> = self
            .indexes
            .iter()
            .map(|index| {
                json!({
                    "IndexName": index.name,
                    "KeySchema": index.keys.document(),
                    "Projection": { "ProjectionType": "KEYS_ONLY" },
                })
            })
            .collect();
        let mut document = json!({
            "TableName": &*self.name,
            "AttributeDefinitions": attributes,
            "KeySchema": self.keys.document(),
            "BillingMode": "PAY_PER_REQUEST",
        });
        // The service refuses an empty list.
        if !indexes.is_empty() {
            document["GlobalSecondaryIndexes"] = Value::Array(indexes);
        }
        document
    }
}

impl Keys {
    fn document(&self) -> Value {
        json!([
            { "AttributeName": self.partition, "KeyType": "HASH" },
            { "AttributeName": self.sort, "KeyType": "RANGE" },
        ])
    }
}

impl fmt::Display for TableDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.create_document())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_one_of_the_command_line() {
        let definition = table_definition("holds", &["due_holds"]);
        let expected = json!({
            "TableName": "holds",
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "sk", "AttributeType": "S" },
                { "AttributeName": "due_holds_shard", "AttributeType": "S" },
                { "AttributeName": "due_holds_at", "AttributeType": "S" },
            ],
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "due_holds",
                "KeySchema": [
                    { "AttributeName": "due_holds_shard", "KeyType": "HASH" },
                    { "AttributeName": "due_holds_at", "KeyType": "RANGE" },
                ],
                "Projection": { "ProjectionType": "KEYS_ONLY" },
            }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        assert_eq!(definition.create_document(), expected);
        let printed: Value = serde_json::from_str(&definition.to_string()).unwrap();
        assert_eq!(printed, expected);
        assert_eq!(table_definition("t", &[]).create_document().get("GlobalSecondaryIndexes"), None);
    }
}
