//! The simulator's command line: many seeds for a verdict, one seed for its story.

use anyhow::{Context, Result, bail};
use clap::Parser;
use ports::{Clock, Entropy};
use sim::fault::Kind;
use sim::line_world::fault::Trouble;
use sim::line_world::{self, LineOutcome, LinePlan, LineSummary};
use sim::plan::Plan;
use sim::run::{Outcome, run};
use sim::shrink::shrink;
use sim::sweep::{Summary, Sweep, sweep};
use sim::trace::Trace;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Lines of the trace that are shown of a violation.
const LINES: usize = 40;
/// Violations that are shown in full.
const SHOWN_MAX: usize = 3;

/// Runs the production code of the platform on a simulated world, each seed another one.
#[derive(Debug, Parser)]
#[command(name = "sim", version, about)]
struct Arguments {
    /// The seeds to run, the second one not included: 0..1000
    #[arg(long, value_parser = range, conflicts_with = "seed", value_name = "A..B")]
    seeds: Option<(u64, u64)>,
    /// And so many more, from a base that is drawn and printed
    #[arg(long, default_value_t = 0, requires = "seeds", value_name = "N")]
    fresh: u64,
    /// Run this one seed and print one line for each thing that happens
    #[arg(long)]
    seed: Option<u64>,
    /// The world of the waiting room: gateways and their store, instead of the services behind them
    #[arg(long, conflicts_with = "narrow")]
    waiting_room: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// How many seeds run side by side [default: as many as there are processors]
    #[arg(long)]
    threads: Option<usize>,
    /// With another number of buyers than the seed's
    #[arg(long)]
    buyers: Option<u32>,
    /// Without these kinds of faults
    #[arg(long, value_delimiter = ',', value_name = "KIND,…")]
    without: Vec<String>,
    /// With these kinds of faults alone, each as often as it can
    #[arg(long, value_delimiter = ',', conflicts_with = "without", value_name = "KIND,…")]
    only: Vec<String>,
    /// With a FIFO queue and one instance of each service, where messages of a group meet most often
    #[arg(long)]
    narrow: bool,
    /// Without operators
    #[arg(long)]
    no_operators: bool,
    /// Do not look for a smaller run with the same violation
    #[arg(long)]
    no_shrink: bool,
    /// Plant this bug in the production code (a build with the feature `plants`)
    #[cfg(feature = "plants")]
    #[arg(long, value_parser = plant)]
    plant: Option<ports::plant::Plant>,
    /// Print how many seeds it takes to find each planted bug, the median over ten bases
    #[cfg(feature = "plants")]
    #[arg(long, conflicts_with_all = ["seed", "seeds", "plant"])]
    plants: bool,
    /// How many seeds are tried for each planted bug from each base
    #[cfg(feature = "plants")]
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    within: u64,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parsed.filter(|(from, to)| from < to).ok_or_else(|| "two numbers, as in 0..1000".to_owned())
}

/// The kinds of faults with these names.
fn kinds<K: Copy>(named: &[String], all: &[K], name: impl Fn(&K) -> &'static str) -> Result<Vec<K>> {
    let find = |text: &String| all.iter().copied().find(|kind| name(kind) == text);
    let names = || all.iter().map(&name).collect::<Vec<_>>().join(", ");
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
    fn narrow(&self, mut plan: Plan) -> Plan {
        let kinds = |named| kinds(named, Kind::ALL, |kind| kind.name()).unwrap_or_default();
        for kind in kinds(&self.without) {
            plan = plan.without(kind);
        }
        if !self.only.is_empty() {
            plan = plan.only(&kinds(&self.only));
        }
        if self.narrow {
            plan = plan.narrow();
        }
        plan.buyers = self.buyers.unwrap_or(plan.buyers);
        plan.operators &= !self.no_operators;
        plan
    }

    fn narrow_line(&self, mut plan: LinePlan) -> LinePlan {
        let kinds = |named| kinds(named, Trouble::ALL, |kind| kind.name()).unwrap_or_default();
        for kind in kinds(&self.without) {
            plan = plan.without(kind);
        }
        if !self.only.is_empty() {
            plan = plan.only(&kinds(&self.only));
        }
        plan.people = self.buyers.unwrap_or(plan.people);
        plan.operator &= !self.no_operators;
        plan
    }

    /// Whether every kind of fault that is named is one of the world that is run.
    fn check(&self) -> Result<()> {
        for named in [&self.without, &self.only] {
            if self.waiting_room {
                kinds(named, Trouble::ALL, |kind| kind.name())?;
            } else {
                kinds(named, Kind::ALL, |kind| kind.name())?;
            }
        }
        Ok(())
    }

    fn prepare(&self) {
        #[cfg(feature = "plants")]
        ports::plant::plant(self.plant);
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic of production code is a finding, which is told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    #[cfg(feature = "plants")]
    if arguments.plants {
        return plants(&arguments);
    }
    if let Err(error) = arguments.check() {
        tell(&format!("{error:#}\n"));
        return ExitCode::from(2);
    }
    match (arguments.seed, arguments.seeds) {
        (Some(seed), None) if arguments.waiting_room => one_line(&arguments, seed),
        (None, Some(range)) if arguments.waiting_room => many_lines(&arguments, range),
        (Some(seed), None) => one(&arguments, seed),
        (None, Some(range)) => many(&arguments, range),
        _ => {
            tell(&"either --seed N or --seeds A..B\n");
            return ExitCode::from(2);
        }
    }
    .unwrap_or_else(|error| {
        tell(&format!("{error:#}\n"));
        ExitCode::from(2)
    })
}

fn one(arguments: &Arguments, seed: u64) -> Result<ExitCode> {
    if arguments.json {
        bail!("--json is for --seeds");
    }
    arguments.prepare();
    let plan = arguments.narrow(Plan::draw(seed));
    print(&format!("{plan:?}\n"));
    let outcome = run(plan, Trace::print());
    let hours = outcome.micros as f64 / 3.6e9;
    print(&format!("{} steps, {hours:.3} virtual hours\n", outcome.steps));
    Ok(match &outcome.violation {
        None => ExitCode::SUCCESS,
        Some(found) => {
            tell(&format!("seed {seed}, step {}: {}: {}\n", found.step, found.invariant, found.words));
            ExitCode::from(1)
        }
    })
}

fn one_line(arguments: &Arguments, seed: u64) -> Result<ExitCode> {
    if arguments.json {
        bail!("--json is for --seeds");
    }
    arguments.prepare();
    let plan = arguments.narrow_line(LinePlan::draw(seed));
    print(&format!("{plan:?}\n"));
    let outcome = line_world::run(plan, Trace::print());
    print(&format!("{} steps, {:.3} virtual hours\n", outcome.steps, outcome.micros as f64 / 3.6e9));
    Ok(match &outcome.violation {
        None => ExitCode::SUCCESS,
        Some(found) => {
            tell(&format!("seed {seed}, step {}: {}: {}\n", found.step, found.invariant, found.words));
            ExitCode::from(1)
        }
    })
}

fn many_lines(arguments: &Arguments, (from, to): (u64, u64)) -> Result<ExitCode> {
    let threads = threads(arguments);
    let clock = runtime::SystemClock::new();
    let began = clock.elapsed();
    let base = runtime::SystemEntropy::new().next_u64() >> 16;
    let mut summary = LineSummary::default();
    let fresh = (base, base + arguments.fresh);
    for (from, to) in [(from, to), fresh].into_iter().filter(|(from, to)| from < to) {
        let seeds = Sweep { from, to, threads };
        let plan = |plan| arguments.narrow_line(plan);
        summary.join(line_world::sweep(seeds, || arguments.prepare(), |_| {}, plan));
    }
    let wall = (clock.elapsed() - began).as_secs_f64();
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(&summary.report(wall))?));
    } else {
        print(&line_words(&summary, (from, to), fresh, wall));
    }
    for outcome in summary.violations.values().take(SHOWN_MAX) {
        arguments.prepare();
        tell(&line_story(arguments, outcome));
    }
    Ok(if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn line_words(summary: &LineSummary, (from, to): (u64, u64), fresh: (u64, u64), wall: f64) -> String {
    let drawn =
        if fresh.0 < fresh.1 { format!(" and the fresh {}..{}", fresh.0, fresh.1) } else { String::new() };
    let mut text = format!(
        "seeds {from}..{to}{drawn} of the waiting room: {} runs, {} violations, {} steps, {:.1} virtual hours, {wall:.1} s, {:.0} seeds/s\n",
        summary.seeds,
        summary.violations.len(),
        summary.steps,
        summary.virtual_hours(),
        summary.seeds as f64 / wall
    );
    let checks: Vec<String> = summary.checks.iter().map(|(name, count)| format!("{name} {count}")).collect();
    text.push_str(&format!("checked: {}\n", checks.join(", ")));
    let faults =
        Trouble::ALL.iter().map(|kind| format!("{} {}", kind.name(), summary.faults[*kind as usize]));
    text.push_str(&format!("faults: {}\n", faults.collect::<Vec<_>>().join(", ")));
    for outcome in summary.violations.values() {
        if let Some(found) = &outcome.violation {
            text.push_str(&format!("seed {}: {}: {}\n", outcome.plan.seed, found.invariant, found.words));
        }
    }
    text
}

fn line_story(arguments: &Arguments, outcome: &LineOutcome) -> String {
    let Some(found) = &outcome.violation else { return String::new() };
    let small = match arguments.no_shrink {
        true => outcome.plan.clone(),
        false => line_world::run::shrink(&outcome.plan, &found.invariant),
    };
    let told = line_world::run(small.clone(), Trace::tail(LINES));
    let Some(found) = &told.violation else { return String::new() };
    let (feature, plant) = planted(arguments);
    format!(
        "\nseed {}, step {}: {}: {}\n{}\nreplay: cargo run --release -p sim{feature} -- {}{plant}\n",
        small.seed,
        found.step,
        found.invariant,
        found.words,
        told.lines.join("\n"),
        small.arguments()
    )
}

fn threads(arguments: &Arguments) -> usize {
    let processors = || std::thread::available_parallelism().ok().map(Into::into);
    arguments.threads.or_else(processors).unwrap_or(1)
}

fn many(arguments: &Arguments, (from, to): (u64, u64)) -> Result<ExitCode> {
    let threads = threads(arguments);
    let clock = runtime::SystemClock::new();
    let began = clock.elapsed();
    let progress = !arguments.json && std::io::stderr().is_terminal();
    let base = runtime::SystemEntropy::new().next_u64() >> 16;
    let fresh = (base, base + arguments.fresh);
    let mut summary = Summary::default();
    for (from, to) in [(from, to), fresh].into_iter().filter(|(from, to)| from < to) {
        summary.join(sweep(
            Sweep { from, to, threads },
            || arguments.prepare(),
            |done| {
                if progress && done.is_multiple_of(100) {
                    tell(&format!("\r{done} of {} seeds", to - from));
                }
            },
            |plan| arguments.narrow(plan),
        ));
    }
    let wall = (clock.elapsed() - began).as_secs_f64();
    if progress {
        tell(&"\r");
    }
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(&summary.report(wall))?));
    } else {
        print(&words(&summary, (from, to), fresh, wall));
    }
    for outcome in summary.violations.values().take(SHOWN_MAX) {
        arguments.prepare();
        tell(&story(arguments, outcome));
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
        let finds = find(&[plant], &bases, within, threads(arguments));
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

fn words(summary: &Summary, (from, to): (u64, u64), fresh: (u64, u64), wall: f64) -> String {
    let drawn =
        if fresh.0 < fresh.1 { format!(" and the fresh {}..{}", fresh.0, fresh.1) } else { String::new() };
    let mut text = format!(
        "seeds {from}..{to}{drawn}: {} runs, {} violations, {} steps, {:.1} virtual hours, {:.1} s, {:.0} seeds/s\n",
        summary.seeds,
        summary.violations.len(),
        summary.steps,
        summary.virtual_hours(),
        wall,
        summary.seeds as f64 / wall
    );
    let checks: Vec<String> = summary.checks.iter().map(|(name, count)| format!("{name} {count}")).collect();
    text.push_str(&format!("checked: {}\n", checks.join(", ")));
    let faults: Vec<String> =
        Kind::ALL.iter().map(|kind| format!("{} {}", kind.name(), summary.faults[*kind as usize])).collect();
    text.push_str(&format!("faults: {}\n", faults.join(", ")));
    for outcome in summary.violations.values() {
        if let Some(found) = &outcome.violation {
            text.push_str(&format!("seed {}: {}: {}\n", outcome.plan.seed, found.invariant, found.words));
        }
    }
    text
}

/// A violation as somebody needs it who looks for its cause.
fn story(arguments: &Arguments, outcome: &Outcome) -> String {
    let Some(found) = &outcome.violation else { return String::new() };
    let small = match arguments.no_shrink {
        true => outcome.plan.clone(),
        false => shrink(&outcome.plan, &found.invariant),
    };
    let told = run(small.clone(), Trace::tail(LINES));
    let Some(found) = &told.violation else { return String::new() };
    let (feature, plant) = planted(arguments);
    format!(
        "\nseed {}, step {}: {}: {}\n{}\nreplay: cargo run --release -p sim{feature} -- {}{plant}\n",
        small.seed,
        found.step,
        found.invariant,
        found.words,
        told.lines.join("\n"),
        small.arguments()
    )
}

/// What the command that replays a run needs for its planted bug.
#[cfg(feature = "plants")]
fn planted(arguments: &Arguments) -> (&'static str, String) {
    let option = arguments.plant.map(|plant| format!(" --plant {}", plant.name()));
    option.map_or_else(Default::default, |option| (" --features plants", option))
}

#[cfg(not(feature = "plants"))]
fn planted(_: &Arguments) -> (&'static str, &'static str) {
    ("", "")
}

/// To standard output. A reader that went away (`| head`) is no reason to fail.
fn print(text: &str) {
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}

/// To standard error.
fn tell(text: &dyn std::fmt::Display) {
    drop(write!(std::io::stderr().lock(), "{text}"));
}
