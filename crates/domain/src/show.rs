//! Shows, their sections, and the names of their seats.
//!
//! A section is made of numbered rows, of listed seats, or of so many unnamed places (general admission). The name of a
//! seat and its place in the section follow from each other by arithmetic, so that a section of 200,000 seats needs no
//! table; only listed seats have one. A show never changes once it is on sale.

use crate::id::{SeatId, SectionId, ShowId};
use crate::limits::{SEATS_PER_BLOCK, SEATS_PER_SHOW_MAX, SECTIONS_PER_SHOW_MAX};
use crate::money::{Currency, Money};
use crate::seat::{SeatStatus, SeatView};
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A show on sale.
#[derive(Debug, Clone, PartialEq)]
pub struct Show {
    /// Its id.
    pub id: ShowId,
    /// For people.
    pub name: String,
    /// The currency of every price.
    pub currency: Currency,
    /// At least one.
    pub sections: Vec<Section>,
    /// How it is entered; none = anybody may reserve.
    pub waiting_room: Option<WaitingRoom>,
}

/// A section of a show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Unique within its show.
    pub id: SectionId,
    /// For people.
    pub name: String,
    /// Minor units a seat.
    pub price: u64,
    /// What it is made of.
    pub layout: Layout,
}

/// What a section is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Numbered rows: seats `<section>-<row>-<number>`.
    Rows(Vec<RowRange>),
    /// The ids of the seats, as they are.
    Listed(Listed),
    /// General admission: places `<section>-<n>`, n from 1.
    Places(u32),
}

/// One row: the seats `from` to `to`, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRange {
    /// Its name.
    pub row: String,
    /// Number of the first seat.
    pub from: u32,
    /// Number of the last seat.
    pub to: u32,
}

/// Listed seats with the way back from an id to its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    seats: Vec<SeatId>,
    places: BTreeMap<SeatId, u32>,
}

/// How a show is entered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaitingRoom {
    /// People a second.
    pub rate_per_sec: f64,
    /// People at once.
    pub burst: f64,
    /// Whether a reservation needs a pass.
    pub required: bool,
}

/// What is wrong with the definition of a show: the field, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidShow {
    /// The path of the field, such as `sections[1].rows[0]`.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for InvalidShow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

fn invalid(field: impl Into<String>, problem: impl Into<String>) -> InvalidShow {
    InvalidShow { field: field.into(), problem: problem.into() }
}

/// The place of a seat in its show: the section, and the index within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index of the section in [`Show::sections`].
    pub section: usize,
    /// Index of the seat within the section.
    pub index: u32,
}

impl Listed {
    /// Seats in the order in which they are listed. A seat that is listed twice is found at its first place.
    pub fn new(seats: Vec<SeatId>) -> Self {
        let mut places = BTreeMap::new();
        for (index, seat) in seats.iter().enumerate() {
            places.entry(seat.clone()).or_insert(index as u32);
        }
        Self { seats, places }
    }

    /// The ids in order.
    pub fn seats(&self) -> &[SeatId] {
        &self.seats
    }
}

impl RowRange {
    fn len(&self) -> u32 {
        self.to - self.from + 1
    }
}

impl Section {
    /// How many seats it has.
    pub fn capacity(&self) -> u32 {
        match &self.layout {
            Layout::Rows(rows) => rows.iter().map(RowRange::len).sum(),
            Layout::Listed(listed) => listed.seats.len() as u32,
            Layout::Places(places) => *places,
        }
    }

    /// Whether nobody names its seats.
    pub const fn is_general_admission(&self) -> bool {
        matches!(self.layout, Layout::Places(_))
    }

    /// Row and number of a place, both empty where seats have none. `None` outside the section.
    fn row_and_number(&self, index: u32) -> Option<(&str, String)> {
        match &self.layout {
            Layout::Rows(rows) => {
                let mut rest = index;
                for row in rows {
                    if rest < row.len() {
                        return Some((&row.row, (row.from + rest).to_string()));
                    }
                    rest -= row.len();
                }
                None
            }
            Layout::Listed(listed) => listed.seats.get(index as usize).map(|_| ("", String::new())),
            Layout::Places(places) => (index < *places).then(|| ("", (index + 1).to_string())),
        }
    }

    /// The id of the seat at a place. `None` outside the section.
    pub fn seat_id(&self, index: u32) -> Option<SeatId> {
        if let Layout::Listed(listed) = &self.layout {
            return listed.seats.get(index as usize).cloned();
        }
        let (row, number) = self.row_and_number(index)?;
        let text = match &self.layout {
            Layout::Rows(_) => format!("{}-{row}-{number}", self.id),
            _ => format!("{}-{number}", self.id),
        };
        SeatId::parse(&text).ok()
    }

    /// The place of a seat in this section.
    pub fn index_of(&self, seat: &SeatId) -> Option<u32> {
        match &self.layout {
            Layout::Listed(listed) => listed.places.get(seat).copied(),
            Layout::Places(places) => {
                let number = number(seat.as_str().strip_prefix(self.id.as_str())?.strip_prefix('-')?)?;
                (1..=*places).contains(&number).then(|| number - 1)
            }
            Layout::Rows(rows) => {
                let rest = seat.as_str().strip_prefix(self.id.as_str())?.strip_prefix('-')?;
                // A row's name may contain dashes; a number does not.
                let (name, digits) = rest.rsplit_once('-')?;
                let number = number(digits)?;
                let mut before = 0;
                for row in rows {
                    if row.row == name && (row.from..=row.to).contains(&number) {
                        return Some(before + number - row.from);
                    }
                    before += row.len();
                }
                None
            }
        }
    }

    /// The seat at a place as buyers see it. `None` outside the section.
    pub fn view(&self, index: u32, currency: &Currency, status: SeatStatus) -> Option<SeatView> {
        let (row, number) = self.row_and_number(index)?;
        Some(SeatView {
            id: self.seat_id(index)?,
            section: self.id.clone(),
            row: row.to_owned(),
            number,
            price: Money { amount: self.price, currency: currency.clone() },
            status,
        })
    }

    /// How many blocks of rows it has in the store.
    pub fn blocks(&self) -> u32 {
        self.capacity().div_ceil(SEATS_PER_BLOCK)
    }
}

/// A number as seat ids carry it: without sign and without leading zeros, so that a seat has one name.
fn number(digits: &str) -> Option<u32> {
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}

impl Show {
    /// Checks a definition. All problems are found, in the order of the fields.
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
        let total: u64 = self.sections.iter().map(|section| capacity_claimed(section)).sum();
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

    /// A seat id must name one seat of the show. Ids of different sections can only meet where one section's id is
    /// another's with more behind a dash, or where seats are listed; looking every id of those up is exact and cheap.
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

    /// Seats of all sections.
    pub fn total_seats(&self) -> u32 {
        self.sections.iter().map(Section::capacity).sum()
    }

    /// Finds a seat.
    pub fn locate(&self, seat: &SeatId) -> Option<Place> {
        self.sections
            .iter()
            .enumerate()
            .find_map(|(section, found)| found.index_of(seat).map(|index| Place { section, index }))
    }

    /// Finds the section for unnamed seats: the one that is named, or the only one.
    pub fn section_for(&self, section: Option<&SectionId>) -> Option<usize> {
        match section {
            Some(id) => self.sections.iter().position(|found| found.id == *id),
            None => (self.sections.len() == 1).then_some(0),
        }
    }

    /// Whether a reservation needs a pass of the waiting room.
    pub fn requires_pass(&self) -> bool {
        self.waiting_room.is_some_and(|room| room.required)
    }
}

fn starts_with_dash(long: &SectionId, short: &SectionId) -> bool {
    long.as_str().strip_prefix(short.as_str()).is_some_and(|rest| rest.starts_with('-'))
}

/// Seats by the definition, without trusting that `from <= to`.
fn capacity_claimed(section: &Section) -> u64 {
    match &section.layout {
        Layout::Rows(rows) => {
            rows.iter().map(|row| (u64::from(row.to) + 1).saturating_sub(u64::from(row.from))).sum()
        }
        _ => u64::from(section.capacity()),
    }
}

fn check_section(n: usize, section: &Section, problems: &mut Vec<InvalidShow>) {
    match &section.layout {
        Layout::Rows(rows) => check_rows(n, section, rows, problems),
        Layout::Listed(listed) => {
            if listed.seats.is_empty() {
                problems.push(invalid(format!("sections[{n}].seats"), "list at least one seat"));
            }
            if listed.places.len() != listed.seats.len() {
                problems.push(invalid(format!("sections[{n}].seats"), "a seat is listed twice"));
            }
        }
        Layout::Places(0) => problems.push(invalid(format!("sections[{n}].capacity"), "must be at least 1")),
        Layout::Places(_) => {
            if section.id.as_str().len() + 11 > crate::id::ID_BYTES_MAX {
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
        if section.id.as_str().len() + row.row.len() + 12 > crate::id::ID_BYTES_MAX {
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

/// Shows are shared by every request that reads them.
pub type SharedShow = Arc<Show>;

#[cfg(test)]
mod tests;
