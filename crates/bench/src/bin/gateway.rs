//! gateway-api under an open loop of joins, polls and enters: how many a second, how late, at
//! what cost, and whether the line lets in what it should.
//!
//! Gateways run in processes of their own, with their lines in memory or on a Redis that is
//! started for them; the generator runs in another one, on the same cores. `--find-max`
//! searches for the highest rate at which 99 % of the answers come within the limit and none is
//! an error. `--target` measures a gateway that already runs, of any make.

use anyhow::{Context, Result, bail, ensure};
use bench::gateway::run::{GENERATOR, Limit, measure, search};
use bench::gateway::server::{Program, Rig, Store};
use bench::gateway::{Mix, Plan, figures, load};
use bench::{cores, now, say};
use clap::Parser;
use serde_json::{Value, json};
use standin::Shows;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Whatever is asked for, it ends by itself within this.
const WHOLE_MAX: Duration = Duration::from_secs(8 * 60);
/// A search may take so long, and its steps are so short.
const SEARCH_MAX: Duration = Duration::from_secs(130);
const SEARCH_STEP: Duration = Duration::from_secs(6);
/// Start and end of a run, with the people in line before it.
const OVERHEAD: Duration = Duration::from_secs(12);
/// Shares of the requests: people who join, who ask, and who ask to enter before their turn.
/// Those whose turn it is come on top, at the rate at which the line lets them in, so that all
/// who enter are 2 %.
const MIX: Mix = Mix { joins: 0.10, polls: 0.88, early: 0.005 };
const ENTERS: f64 = 0.015;
/// In the runs that count admissions hardly anybody joins, so that polls are enough for all to
/// be heard of.
const ADMISSION_MIX: Mix = Mix { joins: 0.08, polls: 0.915, early: 0.005 };
const ADMISSION_LOAD: u32 = 8_000;
const RUNS: [&str; 6] = ["memory", "redis", "admission", "admission-no-shows", "memory-max", "redis-max"];

#[derive(Debug, Parser)]
#[command(about = "gateway-api under an open loop of joins, polls and enters")]
struct Options {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Requests a second.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Also search for the highest rate that holds.
    #[arg(long)]
    find_max: bool,
    /// Limit for the slowest of the fastest 99 % of answers, in milliseconds.
    #[arg(long, default_value_t = 20.0)]
    limit_ms: f64,
    /// Seconds that are measured, in each run.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Seconds of load before that.
    #[arg(long, default_value_t = 4)]
    warm_up: u64,
    /// Connections of the generator, in all.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Requests under way on a connection, at most.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pipeline: u32,
    /// Only the runs of these names: memory, redis, admission, admission-no-shows, memory-max,
    /// redis-max.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Gateways on one Redis, in the runs that count admissions.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    gateways: u32,
    /// People a second that the line of these runs lets in.
    #[arg(long, default_value_t = 200)]
    admission_rate: u32,
    /// Share of people who do not use their turn, in admission-no-shows.
    #[arg(long, default_value_t = 0.3)]
    no_shows: f64,
    /// Measure the gateway at this URL, which runs already.
    #[arg(long, requires = "event")]
    target: Option<String>,
    /// The show there.
    #[arg(long)]
    event: Option<String>,
    /// A line of the head of every request, "name: value"; may be given more than once.
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// Another program to start as the gateway, which reads the same variables; left out:
    /// gateway-api.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A variable of the gateway's environment, NAME=VALUE; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = bench::variable)]
    set: Vec<(String, String)>,
    /// Seed of the order of requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    if std::env::args().nth(1).is_some_and(|argument| argument == GENERATOR) {
        return generate();
    }
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runs = runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Whichever comes first, dropping the started processes ends them.
        tokio::select! {
            done = run(&options) => done,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
            () = bench::worker::after(WHOLE_MAX) => bail!("not done within {WHOLE_MAX:?}"),
        }
    })?;
    print(&options, &runs);
    Ok(())
}

/// The other role: reads a plan, says when the window begins, and what was seen in it.
#[allow(clippy::print_stdout, reason = "whoever started it reads that")]
fn generate() -> Result<()> {
    let plan: Plan = serde_json::from_reader(std::io::stdin()).context("the plan")?;
    let figures = load::run(&plan, || println!("{}", json!({"begin": true})))?;
    println!("{figures}");
    Ok(())
}

async fn run(options: &Options) -> Result<Vec<Value>> {
    let limit = Limit { p99_ms: options.limit_ms };
    if let Some(target) = &options.target {
        return of_others(options, target, limit).await;
    }
    let wanted = wanted(options)?;
    let shows = Shows::start().await?;
    let program = Program { binary: options.binary.clone(), set: options.set.clone() };
    let began = now();
    let mut runs = Vec::new();
    for name in wanted {
        say(&format!("{:>4} s  {name} …", (now() - began).as_secs()));
        let (store, gateways) = match name {
            "memory" | "memory-max" => (Store::Memory, 1),
            "redis" | "redis-max" => (Store::Redis, 1),
            _ => (Store::Redis, options.gateways as usize),
        };
        let rig = Rig::start(&program, store, gateways, &shows).await?;
        runs.push(match name {
            "memory" | "redis" => {
                let plan = plan(options, &rig, options.rate, show(&shows, name, options.rate));
                measure(&rig, name, &plan, limit).await?
            }
            "memory-max" | "redis-max" => {
                let plan = plan(options, &rig, options.rate, String::new());
                let plan = Plan { warm_up: Duration::from_secs(2), measured: SEARCH_STEP, ..plan };
                let until = now() + SEARCH_MAX;
                search(&rig, name, &plan, limit, until, &|rate| show(&shows, name, rate)).await?
            }
            _ => admission(options, &rig, &shows, name, limit).await?,
        });
    }
    Ok(runs)
}

fn wanted(options: &Options) -> Result<Vec<&'static str>> {
    let is_wanted = |name: &&str| match options.only.is_empty() {
        true => options.find_max || !name.ends_with("-max"),
        false => options.only.iter().any(|only| only == name),
    };
    let wanted: Vec<_> = RUNS.into_iter().filter(is_wanted).collect();
    ensure!(!wanted.is_empty(), "--only names no run; there is: {}", RUNS.join(", "));
    let (searches, others): (Vec<&str>, Vec<_>) = wanted.iter().partition(|name| name.ends_with("-max"));
    let each = Duration::from_secs(options.seconds + options.warm_up) + OVERHEAD;
    let search = SEARCH_MAX + SEARCH_STEP + OVERHEAD;
    ensure!(
        each * others.len() as u32 + search * searches.len() as u32 <= WHOLE_MAX,
        "that takes more than {WHOLE_MAX:?}; ask for fewer --seconds or name the runs with --only"
    );
    Ok(wanted)
}

/// Puts a show on sale that lets in as many as are to enter at this rate.
fn show(shows: &Shows, name: &str, rate: u32) -> String {
    let admitted = (f64::from(rate) * ENTERS).max(1.0);
    let event = format!("bench-{name}-{rate}-{}", now().as_micros());
    shows.open(&event, admitted.round(), admitted.round());
    event
}

fn plan(options: &Options, rig: &Rig, rate: u32, event: String) -> Plan {
    Plan {
        targets: rig.addresses().to_vec(),
        host: rig.addresses()[0].to_string(),
        headers: options.header.clone(),
        event,
        rate,
        mix: MIX,
        no_shows: 0.0,
        connections: options.connections as usize,
        pipeline: options.pipeline as usize,
        prefill: rate.into(),
        warm_up: Duration::from_secs(options.warm_up),
        measured: Duration::from_secs(options.seconds),
        seed: options.seed,
    }
}

/// A line that always has more people than it may let in: what it lets in, against what it may.
async fn admission(options: &Options, rig: &Rig, shows: &Shows, name: &str, limit: Limit) -> Result<Value> {
    let rate = options.admission_rate;
    let burst = (rate / 10).max(1);
    let event = format!("bench-{name}-{}", now().as_micros());
    shows.open(&event, rate.into(), burst.into());
    let plan = Plan {
        rate: ADMISSION_LOAD,
        mix: ADMISSION_MIX,
        no_shows: if name == "admission" { 0.0 } else { options.no_shows },
        prefill: u64::from(rate) * 20,
        ..plan(options, rig, ADMISSION_LOAD, event)
    };
    let mut figures = measure(rig, name, &plan, limit).await?;
    let admitted = figures["admitted_per_second"].as_f64().unwrap_or_default();
    let densest = figures["admitted_in_densest_second"].as_u64().unwrap_or_default();
    // People with a turn wait for a pass that is not valid yet: that is the purpose of the rate.
    figures.as_object_mut().context("an object")?.remove("holds");
    figures["gateways"] = rig.addresses().len().into();
    figures["admission_rate"] = rate.into();
    figures["admission_burst"] = burst.into();
    figures["admission_utilisation"] = ((admitted / f64::from(rate) * 1e3).round() / 1e3).into();
    figures["admission_within_bound"] = (densest <= u64::from(rate + burst)).into();
    Ok(figures)
}

/// A gateway that runs already.
async fn of_others(options: &Options, target: &str, limit: Limit) -> Result<Vec<Value>> {
    let authority = target.strip_prefix("http://").unwrap_or(target).trim_end_matches('/');
    ensure!(!authority.contains('/'), "\"{target}\" is not http://host:port");
    let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let addresses: Vec<SocketAddr> = authority.to_socket_addrs().context("the address")?.take(1).collect();
    let rig = Rig::of_others(addresses);
    let event = options.event.clone().context("--event")?;
    let plan = Plan { host: authority, ..plan(options, &rig, options.rate, event.clone()) };
    let mut runs = vec![measure(&rig, "target", &plan, limit).await?];
    if options.find_max {
        let plan = Plan { warm_up: Duration::from_secs(2), measured: SEARCH_STEP, ..plan };
        let until = now() + 2 * SEARCH_MAX;
        runs.push(search(&rig, "target-max", &plan, limit, until, &|_| event.clone()).await?);
    }
    Ok(runs)
}

#[allow(clippy::print_stdout, reason = "a command-line tool")]
fn print(options: &Options, runs: &[Value]) {
    if options.json {
        println!("{}", json!({"command": "bench gateway", "cores": cores(), "runs": runs}));
        return;
    }
    println!(
        "bench gateway on {} cores, load generator and store included; it holds if p99 <= {} ms without errors",
        cores(),
        options.limit_ms
    );
    println!();
    print!("{}", figures::table(runs));
}
