//! `tacos demo`: a crowd buys out a venue, and every invariant is checked from the stores.
//!
//! The whole platform runs, on a temporary folder or on its own tables and queues, and the buyers
//! use its real APIs. The verdict comes from the stored rows after the platform has stopped; the
//! answers that buyers received are compared with them.

use super::duration;
use crate::buyers::{Crowd, CrowdOptions, Endpoints, Receipt, Venue};
use crate::client::Http;
use crate::engines::Engines;
use crate::exit::{Exit, Failure};
use crate::platform::{EventCounts, Platform, PlatformOptions};
use crate::promises;
use anyhow::{Result, ensure};
use clap::Args;
use domain::invariant::{self, Name, Phase, Report, World};
use domain::payment;
use domain::reservation::Status;
use indicatif::{ProgressBar, ProgressStyle};
use ports::{Clock, Entropy};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

mod damage;
mod report;
mod temporary_engines;

use temporary_engines::TemporaryEngines;

/// The show of the demo.
const SHOW: &str = "tacos-live";
/// Buyers in line or busy at the same time; the others arrive later.
const AT_ONCE: usize = 512;
/// The same for a local server in place of DynamoDB, which does some hundred transactions a second.
#[cfg(feature = "aws")]
const AT_ONCE_ON_AWS: usize = 16;
/// How long the platform may take to come to rest after the last hold expired.
const REST_LIMIT: Duration = Duration::from_secs(180);
/// How long a buyer repeats a call that is not answered. A busy machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(180);

/// `tacos demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Number of seats.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) seats: u64,
    /// Number of buyers.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) buyers: u64,
    /// How long seats are held, for example 5s or 1500ms.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) hold: Duration,
    /// Seed of every choice that the crowd makes; default: a random one, which is printed.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Engines: a temporary folder, or tables and queues on AWS, which are created under a unique
    /// prefix and removed at the end. The SDK's variables say where AWS is: AWS_ENDPOINT_URL_SQS, …
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "ENGINES", default_value = "embedded")]
    pub(crate) engines: EngineKind,
    /// Print one JSON object instead of the tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Damage the data before the check, so that the test suite sees the named invariant fail.
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) break_invariant: Option<String>,
}

/// The engines of a demo.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EngineKind {
    /// A temporary folder.
    Embedded,
    /// SQS and DynamoDB.
    Aws,
}

/// The result of a demo.
pub(crate) struct Outcome {
    seats: u64,
    buyers: u64,
    seed: u64,
    wall: Duration,
    world: World,
    verdicts: Report,
    events: EventCounts,
    receipts: Vec<Receipt>,
    broken_promises: Vec<String>,
}

impl Outcome {
    /// Whether every invariant held, nothing was lost, and every promise was kept.
    pub(crate) fn holds(&self) -> bool {
        self.verdicts.holds()
            && self.events.lost == 0
            && self.non_terminal() == 0
            && self.broken_promises.is_empty()
    }

    fn count(&self, status: Status) -> usize {
        self.world.reservations.iter().filter(|reservation| reservation.status == status).count()
    }

    fn non_terminal(&self) -> usize {
        self.world.reservations.iter().filter(|reservation| !reservation.status.is_terminal()).count()
    }

    fn refunded(&self) -> usize {
        self.world.payments.iter().filter(|payment| payment.status == payment::Status::Refunded).count()
    }

    fn sold(&self) -> usize {
        self.world.seats.iter().filter(|seat| matches!(seat.owner, invariant::Owner::Sold(_))).count()
    }

    fn oversold(&self) -> u64 {
        self.verdicts.get(Name::I1).map_or(0, |verdict| verdict.violations)
    }
}

/// Runs the command.
pub(crate) async fn run(args: DemoArgs) -> Result<Exit, Failure> {
    let logs = runtime::telemetry::Options::command(&mut runtime::config::Env::process(), "error");
    let _flush = runtime::telemetry::init(logs).map_err(|error| Failure::service("set up logging", error))?;
    let outcome = play(&args).await.map_err(|error| Failure::service("run the demo", error))?;
    if args.json {
        report::json(&outcome)
    } else {
        report::tables(&outcome)
    }
    Ok(if outcome.holds() { Exit::Done } else { Exit::Failed })
}

async fn play(args: &DemoArgs) -> Result<Outcome> {
    let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
    let seed = args.seed.unwrap_or_else(|| runtime::SystemEntropy::new().next_u64() >> 16);
    let temporary = TemporaryEngines::make(args, &clock).await?;
    let outcome = play_on(args, seed, temporary.engines.clone(), clock).await;
    temporary.remove().await?;
    outcome
}

async fn play_on(args: &DemoArgs, seed: u64, engines: Engines, clock: Arc<dyn Clock>) -> Result<Outcome> {
    let started = clock.elapsed();
    let platform = Platform::start_on(engines, clock.clone(), PlatformOptions::demo(args.hold)?).await?;
    let venue = Venue::of(args.seats);
    open_the_sale(&platform, &venue, clock.clone()).await?;

    let crowd = crowd(args, seed, venue, &platform, clock.clone())?;
    let progress = progress(args);
    let watcher = ports::Tasks::new();
    watcher.spawn(follow(crowd.clone(), progress.clone(), clock.clone()));
    let receipts = crowd.run().await?;
    watcher.abort_all();
    progress.set_position(args.buyers);
    progress.set_message("waiting for the last holds and events");
    platform.at_rest(args.hold + REST_LIMIT).await?;
    let observed = platform.observations();
    let events = platform.event_counts().await?;
    let reported = platform.reported().await?;
    let engines = platform.stop().await?;
    progress.finish_and_clear();

    if let Some(name) = &args.break_invariant {
        damage::break_invariant(&engines, name).await?;
    }
    let world = engines.snapshot(&reported).await?;
    let mut verdicts = invariant::check(&world, Phase::AtRest);
    for (name, checked, violations) in observed {
        verdicts.record(name, checked, violations);
    }
    let broken_promises = promises::broken(&receipts, &world);
    let wall = clock.elapsed() - started;
    let (seats, buyers) = (args.seats, args.buyers);
    Ok(Outcome { seats, buyers, seed, wall, world, verdicts, events, receipts, broken_promises })
}

#[cfg(feature = "aws")]
fn at_once(args: &DemoArgs) -> usize {
    if args.engines == EngineKind::Aws { AT_ONCE_ON_AWS } else { AT_ONCE }
}

#[cfg(not(feature = "aws"))]
const fn at_once(_: &DemoArgs) -> usize {
    AT_ONCE
}

fn crowd(
    args: &DemoArgs,
    seed: u64,
    venue: Venue,
    platform: &Platform,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Crowd>> {
    let addresses = platform.addresses();
    let endpoints = Endpoints {
        gateway_http: addresses.gateway_http.to_string(),
        payment_grpc: addresses.payment_grpc.to_string(),
    };
    let options = CrowdOptions {
        show: SHOW.to_owned(),
        buyers: args.buyers,
        at_once: at_once(args),
        hold: args.hold,
        seed,
        jwt_secret: platform.jwt_secret()?,
        patience: PATIENCE,
    };
    Crowd::new(options, venue, watch::channel(endpoints).1, clock)
}

async fn open_the_sale(platform: &Platform, venue: &Venue, clock: Arc<dyn Clock>) -> Result<()> {
    let url = format!("http://{}/admin/shows", platform.addresses().inventory_http);
    let answer = Http::new(clock).post(&url, &[], &venue.definition(SHOW)).await?;
    ensure!(answer.status.is_success(), "cannot put the show on sale: {}", answer.message());
    Ok(())
}

fn progress(args: &DemoArgs) -> ProgressBar {
    // indicatif draws on stderr, and only if that is a terminal.
    let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(args.buyers) };
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} buyers  {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn follow(crowd: Arc<Crowd>, progress: ProgressBar, clock: Arc<dyn Clock>) {
    loop {
        progress.set_position(crowd.done());
        clock.sleep(Duration::from_millis(100)).await;
    }
}
