//! Items: every row is read as it was written, and an item that is no row is refused.

use super::*;
use domain::time::Timestamp;
use proptest::prelude::*;

const INDEXES: &[&str] = &["due_holds", "outbox"];
/// Sorted, so that a row equals the decoded one.
const NAMES: [&str; 5] = ["answer", "due_at", "expires_at_sec", "seat_ids", "vv"];

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(|text| Value::Text(text.into())),
        any::<i64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
        proptest::collection::vec(any::<String>(), 0..4)
            .prop_map(|texts| Value::Texts(texts.into_iter().map(Arc::from).collect())),
    ]
}

fn rows() -> impl Strategy<Value = Row> {
    let attributes = proptest::collection::vec(proptest::option::of(values()), NAMES.len());
    (".+", ".+", 1u64.., attributes).prop_map(|(partition, sort, version, values)| {
        let named = NAMES.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?)));
        Row { key: Key::new(partition, sort), version, attributes: Attributes(named.collect()) }
    })
}

proptest! {
    #[test]
    fn a_row_is_decoded_as_it_was_encoded_with_any_indexes(row in rows(), at: u64, indexed: bool) {
        let entry = |index| IndexEntry { index, shard: "s".into(), at: Timestamp::from_millis(at) };
        let entries: Vec<IndexEntry> =
            INDEXES.iter().filter(|_| indexed).map(|index| entry(*index)).collect();
        let item = encode(&row.key, row.version, "an operation", &row.attributes, &entries);
        prop_assert_eq!(item.len(), 4 + row.attributes.0.len() + 2 * entries.len());
        prop_assert_eq!(version_of(&item), Some(row.version));
        prop_assert_eq!(operation_of(&item), Some("an operation"));
        prop_assert!(size(&item) > row.key.partition.len() + row.key.sort.len());
        prop_assert_eq!(decode(item, INDEXES).unwrap(), row);
    }
}

fn item() -> Item {
    encode(&Key::new("p", "s"), 3, "o", &Attributes::new().with("seat_ids", "A1"), &[])
}

#[test]
fn attributes_have_their_own_names_and_native_types() {
    let attributes = Attributes::new()
        .with("text", "words")
        .with("number", Value::Number(-7))
        .with("flag", true)
        .with("texts", vec![Arc::from("one")]);
    let entry = IndexEntry { index: "outbox", shard: "03".into(), at: Timestamp::from_millis(1_234) };
    let item = encode(&Key::new("p", "s"), 3, "o", &attributes, &[entry]);
    let native = |name: &str| item.get(name).cloned().unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    assert_eq!(native("pk"), text("p"));
    assert_eq!(native("sk"), text("s"));
    assert_eq!(native("v"), AttributeValue::N("3".to_owned()));
    assert_eq!(native("op"), text("o"));
    assert_eq!(native("text"), text("words"));
    assert_eq!(native("number"), AttributeValue::N("-7".to_owned()));
    assert_eq!(native("flag"), AttributeValue::Bool(true));
    assert_eq!(native("texts"), AttributeValue::L(vec![text("one")]));
    assert_eq!(native("outbox_shard"), text("03"));
    assert_eq!(native("outbox_at"), text("00000000000000001234\0\0p\0\0s"));
}

#[test]
fn an_item_that_is_no_row_is_refused_by_its_name() {
    let spoilt = |name: &str, value: Option<AttributeValue>| {
        let mut item = item();
        match value {
            Some(value) => drop(item.insert(name.to_owned(), value)),
            None => drop(item.remove(name)),
        }
        decode(item, INDEXES).unwrap_err().message
    };
    assert!(spoilt("v", None).contains(r#""p" / "s" is damaged: it has no version"#));
    assert!(spoilt("v", Some(AttributeValue::N("1.5".to_owned()))).contains("no version"));
    assert!(spoilt("extra", Some(AttributeValue::Null(true))).contains("extra has a type"));
    assert!(spoilt("extra", Some(AttributeValue::N("1.5".to_owned()))).contains("extra has a type"));
    assert!(spoilt("extra", Some(AttributeValue::L(vec![AttributeValue::Bool(true)]))).contains("extra"));
    assert!(spoilt("pk", None).contains("without its key"));
}
