//! Writes whose answer is lost (trap T-S9): done once and reported once, or reported as ambiguous.

use super::proxy::{FOREVER, Fate, Hook};
use super::world::{World, ambiguous, delete, put};
use ports::store::{CommitError, Expect, Write};
use ports::{FaultClass, Store};

fn two(expect: Expect, number: u64) -> Vec<Write> {
    vec![put("a", expect, number), put("b", expect, number)]
}

#[tokio::test]
async fn an_applied_transaction_whose_answer_is_lost_is_done_once() {
    let world = World::new().await;
    world.proxy.once("TransactWriteItems", Fate::ApplyThenDrop);
    world.store.commit(two(Expect::Absent, 1)).await.unwrap();
    assert_eq!((world.number("a").await, world.number("b").await), ((1, 1), (1, 1)));
    world.proxy.rule("TransactWriteItems", 2, || Fate::ApplyThenDrop);
    world.store.commit(two(Expect::Version(1), 2)).await.unwrap();
    assert_eq!((world.number("a").await, world.number("b").await), ((2, 2), (2, 2)));
}

#[tokio::test]
async fn a_transaction_that_never_arrived_is_sent_again() {
    let world = World::new().await;
    world.proxy.once("TransactWriteItems", Fate::Drop);
    world.proxy.once("TransactWriteItems", Fate::error(500, "InternalServerError"));
    world.store.commit(two(Expect::Absent, 1)).await.unwrap();
    assert_eq!((world.number("a").await, world.number("b").await), ((1, 1), (1, 1)));
}

#[tokio::test]
async fn a_transaction_that_is_still_in_progress_is_waited_for() {
    let world = World::new().await;
    world.proxy.once("TransactWriteItems", Fate::ApplyThenDrop);
    world.proxy.once("TransactWriteItems", Fate::error(400, "TransactionInProgressException"));
    world.store.commit(two(Expect::Absent, 1)).await.unwrap();
    assert_eq!(world.number("a").await, (1, 1));
}

#[tokio::test]
async fn an_applied_put_whose_answer_is_lost_is_recognised_as_ours() {
    let world = World::new().await;
    for (expect, number) in [(Expect::Absent, 1), (Expect::Version(1), 2)] {
        world.proxy.once("PutItem", Fate::ApplyThenDrop);
        world.store.commit(vec![put("a", expect, number)]).await.unwrap();
        assert_eq!(world.number("a").await, (number, number as i64));
    }
    assert_eq!(world.proxy.calls("PutItem").len(), 4);
}

/// Takes as long as a call may: the limit is the SDK's and in real time.
#[tokio::test]
async fn a_put_that_is_applied_and_never_answered_is_given_up_and_recognised() {
    let world = World::new().await;
    world.proxy.once("PutItem", Fate::ApplyThenHang);
    world.store.commit(vec![put("a", Expect::Absent, 1)]).await.unwrap();
    assert_eq!(world.number("a").await, (1, 1));
    assert_eq!(world.proxy.calls("PutItem").len(), 2);
}

#[tokio::test]
async fn a_put_that_never_arrived_is_sent_again() {
    let world = World::new().await;
    world.proxy.once("PutItem", Fate::Drop);
    world.proxy.once("PutItem", Fate::error(503, "ServiceUnavailable"));
    world.store.commit(vec![put("a", Expect::Absent, 1)]).await.unwrap();
    assert_eq!(world.number("a").await, (1, 1));
}

/// What happens between a lost try and the next one: another writer commits.
fn meanwhile(world: &World, writes: Vec<Write>) -> Hook {
    let direct = world.direct.clone();
    Box::new(move || Box::pin(async move { direct.commit(writes).await.unwrap() }))
}

#[tokio::test]
async fn a_lost_put_that_another_writer_followed_is_ambiguous() {
    let world = World::new().await;
    world.given(vec![put("a", Expect::Absent, 1)]).await;
    let follow = meanwhile(&world, vec![put("a", Expect::Version(2), 30)]);
    world.proxy.once("PutItem", Fate::ApplyThenDropAfter(follow));
    let fault = ambiguous(world.store.commit(vec![put("a", Expect::Version(1), 2)]).await);
    assert!(fault.message.contains("does not show whether it was applied"), "{fault}");
    assert_eq!(world.number("a").await, (3, 30));
}

#[tokio::test]
async fn a_lost_put_that_another_writer_preceded_is_a_conflict() {
    let world = World::new().await;
    world.given(vec![put("a", Expect::Absent, 1)]).await;
    let forestall = meanwhile(&world, vec![put("a", Expect::Version(1), 20)]);
    world.proxy.once("PutItem", Fate::DropAfter(forestall));
    let result = world.store.commit(vec![put("a", Expect::Version(1), 2)]).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 0 })), "{result:?}");
    assert_eq!(world.number("a").await, (2, 20));
}

/// The other row may be gone again when the lost try arrives.
#[tokio::test]
async fn a_lost_creation_that_another_writer_preceded_is_ambiguous() {
    let world = World::new().await;
    let forestall = meanwhile(&world, vec![put("a", Expect::Absent, 20)]);
    world.proxy.once("PutItem", Fate::DropAfter(forestall));
    ambiguous(world.store.commit(vec![put("a", Expect::Absent, 1)]).await);
    assert_eq!(world.number("a").await, (1, 20));
}

#[tokio::test]
async fn a_lost_transaction_is_a_conflict_if_a_row_was_moved_on_and_done_if_its_token_says_so() {
    let world = World::new().await;
    world.given(two(Expect::Absent, 1)).await;
    let forestall = meanwhile(&world, vec![put("b", Expect::Version(1), 20)]);
    world.proxy.once("TransactWriteItems", Fate::DropAfter(forestall));
    let result = world.store.commit(two(Expect::Version(1), 2)).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 1 })), "{result:?}");
    assert_eq!(world.number("a").await, (1, 1));

    let follow = meanwhile(&world, vec![put("a", Expect::Version(2), 40)]);
    world.proxy.once("TransactWriteItems", Fate::ApplyThenDropAfter(follow));
    let writes = vec![put("a", Expect::Version(1), 3), put("b", Expect::Version(2), 3)];
    world.store.commit(writes).await.unwrap();
    assert_eq!((world.number("a").await, world.number("b").await), ((3, 40), (3, 3)));
}

#[tokio::test]
async fn a_write_that_is_never_answered_is_ambiguous_unless_its_row_can_be_read() {
    for operation in ["PutItem", "TransactWriteItems"] {
        let writes = |number| match operation {
            "PutItem" => vec![put("a", Expect::Absent, number)],
            _ => two(Expect::Absent, number),
        };
        let world = World::new().await;
        world.proxy.rule(operation, FOREVER, || Fate::Drop);
        let fault = ambiguous(world.store.commit(writes(1)).await);
        assert_eq!(fault.class, FaultClass::Unavailable);
        assert!(world.row("a").await.is_none());

        let world = World::new().await;
        world.proxy.once(operation, Fate::ApplyThenDrop);
        world.proxy.rule(operation, FOREVER, || Fate::error(500, "InternalServerError"));
        world.store.commit(writes(1)).await.unwrap();
        assert_eq!(world.number("a").await, (1, 1));

        let world = World::new().await;
        world.proxy.once(operation, Fate::ApplyThenDrop);
        world.proxy.rule(operation, FOREVER, || Fate::Drop);
        world.proxy.rule("GetItem", FOREVER, || Fate::Drop);
        ambiguous(world.store.commit(writes(1)).await);
        assert_eq!(world.number("a").await, (1, 1));
    }
}

/// Permanently refused now, but not then.
#[tokio::test]
async fn a_permanent_refusal_after_a_lost_try_is_ambiguous() {
    let world = World::new().await;
    world.proxy.once("PutItem", Fate::ApplyThenDrop);
    world.proxy.once("PutItem", Fate::error(400, "AccessDeniedException"));
    let fault = ambiguous(world.store.commit(vec![put("a", Expect::Absent, 1)]).await);
    assert_eq!(fault.class, FaultClass::Permanent);
    assert_eq!(world.number("a").await, (1, 1));
}

#[tokio::test]
async fn a_lost_delete_is_done_a_conflict_or_ambiguous() {
    let world = World::new().await;
    world.given(two(Expect::Absent, 1)).await;
    // It never arrived.
    world.proxy.once("DeleteItem", Fate::Drop);
    world.store.commit(vec![delete("a", Expect::Version(1))]).await.unwrap();
    assert!(world.row("a").await.is_none());
    // It was applied, but the deleted row no longer shows by which commit.
    world.proxy.once("DeleteItem", Fate::ApplyThenDrop);
    ambiguous(world.store.commit(vec![delete("b", Expect::Version(1))]).await);
    assert!(world.row("b").await.is_none());
    // Another writer moved the row on.
    world.given(vec![put("c", Expect::Absent, 1)]).await;
    let forestall = meanwhile(&world, vec![put("c", Expect::Version(1), 20)]);
    world.proxy.once("DeleteItem", Fate::DropAfter(forestall));
    let result = world.store.commit(vec![delete("c", Expect::Version(1))]).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 0 })), "{result:?}");
    // A delete with `Any`: the row is gone, whichever commit deleted it.
    world.proxy.once("DeleteItem", Fate::ApplyThenDrop);
    world.store.commit(vec![delete("c", Expect::Any)]).await.unwrap();
    assert!(world.row("c").await.is_none());
}
