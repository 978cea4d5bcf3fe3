//! `cargo xtask engines`: starts, stops and checks the servers that tests need. This is the command
//! line of the crate `engines`.

use anyhow::Result;
use clap::{Args, Subcommand};
use engines::{Engines, Kind, Lease, Purpose, ServerPool, State, Status};
use std::io::IsTerminal;

#[derive(Subcommand)]
pub(crate) enum Options {
    /// Downloads and starts the missing servers; prints the addresses as `export` lines for a
    /// shell.
    Up(Which),
    /// Stops the servers.
    Down(Which),
    /// Checks each server; fails if one that should be up is not.
    Status(Which),
}

#[derive(Args)]
pub(crate) struct Which {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Only these servers: elasticmq, dynamodb, ministack, redis, redis-cluster.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<Kind>,
}

impl Which {
    fn kinds(&self) -> &[Kind] {
        if self.only.is_empty() { &Kind::ALL } else { &self.only }
    }
}

pub(crate) fn run(options: &Options) -> Result<bool> {
    let pool = ServerPool::of_workspace();
    match options {
        Options::Up(which) => {
            let state = pool.up(which.kinds(), Purpose::Kept, &progress)?;
            if which.json {
                println!("{}", serde_json::to_string_pretty(&Engines::from(&state))?);
            } else {
                exports(&state);
            }
        }
        Options::Down(which) => {
            let ended: Vec<_> = pool.down(which.kinds())?.into_iter().map(Kind::name).collect();
            if which.json {
                println!("{}", serde_json::to_string(&ended)?);
            } else {
                ended.iter().for_each(|name| println!("{name} stopped"));
            }
        }
        Options::Status(which) => {
            let all = pool.status(which.kinds())?;
            if which.json {
                println!("{}", serde_json::to_string_pretty(&all)?);
            } else {
                all.iter().for_each(show);
            }
            return Ok(is_as_wanted(which, &all));
        }
    }
    Ok(true)
}

/// Runs `body` while all engines are up. `body` gets the file with their addresses. Engines that
/// were up before stay up.
pub(crate) fn during(body: impl FnOnce(&Lease) -> Result<bool>) -> Result<bool> {
    let lease = match ServerPool::of_workspace().lease(&Kind::ALL, &progress) {
        Ok(lease) => lease,
        Err(error) => {
            eprintln!("error: cannot start the engines that tests need: {error:#}");
            return Ok(false);
        }
    };
    let passed = body(&lease);
    // Whether the tests passed or not.
    lease.end()?;
    passed
}

/// For `eval "$(cargo xtask engines up)"`.
fn exports(state: &State) {
    for (kind, entry) in state.engines.iter().filter(|(_, entry)| entry.ready) {
        println!("export {}={}", kind.variable(), entry.addresses.join(","));
    }
}

fn show(status: &Status) {
    let word = match status {
        Status { up: true, .. } => "up",
        Status { wanted: true, .. } => "DEAD",
        _ => "down",
    };
    let pids: Vec<_> = status.pids.iter().map(u32::to_string).collect();
    println!("{:<14} {word:<5} {:<12} {}", status.name, pids.join(","), status.addresses.join(","));
}

/// The named engines should be up; without names those that were started, or all if none was.
fn is_as_wanted(which: &Which, all: &[Status]) -> bool {
    let started = all.iter().any(|status| status.wanted);
    let should = |status: &&Status| !which.only.is_empty() || !started || status.wanted;
    all.iter().filter(should).all(|status| status.up)
}

fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}
