//! The simulator's command line: many seeds for a verdict, or one seed for its trace.

use anyhow::{Context, Result, bail};
use clap::Parser;
use ports::{Clock, Entropy};
use sim::fault::FaultKind;
use sim::line_world::LinePlan;
use sim::plan::Plan;
use sim::shrink::shrink;
use sim::sweep::{Summary, Sweep, sweep};
use sim::trace::Trace;
use sim::world::{Outcome, World};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Lines of the trace that are printed with a violation.
const LINES: usize = 40;
/// Violations that are printed in full.
const SHOWN_MAX: usize = 3;

/// Run the production code of the platform in a simulated world, a different one for each seed.
#[derive(Debug, Parser)]
#[command(name = "sim", version, about)]
struct Arguments {
    /// Range of seeds to run, without its end: 0..1000
    #[arg(long, value_parser = range, conflicts_with = "seed", value_name = "A..B")]
    seeds: Option<(u64, u64)>,
    /// Number of further seeds, from a random base that is printed
    #[arg(long, default_value_t = 0, requires = "seeds", value_name = "N")]
    fresh: u64,
    /// Run one seed and print one line for each step
    #[arg(long)]
    seed: Option<u64>,
    /// Run the world of the waiting room (gateways and their store) instead of the services behind
    /// it
    #[arg(long, conflicts_with = "narrow")]
    waiting_room: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Number of seeds that run side by side [default: number of processors]
    #[arg(long)]
    threads: Option<usize>,
    /// Number of buyers, instead of the seed's own
    #[arg(long)]
    buyers: Option<u32>,
    /// Leave out these kinds of faults
    #[arg(long, value_delimiter = ',', value_name = "KIND,…")]
    without: Vec<String>,
    /// Allow only these kinds of faults, each at its highest rate
    #[arg(long, value_delimiter = ',', conflicts_with = "without", value_name = "KIND,…")]
    only: Vec<String>,
    /// Use a FIFO queue and one instance of each service, where messages of a group meet most often
    #[arg(long)]
    narrow: bool,
    /// Leave out the operators
    #[arg(long)]
    no_operators: bool,
    /// Do not search for a smaller run with the same violation
    #[arg(long)]
    no_shrink: bool,
    /// Plant this bug in the production code (a build with the feature `plants`)
    #[cfg(feature = "plants")]
    #[arg(long, value_parser = plant)]
    plant: Option<ports::plant::Plant>,
    /// Print the number of seeds that find each planted bug, as the median over ten bases
    #[cfg(feature = "plants")]
    #[arg(long, conflicts_with_all = ["seed", "seeds", "plant"])]
    plants: bool,
    /// Number of seeds to try for each planted bug from each base
    #[cfg(feature = "plants")]
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    within: u64,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parsed.filter(|(from, to)| from < to).ok_or_else(|| "two numbers, as in 0..1000".to_owned())
}

/// The kinds of faults with these names.
fn kinds<K: FaultKind>(named: &[String]) -> Result<Vec<K>> {
    let find = |text: &String| K::ALL.iter().copied().find(|kind| kind.name() == text);
    let names = || K::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    named
        .iter()
        .map(|text| find(text).with_context(|| format!("{text} is no kind of fault; there are {}", names())))
        .collect()
}

#[cfg(feature = "plants")]
fn plant(text: &str) -> Result<ports::plant::Plant, String> {
    use ports::plant::Plant;
    let names = || Plant::ALL.iter().map(|plant| plant.name()).collect::<Vec<_>>().join(", ");
    Plant::ALL.iter().copied().find(|plant| plant.name() == text).ok_or_else(|| format!("one of {}", names()))
}

impl Arguments {
    /// The plan of a seed as the options narrow it.
    fn narrow<W: World>(&self, mut plan: W) -> W {
        let kinds = |named| kinds::<W::Kind>(named).unwrap_or_default();
        for kind in kinds(&self.without) {
            plan = plan.without(kind);
        }
        if !self.only.is_empty() {
            plan = plan.only(&kinds(&self.only));
        }
        if self.narrow {
            plan = plan.narrow();
        }
        let mut knobs = plan.knobs();
        knobs.people = self.buyers.unwrap_or(knobs.people);
        knobs.operators &= !self.no_operators;
        plan.with(knobs)
    }

    fn prepare(&self) {
        #[cfg(feature = "plants")]
        ports::plant::plant(self.plant);
    }

    fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().ok().map(Into::into);
        self.threads.or_else(processors).unwrap_or(1)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic of production code is a finding: the run reports it with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    #[cfg(feature = "plants")]
    if arguments.plants {
        return plants(&arguments);
    }
    let done = match arguments.waiting_room {
        true => start::<LinePlan>(&arguments),
        false => start::<Plan>(&arguments),
    };
    done.unwrap_or_else(|error| {
        report(&format!("{error:#}\n"));
        ExitCode::from(2)
    })
}

/// Runs what the options ask for, in one of the worlds.
fn start<W: World>(arguments: &Arguments) -> Result<ExitCode> {
    // Every named kind of fault must be one of this world.
    kinds::<W::Kind>(&arguments.without)?;
    kinds::<W::Kind>(&arguments.only)?;
    match (arguments.seed, arguments.seeds) {
        (Some(seed), None) => one::<W>(arguments, seed),
        (None, Some(range)) => many::<W>(arguments, range),
        _ => bail!("either --seed N or --seeds A..B"),
    }
}

fn one<W: World>(arguments: &Arguments, seed: u64) -> Result<ExitCode> {
    if arguments.json {
        bail!("--json is for --seeds");
    }
    arguments.prepare();
    let plan = arguments.narrow(W::plan(seed));
    print(&format!("{plan:?}\n"));
    let outcome = plan.run(Trace::print());
    print(&format!("{} steps, {:.3} virtual hours\n", outcome.steps, outcome.virtual_hours()));
    Ok(match &outcome.violation {
        None => ExitCode::SUCCESS,
        Some(found) => {
            report(&format!("seed {seed}, step {}: {}: {}\n", found.step, found.invariant, found.text));
            ExitCode::from(1)
        }
    })
}

fn many<W: World>(arguments: &Arguments, (from, to): (u64, u64)) -> Result<ExitCode> {
    let threads = arguments.threads();
    let clock = runtime::SystemClock::new();
    let began = clock.elapsed();
    let progress = !arguments.json && std::io::stderr().is_terminal();
    let base = runtime::SystemEntropy::new().next_u64() >> 16;
    let fresh = (base, base + arguments.fresh);
    let mut summary = Summary::<W>::default();
    for (from, to) in [(from, to), fresh].into_iter().filter(|(from, to)| from < to) {
        summary.join(sweep(
            Sweep { from, to, threads },
            || arguments.prepare(),
            |done| {
                if progress && done.is_multiple_of(100) {
                    report(&format!("\r{done} of {} seeds", to - from));
                }
            },
            |plan| arguments.narrow(plan),
        ));
    }
    let wall = (clock.elapsed() - began).as_secs_f64();
    if progress {
        report(&"\r");
    }
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(&summary.report(wall))?));
    } else {
        print(&summary_text(&summary, (from, to), fresh, wall));
    }
    for outcome in summary.violations.values().take(SHOWN_MAX) {
        arguments.prepare();
        report(&violation_text(arguments, outcome));
    }
    Ok(if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

#[cfg(feature = "plants")]
fn plants(arguments: &Arguments) -> ExitCode {
    use sim::find::{find, median};
    use std::collections::BTreeSet;
    let (bases, within): (Vec<u64>, u64) =
        ((1..=10).map(|base| base * 1_000_000).collect(), arguments.within);
    let mut all_found = true;
    print("| bug | trap | found as | seeds, median of ten | fewest | most |\n|---|---|---|---:|---:|---:|\n");
    for plant in ports::plant::Plant::ALL.iter().copied() {
        let finds = find(&[plant], &bases, within, arguments.threads());
        let names: BTreeSet<&str> =
            finds.iter().map(|find| &*find.invariant).filter(|name| !name.is_empty()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let text =
            |seeds: Option<u64>| seeds.map_or_else(|| format!("> {within}"), |seeds| seeds.to_string());
        let fewest = finds.iter().filter_map(|find| find.seeds).min();
        let most =
            finds.iter().map(|find| find.seeds).max_by_key(|seeds| seeds.unwrap_or(u64::MAX)).flatten();
        all_found &= median(&finds).is_some();
        print(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            plant.name(),
            plant.trap(),
            names.join(", "),
            text(median(&finds)),
            text(fewest),
            text(most)
        ));
    }
    if all_found { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn summary_text<W: World>(
    summary: &Summary<W>,
    (from, to): (u64, u64),
    fresh: (u64, u64),
    wall: f64,
) -> String {
    let drawn =
        if fresh.0 < fresh.1 { format!(" and the fresh {}..{}", fresh.0, fresh.1) } else { String::new() };
    let mut text = format!(
        "seeds {from}..{to}{drawn}{}: {} runs, {} violations, {} steps, {:.1} virtual hours, {wall:.1} s, {:.0} seeds/s\n",
        W::TITLE,
        summary.seeds,
        summary.violations.len(),
        summary.steps,
        summary.virtual_hours(),
        summary.seeds as f64 / wall
    );
    let checks: Vec<String> = summary.checks.iter().map(|(name, count)| format!("{name} {count}")).collect();
    text.push_str(&format!("checked: {}\n", checks.join(", ")));
    let faults: Vec<String> = summary.faults().map(|(name, count)| format!("{name} {count}")).collect();
    text.push_str(&format!("faults: {}\n", faults.join(", ")));
    for outcome in summary.violations.values() {
        if let Some(found) = &outcome.violation {
            text.push_str(&format!("seed {}: {}: {}\n", outcome.plan.seed(), found.invariant, found.text));
        }
    }
    text
}

/// A violation with what its investigation needs: the end of the trace and the command that replays
/// it.
fn violation_text<W: World>(arguments: &Arguments, outcome: &Outcome<W>) -> String {
    let Some(found) = &outcome.violation else { return String::new() };
    let small = match arguments.no_shrink {
        true => outcome.plan.clone(),
        false => shrink(&outcome.plan, &found.invariant),
    };
    let traced = small.clone().run(Trace::tail(LINES));
    let Some(found) = &traced.violation else { return String::new() };
    let (feature, plant) = plant_options(arguments);
    format!(
        "\nseed {}, step {}: {}: {}\n{}\nreplay: cargo run --release -p sim{feature} -- {}{plant}\n",
        small.seed(),
        found.step,
        found.invariant,
        found.text,
        traced.lines.join("\n"),
        small.arguments()
    )
}

/// The options with which the printed command plants the same bug.
#[cfg(feature = "plants")]
fn plant_options(arguments: &Arguments) -> (&'static str, String) {
    let option = arguments.plant.map(|plant| format!(" --plant {}", plant.name()));
    option.map_or_else(Default::default, |option| (" --features plants", option))
}

#[cfg(not(feature = "plants"))]
fn plant_options(_: &Arguments) -> (&'static str, &'static str) {
    ("", "")
}

/// Writes to standard output. A reader that went away (`| head`) is no reason to fail.
fn print(text: &str) {
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}

/// Writes to standard error.
fn report(text: &dyn std::fmt::Display) {
    drop(write!(std::io::stderr().lock(), "{text}"));
}
