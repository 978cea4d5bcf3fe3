//! A commit in the form in which it is sent: checked against the service's limits, its rows encoded
//! once.

use super::index::SORT_BYTES_MAX;
use super::item::{self, ITEM_BYTES_MAX, Item};
use super::names::is_reserved;
use domain::limits::ROWS_PER_COMMIT_MAX;
use ports::Fault;
use ports::store::{Attributes, Expect, IndexEntry, Key, Write};
use std::collections::BTreeSet;

/// Longest partition key of an index, in bytes: DynamoDB's limit.
const SHARD_BYTES_MAX: usize = 2_048;

/// A commit in the form in which it is sent.
pub(crate) struct Plan {
    /// The commit's id: on the rows that it writes, and as the token of its transaction.
    pub(crate) operation: String,
    /// Its writes, in the given order.
    pub(crate) steps: Vec<Step>,
}

/// One write.
pub(crate) struct Step {
    pub(crate) key: Key,
    pub(crate) expect: Expect,
    pub(crate) change: Change,
}

/// The effect of a write if its expectation holds.
pub(crate) enum Change {
    Put(Item),
    Delete,
    Check,
}

impl Plan {
    /// Plans a commit; an error is permanent.
    pub(crate) fn new(writes: Vec<Write>, operation: String, indexes: &[&str]) -> Result<Self, Fault> {
        let count = writes.len();
        if count == 0 || count > ROWS_PER_COMMIT_MAX {
            return Err(Fault::permanent(format!(
                "a commit has 1 to {ROWS_PER_COMMIT_MAX} writes, not {count}"
            )));
        }
        if writes.iter().map(Write::key).collect::<BTreeSet<_>>().len() < count {
            return Err(Fault::permanent("a commit names each row once"));
        }
        let steps = writes.into_iter().map(|write| step(write, &operation, indexes));
        Ok(Self { steps: steps.collect::<Result<_, _>>()?, operation })
    }
}

/// Whether a row can have this key: DynamoDB has no empty keys, and the port no longer ones.
pub(crate) fn can_exist(key: &Key) -> bool {
    can_be_key(&key.partition) && can_be_key(&key.sort)
}

/// Whether a text can be one part of a key.
pub(crate) const fn can_be_key(part: &str) -> bool {
    !part.is_empty() && part.len() <= SORT_BYTES_MAX
}

fn step(write: Write, operation: &str, indexes: &[&str]) -> Result<Step, Fault> {
    let refused = |key: &Key, why: String| {
        Err(Fault::permanent(format!("the row {:?} / {:?}: {why}", key.partition, key.sort)))
    };
    if !can_exist(write.key()) {
        return refused(write.key(), format!("partition and sort key have 1 to {SORT_BYTES_MAX} bytes"));
    }
    match write {
        Write::Put { key, expect, attributes, indexes: entries } => {
            let version = match expect {
                Expect::Absent => 1,
                Expect::Version(version) => version.saturating_add(1),
                Expect::Any => return refused(&key, "a put expects a version or no row".to_owned()),
            };
            if let Some(why) = misnamed(&attributes, &entries, indexes) {
                return refused(&key, why);
            }
            let item = item::encode(&key, version, operation, &attributes, &entries);
            let size = item::size(&item);
            if size > ITEM_BYTES_MAX {
                return refused(&key, format!("it has {size} bytes, at most {ITEM_BYTES_MAX}"));
            }
            Ok(Step { key, expect, change: Change::Put(item) })
        }
        // There is nothing to delete: only the expectation remains.
        Write::Delete { key, expect: Expect::Absent } => {
            Ok(Step { key, expect: Expect::Absent, change: Change::Check })
        }
        Write::Delete { key, expect } => Ok(Step { key, expect, change: Change::Delete }),
        Write::Check { key, expect: Expect::Any } => {
            refused(&key, "a check expects a version or no row".to_owned())
        }
        Write::Check { key, expect } => Ok(Step { key, expect, change: Change::Check }),
    }
}

/// Names that the table uses for something else.
fn misnamed(attributes: &Attributes, entries: &[IndexEntry], indexes: &[&str]) -> Option<String> {
    for (place, (name, _)) in attributes.0.iter().enumerate() {
        if is_reserved(name, indexes) {
            return Some(format!("the attribute {name} is the table's own: rename it"));
        }
        if attributes.0.iter().take(place).any(|(earlier, _)| earlier == name) {
            return Some(format!("it has the attribute {name} twice"));
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        let index = entry.index;
        if !indexes.contains(&index) {
            return Some(format!("the table was opened without the index {index}"));
        }
        if entries.iter().take(place).any(|earlier| earlier.index == index) {
            return Some(format!("it names the index {index} twice"));
        }
        if entry.shard.is_empty() || entry.shard.len() > SHARD_BYTES_MAX {
            return Some(format!("a shard of the index {index} has 1 to {SHARD_BYTES_MAX} bytes"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;
    use ports::FaultClass;

    const INDEXES: &[&str] = &["due"];

    fn refusal(write: Write) -> String {
        let Err(fault) = Plan::new(vec![write], "o".to_owned(), INDEXES) else { panic!("it was planned") };
        assert_eq!(fault.class, FaultClass::Permanent);
        fault.message
    }

    fn put(attributes: Attributes, indexes: Vec<IndexEntry>) -> Write {
        Write::Put { key: Key::new("p", "s"), expect: Expect::Absent, attributes, indexes }
    }

    fn entry(index: &'static str, shard: &str) -> IndexEntry {
        IndexEntry { index, shard: shard.into(), at: Timestamp::from_millis(1) }
    }

    #[test]
    fn names_that_the_table_uses_itself_are_refused() {
        for name in ["pk", "sk", "v", "op", "due_at", "due_shard"] {
            let message = refusal(put(Attributes::new().with(name, 1u64), Vec::new()));
            assert!(message.contains(&format!("the attribute {name} is the table's own")), "{message}");
        }
    }

    #[test]
    fn index_entries_name_a_known_index_once_and_a_shard() {
        for (entries, words) in [
            (vec![entry("other", "x")], "without the index other"),
            (vec![entry("due", "x"), entry("due", "y")], "the index due twice"),
            (vec![entry("due", "")], "a shard of the index due"),
        ] {
            let message = refusal(put(Attributes::new(), entries));
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn impossible_keys_and_empty_expectations_are_refused() {
        let long = "x".repeat(SORT_BYTES_MAX + 1);
        for (partition, sort) in [("", "s"), ("p", ""), (&*long, "s"), ("p", &*long)] {
            let key = Key::new(partition, sort);
            assert!(refusal(Write::Delete { key, expect: Expect::Any }).contains("1 to 1024 bytes"));
        }
        let key = Key::new("p", "s");
        assert!(refusal(Write::Check { key: key.clone(), expect: Expect::Any }).contains("a check expects"));
        let attributes = Attributes::new();
        let write = Write::Put { key, expect: Expect::Any, attributes, indexes: Vec::new() };
        assert!(refusal(write).contains("a put expects"));
    }
}
