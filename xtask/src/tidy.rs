//! The absences that the architecture promises, and what the documents say about the sources.
//!
//! Each check is a function from a [`Tree`] to what it found; their tests break each rule on purpose. A rule that is in
//! the way of better code is changed here, with its reason, and not worked around.

mod docs;
mod manifests;
mod sources;
mod traps;

use crate::tree::Tree;
use anyhow::Result;
use core::fmt;
use std::path::Path;

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// 1-based; 0 for the whole file.
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

/// Every check with the rule it enforces.
const CHECKS: &[(&str, Check)] = &[
    ("a crate depends only on the crates that its place allows", manifests::local_dependencies),
    ("an engine is named by its own adapter alone", manifests::engines),
    ("anyhow is for programs, tools and tests", manifests::anyhow),
    ("every package takes the workspace's lints", manifests::lints),
    ("only runtime reads the environment", sources::environment),
    ("domain, ports, outbox and services name no ambient time, task or randomness", sources::ambient),
    ("fakes live in sim and in tests", sources::fakes),
    ("a name says what a thing is", sources::names),
    ("no source file is over 500 lines", sources::length),
    ("every source file begins by saying what it is for", sources::module_docs),
    ("nothing is left undone or switched off", sources::undone),
    ("no path or host of one machine is in the tree", sources::machine),
    ("what the documents link to and name is there", docs::paths),
    ("the commands in the documents are real", docs::commands),
    ("every trap is answered by tests that exist", traps::answered),
];

/// Runs every check and prints what was found; whether nothing was.
pub(crate) fn run(root: &Path, chores: &[String]) -> Result<bool> {
    let tree = Tree::load(root, chores)?;
    let mut found = 0;
    for (rule, check) in CHECKS {
        let mut findings = check(&tree);
        findings.sort();
        if !findings.is_empty() {
            println!("{rule}:");
        }
        for finding in &findings {
            println!("  {finding}");
        }
        found += findings.len();
    }
    match found {
        0 => println!("tidy: {} rules hold over {} files", CHECKS.len(), tree.files.len()),
        found => println!("tidy: {found} findings"),
    }
    Ok(found == 0)
}

#[cfg(test)]
mod tests;
