//! The benchmarks and the long tests, which take minutes and are built for release.

use crate::run::{cargo, shown};
use anyhow::{Result, ensure};
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
    /// Build with the shipped profile `dist`: the build takes minutes longer, the program a tenth
    /// less processor time.
    #[arg(long)]
    dist: bool,
    /// Name of a binary of the package `bench`: hold, expiry, queue, …
    name: String,
    /// Arguments of the benchmark, for example `--json`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Soak {
    /// How often the platform is killed.
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Seed of a failed run, to repeat it.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only this test; may be given more than once.
    #[arg(long, value_name = "NAME", value_parser = SOAKS.map(|soak| soak.name))]
    only: Vec<String>,
}

/// A test that `ci` runs with few rounds, and a soak with many.
struct LongTest {
    name: &'static str,
    /// The filter of its tests in the test binary `it` of the package `app`.
    tests: &'static str,
    /// The variable for the count, and the full count; `None`: `--rounds`.
    setting: &'static str,
    count: Option<u32>,
}

/// The tests of a soak.
const SOAKS: [LongTest; 5] = [
    LongTest {
        name: "crash",
        tests: "every_answer_to_a_buyer_survives_kills",
        setting: "TACOS_CRASH_ROUNDS",
        count: None,
    },
    LongTest {
        name: "sigterm",
        tests: "worker::terminate::",
        setting: "TACOS_SIGTERM_ROUNDS",
        count: Some(100),
    },
    LongTest { name: "kill", tests: "worker::kill::", setting: "TACOS_KILL_ROUNDS", count: Some(20) },
    LongTest { name: "outage", tests: "worker::outage::", setting: "TACOS_OUTAGE_SECONDS", count: Some(60) },
    LongTest {
        name: "two-workers",
        tests: "worker::rivals::",
        setting: "TACOS_RIVALS_EVENTS",
        count: Some(100_000),
    },
];

pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let tree = crate::tree::Tree::load(root, &[])?;
    let known = tree.packages.get("bench").map(|package| package.binaries.as_slice()).unwrap_or_default();
    let names = known.join(", ");
    ensure!(
        known.contains(&options.name),
        "benchmark `{}` does not exist; use one of: {names}",
        options.name
    );
    // The load generators start the shipped binary, which is in the same folder.
    let shipped = match options.name.as_str() {
        "eta" => None,
        "gateway" => Some("gateway-api"),
        "worker" => Some("reservation-worker"),
        _ => Some("tacos"),
    };
    let profile = if options.dist { "dist" } else { "release" };
    let bench = ["-p", "bench", "--bin", &options.name];
    let mut build = cargo(root, &["build", "--profile", profile]);
    if let Some(shipped) = shipped {
        build.args(["-p", "app", "--bin", shipped]);
    }
    ensure!(shown(build.args(bench))?, "the build failed");
    let mut command = cargo(root, &["run", "--profile", profile, "--quiet"]);
    command.args(bench).arg("--");
    shown(command.args(&options.args))
}

/// Runs the long tests; returns whether all passed. Each prints its figures on a line that begins
/// with `summary:`. They run one after the other, so that none measures the load of another.
pub(crate) fn soak(root: &Path, options: &Soak) -> Result<bool> {
    let wanted =
        |soak: &&LongTest| options.only.is_empty() || options.only.iter().any(|name| name == soak.name);
    let tests = ["test", "--release", "-p", "app", "--test", "it", "--no-run"];
    ensure!(shown(&mut cargo(root, &tests))?, "the build failed");
    let mut ended = Vec::new();
    for soak in SOAKS.iter().filter(wanted) {
        let mut command = cargo(root, &["test", "--release", "-p", "app", "--test", "it", "--"]);
        command.args(["--nocapture", "--test-threads", "1", soak.tests]);
        command.env(soak.setting, soak.count.unwrap_or(options.rounds).to_string());
        if let Some(seed) = options.seed {
            command.env("TACOS_SEED", seed.to_string());
        }
        ended.push((soak.name, shown(&mut command)?));
    }
    for (name, passed) in &ended {
        println!("soak {name}: {}", if *passed { "passed" } else { "FAILED" });
    }
    Ok(ended.iter().all(|(_, passed)| *passed))
}
