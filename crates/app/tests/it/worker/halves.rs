//! Half of all calls downstream fail, some of them after their effect, in every way: UNAVAILABLE,
//! in-band errors, 500 and 503. Every event still has its effect.

use super::fickle::{Fronts, Share};
use super::process::Worker;
use super::stand_ins::{Kind, Runs, Setting, StandIns, seed};
use anyhow::{Result, ensure};
use standin::{Entry, Outcome, PeerFaults, Step};

const EVENTS: u64 = 90;
/// Together half of the calls fail: 0.25 in the proxy, and a third of those that pass it.
const IN_BAND: f64 = 0.25;
const FAILING: f64 = 0.2;
const LOSING: f64 = 0.134;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_settled_by_its_effect_on_a_standard_queue() -> Result<()> {
    halves(Kind::Standard).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_settled_by_its_effect_on_a_fifo_queue() -> Result<()> {
    halves(Kind::Fifo).await
}

/// The limits on retries and receives are far away: only an effect may settle an event.
async fn halves(kind: Kind) -> Result<()> {
    let seed = seed("half of all calls fail");
    let mut stand_ins = StandIns::new(Setting { receives_max: 1_000, ..Setting::of(kind, seed) }).await?;
    let unsteady = |faults: &mut PeerFaults| (faults.failing, faults.losing) = (FAILING, LOSING);
    stand_ins.inventory.misbehave(unsteady);
    stand_ins.reservations.misbehave(unsteady);
    let share = Share::new(IN_BAND, seed);
    let fronts = Fronts::start(stand_ins.inventory.address(), &stand_ins.reservations.base(), &share).await?;
    stand_ins.push(EVENTS)?;
    let env = [
        ("INVENTORY_GRPC_ADDR", &*fronts.inventory),
        ("RESERVATION_API_BASE", &fronts.reservations),
        ("BACKOFF_BASE_MS", "1"),
        ("MAX_RETRIES", "100"),
    ];
    let mut worker = Worker::start(&stand_ins, &env).await?;
    stand_ins.emptied(&mut worker).await?;
    let log = worker.stop(&stand_ins).await?;
    stand_ins.all_is_well(Runs::Once)?;
    let ended = |wanted: Outcome| {
        let is = |entry: &&Entry| matches!(entry.step, Step::Ended(_, outcome) if outcome == wanted);
        stand_ins.journal.read(|entries| entries.iter().filter(is).count())
    };
    let (failed, lost) = (ended(Outcome::Failed), ended(Outcome::Lost));
    let in_band = log.count("in-band, as configured");
    ensure!(failed > 0 && lost > 0 && in_band > 0, "{failed} failed, {lost} lost, {in_band} in-band");
    Ok(())
}
