//! Runs the tests of the workspace: builds every test binary once, then runs three at a time.
//!
//! `cargo test` runs one binary after the other. The two longest suites wait most of their time,
//! for timeouts of queue servers and for processes; the machine is idle meanwhile. Three at a time
//! fill it: these two, and one of the others after the other.
//!
//! The output of a binary is printed when it ends, so that outputs do not mix.

use crate::run::{cargo, printed_at_end, shown};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

const AT_ONCE: usize = 3;

/// The packages whose suites take longest. They start first, so that none runs alone at the end.
const LONGEST: [&str; 2] = [WAITING, "app"];

/// The package whose tests do little but wait for timeouts of servers. It runs more of them at once
/// than the machine has cores: 117 s instead of 281 s on two.
const WAITING: &str = "adapter-aws";
const WAITING_AT_ONCE: &str = "6";

/// A line of cargo's `--message-format=json`, as far as it is read here.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A built test binary.
struct Suite {
    /// The folder of its package, in which cargo runs it.
    package: PathBuf,
    executable: PathBuf,
}

/// Builds the tests of the workspace, or of what `args` selects, and runs them. Arguments after
/// `--` go to every binary. `prepare` completes the command of the build and of each binary.
/// Returns whether all passed.
pub(crate) fn run(root: &Path, args: &[String], prepare: impl Fn(&mut Command) + Sync) -> Result<bool> {
    let mut halves = args.splitn(2, |arg| arg == "--");
    let (selection, filters) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let mut build = cargo(root, &["test", "--locked", "--lib", "--bins", "--tests", "--no-run"]);
    if selection.is_empty() {
        build.arg("--workspace");
    }
    build.args(selection);
    prepare(&mut build);
    let Some(suites) = built(&mut build)? else { return Ok(false) };
    let waiting = Mutex::new(suites);
    let next = || waiting.lock().expect("no thread panics with the lock").pop_front();
    let lane = || -> Result<bool> {
        let mut passed = true;
        while let Some(suite) = next() {
            let mut command = Command::new(&suite.executable);
            command.args(filters).current_dir(&suite.package).env("CARGO_MANIFEST_DIR", &suite.package);
            if suite.package.ends_with(WAITING) {
                command.env("RUST_TEST_THREADS", WAITING_AT_ONCE);
            }
            prepare(&mut command);
            passed &= printed_at_end(&mut command)?;
        }
        Ok(passed)
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(lane)).collect();
        let ended = lanes.into_iter().map(|lane| lane.join().expect("a lane does not panic"));
        ended.collect::<Result<Vec<_>>>().map(|passed| passed.into_iter().all(|passed| passed))
    })
}

/// The test binaries, the longest first; `None` if the build failed.
fn built(build: &mut Command) -> Result<Option<VecDeque<Suite>>> {
    if !shown(build)? {
        return Ok(None);
    }
    // Again, for the list: nothing is left to build.
    let listed = build.arg("--message-format=json").output().context("cannot start cargo")?;
    let mut suites: Vec<_> = String::from_utf8_lossy(&listed.stdout).lines().filter_map(suite).collect();
    ensure!(listed.status.success() && !suites.is_empty(), "cargo lists no test binary");
    suites.sort_by_key(|suite| !LONGEST.iter().any(|name| suite.package.ends_with(name)));
    Ok(Some(suites.into()))
}

fn suite(line: &str) -> Option<Suite> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    let package = artifact.manifest_path?.parent()?.to_owned();
    let executable = artifact.executable?;
    artifact.profile?.test.then_some(Suite { package, executable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_binaries_are_suites() {
        let line = |executable: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/crates/a/Cargo.toml","executable":{executable},"profile":{{"test":{test},"debuginfo":0}}}}"#
            )
        };
        let found = suite(&line(r#""/w/target/a-1""#, true)).expect("a test binary");
        assert_eq!(
            (found.package, found.executable),
            (PathBuf::from("/w/crates/a"), PathBuf::from("/w/target/a-1"))
        );
        assert!(suite(&line(r#""/w/target/a""#, false)).is_none(), "a program");
        assert!(suite(&line("null", true)).is_none(), "a library");
        assert!(suite(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
