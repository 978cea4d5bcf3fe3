//! Repeated kill -9 under load on one folder: every answer that a buyer received stays true.
//!
//! `TACOS_CRASH_ROUNDS` sets the number of kills (default 5; `cargo xtask soak` sets 50),
//! `TACOS_SEED` repeats a run.

use crate::running::{JWT_SECRET, Running, stock};
use anyhow::{Context, Result, ensure};
use app::buyers::{Crowd, CrowdOptions, Venue};
use app::engines::{self, Engines};
use app::promises;
use domain::invariant::{self, Phase};
use domain::random::{Random, SplitMix64};
use ports::{Clock, Entropy};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const SHOW: &str = "crash-show";
const SEATS: u64 = 3_000;
const BUYERS_PER_ROUND: u64 = 240;

#[allow(clippy::disallowed_methods, reason = "a test reads its own settings")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Traps T-T1, T-T14, T-S9, T-M1 and T-M2 on the real engine: at whatever moment the kill comes,
/// nothing acknowledged is lost and nothing is half done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_a_buyer_survives_kills() -> Result<()> {
    let rounds = setting("TACOS_CRASH_ROUNDS").unwrap_or(5);
    let seed = setting("TACOS_SEED").unwrap_or_else(|| runtime::SystemEntropy::new().next_u64() >> 16);
    println!("seed {seed}, {rounds} rounds; again with TACOS_SEED={seed} TACOS_CRASH_ROUNDS={rounds}");
    let mut dice = SplitMix64::new(seed);
    let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
    let folder = tempfile::tempdir()?;
    let mut platform = Running::start(folder.path(), "2s").await?;
    let venue = Venue::of(SEATS);
    let opened = platform.post("inventory_http", "/admin/shows", &[], &venue.definition(SHOW)).await?;
    ensure!(opened.status.is_success(), "{opened:?}");

    let (endpoints, watching) = watch::channel(platform.endpoints());
    let options = CrowdOptions {
        show: SHOW.to_owned(),
        buyers: rounds * BUYERS_PER_ROUND,
        at_once: 48,
        hold: Duration::from_secs(2),
        seed,
        jwt_secret: identity::Secret::new(JWT_SECRET)?,
        patience: Duration::from_secs(120),
    };
    let crowd = Crowd::new(options, venue, watching, clock.clone())?;
    let (finished, receipts) = tokio::sync::oneshot::channel();
    let tasks = ports::Tasks::new();
    let buyers = crowd.clone();
    tasks.spawn(async move {
        let _ = finished.send(buyers.run().await);
    });
    for round in 0..rounds {
        // The moment of the kill is random: a number of buyers, then some turns of the scheduler.
        let until = round * BUYERS_PER_ROUND + dice.below(BUYERS_PER_ROUND * 3 / 4);
        while crowd.done() < until {
            clock.sleep(Duration::from_millis(1)).await;
        }
        clock.sleep(Duration::from_micros(dice.below(20_000))).await;
        platform.kill().await?;
        platform = Running::start(folder.path(), "2s").await.with_context(|| format!("restart {round}"))?;
        endpoints.send_replace(platform.endpoints());
    }
    let receipts = receipts.await.context("the crowd ended")??;
    platform.at_rest().await?;
    let reported = platform.get("inventory_http", &format!("/admin/shows/{SHOW}")).await?;
    ensure!(platform.terminate().await? == 0, "a drained platform ends with 0");

    let engine = engines::open(folder.path(), clock).await?;
    let world = Engines::embedded(&engine)?.snapshot(&stock(&[reported.body])?).await?;
    let report = invariant::check(&world, Phase::AtRest);
    let broken = promises::broken(&receipts, &world);
    let confirmed = world.reservations.iter().filter(|r| r.order.is_some()).count();
    println!(
        "{} reservations, {confirmed} confirmed, {} buried",
        world.reservations.len(),
        world.buried.len()
    );
    ensure!(report.holds(), "seed {seed}: {report:#?}");
    ensure!(broken.is_empty(), "seed {seed}: {broken:#?}");
    ensure!(confirmed > 0, "seed {seed}: the crowd bought nothing");
    Ok(())
}
