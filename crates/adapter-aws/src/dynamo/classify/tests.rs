//! Every answer of the service, and its verdict.

use super::*;

fn answered(code: &str, status: u16) -> Refusal {
    Refusal { code: Some(code.to_owned()), status: Some(status), ..Refusal::default() }
}

fn found(version: u64, operation: &str) -> Found {
    Found { version, operation: operation.to_owned() }
}

fn cancelled_with(codes: &[&str]) -> Verdict {
    let reason = |code: &&str| Reason { code: (*code).to_owned(), found: None };
    let reasons = codes.iter().map(reason).collect();
    classify(&Refusal { reasons, ..answered("TransactionCanceledException", 400) })
}

#[test]
fn an_unsent_request_is_tried_again_and_one_that_may_have_arrived_is_lost() {
    let verdict = |delivery| classify(&Refusal { delivery, ..Refusal::default() });
    assert_eq!(verdict(Delivery::NotSent), Verdict::Again(FaultClass::Unavailable));
    assert_eq!(verdict(Delivery::Unknown), Verdict::Lost);
    assert_eq!(verdict(Delivery::Unsigned), Verdict::Never(FaultClass::Transient));
}

#[test]
fn each_code_has_its_verdict() {
    use FaultClass::{Conflict, Permanent, Transient, Unavailable};
    for (code, status, verdict) in [
        ("ThrottlingException", 400, Verdict::Again(Unavailable)),
        ("ProvisionedThroughputExceededException", 400, Verdict::Again(Unavailable)),
        ("RequestLimitExceeded", 400, Verdict::Again(Unavailable)),
        ("SomethingNew", 429, Verdict::Again(Unavailable)),
        ("LimitExceededException", 400, Verdict::Again(Transient)),
        ("TransactionConflictException", 400, Verdict::Again(Conflict)),
        ("ReplicatedWriteConflictException", 400, Verdict::Again(Conflict)),
        ("TransactionInProgressException", 400, Verdict::Lost),
        ("InternalServerError", 500, Verdict::Lost),
        ("ServiceUnavailable", 503, Verdict::Lost),
        ("", 502, Verdict::Lost),
        ("ValidationException", 400, Verdict::Never(Permanent)),
        ("ResourceNotFoundException", 400, Verdict::Never(Transient)),
        ("AccessDeniedException", 400, Verdict::Never(Permanent)),
        ("ExpiredTokenException", 400, Verdict::Never(Transient)),
        ("IdempotentParameterMismatchException", 400, Verdict::Never(Permanent)),
        ("SomethingNew", 400, Verdict::Never(Permanent)),
    ] {
        assert_eq!(classify(&answered(code, status)), verdict, "{code} {status}");
    }
}

#[test]
fn a_failed_condition_returns_the_present_row() {
    let refusal = Refusal { found: Some(found(4, "x")), ..answered("ConditionalCheckFailedException", 400) };
    assert_eq!(classify(&refusal), Verdict::Refused { at: 0, found: Some(found(4, "x")) });
}

#[test]
fn a_cancelled_transaction_names_the_first_failed_condition_if_all_before_it_are_right() {
    assert_eq!(
        cancelled_with(&["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]),
        Verdict::Refused { at: 1, found: None }
    );
    // What follows the first failed condition changes nothing.
    assert_eq!(
        cancelled_with(&["ConditionalCheckFailed", "TransactionConflict", "ValidationError"]),
        Verdict::Refused { at: 0, found: None }
    );
}

#[test]
fn a_failed_condition_after_an_unchecked_write_is_tried_again() {
    for before in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "SomethingNew"]
    {
        assert_eq!(
            cancelled_with(&["None", before, "ConditionalCheckFailed"]),
            Verdict::Again(FaultClass::Conflict),
            "{before}"
        );
    }
}

#[test]
fn a_cancelled_transaction_without_failed_conditions_has_the_class_of_its_reasons() {
    use FaultClass::{Conflict, Transient, Unavailable};
    assert_eq!(cancelled_with(&["None", "TransactionConflict"]), Verdict::Again(Conflict));
    assert_eq!(cancelled_with(&["ThrottlingError", "None"]), Verdict::Again(Unavailable));
    assert_eq!(cancelled_with(&["ProvisionedThroughputExceeded"]), Verdict::Again(Unavailable));
    assert_eq!(cancelled_with(&["TransactionConflict", "ThrottlingError"]), Verdict::Again(Conflict));
    assert_eq!(cancelled_with(&["ThrottlingError", "TransactionConflict"]), Verdict::Again(Conflict));
    assert_eq!(cancelled_with(&["SomethingNew"]), Verdict::Again(Transient));
    assert_eq!(cancelled_with(&[]), Verdict::Again(Transient));
    assert_eq!(
        cancelled_with(&["TransactionConflict", "ValidationError"]),
        Verdict::Never(FaultClass::Permanent)
    );
    assert_eq!(cancelled_with(&["ItemCollectionSizeLimitExceeded"]), Verdict::Never(FaultClass::Permanent));
}

const ALL: [Shape; 3] = [Shape::Put, Shape::Delete, Shape::Transaction];

#[test]
fn a_refusal_is_a_conflict_if_every_try_was_answered() {
    for shape in ALL {
        for expect in [Expect::Absent, Expect::Version(3)] {
            for there in [None, Some(found(1, "other")), Some(found(4, "other"))] {
                assert_eq!(meaning(shape, expect, "mine", there.as_ref(), false), Meaning::Conflict);
            }
        }
    }
}

#[test]
fn after_a_lost_try_the_operation_id_shows_that_it_was_applied() {
    for (expect, version) in [(Expect::Absent, 1), (Expect::Version(3), 4)] {
        for shape in [Shape::Put, Shape::Transaction] {
            let there = found(version, "mine");
            assert_eq!(meaning(shape, expect, "mine", Some(&there), true), Meaning::Done);
        }
    }
}

#[test]
fn after_a_lost_try_only_a_row_that_another_writer_moved_on_is_a_conflict() {
    let with = |shape, expect, version| meaning(shape, expect, "mine", Some(&found(version, "other")), true);
    assert_eq!(with(Shape::Put, Expect::Version(3), 4), Meaning::Conflict);
    assert_eq!(with(Shape::Put, Expect::Version(3), 5), Meaning::Unclear, "version 4 may have been ours");
    assert_eq!(with(Shape::Delete, Expect::Version(3), 5), Meaning::Conflict);
    assert_eq!(with(Shape::Transaction, Expect::Version(3), 5), Meaning::Conflict);
    for shape in ALL {
        assert_eq!(with(shape, Expect::Version(3), 2), Meaning::Unclear, "created again");
        assert_eq!(with(shape, Expect::Absent, 1), Meaning::Unclear, "may be gone when ours arrives");
        assert_eq!(meaning(shape, Expect::Version(3), "mine", None, true), Meaning::Unclear, "gone");
    }
}
