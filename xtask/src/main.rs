//! Project chores: `cargo xtask ci` runs every check that a change must pass, `tidy` the architecture's absences, `bench`
//! and `soak` what takes longer. Nothing here is part of the product.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool that measures its own steps"
)]

mod bench;
mod ci;
mod deny;
mod engines;
mod run;
mod source;
mod tidy;
mod tree;
mod web;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Project chores", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything a change must pass: format, absences, lints, licences, tests, documentation.
    Ci,
    /// Every test, as `ci` runs them.
    Test {
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The absences that the architecture promises, and what the documents say about the sources.
    Tidy,
    /// Licences, bans and sources of the dependencies; known vulnerabilities where their database can be had.
    Deny,
    /// The servers that tests need: ElasticMQ, DynamoDB Local, MiniStack, Redis single and as a cluster.
    #[command(subcommand)]
    Engines(engines::Options),
    /// A load generator against the shipped binary, built for release.
    Bench(bench::Options),
    /// The pages in a browser, and the API's description against a fuzzer, on a running platform.
    Web(web::Options),
    /// The long tests at their full counts, built for release: crashes of the platform, signals, outages and rivals of the worker.
    Soak(bench::Soak),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match chore(cli.chore) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether what was asked for holds.
fn chore(chore: Chore) -> Result<bool> {
    let root = root();
    match chore {
        Chore::Ci => ci::run(&root),
        Chore::Test { args } => ci::test(&root, &args),
        Chore::Tidy => tidy::run(&root, &subcommands()),
        Chore::Deny => Ok(deny::run(&root)?.is_passed()),
        Chore::Engines(options) => engines::run(&options),
        Chore::Bench(options) => bench::run(&root, &options),
        Chore::Web(options) => web::run(&root, &options),
        Chore::Soak(options) => bench::soak(&root, &options),
    }
}

/// The workspace's folder: the parent of this package's. Cargo says where that is to the program that it runs; what was
/// compiled in may be another clone's, where both share a target folder.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().expect("xtask lies in the workspace's folder").to_owned()
}

/// The names that `cargo xtask` understands, for the check of the documents.
fn subcommands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
