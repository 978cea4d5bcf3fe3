//! Everything a change must pass, in the order in which it fails soonest. All steps run, so that one run tells all, and what
//! commands that failed had printed is told again at the end, where the log of a long run is looked at first.

use crate::run::{Outcome, cargo, failed, line, remember, shown};
use crate::{deny, engines, subcommands, tidy, web};
use anyhow::Result;
use std::path::Path;
use std::time::{Duration, Instant};

/// 5,100 worlds, a third of them new each time; the base of those is printed. The fixed ones are others than those of
/// [`FINDINGS`]. Built for release, because they are many.
const SIMULATION: &[&str] =
    &["run", "--release", "--locked", "-p", "sim", "--", "--seeds", "3000..6400", "--fresh", "1700"];
/// Alone with its feature: planted bugs must not get into any other build.
const FINDINGS: &[&str] = &[
    "test",
    "--release",
    "--locked",
    "-p",
    "sim",
    "--features",
    "plants",
    "--test",
    "findings",
    "--",
    "--nocapture",
];

struct Step {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// Runs every step; whether all passed.
pub(crate) fn run(root: &Path) -> Result<bool> {
    remember();
    let mut steps = Vec::new();
    step(&mut steps, "format", || shown(&mut cargo(root, &["fmt", "--all", "--check"])))?;
    step(&mut steps, "absences", || {
        eprintln!("$ cargo xtask tidy");
        tidy::run(root, &subcommands())
    })?;
    step(&mut steps, "licences, bans, sources", || deny::run(root))?;
    let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step(&mut steps, "lints", || shown(&mut cargo(root, &lints)))?;
    let planted =
        ["clippy", "-p", "sim", "--all-targets", "--features", "plants", "--locked", "--", "-D", "warnings"];
    step(&mut steps, "lints of planted bugs", || shown(&mut cargo(root, &planted)))?;
    step(&mut steps, "tests", || test(root, &[]))?;
    step(&mut steps, "pages and the API's description", || web::run(root, &web::Options::default()))?;
    step(&mut steps, "simulation", || shown(&mut cargo(root, SIMULATION)))?;
    step(&mut steps, "simulation finds what is planted", || shown(&mut cargo(root, FINDINGS)))?;
    step(&mut steps, "tests in the documentation", || {
        shown(&mut cargo(root, &["test", "--workspace", "--locked", "--doc"]))
    })?;
    step(&mut steps, "documentation", || {
        let mut command = cargo(root, &["doc", "--workspace", "--no-deps", "--locked"]);
        shown(command.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    Ok(summary(&steps))
}

/// Every test of every package but those in the documentation, beside the engines that some of them need.
pub(crate) fn test(root: &Path, args: &[String]) -> Result<bool> {
    let mut command = cargo(root, &["test", "--workspace", "--locked", "--lib", "--bins", "--tests"]);
    // One binary that fails does not keep the others from being run.
    command.arg("--no-fail-fast").args(args);
    engines::during(|lease| shown(command.env("TACOS_ENGINES", lease.file())))
}

fn step<O: Into<Outcome>>(
    steps: &mut Vec<Step>,
    name: &'static str,
    body: impl FnOnce() -> Result<O>,
) -> Result<()> {
    eprintln!("\n== {name}");
    let start = Instant::now();
    let outcome = body()?.into();
    let took = start.elapsed();
    eprintln!("== {name}: {} after {} s", word(outcome.is_passed()), took.as_secs());
    steps.push(Step { name, outcome, took });
    Ok(())
}

fn summary(steps: &[Step]) -> bool {
    let whole: Duration = steps.iter().map(|step| step.took).sum();
    for told in failed() {
        println!("\n== failed: {told}");
    }
    println!("\n{}", line(&cargo(Path::new("."), &["xtask", "ci"])));
    for Step { name, outcome, took } in steps {
        let note = if let Outcome::PassedBut(note) = outcome { note } else { "" };
        println!("  {name:<28} {:<6} {:>5} s  {note}", word(outcome.is_passed()), took.as_secs());
    }
    let passed = steps.iter().all(|step| step.outcome.is_passed());
    println!("  {:<28} {:<6} {:>5} s", "all", word(passed), whole.as_secs());
    passed
}

fn word(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}
