//! Which crate may depend on which, from `cargo metadata`.

use super::Finding;
use crate::source::{is_test, lines_with, production};
use crate::tree::{Dependency, Kind, Package, Tree, package_of};

/// The services. None sees another service or an adapter.
pub(super) const SERVICES: &[&str] = &["gateway", "inventory", "payment", "reservation", "worker"];

/// The packages that see everything.
const TOOLS: &[&str] = &["app", "bench", "engines", "sim", "standin", "xtask"];

/// The dev-dependencies that every package but `domain` may have, besides its own dependencies.
const DEV: &[&str] = &["adapter-embedded", "adapter-peers", "engines", "ports-contract", "testkit"];

/// The prefix of an engine's crates, and the only package that may name them.
const ENGINES: &[(&str, &str)] = &[
    ("aws-", "adapter-aws"),
    ("redis", "adapter-redis"),
    ("fred", "adapter-redis"),
    ("fjall", "adapter-embedded"),
];

/// Our crates that a package may depend on; `None` for those that see everything.
fn allowed(package: &str) -> Option<&'static [&'static str]> {
    match package {
        "domain" => Some(&[]),
        "ports" => Some(&["domain"]),
        // The suites of the ports; for tests alone, so they may use the clock of the test kit.
        "ports-contract" => Some(&["domain", "ports", "testkit"]),
        "contracts" | "identity" => Some(&["domain", "ports"]),
        "outbox" | "runtime" => Some(&["domain", "contracts", "ports"]),
        _ if package.starts_with("adapter-") => Some(&["domain", "contracts", "ports"]),
        _ if SERVICES.contains(&package) => {
            Some(&["domain", "contracts", "identity", "ports", "outbox", "runtime"])
        }
        // It reads the rows of the services with their own readers, to check invariants on any
        // store.
        "census" => Some(&["domain", "ports", "outbox", "inventory", "reservation", "payment"]),
        // The tests of every crate use it, so it is below all of them except the ports that it
        // wraps, and the messages that the services behind a gateway answer with.
        "testkit" => Some(&["domain", "contracts", "ports"]),
        // The buyers of `tacos demo` and of the simulator.
        "crowd" => Some(&["domain"]),
        // It starts third-party servers and knows nothing of our services.
        "engines" => Some(&[]),
        _ if TOOLS.contains(&package) => None,
        // A new crate must get its place above.
        _ => Some(&[]),
    }
}

/// The domain depends on nothing; the other crates depend on each other in one direction only.
/// Tests may also use the packages in [`DEV`], and those of an adapter the services that it calls.
pub(super) fn local_dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in &tree.packages {
        let Some(allowed) = allowed(name) else { continue };
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            let dev = dependency.kind == Kind::Dev;
            let ours = tree.packages.contains_key(other);
            let fine = match () {
                () if name == "domain" => dev && !ours,
                () if !ours || allowed.contains(&other) || other == name => true,
                () if dev => DEV.contains(&other) || name.starts_with("adapter-"),
                () => false,
            };
            if !fine {
                findings.push(about(package, format!("{name} must not depend on {other}")));
            }
        }
    }
    findings
}

/// Checks manifests, and paths in the sources.
pub(super) fn engines(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in &tree.packages {
        for Dependency { name: other, .. } in &package.dependencies {
            let owner = ENGINES.iter().find(|(prefix, _)| other.starts_with(prefix)).map(|(_, owner)| *owner);
            if owner.is_some_and(|owner| owner != name) {
                let owner = owner.unwrap_or_default();
                findings.push(about(package, format!("{name} depends on {other}; only {owner} may")));
            }
        }
    }
    let words = [("aws_sdk_", "adapter-aws"), ("aws_config::", "adapter-aws"), ("redis::", "adapter-redis")];
    for (path, text) in tree.sources().filter(|(path, _)| !path.starts_with("xtask/")) {
        let code = production(text);
        for (word, owner) in words.iter().filter(|(_, owner)| package_of(path) != *owner) {
            for (line, _) in code.lines().enumerate().filter(|(_, line)| names(line, word)) {
                findings.push(Finding::new(path, line + 1, format!("names `{word}`; only {owner} may")));
            }
        }
    }
    findings
}

/// Whether a line contains the word, and not only at the end of a longer one: `adapter_redis::` is
/// not `redis::`.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

/// The callers of a library decide by its errors, so the errors must be typed.
pub(super) fn anyhow(tree: &Tree) -> Vec<Finding> {
    let libraries = || tree.packages.iter().filter(|(name, _)| !TOOLS.contains(&name.as_str()));
    let manifests = libraries().filter_map(|(name, package)| {
        let used = package.dependencies.iter().any(|d| d.name == "anyhow" && d.kind != Kind::Dev);
        used.then(|| about(package, format!("{name} types its errors; anyhow is for programs and tests")))
    });
    let sources = tree.sources().filter(|(path, _)| !TOOLS.contains(&package_of(path)) && !is_test(path));
    let sources = sources.flat_map(|(path, text)| {
        let lines: Vec<_> = lines_with(&production(text), "anyhow").collect();
        lines.into_iter().map(move |line| Finding::new(path, line, "anyhow outside of programs and tests"))
    });
    manifests.chain(sources).collect()
}

/// Without this, the bans on ambient time and others do not apply to a crate.
pub(super) fn lints(tree: &Tree) -> Vec<Finding> {
    let manifest = |package: &Package| tree.files.get(&format!("{}/Cargo.toml", package.folder));
    let taken = |text: &String| {
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
        lines.next() == Some("workspace = true")
    };
    let packages = tree.packages.values().filter(|package| !manifest(package).is_some_and(taken));
    packages.map(|package| about(package, "lacks `[lints]` with `workspace = true`".to_owned())).collect()
}

fn about(package: &Package, text: String) -> Finding {
    Finding::new(&format!("{}/Cargo.toml", package.folder), 0, text)
}
