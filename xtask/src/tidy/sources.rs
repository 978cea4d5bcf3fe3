//! Words that no source may contain, or only some.

use super::Finding;
use super::manifests::SERVICES;
use crate::source::{code, is_test, lines_with, names as has_name, production};
use crate::tree::{Tree, package_of};

const LINES_MAX: usize = 500;

/// Calls that a simulator on one thread with a virtual clock could not control. Clippy bans them
/// too; this check also finds calls behind an `allow`.
const AMBIENT: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "tokio::time::",
    "tokio::spawn",
    "task::spawn",
    "task::spawn_local",
    "spawn_blocking",
    "JoinSet",
    "thread::spawn",
    "thread::Builder",
    "thread::sleep",
    "RandomState",
    "getrandom",
    "rand::",
    "fastrand",
    "Uuid::new_v4",
    "Uuid::now_v7",
];

const ENVIRONMENT: &[&str] = &["env::var", "env::vars", "env::var_os", "env::vars_os", "env::set_var"];

/// Endings without a meaning. `Impl` suggests a trait with one implementation.
const EMPTY_NAMES: &[&str] =
    &["Manager", "Util", "Utils", "Helper", "Helpers", "Common", "Processor", "Info", "Impl"];

const FAKES: &[&str] = &["Fake", "Mock", "Stub", "Dummy"];

/// Services get options structs, so that a test or the simulator can pass its own.
pub(super) fn environment(tree: &Tree) -> Vec<Finding> {
    let elsewhere = production_sources(tree).filter(|(path, _)| {
        !matches!(package_of(path), "engines" | "runtime" | "xtask") && !path.ends_with("/build.rs")
    });
    elsewhere
        .flat_map(|(path, code)| words(path, &code, ENVIRONMENT, "only runtime reads the environment"))
        .collect()
}

/// Time, tasks and randomness come through ports.
pub(super) fn ambient(tree: &Tree) -> Vec<Finding> {
    let core =
        |package: &str| matches!(package, "domain" | "ports" | "outbox") || SERVICES.contains(&package);
    let sources = production_sources(tree).filter(|(path, _)| core(package_of(path)));
    sources.flat_map(|(path, code)| words(path, &code, AMBIENT, "takes this through a port")).collect()
}

/// A fake in a shipped crate would be shipped.
pub(super) fn fakes(tree: &Tree) -> Vec<Finding> {
    let shipped = production_sources(tree).filter(|(path, _)| package_of(path) != "sim");
    declared(shipped, |name| FAKES.iter().any(|fake| name.starts_with(fake) || name.ends_with(fake)))
        .map(|(path, line, name)| Finding::new(path, line, format!("`{name}` belongs in sim or a test")))
        .collect()
}

pub(super) fn names(tree: &Tree) -> Vec<Finding> {
    let types = declared(production_sources(tree), |name| EMPTY_NAMES.iter().any(|end| name.ends_with(end)))
        .map(|(path, line, name)| Finding::new(path, line, format!("`{name}` does not say what it is")));
    let modules = tree.sources().filter(|(path, _)| path.ends_with("/mod.rs"));
    let modules = modules.map(|(path, _)| Finding::new(path, 0, "must be `foo.rs` beside `foo/`"));
    types.chain(modules).collect()
}

pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let counted = tree.sources().map(|(path, text)| (path, text.lines().count()));
    let long = counted.filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(path, lines)| Finding::new(path, 0, format!("has {lines} lines; {LINES_MAX} is the most")))
        .collect()
}

/// Except `foo/tests.rs`: the module comment of `foo.rs` covers its tests.
pub(super) fn module_docs(tree: &Tree) -> Vec<Finding> {
    let silent =
        tree.sources().filter(|(path, text)| !text.starts_with("//!") && !path.ends_with("/tests.rs"));
    silent.map(|(path, _)| Finding::new(path, 1, "does not begin with a `//!` comment")).collect()
}

/// Macros and attributes in code; the marks also in comments, documents and manifests.
pub(super) fn undone(tree: &Tree) -> Vec<Finding> {
    // In two parts, so that this file does not contain the words that it finds.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let macros = [concat!("to", "do!"), concat!("unimpl", "emented!"), concat!("#[ign", "ore")];
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        for (number, line) in text.lines().enumerate() {
            let mark = marks.iter().find(|mark| has_name(line, mark));
            findings.extend(mark.map(|mark| Finding::new(path, number + 1, format!("says {mark}"))));
        }
    }
    for (path, text) in tree.sources() {
        for (number, line) in code(text).lines().enumerate() {
            let found = macros.iter().find(|word| line.contains(**word));
            findings.extend(found.map(|word| Finding::new(path, number + 1, format!("has `{word}`"))));
        }
    }
    findings
}

/// A clone must work on another machine and with the public registry.
pub(super) fn machine(tree: &Tree) -> Vec<Finding> {
    let folders = [concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/ho", "me")];
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        for (number, line) in text.lines().enumerate() {
            if let Some(folder) = folders.iter().find(|folder| has_folder(line, folder)) {
                findings.push(Finding::new(
                    path,
                    number + 1,
                    format!("names `{folder}`, a folder of one machine"),
                ));
            }
        }
    }
    let lock = tree.files.get("Cargo.lock").map_or("", |text| text);
    for (number, line) in lock.lines().enumerate() {
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        if line.starts_with("source = ") && line != public {
            findings.push(Finding::new("Cargo.lock", number + 1, "is not from crates.io"));
        }
    }
    let config = tree.files.get(".cargo/config.toml").map_or("", |text| text);
    for (number, line) in config.lines().enumerate() {
        if ["[source", "[registr", "replace-with"].iter().any(|word| line.trim_start().starts_with(word)) {
            findings.push(Finding::new(".cargo/config.toml", number + 1, "sets another registry"));
        }
    }
    findings
}

/// `folder` as the beginning of an absolute path: not a part of a longer path, URL or name.
fn has_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let inside = before.is_some_and(|c| c.is_alphanumeric() || "_-./}*>".contains(c));
        !inside && after.is_none_or(|c| !(c.is_alphanumeric() || "_-".contains(c)))
    })
}

/// Shipped sources, without comments, literals and tests.
fn production_sources(tree: &Tree) -> impl Iterator<Item = (&str, String)> {
    tree.sources().filter(|(path, _)| !is_test(path)).map(|(path, text)| (path, production(text)))
}

fn words(path: &str, code: &str, words: &[&str], why: &str) -> Vec<Finding> {
    let found = words.iter().flat_map(|word| lines_with(code, word).map(move |line| (line, word)));
    found.map(|(line, word)| Finding::new(path, line, format!("`{word}`: {why}"))).collect()
}

/// Types with a wanted name, and their places.
fn declared<'a>(
    sources: impl Iterator<Item = (&'a str, String)>,
    wanted: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (&'a str, usize, String)> {
    sources.flat_map(move |(path, code)| {
        let named =
            code.lines().enumerate().filter_map(|(number, line)| Some((number + 1, type_name(line)?)));
        let wanted = named.filter(|(_, name)| wanted(name));
        wanted.map(|(line, name)| (path, line, name.to_owned())).collect::<Vec<_>>()
    })
}

fn type_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    if !matches!(words.next()?, "struct" | "enum" | "trait" | "type" | "union") {
        return None;
    }
    words.next()?.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()
}
