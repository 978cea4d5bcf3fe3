//! The rules for the definition of a show. A check finds every problem and names its field.

use super::{InvalidShow, Layout, RowRange, Section, Show, WaitingRoom};
use crate::id::{ID_BYTES_MAX, SectionId};
use crate::limits::{SEATS_PER_SHOW_MAX, SECTIONS_PER_SHOW_MAX};
use std::collections::{BTreeMap, BTreeSet};

fn invalid(field: impl Into<String>, problem: impl Into<String>) -> InvalidShow {
    InvalidShow { field: field.into(), problem: problem.into() }
}

impl Show {
    /// Checks a definition. Returns all problems, in the order of the fields.
    pub fn check(&self) -> Result<(), Vec<InvalidShow>> {
        let mut problems = Vec::new();
        if self.sections.is_empty() {
            problems.push(invalid("sections", "a show needs at least one section"));
        }
        if self.sections.len() > SECTIONS_PER_SHOW_MAX {
            problems.push(invalid("sections", format!("at most {SECTIONS_PER_SHOW_MAX} sections in a show")));
        }
        let mut ids = BTreeSet::new();
        for (n, section) in self.sections.iter().enumerate() {
            if !ids.insert(&section.id) {
                problems.push(invalid(format!("sections[{n}].id"), format!("{} is used twice", section.id)));
            }
            check_section(n, section, &mut problems);
        }
        let total: u64 = self.sections.iter().map(capacity_claimed).sum();
        if total > u64::from(SEATS_PER_SHOW_MAX) {
            problems
                .push(invalid("sections", format!("{total} seats, at most {SEATS_PER_SHOW_MAX} in a show")));
        }
        if let Some(room) = &self.waiting_room {
            check_waiting_room(room, &mut problems);
        }
        if problems.is_empty() {
            self.check_names(&mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// A seat id must name one seat of the show. Ids of different sections can only meet in two
    /// cases: one section's id is another's plus a dash and more, or a section lists its seats. In
    /// these cases looking up every id is exact and cheap.
    fn check_names(&self, problems: &mut Vec<InvalidShow>) {
        for (n, section) in self.sections.iter().enumerate() {
            let listed = matches!(section.layout, Layout::Listed(_));
            let meets = |other: &Section| {
                listed
                    || matches!(other.layout, Layout::Listed(_))
                    || starts_with_dash(&section.id, &other.id)
                    || starts_with_dash(&other.id, &section.id)
            };
            let others: Vec<&Section> = self.sections[..n].iter().filter(|other| meets(other)).collect();
            if others.is_empty() {
                continue;
            }
            for index in 0..section.capacity() {
                let Some(seat) = section.seat_id(index) else { continue };
                if let Some(other) = others.iter().find(|other| other.index_of(&seat).is_some()) {
                    let problem = format!("seat {seat} is in section {} already", other.id);
                    problems.push(invalid(format!("sections[{n}]"), problem));
                    return;
                }
            }
        }
    }
}

fn starts_with_dash(long: &SectionId, short: &SectionId) -> bool {
    long.as_str().strip_prefix(short.as_str()).is_some_and(|rest| rest.starts_with('-'))
}

/// Seats in the definition, in a type that cannot overflow, whatever a request says.
fn capacity_claimed(section: &Section) -> u64 {
    match &section.layout {
        Layout::Rows(rows) => rows.ranges().iter().map(RowRange::len).sum(),
        _ => u64::from(section.capacity()),
    }
}

fn check_section(n: usize, section: &Section, problems: &mut Vec<InvalidShow>) {
    match &section.layout {
        Layout::Rows(rows) => check_rows(n, section, rows.ranges(), problems),
        Layout::Listed(listed) => {
            if listed.seats().is_empty() {
                problems.push(invalid(format!("sections[{n}].seats"), "list at least one seat"));
            }
            if listed.repeats() {
                problems.push(invalid(format!("sections[{n}].seats"), "a seat is listed twice"));
            }
        }
        Layout::Places(0) => problems.push(invalid(format!("sections[{n}].capacity"), "must be at least 1")),
        Layout::Places(_) => {
            if section.id.as_str().len() + 11 > ID_BYTES_MAX {
                problems.push(invalid(format!("sections[{n}].id"), "too long for the ids of its seats"));
            }
        }
    }
}

fn check_rows(n: usize, section: &Section, rows: &[RowRange], problems: &mut Vec<InvalidShow>) {
    if rows.is_empty() {
        problems.push(invalid(format!("sections[{n}].rows"), "name at least one row"));
    }
    let mut names: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
    for (r, row) in rows.iter().enumerate() {
        let field = format!("sections[{n}].rows[{r}]");
        if row.from > row.to {
            problems.push(invalid(field, format!("from {} is after to {}", row.from, row.to)));
            continue;
        }
        if row.row.is_empty() || row.row.chars().any(char::is_control) {
            problems.push(invalid(format!("{field}.row"), "must be a name without control characters"));
        }
        if section.id.as_str().len() + row.row.len() + 12 > ID_BYTES_MAX {
            problems.push(invalid(format!("{field}.row"), "too long for the ids of its seats"));
        }
        let ranges = names.entry(&row.row).or_default();
        if ranges.iter().any(|(from, to)| row.from <= *to && *from <= row.to) {
            problems.push(invalid(field, format!("row {} has a seat twice", row.row)));
        }
        ranges.push((row.from, row.to));
    }
}

fn check_waiting_room(room: &WaitingRoom, problems: &mut Vec<InvalidShow>) {
    for (name, value) in [("rate_per_sec", room.rate_per_sec), ("burst", room.burst)] {
        if !(value.is_finite() && value > 0.0) {
            problems.push(invalid(format!("waiting_room.{name}"), "must be above 0"));
        }
    }
}
