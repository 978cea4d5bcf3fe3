//! What takes minutes: the load generators and the long crash test, built for release.

use crate::run::{cargo, shown};
use anyhow::{Result, ensure};
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
    /// Build as what is shipped, with the profile `dist`: minutes longer, a tenth less of processor time.
    #[arg(long)]
    dist: bool,
    /// A binary of the package `bench`: hold, expiry, queue, …
    name: String,
    /// Passed on to it, for example `--json`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Soak {
    /// How often the platform is killed.
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Repeats a run that failed.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this one; may be given more than once.
    #[arg(long, value_name = "NAME", value_parser = SOAKS.map(|soak| soak.name))]
    only: Vec<String>,
}

/// A test that is worth more rounds than `ci` gives it.
struct LongTest {
    name: &'static str,
    /// The test binary of the package `app`, and which of its tests.
    binary: &'static str,
    tests: &'static str,
    /// The variable that sets how much, and the full count; `None`: `--rounds`.
    setting: &'static str,
    count: Option<u32>,
}

/// What a soak runs, one after the other.
const SOAKS: [LongTest; 5] = [
    LongTest {
        name: "crash",
        binary: "it",
        tests: "what_a_buyer_was_told_survives_every_kill",
        setting: "TACOS_CRASH_ROUNDS",
        count: None,
    },
    LongTest {
        name: "sigterm",
        binary: "worker",
        tests: "terminate::",
        setting: "TACOS_SIGTERM_ROUNDS",
        count: Some(100),
    },
    LongTest {
        name: "kill",
        binary: "worker",
        tests: "kill::",
        setting: "TACOS_KILL_ROUNDS",
        count: Some(20),
    },
    LongTest {
        name: "outage",
        binary: "worker",
        tests: "outage::",
        setting: "TACOS_OUTAGE_SECONDS",
        count: Some(60),
    },
    LongTest {
        name: "two-workers",
        binary: "worker",
        tests: "rivals::",
        setting: "TACOS_RIVALS_EVENTS",
        count: Some(100_000),
    },
];

pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let tree = crate::tree::Tree::load(root, &[])?;
    let known = tree.packages.get("bench").map(|package| package.binaries.as_slice()).unwrap_or_default();
    let names = known.join(", ");
    ensure!(known.contains(&options.name), "there is no benchmark `{}`; there is: {names}", options.name);
    // The generators start the shipped binary, which lies beside them.
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

/// Runs the long tests; whether all passed. Each prints its figures on a line that begins with `summary:`, and one after
/// the other, so that none measures the load of another.
pub(crate) fn soak(root: &Path, options: &Soak) -> Result<bool> {
    let wanted =
        |soak: &&LongTest| options.only.is_empty() || options.only.iter().any(|name| name == soak.name);
    let tests = ["test", "--release", "-p", "app", "--test", "it", "--test", "worker", "--no-run"];
    ensure!(shown(&mut cargo(root, &tests))?, "the build failed");
    let mut ended = Vec::new();
    for soak in SOAKS.iter().filter(wanted) {
        let mut command = cargo(root, &["test", "--release", "-p", "app", "--test", soak.binary, "--"]);
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
