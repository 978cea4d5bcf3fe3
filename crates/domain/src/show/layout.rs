//! The layout of a section, and the mapping between the name of a seat and its place.
//!
//! Both directions are arithmetic or a binary search: a hold uses them for each of its seats, in
//! sections of thousands of rows. The lookup tables are built once, with the layout. They accept
//! any definition; [`super::Show::check`] finds what is wrong with it.

use crate::id::SeatId;
use core::fmt;
use std::collections::BTreeMap;

/// The layout of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Numbered rows: seats `<section>-<row>-<number>`.
    Rows(Rows),
    /// The ids of the seats, as given.
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

impl RowRange {
    /// Its number of seats, without trusting that `from <= to`.
    pub(super) fn len(&self) -> u64 {
        (u64::from(self.to) + 1).saturating_sub(u64::from(self.from))
    }
}

/// Rows of numbered seats, in the order of their definition.
#[derive(Clone, PartialEq, Eq)]
pub struct Rows {
    ranges: Vec<RowRange>,
    /// The place of the first seat of each range.
    starts: Vec<u32>,
    /// The ranges by row and first number.
    by_name: Vec<u32>,
    capacity: u32,
}

impl Rows {
    /// Rows in the order of their definition; a row may have several ranges.
    pub fn new(ranges: Vec<RowRange>) -> Self {
        let mut starts = Vec::with_capacity(ranges.len());
        let mut capacity = 0u32;
        for range in &ranges {
            starts.push(capacity);
            capacity = capacity.saturating_add(u32::try_from(range.len()).unwrap_or(u32::MAX));
        }
        let mut by_name: Vec<u32> = (0..ranges.len() as u32).collect();
        by_name.sort_by(|a, b| {
            let (a, b) = (&ranges[*a as usize], &ranges[*b as usize]);
            (&a.row, a.from).cmp(&(&b.row, b.from))
        });
        Self { ranges, starts, by_name, capacity }
    }

    /// The rows as they were defined.
    pub fn ranges(&self) -> &[RowRange] {
        &self.ranges
    }

    /// The number of seats in all rows.
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Row and number of a place.
    pub(super) fn at(&self, index: u32) -> Option<(&str, u32)> {
        if index >= self.capacity {
            return None;
        }
        let nth = self.starts.partition_point(|start| *start <= index).checked_sub(1)?;
        let range = &self.ranges[nth];
        Some((&range.row, range.from + (index - self.starts[nth])))
    }

    /// The place of a number in a row.
    pub(super) fn find(&self, row: &str, number: u32) -> Option<u32> {
        let behind = self.by_name.partition_point(|nth| {
            let range = &self.ranges[*nth as usize];
            (range.row.as_str(), range.from) <= (row, number)
        });
        let nth = self.by_name[behind.checked_sub(1)?] as usize;
        let range = &self.ranges[nth];
        (range.row == row && number <= range.to).then(|| self.starts[nth] + (number - range.from))
    }
}

/// Prints only the definition: the tables follow from it.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.ranges).finish()
    }
}

/// Listed seats, with the mapping from an id to its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    seats: Vec<SeatId>,
    places: BTreeMap<SeatId, u32>,
}

impl Listed {
    /// Seats in the listed order. A seat that is listed twice is found at its first place.
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

    /// The place of a seat.
    pub(super) fn find(&self, seat: &SeatId) -> Option<u32> {
        self.places.get(seat).copied()
    }

    /// Whether a seat is listed twice.
    pub(super) fn repeats(&self) -> bool {
        self.places.len() != self.seats.len()
    }
}
