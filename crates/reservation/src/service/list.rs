//! A person's reservations, newest first, page by page.
//!
//! The cursor is the last entry that was read, so a page costs what it shows and nothing of the
//! pages before. The index may lag behind, so each row found there is read again and filtered by
//! what it says now.

use super::Service;
use crate::refusal::Refusal;
use crate::rows::{BY_PERSON, Stored, reservation_of};
use contracts::error::WireError;
use domain::id::{PersonId, ReservationId, ShowId};
use domain::reservation::{Reservation, Status};
use domain::time::Timestamp;
use ports::store::{Entry, Key};

/// The most reservations of one page.
const PAGE_MAX: usize = 100;
/// Reservations of one page, where the caller gives no size.
const PAGE_DEFAULT: usize = 20;
/// The most reservations that are read for one page: a filter that matches nothing must not read
/// all of a person's reservations.
const LOOKED_AT_MAX: usize = 1_000;

/// Which reservations to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Of this person.
    pub person: PersonId,
    /// In this status only.
    pub status: Option<Status>,
    /// For this show only.
    pub show: Option<ShowId>,
    /// How many; 0 = 20, at most 100.
    pub page_size: usize,
    /// Where the page before this one ended; "" = from the newest.
    pub cursor: String,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub reservations: Vec<Reservation>,
    /// Where the next page starts; `None` if this was the last.
    pub next: Option<String>,
}

impl Service {
    /// Lists a person's reservations.
    pub async fn list(&self, listing: &Listing) -> Result<Page, Refusal> {
        let size = if listing.page_size == 0 { PAGE_DEFAULT } else { listing.page_size.min(PAGE_MAX) };
        let mut after = read_cursor(&listing.cursor)?;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            let person = listing.person.as_str();
            let entries =
                self.inner.table.due(BY_PERSON, person, after.as_ref(), Timestamp::MAX, PAGE_MAX).await;
            let entries = entries.map_err(Refusal::Store)?;
            let Some(last) = entries.last().cloned() else {
                return Ok(Page { reservations: found, next: None });
            };
            let keys: Vec<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
            let rows = self.inner.table.rows(&keys).await.map_err(Refusal::Store)?;
            looked_at += entries.len();
            for (entry, row) in entries.into_iter().zip(rows) {
                let reservation = row.and_then(|row| Stored::read(&row)).map(|stored| stored.reservation);
                if let Some(reservation) = reservation.filter(|r| listing.shows(r)) {
                    // A full page ends before the first reservation that does not fit.
                    if found.len() == size {
                        return Ok(Page { reservations: found, next: after.as_ref().map(cursor) });
                    }
                    found.push(reservation);
                }
                after = Some(entry);
            }
            after = Some(last);
            if looked_at >= LOOKED_AT_MAX {
                return Ok(Page { reservations: found, next: after.as_ref().map(cursor) });
            }
        }
    }
}

impl Listing {
    fn shows(&self, reservation: &Reservation) -> bool {
        reservation.person == self.person
            && self.status.is_none_or(|status| reservation.status == status)
            && self.show.as_ref().is_none_or(|show| reservation.show == *show)
    }
}

/// `<place>.<reservation>`: opaque to callers, and it contains no secret.
fn cursor(entry: &Entry) -> String {
    let id = reservation_of(&entry.key);
    format!("{}.{}", entry.at.as_millis(), id.as_ref().map(AsRef::as_ref).unwrap_or_default())
}

fn read_cursor(text: &str) -> Result<Option<Entry>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (at, id) = text.split_once('.')?;
        let at = Timestamp::from_millis(at.parse().ok()?);
        let id = ReservationId::parse(id).ok()?;
        Some(Entry { at, key: crate::rows::reservation_key(&id) })
    };
    read()
        .map(Some)
        .ok_or_else(|| WireError::invalid("cursor", "cursor is not one that a page returned").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_refused() {
        let id = ReservationId::parse("rsv_a.b").unwrap();
        let entry = Entry { at: Timestamp::from_millis(7), key: crate::rows::reservation_key(&id) };
        assert_eq!(read_cursor(&cursor(&entry)).unwrap(), Some(entry));
        assert_eq!(read_cursor("").unwrap(), None);
        for bad in ["x", "7", "7.", "-1.rsv", ".rsv", "99999999999999999999.rsv", "7.\n"] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }
}
