//! Compares the existing table with the needed one. Changes nothing: a table in use belongs to its
//! operator, so the text says what to change.

use super::ask::ask;
use super::definition::{Keys, TableDefinition};
use super::faults::fault;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    IndexStatus, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
};
use ports::{Clock, Entropy, Fault};

/// The error names what to change.
pub(crate) async fn check(
    client: &Client,
    needed: &TableDefinition,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), Fault> {
    let Some(there) = describe(client, needed, clock, entropy).await? else {
        return Err(Fault::permanent(format!(
            "there is no table {} in this region and account: check its name, AWS_REGION and \
             AWS_ENDPOINT_URL_DYNAMODB, or make it with `tacos aws create`",
            needed.name
        )));
    };
    compare(needed, &there)?;
    match unready(needed, &there) {
        None => Ok(()),
        Some(what) => {
            Err(Fault::unavailable(format!("{what} of the table {} is not ready yet", needed.name)))
        }
    }
}

/// The table as the service describes it; `None` if there is none.
pub(crate) async fn describe(
    client: &Client,
    needed: &TableDefinition,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Option<TableDescription>, Fault> {
    let request = client.describe_table().table_name(&*needed.name);
    match ask(clock, entropy, || request.clone().send()).await {
        Ok(answer) => Ok(answer.table),
        Err((_, refusal)) if refusal.is("ResourceNotFoundException") => Ok(None),
        Err((class, refusal)) => Err(fault("DescribeTable", &needed.name, class, refusal)),
    }
}

/// Everything that is wrong with the schema of a table, in one fault.
pub(crate) fn compare(needed: &TableDefinition, there: &TableDescription) -> Result<(), Fault> {
    let mut wrong = Vec::new();
    if !matches(&needed.keys, there.key_schema()) {
        wrong.push(format!(
            "its primary key is not {}: that cannot be changed, so name another table or make this one anew",
            describe_keys(&needed.keys)
        ));
    }
    for index in &needed.indexes {
        let name = &*index.name;
        let found = there.global_secondary_indexes().iter().find(|other| other.index_name() == Some(name));
        match found {
            None => wrong.push(format!(
                "the global secondary index {name} is missing: add it with {}, projection KEYS_ONLY",
                describe_keys(&index.keys)
            )),
            Some(found) if !matches(&index.keys, found.key_schema()) => wrong.push(format!(
                "the global secondary index {name} has other keys: delete it and add it with {}",
                describe_keys(&index.keys)
            )),
            Some(_) => {}
        }
    }
    for definition in there.attribute_definitions() {
        let name = definition.attribute_name();
        let is_text = *definition.attribute_type() == ScalarAttributeType::S;
        if !is_text && needed.key_attributes().any(|needed| needed == name) {
            wrong.push(format!("the key attribute {name} must be a string (S)"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Fault::permanent(format!("the table {} does not fit: {}", needed.name, wrong.join("; "))))
}

/// The first part that cannot be used yet.
pub(crate) fn unready(needed: &TableDefinition, there: &TableDescription) -> Option<String> {
    // A table that is being updated serves requests.
    if !matches!(there.table_status(), None | Some(TableStatus::Active | TableStatus::Updating)) {
        return Some("the primary key".to_owned());
    }
    let is_needed = |name: Option<&str>| needed.indexes.iter().any(|index| Some(&*index.name) == name);
    there
        .global_secondary_indexes()
        .iter()
        .filter(|index| is_needed(index.index_name()))
        .find(|index| {
            !matches!(index.index_status(), None | Some(IndexStatus::Active | IndexStatus::Updating))
        })
        .map(|index| format!("the index {}", index.index_name().unwrap_or_default()))
}

fn matches(needed: &Keys, there: &[KeySchemaElement]) -> bool {
    let part = |kind: KeyType| {
        there.iter().find(|element| *element.key_type() == kind).map(KeySchemaElement::attribute_name)
    };
    part(KeyType::Hash) == Some(&*needed.partition) && part(KeyType::Range) == Some(&*needed.sort)
}

fn describe_keys(keys: &Keys) -> String {
    format!("partition key {} and sort key {}, both strings", keys.partition, keys.sort)
}
