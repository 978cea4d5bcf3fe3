//! Project chores. `cargo xtask ci` runs every check that a change must pass; `tidy` checks the
//! rules of the architecture; `bench` and `soak` take longer. Nothing here is part of the product.
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
mod inner_loop;
mod run;
mod source;
mod suites;
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
    /// Run every check that a change must pass: format, architecture, lints, licences, tests,
    /// documentation.
    Ci,
    /// Run every test, as `ci` does.
    Test {
        /// Arguments of `cargo test`, such as `-p worker` or `-- the_name_of_a_test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Check the rules of the architecture, and the documents against the sources.
    Tidy,
    /// Check licences, bans and sources of the dependencies, and known vulnerabilities if their
    /// database is reachable.
    Deny,
    /// Start and stop the servers that tests need: ElasticMQ, DynamoDB Local, MiniStack, Redis and
    /// a Redis cluster.
    #[command(subcommand)]
    Engines(engines::Options),
    /// Run a load generator against the shipped binary, built for release.
    Bench(bench::Options),
    /// Time the inner loop: after a one-line edit, the tests of `domain` and of each service.
    Loop(inner_loop::Options),
    /// Test the pages in a browser and the API with a fuzzer, on a running platform.
    Web(web::Options),
    /// Run the long tests at their full counts, built for release: crashes of the platform;
    /// signals, kills, outages and rivals of the worker.
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

/// Runs the chore; returns whether it succeeded.
fn chore(chore: Chore) -> Result<bool> {
    let root = root();
    match chore {
        Chore::Ci => ci::run(&root),
        Chore::Test { args } => ci::test(&root, &args),
        Chore::Tidy => tidy::run(&root, &subcommands()),
        Chore::Deny => Ok(deny::run(&root)?.is_passed()),
        Chore::Engines(options) => engines::run(&options),
        Chore::Bench(options) => bench::run(&root, &options),
        Chore::Loop(options) => inner_loop::run(&root, &options),
        Chore::Web(options) => web::run(&root, &options),
        Chore::Soak(options) => bench::soak(&root, &options),
    }
}

/// The workspace's folder: the parent of this package's folder. Cargo passes that to a program that
/// it runs. The compiled-in path may be another clone's, if both share a target folder.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().expect("xtask is in the workspace's folder").to_owned()
}

/// The names of all chores, for the check of the documents.
fn subcommands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
