//! What a buyer asks for, and of which show.

use domain::id::{SeatId, SectionId, ShowId};

/// The show and two of its sections.
#[derive(Debug, Clone)]
pub struct Venue {
    /// The show that everybody wants.
    pub show: ShowId,
    /// A section of named seats.
    pub named: SectionId,
    /// A section of general admission.
    pub places: SectionId,
}

/// Seats by name, or a number of seats of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The show.
    pub show: ShowId,
    /// The section, for seats without names.
    pub section: Option<SectionId>,
    /// The seats by name; empty for seats without names.
    pub seats: Vec<SeatId>,
    /// How many seats.
    pub quantity: u32,
}

impl Wish {
    /// These seats.
    pub fn named(show: &ShowId, seats: Vec<SeatId>) -> Self {
        Self { show: show.clone(), section: None, quantity: seats.len() as u32, seats }
    }

    /// Any seats of a section.
    pub fn any(show: &ShowId, section: &SectionId, quantity: u32) -> Self {
        Self { show: show.clone(), section: Some(section.clone()), seats: Vec::new(), quantity }
    }

    /// As many of these free seats as it wants, from `start` on; all of them if there are fewer.
    #[must_use]
    pub fn among(&self, free: &[SeatId], start: usize) -> Self {
        let count = (self.quantity as usize).min(free.len());
        Self::named(&self.show, free.iter().cycle().skip(start).take(count).cloned().collect())
    }

    /// Wishes that must be refused.
    pub(crate) fn nonsense(venue: &Venue) -> [Self; 6] {
        let Venue { show, named, places } = venue;
        let any = |show: &str, section: &str, quantity| Self {
            show: ShowId::parse(show).expect("a literal, or the name of a show"),
            section: Some(SectionId::parse(section).expect("a literal, or the name of a section")),
            seats: Vec::new(),
            quantity,
        };
        let seats = |numbers: &[u32], quantity| Self {
            quantity,
            ..Self::named(show, numbers.iter().map(|number| seat(named, *number)).collect())
        };
        [
            any("no-such-show", places.as_str(), 1),
            any(show.as_str(), "no-such-section", 1),
            any(show.as_str(), places.as_str(), 11),
            seats(&[1_000], 1),
            seats(&[1, 1], 2),
            seats(&[1], 3),
        ]
    }
}

/// A seat of the first row of a section.
fn seat(section: &SectionId, number: u32) -> SeatId {
    SeatId::parse(&format!("{section}-1-{number}")).expect("letters and numbers")
}
