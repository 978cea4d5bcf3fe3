//! Checks `README.md`, `ARCHITECTURE.md` and `docs/` against the tree (trap T-O5: documents that
//! described missing files, commands and numbers).

use super::Finding;
use crate::source::{code, is_test, names};
use crate::tree::Tree;

/// Commands of cargo that the documents may use.
const CARGO: &[&str] = &[
    "add", "bench", "build", "check", "clippy", "deny", "doc", "fmt", "install", "metadata", "run", "test",
    "xtask",
];

/// Beginnings of the variables that the AWS SDK and the allocator read, not our sources.
const FOREIGN: &[&str] = &["AWS_", "MIMALLOC_"];

fn documents(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let ours = |path: &str| !path.contains('/') || path.starts_with("docs/") || path.starts_with("crates/");
    let documents = tree.files.iter().filter(move |(path, _)| path.ends_with(".md") && ours(path));
    documents.map(|(path, text)| (&**path, &**text))
}

/// Links exist, with their anchors; so do the paths of the tree in backticks and examples.
pub(super) fn paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for required in ["README.md", "ARCHITECTURE.md"] {
        if !tree.files.contains_key(required) {
            findings.push(Finding::new(required, 0, "is missing"));
        }
    }
    for (path, text) in documents(tree) {
        for (number, line) in text.lines().enumerate() {
            let gone = |what: &str| Finding::new(path, number + 1, format!("`{what}` is not there"));
            let links = links(line).filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
            findings.extend(links.filter(|link| !resolves(tree, path, link)).map(gone));
            let named = named_paths(tree, line);
            findings.extend(named.iter().filter(|named| !tree.has(named)).map(|named| gone(named)));
        }
    }
    findings
}

/// `cargo …` names existing chores, packages and binaries.
pub(super) fn commands(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in documents(tree) {
        for (number, line) in text.lines().enumerate() {
            for command in cargo_commands(line) {
                if let Some(wrong) = wrong_in(tree, &command) {
                    findings.push(Finding::new(path, number + 1, format!("`cargo {command}`: {wrong}")));
                }
            }
        }
    }
    findings
}

/// Every metric that a source registers is in the contracts.
pub(super) fn metrics(tree: &Tree) -> Vec<Finding> {
    const LIST: &str = "docs/contracts.md";
    let list = tree.files.get(LIST).map_or("", String::as_str);
    let mut findings = Vec::new();
    for (path, text) in tree.sources().filter(|(path, _)| path.contains("/src/") && !path.contains("tests")) {
        for (at, call) in text.match_indices("register(") {
            let Some(rest) = text[at + call.len()..].trim_start().strip_prefix('"') else { continue };
            let name = rest.split('"').next().unwrap_or_default();
            let number = text[..at].matches('\n').count() + 1;
            // The registry adds `_total` to the names of counters.
            let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_name && !list.contains(&format!("`{name}")) {
                findings.push(Finding::new(path, number, format!("{LIST} lacks the metric `{name}`")));
            }
        }
    }
    findings
}

/// `docs/configuration.md` has every variable that a source reads, and its tables have no other.
pub(super) fn settings(tree: &Tree) -> Vec<Finding> {
    const LIST: &str = "docs/configuration.md";
    let list = tree.files.get(LIST).map_or("", String::as_str);
    let (mut findings, mut read) = (Vec::new(), Vec::new());
    for (path, text) in tree.sources().filter(|(path, _)| path.contains("/src/") && !is_test(path)) {
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        if !names(&code(shipped), "Env") {
            continue;
        }
        for (at, name, is_whole) in variables(shipped) {
            read.push((name, is_whole));
            if is_whole && !names(list, name) {
                let number = shipped[..at].matches('\n').count() + 1;
                findings.push(Finding::new(path, number, format!("{LIST} lacks the variable `{name}`")));
            }
        }
    }
    let mut is_table = false;
    for (number, line) in list.lines().enumerate() {
        is_table = line.starts_with("| variable |") || (is_table && line.starts_with('|'));
        let cell = line.split('|').nth(1).filter(|_| is_table).unwrap_or_default();
        for name in cell.split(',').map(str::trim).filter(|name| is_variable(name)) {
            let is_this = |(read, is_whole): &(&str, bool)| {
                if *is_whole { *read == name } else { name.starts_with(*read) }
            };
            if !read.iter().any(is_this) && !FOREIGN.iter().any(|begin| name.starts_with(*begin)) {
                findings.push(Finding::new(LIST, number + 1, format!("no source reads `{name}`")));
            }
        }
    }
    findings
}

/// The names of variables among the string literals, with their places: `"A_B"` is whole, and
/// `"A_{…}"` is a beginning.
fn variables(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    text.match_indices('"').filter_map(move |(at, _)| {
        let rest = &text[at + 1..];
        let (name, rest) = rest.split_at(rest.find(|c: char| !is_part_of_variable(c))?);
        let is_whole = rest.starts_with('"');
        let is_begin = rest.starts_with('{') && name.ends_with('_');
        // The compiler reads Cargo's own.
        let is_ours = is_variable(name) && !name.starts_with("CARGO_");
        (is_ours && (is_whole || is_begin)).then_some((at, name, is_whole))
    })
}

fn is_variable(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_uppercase());
    begins && name.contains('_') && name.chars().all(is_part_of_variable)
}

fn is_part_of_variable(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, _)| {
        let rest = &line[at + 2..];
        rest.find(')').map(|end| rest[..end].split_whitespace().next().unwrap_or_default())
    })
}

fn resolves(tree: &Tree, document: &str, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { Some(document.to_owned()) } else { joined(document, file) };
    let Some(target) = target.filter(|target| tree.has(target)) else { return false };
    match anchor {
        Some(anchor) if target.ends_with(".md") => has_heading(tree, &target, anchor),
        _ => true,
    }
}

/// Whether a document exists and has a heading with this anchor.
pub(super) fn has_heading(tree: &Tree, path: &str, anchor: &str) -> bool {
    let mut headings =
        tree.files.get(path).map_or("", |text| text).lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| slug(heading) == anchor)
}

/// A link of a document as a path from the root; `None` if it leaves the tree.
fn joined(document: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text: String = heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect();
    text.replace(' ', "-")
}

/// Words in backticks or in an indented example that begin with a folder of the tree and are no
/// pattern.
fn named_paths(tree: &Tree, line: &str) -> Vec<String> {
    let looks_like_path = |word: &&str| {
        let top = word.split('/').next().unwrap_or_default();
        let known = word.contains('/') && !top.is_empty() && top != "target" && tree.has(top);
        let file = [".md", ".rs", ".toml", ".proto"].iter().any(|end| word.ends_with(end));
        let rooted = !word.starts_with('/') && (known || (file && word.contains('/')));
        rooted && !word.contains(['*', '<', '{', '$', '…', '=', '|', ',', '"', '\''])
    };
    let clean = |word: &str| {
        word.trim_end_matches(['.', ':', ';', ')']).trim_start_matches(['(', '.', '/']).to_owned()
    };
    let dotted = |word: &str| {
        if word.starts_with(".ci/") || word.starts_with(".cargo/") { word.to_owned() } else { clean(word) }
    };
    examples(line)
        .iter()
        .flat_map(|text| text.split_whitespace())
        .filter(looks_like_path)
        .map(dotted)
        .collect()
}

fn cargo_commands(line: &str) -> Vec<String> {
    let cut = |text: &str| {
        text.split(" #")
            .next()
            .unwrap_or_default()
            .split(['|', '&', ';'])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let found = examples(line).into_iter().filter_map(|text| {
        let at = text.find("cargo ")?;
        let begins = text[..at].split_whitespace().all(|word| word == "$" || word.contains('='));
        begins.then(|| cut(&text[at + "cargo ".len()..]))
    });
    found.collect()
}

/// The code in a line: the whole line if it is an indented example, else the parts in backticks.
fn examples(line: &str) -> Vec<String> {
    if line.starts_with("    ") {
        return vec![line.trim().to_owned()];
    }
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn wrong_in(tree: &Tree, command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let ours = words.split(|word| *word == "--").next().unwrap_or_default();
    let (first, rest) = ours.split_first()?;
    if !CARGO.contains(first) {
        return Some(format!("cargo has no command `{first}` here"));
    }
    if *first == "xtask" {
        let chore = rest.first()?;
        if !tree.chores.iter().any(|known| known == chore) {
            return Some(format!("xtask has no `{chore}`"));
        }
        let benches =
            tree.packages.get("bench").map(|package| package.binaries.as_slice()).unwrap_or_default();
        let name = rest.iter().skip(1).find(|word| !word.starts_with("--"));
        let named = name.filter(|name| *chore == "bench" && !is_placeholder(name));
        let missing =
            named.filter(|name| !name.split('|').all(|name| benches.iter().any(|known| known == name)));
        return missing.map(|name| format!("benchmark `{name}` does not exist"));
    }
    let value = |flags: &[&str]| {
        let at = rest.iter().position(|word| flags.contains(word))?;
        rest.get(at + 1).copied().filter(|value| !is_placeholder(value))
    };
    let package = value(&["-p", "--package"]).filter(|name| !tree.packages.contains_key(*name));
    let known =
        |name: &str| tree.packages.values().any(|package| package.binaries.iter().any(|known| known == name));
    let binary = value(&["--bin"]).filter(|name| !known(name));
    let package = package.map(|name| format!("package `{name}` does not exist"));
    package.or_else(|| binary.map(|name| format!("binary `{name}` does not exist")))
}

/// `NAME` and `<name>` are placeholders.
fn is_placeholder(word: &str) -> bool {
    word.starts_with('<') || word.starts_with('[') || word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}
