//! The rules of the architecture, most of them absences; and the documents, checked against the
//! sources.
//!
//! Each check is a function from a [`Tree`] to its findings; the tests break each rule on purpose.
//! If a rule prevents better code, change the rule here, with the reason, and do not work around
//! it.

mod comments;
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

/// Every other rule, with its check.
const CHECKS: &[(&str, Check)] = &[
    ("a crate depends only on the crates that its place allows", manifests::local_dependencies),
    ("only its own adapter names an engine", manifests::engines),
    ("anyhow is for programs, tools and tests", manifests::anyhow),
    ("every package uses the workspace's lints", manifests::lints),
    ("only runtime reads the environment", sources::environment),
    ("domain, ports, outbox and services name no ambient time, task or randomness", sources::ambient),
    ("fakes live in sim and in tests", sources::fakes),
    ("a type's name has no empty ending", sources::names),
    ("no source file is over 500 lines", sources::length),
    ("every source file begins with a module comment", sources::module_docs),
    ("an example in a comment is not Rust", comments::examples),
    ("a comment fits 100 columns", comments::width),
    ("the documents that sources cite exist", comments::citations),
    ("no code is unfinished or switched off", sources::undone),
    ("no path or host of one machine is in the tree", sources::machine),
    ("the links and paths in documents exist", docs::paths),
    ("the commands in documents exist", docs::commands),
    ("the contracts list every metric", docs::metrics),
    ("the list of settings has what the sources read", docs::settings),
    ("every trap is answered by tests that exist", traps::answered),
];

/// Runs every check and prints the findings; returns whether there are none.
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
