//! Reading the index: all of it at the start, and then slowly, for rows that were not announced to
//! this process. Rows that are known already change nothing.

use super::Relay;
use crate::due::Found;
use crate::id::CompactId;
use crate::row::event_id_of;
use ports::plant::{Plant, planted};
use ports::store::Entry;

impl Relay {
    /// Reads every waiting row, until the store has answered for all shards. Nothing is published
    /// before, so that no row overtakes an earlier one of its reservation that is not read yet.
    pub(super) async fn recover(&mut self) {
        let began = self.ports.clock.now();
        let state = &self.state;
        let trouble = |why: String| {
            state.send_if_modified(|state| state.store.replace(why).is_none());
        };
        let all = self.rescan.reader().all(agenda_entry, trouble).await;
        let rows = all.len();
        self.agenda.add_all(all);
        self.rescan.set_all_read(began);
        self.count();
        self.state_set(|state| (state.starting, state.store) = (false, None));
        tracing::info!(rows, "outbox read");
    }

    /// Starts a rescan when it is time and none is running.
    pub(super) fn start_rescan(&mut self) {
        if self.rescans.is_empty() {
            let rescan = self.rescan.start();
            self.rescans.extend(rescan.filter(|_| !planted(Plant::NotRescanned)));
        }
    }

    /// Adds the rows of a rescan to the agenda.
    pub(super) fn found(&mut self, found: Found) {
        let mut unknown = 0_u32;
        for (due_ms, id) in self.rescan.found(found).iter().filter_map(agenda_entry) {
            unknown += u32::from(self.agenda.add(due_ms, id));
        }
        if unknown > 0 {
            tracing::info!(rows = unknown, "found overdue events with no local timer");
        }
    }
}

/// The agenda's form of an entry: its due time and its compact id.
fn agenda_entry(entry: &Entry) -> Option<(u64, CompactId)> {
    event_id_of(&entry.key).map(|id| (entry.at.as_millis(), CompactId::new(id)))
}
