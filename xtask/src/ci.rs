//! Every check that a change must pass, the fastest first. All steps run, so that one run shows all
//! failures. The end of the log repeats the output of failed commands, because people read that
//! first.
//!
//! Nothing is built twice. One clippy run covers the planted bugs too, the pages run on the `tacos`
//! of the tests, and debug information, which only debuggers need, is left out. Examples in
//! comments are text, so there is no run of tests in the documentation.

use crate::run::{Outcome, cargo, failed, line, remember, shown};
use crate::{deny, engines, subcommands, suites, tidy, web};
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// 5,100 worlds, a third of them new each time; the base of those is printed. The fixed ones are
/// others than those of [`FINDINGS`]. Built for release, because they are many.
///
/// With the feature of [`FINDINGS`], so that both steps share one release build. That is safe: a
/// plant is active only on a thread on which the simulator has planted it, and without `--plant` it
/// plants none.
const SIMULATION: &[&str] = &[
    "run",
    "--release",
    "--locked",
    "-p",
    "sim",
    "--features",
    "plants",
    "--",
    "--seeds",
    "3000..6400",
    "--fresh",
    "1700",
];
/// Only ever with `-p sim`: cargo unites the features of everything in one build, and planted bugs
/// must not get into the build of a shipped binary.
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

/// Runs every step; returns whether all passed.
pub(crate) fn run(root: &Path) -> Result<bool> {
    remember();
    let mut steps = Vec::new();
    step(&mut steps, "format", || shown(&mut cargo(root, &["fmt", "--all", "--check"])))?;
    step(&mut steps, "architecture", || {
        eprintln!("$ cargo xtask tidy");
        tidy::run(root, &subcommands())
    })?;
    step(&mut steps, "licences, bans, sources", || deny::run(root))?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "sim/plants",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    step(&mut steps, "lints", || shown_lean(cargo(root, &lints)))?;
    step(&mut steps, "tests", || run_tests(root, &[], lean))?;
    // The tests have built `tacos`; a build of the package alone has other features, and starts
    // anew.
    let pages = web::Options::on_existing_build();
    step(&mut steps, "pages and the API's description", || web::run(root, &pages))?;
    step(&mut steps, "simulation", || shown_lean(cargo(root, SIMULATION)))?;
    step(&mut steps, "simulation finds planted bugs", || shown_lean(cargo(root, FINDINGS)))?;
    step(&mut steps, "documentation", || {
        let mut command = cargo(root, &["doc", "--workspace", "--no-deps", "--locked"]);
        command.env("RUSTDOCFLAGS", "-D warnings");
        shown_lean(command)
    })?;
    Ok(summary(&steps))
}

/// Every test of every package, or those that the arguments select, while the engines that some of
/// them need are up.
pub(crate) fn test(root: &Path, args: &[String]) -> Result<bool> {
    run_tests(root, args, |_| {})
}

fn run_tests(root: &Path, args: &[String], prepare: impl Fn(&mut Command) + Sync) -> Result<bool> {
    engines::during(|lease| {
        suites::run(root, args, |command| {
            prepare(command);
            command.env("TACOS_ENGINES", lease.file());
        })
    })
}

/// Makes it a build for one run: without debug information, and without the data of incremental
/// builds.
fn lean(command: &mut Command) {
    for name in ["CARGO_PROFILE_DEV_DEBUG", "CARGO_PROFILE_TEST_DEBUG", "CARGO_PROFILE_RELEASE_DEBUG"] {
        command.env(name, "none");
    }
    command.env("CARGO_INCREMENTAL", "0");
}

fn shown_lean(mut command: Command) -> Result<bool> {
    lean(&mut command);
    shown(&mut command)
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
    for failure in failed() {
        println!("\n== failed: {failure}");
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
