//! The backstop for holds that nobody released (traps T-S7 and T-M1: an orphan must not keep its
//! seats).

use crate::world::{MINUTE, World, commit, hold};
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
    let world = World::new().await;
    world.hold("orphan", &["1"]).await.unwrap();
    world.hold("sold", &["2"]).await.unwrap();
    commit(&world.service, "sold", "pay").await.unwrap();
    world.clock.advance(MINUTE);
    world.hold("fresh", &["3"]).await.unwrap();
    assert_eq!(world.service.sweep().await.unwrap(), 0, "it is due, but its event may be on its way");
    world.clock.advance(GRACE);
    assert_eq!(world.service.sweep().await.unwrap(), 1);
    assert_eq!(world.service.sweep().await.unwrap(), 0);
    assert_eq!(world.counts("A").await, Counts { available: 8, held: 1, sold: 1, blocked: 0 });
    world.check(&[&world.service]).await;
}

#[tokio::test]
async fn one_hold_that_cannot_be_released_does_not_keep_the_others() {
    let world = World::new().await;
    for n in 1..=10 {
        world.hold(&format!("orphan{n}"), &[&n.to_string()]).await.unwrap();
    }
    world.clock.advance(MINUTE + GRACE);
    world.store.plan(Call::Commit, [Conflict(1); 17]);
    assert_eq!(world.service.sweep().await.unwrap(), 9);
    world.store.plan(Call::Commit, [Failed]);
    assert!(world.service.sweep().await.is_err(), "an engine that is out of order is not asked on");
    assert_eq!(world.service.sweep().await.unwrap(), 1);
    world.check(&[&world.service]).await;
}

#[tokio::test]
async fn the_sweeper_comes_round_until_shutdown() {
    let world = World::new().await;
    hold(&world.service, world.any("orphan", 3)).await.unwrap();
    let (tasks, shutdown) = (Tasks::new(), CancellationToken::new());
    tasks.spawn(world.service.clone().sweep_until(shutdown.clone()));
    world.clock.advance(MINUTE + GRACE);
    while world.counts("floor").await.available < 3 {
        world.clock.advance(Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    tasks.finished().await;
    world.check(&[&world.service]).await;
}
