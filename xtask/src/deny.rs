//! `cargo deny`: licences, bans and sources always; known vulnerabilities if their database is
//! reachable.
//!
//! The database of vulnerabilities is a git repository on another host than the registry. If that
//! host cannot be reached, the result says that vulnerabilities were not checked; it neither fails
//! nor passes silently.

use crate::run::{Outcome, cargo, shown};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pinned, so that the same sources give the same result.
const VERSION: &str = "0.20.2";

const UNCHECKED: &str = "known vulnerabilities NOT CHECKED: cannot reach their database";

/// Whether the dependencies are allowed.
pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let Some(program) = program(root)? else { return Ok(Outcome::Failed) };
    let allowed = shown(deny(&program, root).args(["bans", "licenses", "sources"]))?;
    if allowed { advisories(&program, root) } else { Ok(Outcome::Failed) }
}

fn deny(program: &Path, root: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--locked", "--workspace", "check", "--hide-inclusion-graph"]).current_dir(root);
    command
}

fn advisories(program: &Path, root: &Path) -> Result<Outcome> {
    let mut command = deny(program, root);
    command.arg("advisories");
    eprintln!("$ {}", crate::run::line(&command));
    let output = command.output().context("cannot start cargo-deny")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        eprint!("{text}");
        return Ok(Outcome::Passed);
    }
    if text.contains("failed to fetch advisory database") || text.contains("failed to load advisory database")
    {
        eprintln!("{UNCHECKED}");
        return Ok(Outcome::PassedBut(UNCHECKED));
    }
    eprint!("{text}");
    Ok(Outcome::Failed)
}

/// The path of cargo-deny. It is installed below `target` if this machine has none; `None` if that
/// fails.
fn program(root: &Path) -> Result<Option<PathBuf>> {
    let named = PathBuf::from("cargo-deny");
    let has = |program: &Path| {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    if has(&named) {
        return Ok(Some(named));
    }
    let tools = root.join("target/tools");
    let ours = tools.join("bin/cargo-deny");
    if has(&ours) {
        return Ok(Some(ours));
    }
    // A debug build: it runs for a second, and builds in a third of the time.
    let build = tools.join("build");
    let mut install =
        cargo(root, &["install", "cargo-deny", "--locked", "--debug", "--version", VERSION, "--root"]);
    install.arg(&tools).env("CARGO_TARGET_DIR", &build);
    let installed = shown(&mut install)?;
    // Some gigabytes, never needed again.
    let _ = std::fs::remove_dir_all(build);
    Ok(installed.then_some(ours))
}
