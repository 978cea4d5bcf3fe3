//! Names of attributes: those of this engine, and those of rows, which are read from the table as
//! text and returned as `&'static str`.
//!
//! Each distinct name is kept forever, once per process. Their number is bounded, so that another
//! program's table cannot fill the memory.

use parking_lot::RwLock;
use ports::Fault;
use std::collections::BTreeSet;

/// Partition key.
pub(crate) const PARTITION: &str = "pk";
/// Sort key.
pub(crate) const SORT: &str = "sk";
/// Version of the row.
pub(crate) const VERSION: &str = "v";
/// The id of the commit that wrote the row last.
pub(crate) const OPERATION: &str = "op";
/// Second of the Unix epoch after which DynamoDB may remove the item. A row asks for it with a
/// number of this name. The removal may be days late, so it is garbage collection only and no rule
/// may depend on it.
pub(crate) const EXPIRES: &str = "expires_at_sec";

const SHARD_SUFFIX: &str = "_shard";
const AT_SUFFIX: &str = "_at";

/// Distinct names a process may read; a product has a few dozen.
const NAMES_MAX: usize = 4_096;

static KNOWN: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

/// The attribute that holds the shard of an index's entry.
pub(crate) fn shard_of(index: &str) -> String {
    format!("{index}{SHARD_SUFFIX}")
}

/// The attribute that orders an index's entries.
pub(crate) fn at_of(index: &str) -> String {
    format!("{index}{AT_SUFFIX}")
}

/// Whether a name belongs to the engine, so that no row may use it.
pub(crate) fn is_reserved(name: &str, indexes: &[&str]) -> bool {
    matches!(name, PARTITION | SORT | VERSION | OPERATION)
        || indexes.iter().any(|index| matches!(name.strip_prefix(index), Some(SHARD_SUFFIX | AT_SUFFIX)))
}

/// The same name as `&'static str`.
pub(crate) fn keep(name: &str) -> Result<&'static str, Fault> {
    if let Some(known) = KNOWN.read().get(name) {
        return Ok(known);
    }
    let mut known = KNOWN.write();
    if let Some(known) = known.get(name) {
        return Ok(known);
    }
    if known.len() >= NAMES_MAX {
        return Err(Fault::permanent(format!(
            "the table has more than {NAMES_MAX} names of attributes; {name} is one more: is it another program's table?"
        )));
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    known.insert(name);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_engine_and_of_its_indexes_are_reserved() {
        let indexes = ["due_holds", "outbox"];
        for name in ["pk", "sk", "v", "op", "due_holds_shard", "due_holds_at", "outbox_at"] {
            assert!(is_reserved(name, &indexes), "{name}");
        }
        for name in ["due_at", "status", "outbox", "outbox_at_", "by_person_at", "version", EXPIRES] {
            assert!(!is_reserved(name, &indexes), "{name}");
        }
    }

    #[test]
    fn a_name_is_kept_once() {
        let (one, two) = (keep("kept once").unwrap(), keep(&String::from("kept once")).unwrap());
        assert!(core::ptr::eq(one, two));
    }
}
