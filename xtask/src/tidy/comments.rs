//! Comments: their width, and the documents that they cite.

use super::Finding;
use super::docs::has_heading;
use crate::tree::Tree;

/// The longest line that is a comment, in characters.
const COLUMNS_MAX: usize = 100;

/// Citations of documents that are not in the repository.
const ELSEWHERE: &[&str] = &[
    "design part",
    "contracts section",
    "the contracts'",
    "shared/",
    "rules.md",
    "cases.md",
    "house.md",
    "style.md",
];

/// Documents that are cited by a heading's link, never by the number of a section.
const NUMBERED: &[&str] = &["contracts", "design", "traps", "rules", "cases", "house", "style"];

/// Code lines may be a little longer (`rustfmt.toml`). URLs and tables cannot be wrapped.
pub(super) fn width(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        let Some(marks) = marks(path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let comment = marks.iter().find_map(|mark| line.trim_start().strip_prefix(mark));
            let Some(comment) = comment else { continue };
            let columns = line.chars().count();
            if columns > COLUMNS_MAX
                && !line.contains("://")
                && !comment.trim_start_matches(['/', '!', ' ']).starts_with('|')
            {
                let text = format!("has {columns} columns; {COLUMNS_MAX} is the limit of a comment");
                findings.push(Finding::new(path, number + 1, text));
            }
        }
    }
    findings
}

/// `docs/NAME.md#HEADING` in a source names an existing heading; documents outside the repository
/// are not cited.
pub(super) fn citations(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files.iter().filter(|(path, _)| marks(path).is_some() && !is_ours(path)) {
        for (number, line) in text.lines().enumerate() {
            let missing = cited(line).filter(|cited| !exists(tree, cited));
            findings.extend(
                missing.map(|cited| Finding::new(path, number + 1, format!("`{cited}` does not exist"))),
            );
            let elsewhere = ELSEWHERE.iter().find(|words| line.contains(**words)).copied();
            findings.extend(elsewhere.or_else(|| numbered(path, line)).map(|words| {
                Finding::new(path, number + 1, format!("cites \"{words}\", which is not in the repository"))
            }));
        }
    }
    findings
}

/// A document that a comment cites by number, such as "contracts 5".
fn numbered<'l>(path: &str, line: &'l str) -> Option<&'l str> {
    let comment = marks(path)?.iter().find_map(|mark| line.trim_start().strip_prefix(mark))?;
    let lower = comment.to_ascii_lowercase();
    NUMBERED.iter().find_map(|name| {
        lower.match_indices(name).find_map(|(at, _)| {
            let number = &comment[at + name.len()..].trim_start_matches(".md").strip_prefix(' ')?;
            let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            let is_word = !comment[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let end = comment.len() - number.len() + digits;
            (digits > 0 && is_word).then(|| &comment[at..end])
        })
    })
}

/// CI runs no tests in documentation, so an example there must be marked as text or another
/// language.
pub(super) fn examples(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources() {
        let mut is_open = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let comment = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"));
            let Some(language) = comment.and_then(|text| text.trim().strip_prefix("```")) else { continue };
            if !is_open && (language.is_empty() || language.starts_with("rust")) {
                findings.push(Finding::new(
                    path,
                    number + 1,
                    "is an example that nothing runs; write a test",
                ));
            }
            is_open = !is_open;
        }
    }
    findings
}

/// What begins a comment in a file of this kind; `None` for files without rules.
fn marks(path: &str) -> Option<&'static [&'static str]> {
    match path.rsplit_once('.')?.1 {
        "rs" | "proto" => Some(&["//"]),
        "js" => Some(&["//", "/*", "* "]),
        "lua" => Some(&["--"]),
        _ => None,
    }
}

/// The checks and their tests contain the words that they find.
fn is_ours(path: &str) -> bool {
    path.starts_with("xtask/src/tidy")
}

fn cited(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '#');
    line.match_indices("docs/").filter_map(move |(at, _)| {
        let rest = &line[at..];
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let cited = rest[..end].trim_end_matches(['.', '#']);
        let is_whole = !line[..at].ends_with(is_part);
        (is_whole && cited.contains(".md")).then_some(cited)
    })
}

fn exists(tree: &Tree, cited: &str) -> bool {
    match cited.split_once('#') {
        Some((file, anchor)) => has_heading(tree, file, anchor),
        None => tree.has(cited),
    }
}
