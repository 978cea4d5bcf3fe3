//! The sort key of an index entry: one text whose bytes sort as `(at, partition, sort)` does.
//!
//! It is twenty digits of milliseconds, then partition and sort key, each after two NULs. A NUL
//! within the partition is followed by U+0001, so that a shorter partition always sorts before
//! those that begin with it. UTF-8 keeps the order of texts.
//!
//! DynamoDB allows 1,024 bytes. A longer key is cut, and then several entries of one time may share
//! a sort key, in an order that DynamoDB chooses. Readers look at the whole entry and read such a
//! group to its end before they sort it. So cutting only costs reading past the page where keys of
//! about a kilobyte begin alike.

use domain::time::Timestamp;
use ports::store::{Entry, Key};

/// Longest sort key of an item, in bytes.
pub(crate) const SORT_BYTES_MAX: usize = 1_024;
/// Before every entry: times begin with a digit.
pub(crate) const FIRST: &str = "0";

const DIGITS: usize = 20;

/// The sort key of an entry.
pub(crate) fn sort_key(at: Timestamp, key: &Key) -> String {
    let partition = key.partition.replace('\0', "\0\u{1}");
    cut(format!("{:0DIGITS$}\0\0{partition}\0\0{}", at.as_millis(), key.sort))
}

/// The last sort key that entries up to this time can have.
pub(crate) fn last_of(until: Timestamp) -> String {
    // A NUL follows the time, and sorts below this.
    format!("{:0DIGITS$}\u{1}", until.as_millis())
}

/// Whether other entries may have the same sort key.
pub(crate) const fn may_be_shared(sort_key: &str) -> bool {
    sort_key.len() >= SORT_BYTES_MAX
}

/// The entry of an item.
pub(crate) fn entry(sort_key: &str, key: Key) -> Option<Entry> {
    let at = sort_key.get(..DIGITS)?.parse().ok()?;
    Some(Entry { at: Timestamp::from_millis(at), key })
}

/// Cuts a text to the limit. It never changes the order of two texts, but may make some equal.
fn cut(mut text: String) -> String {
    if text.len() <= SORT_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(SORT_BYTES_MAX);
    text.truncate(end);
    // A character across the limit is longer, and so larger, than each that would fit: the largest
    // that fits replaces it.
    match SORT_BYTES_MAX - end {
        1 => text.push('\u{7F}'),
        2 => text.push('\u{7FF}'),
        3 => text.push('\u{FFFF}'),
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cmp::Ordering;
    use proptest::prelude::*;

    fn entry_of(at: u64, partition: &str, sort: &str) -> Entry {
        Entry { at: Timestamp::from_millis(at), key: Key::new(partition, sort) }
    }

    fn key_of(entry: &Entry) -> String {
        sort_key(entry.at, &entry.key)
    }

    /// Short texts of few characters, so that many begin alike; they include NUL and its escape.
    fn texts() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('é'), Just('漢'), Just('🌮')],
            0..4,
        )
        .prop_map(String::from_iter)
    }

    /// Texts around the limit that begin alike.
    fn long_texts() -> impl Strategy<Value = String> {
        (995usize..1_003, texts()).prop_map(|(length, tail)| "x".repeat(length) + &tail)
    }

    proptest! {
        #[test]
        fn the_order_of_bytes_is_the_order_of_entries(
            a in (0u64..3, texts(), texts()),
            b in (0u64..3, texts(), texts()),
        ) {
            let (a, b) = (entry_of(a.0, &a.1, &a.2), entry_of(b.0, &b.1, &b.2));
            prop_assert_eq!(key_of(&a).cmp(&key_of(&b)), a.cmp(&b));
        }

        #[test]
        fn every_time_has_its_range(a: u64, b: u64) {
            let (a, b) = (entry_of(a, "p", "s"), entry_of(b, "p", "s"));
            prop_assert_eq!(key_of(&a).cmp(&key_of(&b)), a.cmp(&b));
            prop_assert_eq!(key_of(&a) <= last_of(b.at), a.at <= b.at);
            prop_assert!(key_of(&a).as_str() >= FIRST);
            prop_assert_eq!(entry(&key_of(&a), a.key.clone()), Some(a));
        }

        #[test]
        fn cutting_makes_entries_equal_but_never_changes_their_order(
            a in (long_texts(), texts()),
            b in (long_texts(), texts()),
        ) {
            let (a, b) = (entry_of(7, &a.0, &a.1), entry_of(7, &b.0, &b.1));
            let (one, two) = (key_of(&a), key_of(&b));
            prop_assert!(one.len() <= SORT_BYTES_MAX);
            match one.cmp(&two) {
                Ordering::Equal => prop_assert!(a == b || may_be_shared(&one)),
                order => prop_assert_eq!(order, a.cmp(&b)),
            }
        }
    }

    #[test]
    fn damaged_sort_keys_are_no_entries() {
        for text in ["", "0", "abc", "0000000000000000000x\0\0p\0\0s", "99999999999999999999\0\0p\0\0s"] {
            assert_eq!(entry(text, Key::new("p", "s")), None, "{text:?}");
        }
    }
}
