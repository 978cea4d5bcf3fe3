//! Shows, their sections, and the names of their seats.
//!
//! A section has numbered rows, listed seats, or a number of unnamed places (general admission).
//! The name of a seat and its place in the section follow from each other, so a section of 200,000
//! seats needs no table of them; only listed seats have one. A show never changes once it is on
//! sale. [`Show::check`] says whether a definition makes sense, and which fields are wrong.

use crate::id::{SeatId, SectionId, ShowId};
use crate::limits::SEATS_PER_BLOCK;
use crate::money::{Currency, Money};
use crate::seat::{SeatStatus, SeatView};
use core::fmt;

mod check;
mod layout;

pub use layout::{Layout, Listed, RowRange, Rows};

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
    /// How buyers enter; `None` = anyone may reserve.
    pub waiting_room: Option<WaitingRoom>,
}

/// A section of a show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Unique within its show.
    pub id: SectionId,
    /// For people.
    pub name: String,
    /// Minor units per seat.
    pub price: u64,
    /// Its seats.
    pub layout: Layout,
}

/// How buyers enter a show.
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

/// The place of a seat in its show: the section, and the index within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index of the section in [`Show::sections`].
    pub section: usize,
    /// Index of the seat within the section.
    pub index: u32,
}

impl Section {
    /// The number of its seats.
    pub fn capacity(&self) -> u32 {
        match &self.layout {
            Layout::Rows(rows) => rows.capacity(),
            Layout::Listed(listed) => listed.seats().len() as u32,
            Layout::Places(places) => *places,
        }
    }

    /// The id of the seat at a place. `None` outside the section.
    pub fn seat_id(&self, index: u32) -> Option<SeatId> {
        let text = match &self.layout {
            Layout::Listed(listed) => return listed.seats().get(index as usize).cloned(),
            Layout::Rows(rows) => {
                let (row, number) = rows.at(index)?;
                format!("{}-{row}-{number}", self.id)
            }
            Layout::Places(places) if index < *places => format!("{}-{}", self.id, index + 1),
            Layout::Places(_) => return None,
        };
        SeatId::parse(&text).ok()
    }

    /// The place of a seat in this section.
    pub fn index_of(&self, seat: &SeatId) -> Option<u32> {
        let in_section = || seat.as_str().strip_prefix(self.id.as_str())?.strip_prefix('-');
        match &self.layout {
            Layout::Listed(listed) => listed.find(seat),
            Layout::Places(places) => {
                let number = number(in_section()?)?;
                (1..=*places).contains(&number).then(|| number - 1)
            }
            Layout::Rows(rows) => {
                // A row's name may contain dashes; a number does not.
                let (row, digits) = in_section()?.rsplit_once('-')?;
                rows.find(row, number(digits)?)
            }
        }
    }

    /// The seat at a place as buyers see it. `None` outside the section.
    pub fn view(&self, index: u32, currency: &Currency, status: SeatStatus) -> Option<SeatView> {
        self.view_of(self.seat_id(index)?, index, currency, status)
    }

    /// The seat at a place as buyers see it, for a caller that already has its id. `None` outside
    /// the section.
    pub fn view_of(
        &self,
        id: SeatId,
        index: u32,
        currency: &Currency,
        status: SeatStatus,
    ) -> Option<SeatView> {
        let (row, number) = match &self.layout {
            Layout::Rows(rows) => rows.at(index).map(|(row, number)| (row.to_owned(), number.to_string()))?,
            Layout::Listed(listed) => listed.seats().get(index as usize).map(|_| Default::default())?,
            Layout::Places(places) => (index < *places).then(|| (String::new(), (index + 1).to_string()))?,
        };
        Some(SeatView {
            id,
            section: self.id.clone(),
            row,
            number,
            price: Money { amount: self.price, currency: currency.clone() },
            status,
        })
    }

    /// The number of its blocks of rows in the store.
    pub fn blocks(&self) -> u32 {
        self.capacity().div_ceil(SEATS_PER_BLOCK)
    }
}

/// A number as seat ids carry it: without sign and leading zeros, so that a seat has one name.
fn number(digits: &str) -> Option<u32> {
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}

impl Show {
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

    /// Finds the section for unnamed seats: the named one, or the only one.
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

#[cfg(test)]
mod tests;
