//! Writes whose answer is lost (trap T-S9): done once and reported once, or reported as ambiguous.

use super::local::{ProxiedTable, ambiguous, delete, put};
use super::proxy::{FOREVER, Fate, Hook};
use ports::store::{CommitError, Expect, Write};
use ports::{FaultClass, Store};

fn two(expect: Expect, number: u64) -> Vec<Write> {
    vec![put("a", expect, number), put("b", expect, number)]
}

#[tokio::test]
async fn an_applied_transaction_whose_answer_is_lost_is_done_once() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("TransactWriteItems", Fate::ApplyThenDrop);
    proxied.store.commit(two(Expect::Absent, 1)).await.unwrap();
    assert_eq!((proxied.number("a").await, proxied.number("b").await), ((1, 1), (1, 1)));
    proxied.proxy.rule("TransactWriteItems", 2, || Fate::ApplyThenDrop);
    proxied.store.commit(two(Expect::Version(1), 2)).await.unwrap();
    assert_eq!((proxied.number("a").await, proxied.number("b").await), ((2, 2), (2, 2)));
}

#[tokio::test]
async fn a_transaction_that_never_arrived_is_sent_again() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("TransactWriteItems", Fate::Drop);
    proxied.proxy.once("TransactWriteItems", Fate::error(500, "InternalServerError"));
    proxied.store.commit(two(Expect::Absent, 1)).await.unwrap();
    assert_eq!((proxied.number("a").await, proxied.number("b").await), ((1, 1), (1, 1)));
}

#[tokio::test]
async fn a_transaction_that_is_still_in_progress_is_waited_for() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("TransactWriteItems", Fate::ApplyThenDrop);
    proxied.proxy.once("TransactWriteItems", Fate::error(400, "TransactionInProgressException"));
    proxied.store.commit(two(Expect::Absent, 1)).await.unwrap();
    assert_eq!(proxied.number("a").await, (1, 1));
}

#[tokio::test]
async fn an_applied_put_whose_answer_is_lost_is_recognised_as_ours() {
    let proxied = ProxiedTable::new().await;
    for (expect, number) in [(Expect::Absent, 1), (Expect::Version(1), 2)] {
        proxied.proxy.once("PutItem", Fate::ApplyThenDrop);
        proxied.store.commit(vec![put("a", expect, number)]).await.unwrap();
        assert_eq!(proxied.number("a").await, (number, number as i64));
    }
    assert_eq!(proxied.proxy.calls("PutItem").len(), 4);
}

/// Takes as long as a call may: the limit is the SDK's and in real time.
#[tokio::test]
async fn a_put_that_is_applied_and_never_answered_is_given_up_and_recognised() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("PutItem", Fate::ApplyThenHang);
    proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await.unwrap();
    assert_eq!(proxied.number("a").await, (1, 1));
    assert_eq!(proxied.proxy.calls("PutItem").len(), 2);
}

#[tokio::test]
async fn a_put_that_never_arrived_is_sent_again() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("PutItem", Fate::Drop);
    proxied.proxy.once("PutItem", Fate::error(503, "ServiceUnavailable"));
    proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await.unwrap();
    assert_eq!(proxied.number("a").await, (1, 1));
}

/// What happens between a lost try and the next one: another writer commits.
fn meanwhile(proxied: &ProxiedTable, writes: Vec<Write>) -> Hook {
    let direct = proxied.direct.clone();
    Box::new(move || Box::pin(async move { direct.commit(writes).await.unwrap() }))
}

#[tokio::test]
async fn a_lost_put_that_another_writer_followed_is_ambiguous() {
    let proxied = ProxiedTable::new().await;
    proxied.given(vec![put("a", Expect::Absent, 1)]).await;
    let follow = meanwhile(&proxied, vec![put("a", Expect::Version(2), 30)]);
    proxied.proxy.once("PutItem", Fate::ApplyThenDropAfter(follow));
    let fault = ambiguous(proxied.store.commit(vec![put("a", Expect::Version(1), 2)]).await);
    assert!(fault.message.contains("does not show whether it was applied"), "{fault}");
    assert_eq!(proxied.number("a").await, (3, 30));
}

#[tokio::test]
async fn a_lost_put_that_another_writer_preceded_is_a_conflict() {
    let proxied = ProxiedTable::new().await;
    proxied.given(vec![put("a", Expect::Absent, 1)]).await;
    let forestall = meanwhile(&proxied, vec![put("a", Expect::Version(1), 20)]);
    proxied.proxy.once("PutItem", Fate::DropAfter(forestall));
    let result = proxied.store.commit(vec![put("a", Expect::Version(1), 2)]).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 0 })), "{result:?}");
    assert_eq!(proxied.number("a").await, (2, 20));
}

/// The other row may be gone again when the lost try arrives.
#[tokio::test]
async fn a_lost_creation_that_another_writer_preceded_is_ambiguous() {
    let proxied = ProxiedTable::new().await;
    let forestall = meanwhile(&proxied, vec![put("a", Expect::Absent, 20)]);
    proxied.proxy.once("PutItem", Fate::DropAfter(forestall));
    ambiguous(proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await);
    assert_eq!(proxied.number("a").await, (1, 20));
}

#[tokio::test]
async fn the_token_decides_whether_a_lost_transaction_was_applied() {
    let proxied = ProxiedTable::new().await;
    proxied.given(two(Expect::Absent, 1)).await;
    let forestall = meanwhile(&proxied, vec![put("b", Expect::Version(1), 20)]);
    proxied.proxy.once("TransactWriteItems", Fate::DropAfter(forestall));
    let result = proxied.store.commit(two(Expect::Version(1), 2)).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 1 })), "{result:?}");
    assert_eq!(proxied.number("a").await, (1, 1));

    let follow = meanwhile(&proxied, vec![put("a", Expect::Version(2), 40)]);
    proxied.proxy.once("TransactWriteItems", Fate::ApplyThenDropAfter(follow));
    let writes = vec![put("a", Expect::Version(1), 3), put("b", Expect::Version(2), 3)];
    proxied.store.commit(writes).await.unwrap();
    assert_eq!((proxied.number("a").await, proxied.number("b").await), ((3, 40), (3, 3)));
}

#[tokio::test]
async fn a_write_that_is_never_answered_is_ambiguous_unless_its_row_can_be_read() {
    for operation in ["PutItem", "TransactWriteItems"] {
        let writes = |number| match operation {
            "PutItem" => vec![put("a", Expect::Absent, number)],
            _ => two(Expect::Absent, number),
        };
        let proxied = ProxiedTable::new().await;
        proxied.proxy.rule(operation, FOREVER, || Fate::Drop);
        let fault = ambiguous(proxied.store.commit(writes(1)).await);
        assert_eq!(fault.class, FaultClass::Unavailable);
        assert!(proxied.row("a").await.is_none());

        let proxied = ProxiedTable::new().await;
        proxied.proxy.once(operation, Fate::ApplyThenDrop);
        proxied.proxy.rule(operation, FOREVER, || Fate::error(500, "InternalServerError"));
        proxied.store.commit(writes(1)).await.unwrap();
        assert_eq!(proxied.number("a").await, (1, 1));

        let proxied = ProxiedTable::new().await;
        proxied.proxy.once(operation, Fate::ApplyThenDrop);
        proxied.proxy.rule(operation, FOREVER, || Fate::Drop);
        proxied.proxy.rule("GetItem", FOREVER, || Fate::Drop);
        ambiguous(proxied.store.commit(writes(1)).await);
        assert_eq!(proxied.number("a").await, (1, 1));
    }
}

/// Permanently refused now, but not then.
#[tokio::test]
async fn a_permanent_refusal_after_a_lost_try_is_ambiguous() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("PutItem", Fate::ApplyThenDrop);
    proxied.proxy.once("PutItem", Fate::error(400, "AccessDeniedException"));
    let fault = ambiguous(proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await);
    assert_eq!(fault.class, FaultClass::Permanent);
    assert_eq!(proxied.number("a").await, (1, 1));
}

#[tokio::test]
async fn a_lost_delete_is_done_a_conflict_or_ambiguous() {
    let proxied = ProxiedTable::new().await;
    proxied.given(two(Expect::Absent, 1)).await;
    // It never arrived.
    proxied.proxy.once("DeleteItem", Fate::Drop);
    proxied.store.commit(vec![delete("a", Expect::Version(1))]).await.unwrap();
    assert!(proxied.row("a").await.is_none());
    // It was applied, but the deleted row no longer shows by which commit.
    proxied.proxy.once("DeleteItem", Fate::ApplyThenDrop);
    ambiguous(proxied.store.commit(vec![delete("b", Expect::Version(1))]).await);
    assert!(proxied.row("b").await.is_none());
    // Another writer moved the row on.
    proxied.given(vec![put("c", Expect::Absent, 1)]).await;
    let forestall = meanwhile(&proxied, vec![put("c", Expect::Version(1), 20)]);
    proxied.proxy.once("DeleteItem", Fate::DropAfter(forestall));
    let result = proxied.store.commit(vec![delete("c", Expect::Version(1))]).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 0 })), "{result:?}");
    // A delete with `Any`: the row is gone, whichever commit deleted it.
    proxied.proxy.once("DeleteItem", Fate::ApplyThenDrop);
    proxied.store.commit(vec![delete("c", Expect::Any)]).await.unwrap();
    assert!(proxied.row("c").await.is_none());
}
