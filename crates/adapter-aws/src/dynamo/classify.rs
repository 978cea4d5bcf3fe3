//! What an answer means: for this try, and for the whole commit when earlier tries may have been applied. Pure, so that
//! every answer that the service can give is a line in a test.

use super::refusal::{Delivery, Found, Reason, Refusal};
use crate::fault::Kind;
use ports::FaultClass;
use ports::store::Expect;

/// What an answer says about its try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The condition of a write does not hold, and no earlier write's condition failed. This try wrote nothing.
    Refused {
        /// Place of the write.
        at: usize,
        /// The row that stands there, if there is one.
        found: Option<Found>,
    },
    /// This try wrote nothing, and another one may do better. The class is for the last of them.
    Again(FaultClass),
    /// This try may have been applied, or may be yet.
    Lost,
    /// This try wrote nothing, and another one right now would fail in the same way. The class says whether that is for good
    /// or somebody can mend it while the process runs.
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
        // Another transaction has one of the rows; with several regions, another region has.
        "TransactionConflictException" | "ReplicatedWriteConflictException" => {
            Verdict::Again(FaultClass::Conflict)
        }
        // A try of this very commit is being carried out.
        "TransactionInProgressException" => Verdict::Lost,
        "ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded" => {
            Verdict::Again(FaultClass::Unavailable)
        }
        "LimitExceededException" => Verdict::Again(FaultClass::Transient),
        // "The request may have been carried out": so say the documents of it, and of every other 5xx nobody says better.
        "InternalServerError" => Verdict::Lost,
        _ => match refusal.status {
            Some(500..) => Verdict::Lost,
            Some(429) => Verdict::Again(FaultClass::Unavailable),
            _ => Verdict::Never(
                refusal.code.as_deref().and_then(Kind::of_code).map_or(FaultClass::Permanent, Kind::class),
            ),
        },
    }
}

/// A transaction that was cancelled wrote nothing. The port names the *first* write whose expectation does not hold, so a
/// failed condition counts only if every earlier write was found right. An earlier one that ran into another transaction or
/// was throttled was not looked at: its condition may have failed as well. Another try then tells; the caller, if it is
/// the last one, learns that there is a conflict but not where.
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
    /// A transaction under a token: repeated after it was applied it succeeds without doing anything, for ten minutes.
    Transaction,
}

/// What a refused condition means for the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An earlier try of this commit was applied.
    Done,
    /// No try was applied, and none will be.
    Conflict,
    /// An earlier try may have been applied, or may be yet.
    Unclear,
}

/// What it means that `expect` does not hold at a row of which `found` is known, if `lost` says that the answer to an
/// earlier try was lost.
///
/// Without a lost try it is a conflict. With one, it is a conflict only if the lost try is surely refused too, whenever it
/// arrives: the row was at the version that the commit expects and somebody else moved it on. Versions of a row only grow
/// (to pass the same version twice a row would have to be deleted, made anew and written as often as before, all within the
/// seconds of one call). A row that had to be absent and is there gives no such proof: it may be gone when the lost try
/// arrives, or may stand where ours stood and was removed.
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
        // The next version is somebody else's, so it is not ours. Beyond the next one, it may have been ours.
        Shape::Put => found.version == expected.saturating_add(1),
        // Had the row been deleted it would have begun again at version 1.
        Shape::Delete => found.version > expected,
        // Had it been applied, the token would have said so.
        Shape::Transaction => found.version > expected,
    };
    if others_write { Meaning::Conflict } else { Meaning::Unclear }
}

#[cfg(test)]
mod tests;
