//! The rows of a show: one for itself, one for each section, and parts for long lists of rows or
//! seats.

use super::definition::fingerprint;
use super::unreadable;
use domain::id::{SeatId, SectionId, ShowId};
use domain::money::Currency;
use domain::show::{Layout, Listed, RowRange, Rows, Section, Show, WaitingRoom};
use ports::Fault;
use ports::store::{Attributes, Expect, Key, Row, Write};
use std::sync::Arc;

/// The partition that lists every show.
pub const SHOWS: &str = "shows";
/// Rows or seats in one part: 1,000 ids of 128 bytes stay far below the 400 KB of a row.
const PART: usize = 1_000;

/// The key of a show.
pub fn show_key(show: &ShowId) -> Key {
    Key::new(SHOWS, show.as_str())
}

/// The write of a show's own row, which makes the show exist.
pub fn show_put(show: &Show) -> Write {
    let mut attributes = Attributes::new()
        .with("event_id", show.id.as_str())
        .with("name", show.name.as_str())
        .with("currency", show.currency.as_str())
        .with("sections", show.sections.len() as u64)
        .with("total_seats", show.total_seats())
        .with("definition", format!("{:016x}", fingerprint(show)));
    if let Some(room) = &show.waiting_room {
        attributes = attributes
            .with("waiting_room_rate", room.rate_per_sec.to_string())
            .with("waiting_room_burst", room.burst.to_string())
            .with("waiting_room_required", room.required);
    }
    Write::Put { key: show_key(&show.id), expect: Expect::Absent, attributes, indexes: Vec::new() }
}

/// The partition of a show's sections. It names the definition, so that two operators who create
/// different shows under one id cannot mix their sections: the first one to write the show's own
/// row decides which sections count.
fn partition(show: &Show) -> String {
    format!("show#{}#{:016x}", show.id, fingerprint(show))
}

/// The partition of the sections, from the show's own row.
pub fn sections_partition(row: &Row) -> Option<String> {
    Some(format!("show#{}#{}", row.key.sort, row.attributes.text("definition")?))
}

/// The rows of a show's sections; write them before the show's own row.
pub fn section_rows(show: &Show) -> Vec<(Key, Attributes)> {
    let mut rows = Vec::new();
    for (n, section) in show.sections.iter().enumerate() {
        let (layout, items): (&str, Vec<Arc<str>>) = match &section.layout {
            Layout::Places(_) => ("places", Vec::new()),
            Layout::Rows(rows) => ("rows", rows.ranges().iter().map(range_text).collect()),
            Layout::Listed(listed) => {
                ("seats", listed.seats().iter().map(|seat| seat.as_str().into()).collect())
            }
        };
        let attributes = Attributes::new()
            .with("section", section.id.as_str())
            .with("name", section.name.as_str())
            .with("price", section.price)
            .with("layout", layout)
            .with("capacity", section.capacity())
            .with("parts", items.len().div_ceil(PART) as u64);
        rows.push((Key::new(partition(show), format!("section#{n:04}")), attributes));
        for (part, items) in items.chunks(PART).enumerate() {
            let key = Key::new(partition(show), format!("section#{n:04}#{part:04}"));
            rows.push((key, Attributes::new().with("items", items.to_vec())));
        }
    }
    rows
}

/// A row as text: `1-50 A` means the seats 1 to 50 of row A.
fn range_text(range: &RowRange) -> Arc<str> {
    format!("{}-{} {}", range.from, range.to, range.row).into()
}

fn range(text: &str) -> Option<RowRange> {
    let (span, row) = text.split_once(' ')?;
    let (from, to) = span.split_once('-')?;
    Some(RowRange { row: row.to_owned(), from: from.parse().ok()?, to: to.parse().ok()? })
}

/// Reads a show from its own row and the rows of its sections, in the order of their keys.
pub fn read_show(row: &Row, sections: &[Row]) -> Result<Show, Fault> {
    parse(row, sections).ok_or_else(|| unreadable("show", &row.key))
}

fn parse(row: &Row, rows: &[Row]) -> Option<Show> {
    let a = &row.attributes;
    let mut sections = Vec::new();
    let mut rows = rows.iter();
    while let Some(section) = rows.next() {
        let a = &section.attributes;
        let mut items: Vec<Arc<str>> = Vec::new();
        for _ in 0..a.number("parts")? {
            items.extend_from_slice(rows.next()?.attributes.texts("items")?);
        }
        let layout = match &**a.text("layout")? {
            "places" => Layout::Places(u32::try_from(a.number("capacity")?).ok()?),
            "rows" => Layout::Rows(Rows::new(items.iter().map(|text| range(text)).collect::<Option<_>>()?)),
            "seats" => {
                let seats = items.iter().map(|seat| SeatId::parse(seat).ok()).collect::<Option<_>>()?;
                Layout::Listed(Listed::new(seats))
            }
            _ => return None,
        };
        sections.push(Section {
            id: SectionId::parse(a.text("section")?).ok()?,
            name: a.text("name")?.to_string(),
            price: u64::try_from(a.number("price")?).ok()?,
            layout,
        });
    }
    if a.number("sections")? != sections.len() as i64 {
        return None;
    }
    let waiting_room = match a.text("waiting_room_rate") {
        Some(rate) => Some(WaitingRoom {
            rate_per_sec: rate.parse().ok()?,
            burst: a.text("waiting_room_burst")?.parse().ok()?,
            required: a.flag("waiting_room_required")?,
        }),
        None => None,
    };
    Some(Show {
        id: ShowId::parse(a.text("event_id")?).ok()?,
        name: a.text("name")?.to_string(),
        currency: Currency::parse(a.text("currency")?)?,
        sections,
        waiting_room,
    })
}
