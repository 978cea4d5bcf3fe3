//! `cargo xtask loop`: the time from a one-line edit to the end of the tests, for `domain` and each
//! service.
//!
//! Each package is built and tested once, untimed. Then a line is added to its `src/lib.rs`, its
//! tests run with the clock on, and the file gets its old text back. No engine is started: these
//! suites need none.

use crate::run::{cargo, shown};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The packages, and the longest time that a loop may take.
const LOOPS: [(&str, Duration); 6] = [
    ("domain", Duration::from_secs(20)),
    ("inventory", Duration::from_secs(60)),
    ("reservation", Duration::from_secs(60)),
    ("payment", Duration::from_secs(60)),
    ("worker", Duration::from_secs(60)),
    ("gateway", Duration::from_secs(60)),
];

/// The added line. It is code, because a comment would not change what is compiled.
const LINE: &str = "\nconst _: () = ();\n";

#[derive(Args)]
pub(crate) struct Options {
    /// Time only this package; may be given more than once.
    #[arg(long, value_name = "NAME", value_parser = LOOPS.map(|(package, _)| package))]
    only: Vec<String>,
}

/// Times each loop; returns whether all tests passed within their time.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let wanted = |package: &str| options.only.is_empty() || options.only.iter().any(|only| only == package);
    let mut times = Vec::new();
    for (package, limit) in LOOPS.into_iter().filter(|(package, _)| wanted(package)) {
        test(root, package).context("before the edit")?;
        let edit = Edit::make(root.join(format!("crates/{package}/src/lib.rs")))?;
        let start = Instant::now();
        let tested = test(root, package);
        let took = start.elapsed();
        edit.undo()?;
        tested.context("after the edit")?;
        times.push((package, took, limit));
    }
    for (package, took, limit) in &times {
        let note = if took <= limit { "" } else { "  TOO SLOW" };
        println!("{package:<12} {:>6.1} s of {} s{note}", took.as_secs_f64(), limit.as_secs());
    }
    Ok(times.iter().all(|(_, took, limit)| took <= limit))
}

fn test(root: &Path, package: &str) -> Result<()> {
    let mut command = cargo(root, &["test", "--quiet", "-p", package, "--lib", "--tests"]);
    if shown(&mut command)? { Ok(()) } else { bail!("the tests of {package} failed") }
}

/// An edit of a file, undone at the latest when it is dropped.
struct Edit {
    path: PathBuf,
    before: String,
}

impl Edit {
    fn make(path: PathBuf) -> Result<Self> {
        let before = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let edit = Self { path, before };
        std::fs::write(&edit.path, format!("{}{LINE}", edit.before))?;
        Ok(edit)
    }

    fn undo(self) -> Result<()> {
        std::fs::write(&self.path, &self.before).with_context(|| format!("restore {}", self.path.display()))
    }
}

impl Drop for Edit {
    fn drop(&mut self) {
        // After `undo` this writes the same text again.
        let _ = std::fs::write(&self.path, &self.before);
    }
}
