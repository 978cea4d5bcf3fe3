//! Reads. Rows are read consistently, the index eventually. A page of the service may end early, at
//! a megabyte or when throttled; the port's pages end only when they are full or nothing more is
//! left.

use super::DynamoStore;
use super::ask::ask;
use super::backoff::Tries;
use super::faults;
use super::index::{self, FIRST, last_of, may_be_shared, sort_key};
use super::item::{self, Item, key_item, key_of};
use super::names::{PARTITION, SORT, at_of, shard_of};
use super::plan::{can_be_key, can_exist};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::time::Timestamp;
use ports::Fault;
use ports::store::{Entry, Key, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

/// Rows in one BatchGetItem.
const KEYS_MAX: usize = 100;
/// Items asked of the service at once; its page ends at a megabyte in any case.
const PAGE_MAX: usize = 1_000;

impl DynamoStore {
    pub(super) async fn read_rows(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        if keys.len() > KEYS_MAX {
            return Err(Fault::permanent(format!(
                "at most {KEYS_MAX} rows can be read at once, not {}",
                keys.len()
            )));
        }
        if let [key] = keys {
            let item = if can_exist(key) { self.read_one(key).await? } else { None };
            return Ok(vec![item.map(|item| item::decode(item, self.indexes)).transpose()?]);
        }
        // The service refuses a repeated key, and a key that cannot exist.
        let asked: BTreeSet<&Key> = keys.iter().filter(|key| can_exist(key)).collect();
        if asked.is_empty() {
            return Ok(vec![None; keys.len()]);
        }
        let items = self.read_batch(asked.into_iter().map(key_item).collect()).await?;
        let mut rows = BTreeMap::new();
        for item in items {
            let row = item::decode(item, self.indexes)?;
            rows.insert(row.key.clone(), row);
        }
        Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
    }

    async fn read_one(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let get = self.client.get_item().table_name(&*self.table).set_key(Some(key_item(key)));
        let get = get.consistent_read(true);
        Ok(self.ask("GetItem", || get.clone().send()).await?.item)
    }

    async fn read_batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, Fault> {
        let table = &*self.table;
        let mut tries = Tries::begin(&*self.clock, &*self.entropy);
        let mut found = Vec::with_capacity(keys.len());
        let mut left = keys;
        loop {
            let request = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build();
            let request = request
                .map_err(|error| Fault::permanent("keys could not be put into a request").because(error))?;
            let get = self.client.batch_get_item().request_items(table, request);
            let mut answer = self.ask("BatchGetItem", || get.clone().send()).await?;
            let items = answer.responses.as_mut().and_then(|tables| tables.remove(table)).unwrap_or_default();
            if !items.is_empty() {
                tries.progressed();
            }
            found.extend(items);
            // Rows over 16 MB or throttled ones are returned unread.
            let unread = answer.unprocessed_keys.as_mut().and_then(|tables| tables.remove(table));
            left = unread.map(|request| request.keys).unwrap_or_default();
            if left.is_empty() {
                return Ok(found);
            }
            if !tries.rest().await {
                let count = left.len();
                return Err(Fault::unavailable(format!(
                    "DynamoDB BatchGetItem on the table {table} leaves {count} rows unread: raise the table's \
                     throughput, or spread the load"
                )));
            }
        }
    }

    pub(super) async fn read_partition(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Fault> {
        if !can_be_key(partition) {
            return Ok(Vec::new());
        }
        // Every sort key comes after the empty one.
        let after = after.filter(|sort| !sort.is_empty());
        let mut query = self
            .client
            .query()
            .table_name(&*self.table)
            .consistent_read(true)
            .key_condition_expression(match after {
                None => format!("{PARTITION} = :p"),
                Some(_) => format!("{PARTITION} = :p AND {SORT} > :s"),
            })
            .expression_attribute_values(":p", text(partition));
        if let Some(after) = after {
            query = query.expression_attribute_values(":s", text(after));
        }
        let mut rows = Vec::new();
        let mut start: Option<Item> = None;
        while rows.len() < limit {
            let page = query.clone().limit(page(limit - rows.len())).set_exclusive_start_key(start);
            let answer = self.ask("Query", || page.clone().send()).await?;
            self.decode_into(&mut rows, answer.items)?;
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    pub(super) async fn read_table(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        let mut rows = Vec::new();
        // The position of a key follows from the key alone, so the row that it names may be gone.
        let mut start = after.map(key_item);
        while rows.len() < limit {
            let scan = self.client.scan().table_name(&*self.table).consistent_read(true);
            let scan = scan.limit(page(limit - rows.len())).set_exclusive_start_key(start);
            let answer = self.ask("Scan", || scan.clone().send()).await?;
            self.decode_into(&mut rows, answer.items)?;
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    pub(super) async fn read_index(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.known(index)?;
        let at = at_of(index);
        if limit == 0 || shard.is_empty() || after.is_some_and(|after| after.at > until) {
            return Ok(Vec::new());
        }
        let first = after.map_or_else(|| FIRST.to_owned(), |after| sort_key(after.at, &after.key));
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(index)
            .projection_expression(format!("{PARTITION}, {SORT}, #at"))
            .key_condition_expression("#shard = :shard AND #at BETWEEN :first AND :last")
            .expression_attribute_names("#shard", shard_of(index))
            .expression_attribute_names("#at", &at)
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":first", AttributeValue::S(first))
            .expression_attribute_values(":last", AttributeValue::S(last_of(until)));
        let mut found: Vec<Entry> = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            // One more: the range begins with the cursor itself.
            let rest = limit.saturating_sub(found.len()).saturating_add(1);
            let page = query.clone().limit(page(rest)).set_exclusive_start_key(start);
            let answer = self.ask("Query", || page.clone().send()).await?;
            let mut group_open = false;
            for item in answer.items.unwrap_or_default() {
                let key = key_of(&item)?;
                let sort = item.get(&at).and_then(|value| value.as_s().ok());
                let entry = sort.and_then(|sort| index::entry(sort, key));
                let entry = entry
                    .ok_or_else(|| Fault::permanent(format!("an entry of the index {index} is damaged")))?;
                group_open = sort.is_some_and(|sort| may_be_shared(sort));
                if after.is_none_or(|after| entry > *after) {
                    found.push(entry);
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() || (found.len() >= limit && !group_open) {
                break;
            }
        }
        // Sorted already, except for entries that share a cut sort key.
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    fn decode_into(&self, rows: &mut Vec<Row>, items: Option<Vec<Item>>) -> Result<(), Fault> {
        for item in items.unwrap_or_default() {
            rows.push(item::decode(item, self.indexes)?);
        }
        Ok(())
    }

    async fn ask<T, E, F>(&self, operation: &str, call: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        ask(&*self.clock, &*self.entropy, call)
            .await
            .map_err(|(class, refusal)| faults::fault(operation, &self.table, class, refusal))
    }
}

fn page(limit: usize) -> i32 {
    limit.min(PAGE_MAX) as i32
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
