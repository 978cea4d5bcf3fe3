//! Pages that the service ends early, index entries whose sort key is cut, the table's own names.

use super::local::{Local, ProxiedTable, failed, key, opened};
use domain::time::Timestamp;
use ports::store::{Attributes, Entry, Expect, IndexEntry, Key, Write};
use ports::{FaultClass, Store};
use ports_contract::store::INDEX;
use std::collections::BTreeSet;

/// 350 KB a row, so a page of the service ends after three rows, and a batch of 16 MB after 46.
fn large(sort: String) -> Write {
    let attributes = Attributes::new().with("text", "x".repeat(350 * 1_024));
    Write::Put { key: Key::new("p", sort), expect: Expect::Absent, attributes, indexes: Vec::new() }
}

#[tokio::test]
async fn pages_are_full_although_the_service_ends_its_own_at_a_megabyte() {
    let local = Local::default();
    let table = local.table().await;
    let store = opened(&local.client, &table);
    for n in 0..50 {
        store.commit(vec![large(format!("{n:02}"))]).await.unwrap();
    }
    let sorts = |rows: &[ports::store::Row]| -> Vec<String> {
        rows.iter().map(|row| row.key.sort.to_string()).collect()
    };
    let all: Vec<String> = (0..50).map(|n| format!("{n:02}")).collect();
    assert_eq!(sorts(&store.list("p", None, 1_000).await.unwrap()), all);
    assert_eq!(sorts(&store.list("p", Some("04"), 7).await.unwrap()), all[5..12]);
    let scanned: BTreeSet<String> = sorts(&store.scan(None, 1_000).await.unwrap()).into_iter().collect();
    assert_eq!(scanned.into_iter().collect::<Vec<_>>(), all);
    assert_eq!(store.scan(None, 20).await.unwrap().len(), 20);
    let keys: Vec<Key> = all.iter().map(|sort| key(sort)).collect();
    assert!(store.get(&keys).await.unwrap().iter().all(Option::is_some));
    // The engine keeps its tables in memory and may outlive many runs.
    local.client.delete_table().table_name(&table).send().await.unwrap();
}

#[tokio::test]
async fn a_repeated_key_is_answered_twice_and_an_impossible_key_has_no_row() {
    let proxied = ProxiedTable::new().await;
    proxied.given(vec![super::local::put("a", Expect::Absent, 1)]).await;
    let long = "x".repeat(1_025);
    let asked = [key("a"), key(""), key("a"), key(&long), Key::new("", "s")];
    let rows = proxied.store.get(&asked).await.unwrap();
    assert_eq!(rows.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false, false]);
    assert!(proxied.store.list("", None, 1).await.unwrap().is_empty());
    assert_eq!(proxied.store.list("p", Some(""), 9).await.unwrap().len(), 1);
    assert!(proxied.store.list("p", None, 0).await.unwrap().is_empty());
    assert!(proxied.store.scan(None, 0).await.unwrap().is_empty());
    assert!(proxied.store.due(INDEX, "", None, Timestamp::MAX, 9).await.unwrap().is_empty());
}

/// The sort keys of these entries are equal, so the service chooses their order in the index; the
/// port's order is defined.
#[tokio::test]
async fn entries_with_cut_sort_keys_come_in_order_and_page_by_page() {
    let local = Local::default();
    let store = opened(&local.client, &local.table().await);
    let (partition, beginning) = ("p".repeat(1_024), "s".repeat(500));
    let mut expected = Vec::new();
    for (at, count) in [(3, 2), (5, 9), (7, 1)] {
        for n in 0..count {
            let key = Key::new(partition.as_str(), format!("{beginning}{at}-{n}"));
            let at = Timestamp::from_millis(at);
            let write = Write::Put {
                key: key.clone(),
                expect: Expect::Absent,
                attributes: Attributes::new(),
                indexes: vec![IndexEntry { index: INDEX, shard: "x".into(), at }],
            };
            store.commit(vec![write]).await.unwrap();
            expected.push(Entry { at, key });
        }
    }
    for page in [1, 2, 4, 100] {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let next = store.due(INDEX, "x", all.last(), Timestamp::MAX, page).await.unwrap();
            assert!(next.len() <= page);
            if next.is_empty() {
                break;
            }
            all.extend(next);
        }
        assert_eq!(all, expected, "pages of {page}");
    }
    let until = Timestamp::from_millis(5);
    assert_eq!(store.due(INDEX, "x", None, until, 100).await.unwrap(), expected[..11]);
    let after = Entry { at: Timestamp::from_millis(9), key: key("s") };
    assert!(store.due(INDEX, "x", Some(&after), until, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn indexes_and_names_that_the_table_does_not_have_are_refused_as_permanent() {
    let local = Local::default();
    let store = opened(&local.client, &local.table().await);
    let fault = store.due("nobody", "x", None, Timestamp::MAX, 1).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Permanent);
    let attributes = Attributes::new().with("pk", "mine");
    let write = Write::Put { key: key("s"), expect: Expect::Absent, attributes, indexes: Vec::new() };
    let fault = failed(store.commit(vec![write]).await);
    assert!(fault.message.contains("the attribute pk is the table's own"), "{fault}");
}

/// A person who looks at the table in the console sees the row.
#[tokio::test]
async fn a_row_is_readable_in_the_table_itself() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let local = Local::default();
    let table = local.table().await;
    let store = opened(&local.client, &table);
    let write = Write::Put {
        key: Key::new("rsv#1", "reservation"),
        expect: Expect::Absent,
        attributes: Attributes::new().with("status", "HOLD").with("seat_ids", vec!["A-1-1".into()]),
        indexes: vec![IndexEntry { index: INDEX, shard: "3".into(), at: Timestamp::from_millis(1_234) }],
    };
    store.commit(vec![write]).await.unwrap();
    let item = local
        .client
        .get_item()
        .table_name(&table)
        .key("pk", AttributeValue::S("rsv#1".to_owned()))
        .key("sk", AttributeValue::S("reservation".to_owned()))
        .send()
        .await
        .unwrap()
        .item
        .unwrap();
    let text = |name: &str| item[name].as_s().unwrap().as_str();
    assert_eq!((text("status"), item["v"].as_n().unwrap().as_str()), ("HOLD", "1"));
    assert_eq!(item["seat_ids"].as_l().unwrap()[0].as_s().unwrap(), "A-1-1");
    assert_eq!(text("contract_due_shard"), "3");
    assert_eq!(text("contract_due_at"), "00000000000000001234\0\0rsv#1\0\0reservation");
    assert_eq!(text("op").len(), 32);
    assert_eq!(item.len(), 8);
}
