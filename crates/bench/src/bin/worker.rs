//! The unmodified `reservation-worker` under load: events a second, what each costs, and how
//! long each takes.
//!
//! The worker runs in a process of its own against stand-ins for SQS, the inventory and
//! reservation-api in this one, on the same cores. Each run starts a fresh worker on a fresh
//! queue, lets it run warm, and then measures. `--binary` measures another program in its
//! place, so that both are seen on the same machine in the same hour.

use anyhow::{Context, Result, bail, ensure};
use bench::worker::process::Program;
use bench::worker::{Conditions, Kind, burst, figures, plot, run};
use bench::{now, say};
use clap::Parser;
use standin::Latency;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Whatever is asked for, it ends by itself within this.
const WHOLE_MAX: Duration = Duration::from_secs(8 * 60);
/// Start and end of a run, and both bursts.
const OVERHEAD: Duration = Duration::from_secs(5);

#[derive(Debug, Parser)]
#[command(about = "reservation-worker under load, against stand-ins on the same cores")]
struct Options {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write throughput over time as an SVG to this file.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Another program to measure, which reads the same variables (peers/go/worker is one);
    /// left out: reservation-worker.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A variable of the worker's environment, NAME=VALUE; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = bench::variable)]
    set: Vec<(String, String)>,
    /// Values of WORKER_CONCURRENCY, a run for each on either kind of queue.
    #[arg(long, value_delimiter = ',', default_values = ["20", "auto"])]
    concurrency: Vec<String>,
    /// Only the runs of these names: standard-20, standard-auto, fifo-20, fifo-auto,
    /// burst-1000.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Latency of the inventory and of reservation-api: constant:20ms, exp:20ms or
    /// bimodal:5ms,200ms,0.05.
    #[arg(long, default_value = "constant:20ms")]
    latency: Latency,
    /// Added to every call to the queue, in milliseconds.
    #[arg(long, default_value = "0ms", value_parser = milliseconds)]
    queue_latency: Duration,
    /// Seconds that are measured, in each run.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Seconds of load before that.
    #[arg(long, default_value_t = 5)]
    warm_up: u64,
    /// Events that arrive a second, whatever is settled (an open loop); left out: the queue is
    /// never empty.
    #[arg(long)]
    rate: Option<u32>,
    /// Events of one reservation.
    #[arg(long, default_value_t = 1)]
    per_group: u64,
    /// Seed of the latencies and of the mix of events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse();
    // One thread: the stand-ins take part of one core, and do not move from core to core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Whichever comes first, dropping the started processes ends them.
        tokio::select! {
            done = measure(&options) => done,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
            () = bench::worker::after(WHOLE_MAX) => bail!("not done within {WHOLE_MAX:?}"),
        }
    })
}

async fn measure(options: &Options) -> Result<()> {
    let conditions = Conditions {
        downstream: options.latency,
        queue: options.queue_latency,
        measured: Duration::from_secs(options.seconds),
        warm_up: Duration::from_secs(options.warm_up),
        arrivals: options.rate,
        per_group: options.per_group,
        seed: options.seed,
    };
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let runs: Vec<(Kind, &str)> = Kind::ALL
        .into_iter()
        .flat_map(|kind| options.concurrency.iter().map(move |concurrency| (kind, concurrency.as_str())))
        .filter(|(kind, concurrency)| wanted(&format!("{}-{concurrency}", kind.name())))
        .collect();
    let bursts = wanted("burst-1000");
    ensure!(
        !runs.is_empty() || bursts,
        "--only names no run; there is: standard-20, fifo-auto, …, burst-1000"
    );
    let each = conditions.measured + conditions.warm_up + OVERHEAD;
    ensure!(
        each * (runs.len() as u32 + u32::from(bursts)) < WHOLE_MAX,
        "that takes more than {WHOLE_MAX:?}; ask for fewer --seconds or name the runs with --only"
    );

    let program = Program { binary: options.binary.clone(), set: options.set.clone() };
    let began = now();
    let mut seen = Vec::new();
    for (kind, concurrency) in runs {
        say(&format!("{:>4} s  {}-{concurrency} …", (now() - began).as_secs(), kind.name()));
        seen.push(run::run(kind, &program, concurrency, &conditions).await?);
    }
    let mut thousand = Vec::new();
    if bursts {
        for kind in Kind::ALL {
            say(&format!("{:>4} s  burst-1000-{} …", (now() - began).as_secs(), kind.name()));
            thousand.push(burst::run(kind, &program, "auto", &conditions).await?);
        }
    }
    let runs: Vec<_> = seen.iter().map(figures::of).collect();
    if let Some(path) = &options.svg {
        let title = format!("reservation-worker, downstream {} each", conditions.downstream);
        std::fs::write(path, plot::svg(&title, &seen))
            .with_context(|| format!("write {}", path.display()))?;
    }
    bench::worker::print(options.json, &conditions, &runs, &thousand);
    // What another program promises is its own affair.
    for run in seen.iter().filter(|_| program.binary.is_none()) {
        if let Some(first) = run.broken.first() {
            bail!("{}: {} promises were broken; the first: {first}", run.name, run.broken.len());
        }
    }
    Ok(())
}

/// `6ms` or `6`.
fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches("ms").parse::<f64>().ok();
    let latency = number.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
    latency.ok_or_else(|| format!("\"{text}\" is not a number of milliseconds such as 6ms"))
}
