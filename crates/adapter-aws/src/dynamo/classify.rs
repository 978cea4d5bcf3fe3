//! What an answer means: for this try, and for the whole commit when earlier tries may have been
//! applied. Pure, so that every answer that the service can give is a line in a test.

use super::refusal::{Delivery, Found, Reason, Refusal};
use crate::fault::Kind;
use ports::FaultClass;
use ports::store::Expect;

/// What an answer says about its try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The condition of a write does not hold, and no earlier write's condition failed. This try
    /// wrote nothing.
    Refused {
        /// Position of the write.
        at: usize,
        /// The present row, if there is one.
        found: Option<Found>,
    },
    /// This try wrote nothing, and another one may succeed. The class is for the case that this was
    /// the last one.
    Again(FaultClass),
    /// This try may have been applied, or may still be.
    Lost,
    /// This try wrote nothing, and another one right now would fail in the same way. The class says
    /// whether that is permanent or can be fixed while the process runs.
    Never(FaultClass),
}

/// What an answer says about its try.
pub(crate) fn classify(refusal: &Refusal) -> Verdict {
    match refusal.delivery {
        Delivery::Answered => {}
        Delivery::Unsigned => return Verdict::Never(FaultClass::Transient),
        Delivery::NotSent => return Verdict::Again(FaultClass::Unavailable),
        Delivery::Unknown => return Verdict::Lost,
    }
    match refusal.code.as_deref().unwrap_or_default() {
        "ConditionalCheckFailedException" => Verdict::Refused { at: 0, found: refusal.found.clone() },
        "TransactionCanceledException" => cancelled(&refusal.reasons),
        // Another transaction holds one of the rows; with several regions, another region does.
        "TransactionConflictException" | "ReplicatedWriteConflictException" => {
            Verdict::Again(FaultClass::Conflict)
        }
        // A try of this very commit is in progress.
        "TransactionInProgressException" => Verdict::Lost,
        "ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded" => {
            Verdict::Again(FaultClass::Unavailable)
        }
        "LimitExceededException" => Verdict::Again(FaultClass::Transient),
        // "The request may have been carried out", says its documentation; nothing better is
        // documented for any other 5xx.
        "InternalServerError" => Verdict::Lost,
        _ => match refusal.status {
            Some(500..) => Verdict::Lost,
            Some(429) => Verdict::Again(FaultClass::Unavailable),
            _ => Verdict::Never(
                refusal.code.as_deref().and_then(Kind::from_code).map_or(FaultClass::Permanent, Kind::class),
            ),
        },
    }
}

/// A cancelled transaction wrote nothing. The port names the *first* write whose expectation does
/// not hold, so a failed condition counts only if every earlier write was found right. An earlier
/// write that met another transaction or was throttled was not checked: its condition may have
/// failed as well. Another try then decides; after the last one, the caller learns that there is a
/// conflict but not where.
fn cancelled(reasons: &[Reason]) -> Verdict {
    let mut undecided = None;
    for (at, reason) in reasons.iter().enumerate() {
        let class = match reason.code.as_str() {
            "None" => continue,
            "ConditionalCheckFailed" if undecided.is_none() => {
                return Verdict::Refused { at, found: reason.found.clone() };
            }
            "ConditionalCheckFailed" | "TransactionConflict" => FaultClass::Conflict,
            "ThrottlingError" | "ProvisionedThroughputExceeded" => FaultClass::Unavailable,
            "ValidationError" | "ItemCollectionSizeLimitExceeded" => {
                return Verdict::Never(FaultClass::Permanent);
            }
            _ => FaultClass::Transient,
        };
        if undecided != Some(FaultClass::Conflict) {
            undecided = Some(class);
        }
    }
    Verdict::Again(undecided.unwrap_or(FaultClass::Transient))
}

/// How a commit is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One conditional put.
    Put,
    /// One delete.
    Delete,
    /// A transaction under a token: repeated after it was applied, it succeeds without doing
    /// anything, for ten minutes.
    Transaction,
}

/// What a refused condition means for the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An earlier try of this commit was applied.
    Done,
    /// No try was applied, and none will be.
    Conflict,
    /// An earlier try may have been applied, or may still be.
    Unclear,
}

/// What it means that `expect` does not hold at a row of which `found` is known. `lost` says
/// whether the answer to an earlier try was lost.
///
/// Without a lost try it is a conflict. With one, it is a conflict only if the lost try is
/// certainly refused too, whenever it arrives: the row was at the version that the commit expects
/// and another writer moved it on. Versions of a row only grow: to pass the same version twice, a
/// row would have to be deleted, created again and written as often as before, all within the
/// seconds of one call. A row that had to be absent and exists gives no such proof: it may be gone
/// when the lost try arrives, or our own row may have been there and been removed.
pub(crate) fn meaning(
    shape: Shape,
    expect: Expect,
    operation: &str,
    found: Option<&Found>,
    lost: bool,
) -> Meaning {
    if !lost {
        return Meaning::Conflict;
    }
    let Some(found) = found else { return Meaning::Unclear };
    if found.operation == operation {
        return Meaning::Done;
    }
    let Expect::Version(expected) = expect else { return Meaning::Unclear };
    let others_write = match shape {
        // Another commit wrote the next version, so ours did not. Beyond the next one, ours may
        // have written it.
        Shape::Put => found.version == expected.saturating_add(1),
        // A deleted row would have begun again at version 1.
        Shape::Delete => found.version > expected,
        // Had the transaction been applied, the token would have said so.
        Shape::Transaction => found.version > expected,
    };
    if others_write { Meaning::Conflict } else { Meaning::Unclear }
}

#[cfg(test)]
mod tests;
