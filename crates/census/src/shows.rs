//! The definitions of shows, assembled from the rows seen so far.
//!
//! A show's own row is written last and names the partition of its sections, so the rows of a
//! definition that lost against another one under the same id do not count. Here the rows may come
//! in any order: every change of a row reads the show again, and the show is defined once that
//! succeeds.

use domain::id::{SeatId, ShowId};
use domain::invariant::{Section, World};
use domain::show::Show;
use inventory::rows::{SHOWS, read_show, sections_partition, show_key};
use ports::store::{Key, Row};
use std::collections::BTreeMap;
use std::sync::Arc;

const SECTIONS_PREFIX: &str = "show#";

/// The shows and the rows that define them.
#[derive(Debug, Default)]
pub(crate) struct Shows {
    /// The shows' own rows and the rows of their sections.
    rows: BTreeMap<Key, Row>,
    /// The shows whose rows are complete.
    defined: BTreeMap<ShowId, Show>,
}

/// Whether a row of the inventory belongs to the definition of a show.
pub(crate) fn defines(key: &Key) -> bool {
    &*key.partition == SHOWS || key.partition.starts_with(SECTIONS_PREFIX)
}

impl Shows {
    /// Sets or removes a row of a definition. If that changes the show, the world's sections and
    /// seats follow.
    pub(crate) fn set(&mut self, key: &Key, row: Option<&Row>, world: &mut World) {
        match row {
            Some(row) => drop(self.rows.insert(key.clone(), row.clone())),
            None => drop(self.rows.remove(key)),
        }
        let Some(id) = show_of(key) else { return };
        let show = self.read(&id);
        if show.as_ref() == self.defined.get(&id) {
            return;
        }
        world.sections.retain(|section| section.show != id);
        world.sections.extend(show.iter().flat_map(sections));
        for seat in world.seats.iter_mut().filter(|seat| seat.show == id) {
            seat.defined = show.as_ref().is_some_and(|show| show.locate(&seat.seat).is_some());
        }
        match show {
            Some(show) => drop(self.defined.insert(id, show)),
            None => drop(self.defined.remove(&id)),
        }
    }

    /// Whether a show is defined and has this seat.
    pub(crate) fn has_seat(&self, show: &ShowId, seat: &SeatId) -> bool {
        self.defined.get(show).is_some_and(|show| show.locate(seat).is_some())
    }

    /// A show with its own row but without a definition.
    pub(crate) fn undefined(&self) -> Option<Arc<str>> {
        let mut names = self.partition(SHOWS).map(|row| &row.key.sort);
        names.find(|name| !self.defined.contains_key(&***name)).cloned()
    }

    /// The show as its rows define it; `None` while rows are missing or damaged, which look the
    /// same from here.
    fn read(&self, id: &ShowId) -> Option<Show> {
        let row = self.rows.get(&show_key(id))?;
        let sections: Vec<Row> = self.partition(&sections_partition(row)?).cloned().collect();
        read_show(row, &sections).ok().filter(|show| show.id == *id)
    }

    /// The rows of a partition in the order of their keys.
    fn partition<'a>(&'a self, partition: &'a str) -> impl Iterator<Item = &'a Row> {
        let rows = self.rows.range(Key::new(partition, "")..).map(|(_, row)| row);
        rows.take_while(move |row| &*row.key.partition == partition)
    }
}

/// The show of a row of a definition. The id may contain the separator; the fingerprint behind it
/// does not.
fn show_of(key: &Key) -> Option<ShowId> {
    let id = match key.partition.strip_prefix(SECTIONS_PREFIX) {
        Some(rest) => rest.rsplit_once('#')?.0,
        None => &key.sort,
    };
    ShowId::parse(id).ok()
}

fn sections(show: &Show) -> impl Iterator<Item = Section> {
    show.sections.iter().map(|section| Section {
        show: show.id.clone(),
        section: section.id.clone(),
        capacity: u64::from(section.capacity()),
        reported: None,
    })
}
