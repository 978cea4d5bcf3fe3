//! What takes minutes: the load generators and the long crash test, built for release.

use crate::run::{cargo, shown};
use anyhow::{Result, ensure};
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
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
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let tree = crate::tree::Tree::load(root, &[])?;
    let known = tree.packages.get("bench").map(|package| package.binaries.as_slice()).unwrap_or_default();
    let names = known.join(", ");
    ensure!(known.contains(&options.name), "there is no benchmark `{}`; there is: {names}", options.name);
    // The generators start the shipped binary, which lies beside them.
    let shipped = if options.name == "worker" { "reservation-worker" } else { "tacos" };
    let wanted = ["build", "--release", "-p", "app", "--bin", shipped, "-p", "bench", "--bin", &options.name];
    let built = shown(&mut cargo(root, &wanted))?;
    ensure!(built, "the build failed");
    let mut command =
        cargo(root, &["run", "--release", "--quiet", "-p", "bench", "--bin", &options.name, "--"]);
    shown(command.args(&options.args))
}

pub(crate) fn soak(root: &Path, options: &Soak) -> Result<bool> {
    let test = "what_a_buyer_was_told_survives_every_kill";
    let mut command =
        cargo(root, &["test", "--release", "-p", "app", "--test", "it", "--", "--nocapture", test]);
    command.env("TACOS_CRASH_ROUNDS", options.rounds.to_string());
    if let Some(seed) = options.seed {
        command.env("TACOS_SEED", seed.to_string());
    }
    shown(&mut command)
}
