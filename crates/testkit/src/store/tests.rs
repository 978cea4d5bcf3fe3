use super::*;
use core::sync::atomic::{AtomicU32, Ordering};

/// Counts the commits that reach it.
#[derive(Default)]
struct Counted(AtomicU32);

#[async_trait]
impl Store for Counted {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        Ok(vec![None; keys.len()])
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Row>, Fault> {
        Ok(Vec::new())
    }

    async fn due(
        &self,
        _: &'static str,
        _: &str,
        _: Option<&Entry>,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<Entry>, Fault> {
        Ok(Vec::new())
    }

    async fn commit(&self, _: Vec<Write>) -> Result<(), CommitError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn scan(&self, _: Option<&Key>, _: usize) -> Result<Vec<Row>, Fault> {
        Ok(Vec::new())
    }
}

fn faulty() -> (Arc<Counted>, FaultyStore) {
    let counted = Arc::new(Counted::default());
    (counted.clone(), FaultyStore::over(counted))
}

#[tokio::test]
async fn planned_fates_come_in_their_order_and_then_calls_succeed() {
    let (counted, store) = faulty();
    store.plan(Call::Commit, [Fate::Conflict(3), Fate::Failed, Fate::Lost, Fate::AnswerLost, Fate::Late]);
    let done = || counted.0.load(Ordering::SeqCst);
    assert!(matches!(store.commit(Vec::new()).await, Err(CommitError::Conflict { at: 3 })));
    assert!(matches!(store.commit(Vec::new()).await, Err(CommitError::Failed(_))));
    assert!(matches!(store.commit(Vec::new()).await, Err(CommitError::Ambiguous(_))));
    assert_eq!(done(), 0);
    assert!(matches!(store.commit(Vec::new()).await, Err(CommitError::Ambiguous(_))));
    assert_eq!(done(), 1);
    assert!(matches!(store.commit(Vec::new()).await, Err(CommitError::Ambiguous(_))));
    assert_eq!((done(), store.late(), store.land().await, done()), (1, 1, 1, 2));
    assert!(store.commit(Vec::new()).await.is_ok());
    assert_eq!(store.calls(Call::Commit), 6);
}

#[tokio::test]
async fn a_rule_comes_before_the_plan_and_sees_the_arguments() {
    let (_, store) = faulty();
    store.on_call(|call| matches!(call, StoreCall::List("bad")).then_some(Fate::Failed));
    store.plan(Call::List, [Fate::Failed]);
    assert!(store.list("bad", None, 1).await.is_err(), "by the rule");
    assert!(store.list("good", None, 1).await.is_err(), "by the plan");
    assert!(store.list("good", None, 1).await.is_ok());
    store.heal();
    assert!(store.list("bad", None, 1).await.is_ok());
}

#[tokio::test]
async fn gets_and_commits_pass_the_fuse() {
    use crate::{Ended, Mishap};
    let (counted, fuse) = (Arc::new(Counted::default()), Arc::new(Fuse::default()));
    let store = FaultyStore::over(counted.clone()).fused(fuse.clone());
    fuse.arm(1, Mishap::CrashAfter);
    let operation = async {
        store.get(&[]).await.unwrap();
        store.commit(Vec::new()).await
    };
    assert!(matches!(fuse.run(operation).await, Ended::Crashed));
    assert_eq!(counted.0.load(Ordering::SeqCst), 1);
}
