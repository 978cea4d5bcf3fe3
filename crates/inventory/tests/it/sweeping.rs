//! The backstop for holds that nobody released (traps T-S7 and T-M1: an orphan must not keep its
//! seats).

use crate::fixture::{Fixture, MINUTE, commit, hold};
use core::time::Duration;
use domain::invariant::Counts;
use ports::Tasks;
use testkit::Call;
use testkit::Fate::{Conflict, Failed};
use tokio_util::sync::CancellationToken;

const GRACE: Duration = Duration::from_secs(30);

/// Trap T-S7: holds never expired.
#[tokio::test]
async fn an_orphan_is_released_after_the_grace_and_nothing_else_is() {
    let fixture = Fixture::new().await;
    fixture.hold("orphan", &["1"]).await.unwrap();
    fixture.hold("sold", &["2"]).await.unwrap();
    commit(&fixture.service, "sold", "pay").await.unwrap();
    fixture.clock.advance(MINUTE);
    fixture.hold("fresh", &["3"]).await.unwrap();
    assert_eq!(fixture.service.sweep().await.unwrap(), 0, "it is due, but its event may be on its way");
    fixture.clock.advance(GRACE);
    assert_eq!(fixture.service.sweep().await.unwrap(), 1);
    assert_eq!(fixture.service.sweep().await.unwrap(), 0);
    assert_eq!(fixture.counts("A").await, Counts { available: 8, held: 1, sold: 1, blocked: 0 });
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn one_hold_that_cannot_be_released_does_not_keep_the_others() {
    let fixture = Fixture::new().await;
    for n in 1..=10 {
        fixture.hold(&format!("orphan{n}"), &[&n.to_string()]).await.unwrap();
    }
    fixture.clock.advance(MINUTE + GRACE);
    fixture.store.plan(Call::Commit, [Conflict(1); 17]);
    assert_eq!(fixture.service.sweep().await.unwrap(), 9);
    fixture.store.plan(Call::Commit, [Failed]);
    assert!(fixture.service.sweep().await.is_err(), "an engine that is out of order is not asked on");
    assert_eq!(fixture.service.sweep().await.unwrap(), 1);
    fixture.check(&[&fixture.service]).await;
}

#[tokio::test]
async fn the_sweeper_repeats_until_shutdown() {
    let fixture = Fixture::new().await;
    hold(&fixture.service, fixture.any("orphan", 3)).await.unwrap();
    let (tasks, shutdown) = (Tasks::new(), CancellationToken::new());
    tasks.spawn(fixture.service.clone().sweep_until(shutdown.clone()));
    fixture.clock.advance(MINUTE + GRACE);
    while fixture.counts("floor").await.available < 3 {
        fixture.clock.advance(Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    tasks.finished().await;
    fixture.check(&[&fixture.service]).await;
}
