//! Batches of up to ten entries, each with its own result (trap T-T8).

use crate::fault::Kind;
use aws_sdk_sqs::types::BatchResultErrorEntry;
use domain::limits::QUEUE_BATCH_MAX;
use ports::{Fault, FaultClass};

/// An entry's id within its batch: its position.
pub(super) const fn id(place: usize) -> &'static str {
    const IDS: [&str; QUEUE_BATCH_MAX] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    IDS[place]
}

/// SQS refuses an empty batch and one of more than ten.
pub(super) fn in_range(entries: usize) -> Result<(), Fault> {
    if (1..=QUEUE_BATCH_MAX).contains(&entries) {
        Ok(())
    } else {
        Err(Fault::permanent(format!("a batch of {entries} entries: SQS takes 1 to 10")))
    }
}

/// The results in the order of the entries. An entry that the answer omits has failed for now.
pub(super) fn results<T>(
    what: &str,
    count: usize,
    done: impl IntoIterator<Item = (String, T)>,
    failed: Vec<BatchResultErrorEntry>,
) -> Vec<Result<T, Fault>> {
    let mut results: Vec<Result<T, Fault>> = (0..count)
        .map(|_| Err(Fault::transient(format!("{what}: the answer leaves the entry out"))))
        .collect();
    for (id, value) in done {
        if let Some(result) = place(&id).and_then(|place| results.get_mut(place)) {
            *result = Ok(value);
        }
    }
    for entry in failed {
        if let Some(result) = place(&entry.id).and_then(|place| results.get_mut(place)) {
            *result = Err(refused(what, &entry));
        }
    }
    results
}

fn place(id: &str) -> Option<usize> {
    id.parse().ok()
}

/// A known code decides; otherwise SQS says which side is at fault.
fn refused(what: &str, entry: &BatchResultErrorEntry) -> Fault {
    let class = match Kind::from_code(&entry.code) {
        Some(kind) => kind.class(),
        None if entry.sender_fault => FaultClass::Permanent,
        None => FaultClass::Transient,
    };
    Fault::new(class, format!("{what}: {}: {}", entry.code, entry.message.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(id: &str, code: &str, sender: bool) -> BatchResultErrorEntry {
        BatchResultErrorEntry::builder().id(id).code(code).sender_fault(sender).build().unwrap()
    }

    #[test]
    fn every_entry_has_its_result_in_its_place() {
        let done = [("2".to_owned(), 'c'), ("0".to_owned(), 'a')];
        let failed = vec![error("1", "ReceiptHandleIsInvalid", true), error("4", "InternalError", false)];
        let results = results("x", 5, done, failed);
        assert_eq!(results[0].as_ref().unwrap(), &'a');
        assert_eq!(results[1].as_ref().unwrap_err().class, FaultClass::Permanent);
        assert_eq!(results[2].as_ref().unwrap(), &'c');
        assert_eq!(results[3].as_ref().unwrap_err().class, FaultClass::Transient);
        assert_eq!(results[4].as_ref().unwrap_err().class, FaultClass::Unavailable);
    }

    #[test]
    fn unknown_ids_are_ignored() {
        let results = results("x", 1, [("17".to_owned(), ()), ("x".to_owned(), ())], Vec::new());
        assert!(results[0].is_err());
    }
}
