//! Reads: order, pages, keys of every shape, the scan.

use super::{StoreHarness, committed, delete, number, put, row, together};
use ports::store::{Attributes, Expect, Key, Row, Store, Write};
use std::collections::BTreeSet;

async fn filled(store: &dyn Store, keys: &[Key]) {
    for chunk in keys.chunks(100) {
        committed(store, chunk.iter().map(|key| put(key, Expect::Absent, 1)).collect()).await;
    }
}

async fn listed(store: &dyn Store, partition: &str, page: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let rows =
            store.list(partition, all.last().map(String::as_str), page).await.expect("a list can be read");
        assert!(rows.len() <= page);
        if rows.is_empty() {
            return all;
        }
        assert!(rows.iter().all(|row| &*row.key.partition == partition));
        all.extend(rows.iter().map(|row| row.key.sort.to_string()));
    }
}

async fn scanned(store: &dyn Store, page: usize) -> Vec<Key> {
    let mut all: Vec<Key> = Vec::new();
    loop {
        let rows: Vec<Row> = store.scan(all.last(), page).await.expect("a scan can be read");
        if rows.is_empty() {
            return all;
        }
        assert!(rows.len() <= page);
        all.extend(rows.into_iter().map(|row| row.key));
    }
}

/// Missing rows have their position too.
pub async fn rows_are_read_in_the_order_of_the_requested_keys(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let keys: Vec<Key> = (0..100).map(|n| Key::new(format!("p{}", n % 3), format!("{n}"))).collect();
    let there: Vec<Key> = keys.iter().step_by(2).cloned().collect();
    filled(&*store, &there).await;
    let mut asked = keys.clone();
    asked.reverse();
    let rows = store.get(&asked).await.expect("rows can be read");
    assert_eq!(rows.len(), 100);
    for (key, row) in asked.iter().zip(rows) {
        assert_eq!(row.map(|row| row.key), there.contains(key).then(|| key.clone()));
    }
    assert!(store.get(&[]).await.expect("no rows can be read").is_empty());
}

/// Capital letters before small ones, digits by their bytes, with any page size.
pub async fn a_partition_is_listed_in_the_order_of_bytes_page_by_page(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let mut sorts =
        ["b", "a", "B", "10", "9", "a-", "a ", "aa", "é", "z", "~", "漢", "\u{10FFFF}", "a\u{1}"].to_vec();
    filled(&*store, &sorts.iter().map(|sort| Key::new("p", *sort)).collect::<Vec<_>>()).await;
    sorts.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    for page in [1, 3, 100] {
        assert_eq!(listed(&*store, "p", page).await, sorts, "pages of {page}");
    }
    assert!(store.list("p", Some("\u{10FFFF}"), 10).await.expect("a list can be read").is_empty());
    assert!(listed(&*store, "nothing here", 10).await.is_empty());
}

/// No partition runs into the next one.
pub async fn partitions_with_similar_names_are_apart(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let partitions = ["a", "ab", "a#", "A", "a/b", "b", "aa", "a\u{1}"];
    let keys: Vec<Key> = partitions
        .iter()
        .flat_map(|partition| ["", "b", "z"].map(|tail| Key::new(*partition, format!("s{tail}"))))
        .collect();
    filled(&*store, &keys).await;
    for partition in partitions {
        assert_eq!(listed(&*store, partition, 2).await, ["s", "sb", "sz"], "{partition:?}");
    }
}

/// Paging continues after the cursor, also when the row of the cursor was removed.
pub async fn a_cursor_may_name_a_row_that_is_gone(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let keys: Vec<Key> = (0..6).map(|n| Key::new("p", format!("{n}"))).collect();
    filled(&*store, &keys).await;
    committed(&*store, vec![delete(&keys[2], Expect::Any)]).await;
    let rows = store.list("p", Some("2"), 10).await.expect("a list can be read");
    assert_eq!(rows.iter().map(|row| &*row.key.sort).collect::<Vec<_>>(), ["3", "4", "5"]);
    let before = scanned(&*store, 100).await;
    let middle = before[2].clone();
    committed(&*store, vec![delete(&middle, Expect::Any)]).await;
    let rest = store.scan(Some(&middle), 100).await.expect("a scan can be read");
    assert_eq!(rest.into_iter().map(|row| row.key).collect::<Vec<_>>(), before[3..]);
}

/// Quotes, separators, control characters, other scripts.
pub async fn keys_and_texts_may_be_any_unicode(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let texts = [
        "'\"`;--",
        "a#b|c:d/e\\f",
        "\u{1}\u{7F}",
        "\n\t ",
        "좌석",
        "🌮🌮",
        "e\u{301}",
        "\u{FEFF}x",
        "%00",
        "{\"a\":1}",
    ];
    for text in texts {
        let key = Key::new(text, text);
        let attributes = Attributes::new().with("text", text).with("texts", vec![text.into()]);
        committed(
            &*store,
            vec![Write::Put {
                key: key.clone(),
                expect: Expect::Absent,
                attributes: attributes.clone(),
                indexes: vec![],
            }],
        )
        .await;
        let row = row(&*store, &key).await.expect("the row is there");
        assert_eq!((row.key, row.attributes), (key, attributes));
        assert_eq!(listed(&*store, text, 5).await, [text]);
    }
}

/// Up to the limits of the port.
pub async fn long_keys_and_large_rows_are_kept(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let key = Key::new("p".repeat(1_024), "s".repeat(1_024));
    let text = "x".repeat(350 * 1_024);
    let attributes = Attributes::new().with("text", text.as_str());
    let write = Write::Put { key: key.clone(), expect: Expect::Absent, attributes, indexes: Vec::new() };
    committed(&*store, vec![write]).await;
    let row = row(&*store, &key).await.expect("the row is there");
    assert_eq!(row.attributes.text("text").map(|found| found.len()), Some(text.len()));
}

/// With any page size.
pub async fn a_scan_gives_every_row_once(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    assert!(scanned(&*store, 10).await.is_empty());
    let keys: BTreeSet<Key> = (0..250).map(|n| Key::new(format!("p{}", n % 7), format!("{n}"))).collect();
    filled(&*store, &keys.iter().cloned().collect::<Vec<_>>()).await;
    for page in [7, 100, 1_000] {
        let found = scanned(&*store, page).await;
        assert_eq!(found.len(), keys.len(), "pages of {page}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys, "pages of {page}");
    }
}

/// Rows that exist all the time are seen once, whatever is written meanwhile.
pub async fn a_scan_during_writes_misses_no_row_that_stays(harness: &dyn StoreHarness) {
    let store = harness.store().await;
    let staying: Vec<Key> =
        (0..100).map(|n| Key::new(format!("p{}", n % 5), format!("stay-{n:03}"))).collect();
    filled(&*store, &staying).await;
    let writer = async {
        for round in 0..40 {
            let key = Key::new(format!("p{}", round % 5), format!("come-{round:03}"));
            committed(&*store, vec![put(&key, Expect::Absent, 1)]).await;
            committed(&*store, vec![delete(&key, Expect::Version(1))]).await;
            let stay = &staying[round * 2];
            let (version, _) = number(&*store, stay).await;
            committed(&*store, vec![put(stay, Expect::Version(version), 2)]).await;
        }
        Vec::new()
    };
    let reader = scanned(&*store, 9);
    let mut results = together(vec![Box::pin(writer), Box::pin(reader)]).await;
    let found = results.pop().expect("two futures, two results");
    for key in &staying {
        assert_eq!(found.iter().filter(|other| *other == key).count(), 1, "{key:?}");
    }
}
