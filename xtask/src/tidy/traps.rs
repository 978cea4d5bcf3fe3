//! `docs/traps.md`: a table with a row for each trap, `| T-T1 | … | tests |`. The last cell names
//! tests in backticks.
//!
//! Each named test must be a function in the sources. A trap without tests yet says "issue" in its
//! last cell. The ids begin with `T-`, because invariants have names such as T1, too.

use super::Finding;
use crate::source::code;
use crate::tree::Tree;
use std::collections::BTreeSet;

const TABLE: &str = "docs/traps.md";

/// Letters and counts of the traps that must have a row.
const REQUIRED: &[(char, u32)] = &[('T', 14), ('S', 9), ('M', 5)];

pub(super) fn answered(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.files.get(TABLE) else {
        return vec![Finding::new(
            TABLE,
            0,
            "is missing: the table of traps and the tests that would catch them",
        )];
    };
    let functions = functions(tree);
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in table.lines().enumerate() {
        let Some((trap, last)) = row(line) else { continue };
        seen.insert(trap.to_owned());
        let finding = |text: String| Finding::new(TABLE, number + 1, text);
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).filter_map(test_name).collect();
        if tests.is_empty() && !last.contains("issue") {
            findings.push(finding(format!("{trap} names no test and no later issue")));
        }
        let missing = tests.iter().filter(|test| !functions.contains(**test));
        findings.extend(missing.map(|test| finding(format!("{trap}: there is no test `{test}`"))));
    }
    for (letter, count) in REQUIRED {
        let ids = (1..=*count).map(|number| format!("T-{letter}{number}"));
        let absent = ids.filter(|id| !seen.contains(id));
        findings.extend(absent.map(|id| Finding::new(TABLE, 0, format!("{id} has no row"))));
    }
    findings
}

/// The trap and the last cell of a row of the table.
fn row(line: &str) -> Option<(&str, &str)> {
    let cells: Vec<&str> =
        line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let trap = cells.first()?.trim_matches(['*', '`', ' ']);
    let (letter, number) = trap.strip_prefix("T-")?.split_at_checked(1)?;
    let is_trap = letter.chars().all(|c| c.is_ascii_uppercase()) && number.parse::<u32>().is_ok();
    (is_trap && cells.len() > 1).then(|| (trap, cells[cells.len() - 1]))
}

/// The function in `worker::lanes::a_head_is_not_overtaken`; `None` for something else, such as a
/// file.
fn test_name(text: &str) -> Option<&str> {
    let name = text.rsplit("::").next()?.trim_end_matches("()");
    let is_function =
        name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_function.then_some(name)
}

fn functions(tree: &Tree) -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for (_, text) in tree.sources() {
        for line in code(text).lines() {
            let Some((_, rest)) = line.split_once("fn ") else { continue };
            functions.extend(rest.split(['(', '<']).next().map(|name| name.trim().to_owned()));
        }
    }
    functions
}
