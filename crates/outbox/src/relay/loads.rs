//! From a due key to a row in its lane.

use super::{LoadAnswer, Loaded, Relay, RelayPorts};
use crate::backoff;
use crate::row::{PendingRow, row_key};
use core::time::Duration;
use domain::limits::ROWS_PER_COMMIT_MAX;
use ports::store::Row;
use ports::{Fault, clock};
use std::sync::Arc;

/// The most keys of one `get`: the port's limit is that of a commit.
const KEYS_MAX: usize = ROWS_PER_COMMIT_MAX;

impl Relay {
    /// How many keys may be taken now.
    pub(super) fn load_room(&self) -> usize {
        if self.loads.len() >= self.options.loads_in_flight_max {
            return 0;
        }
        let in_flight = self.loads.len() * KEYS_MAX;
        self.options.loaded_max.saturating_sub(self.lanes.rows() + in_flight)
    }

    /// Starts reading the due rows.
    pub(super) fn start_loads(&mut self) {
        let horizon_ms = self.horizon().as_millis();
        loop {
            let ids = self.agenda.take_due(horizon_ms, self.load_room().min(KEYS_MAX));
            if ids.is_empty() {
                return;
            }
            let (ports, options, state) = (self.ports.clone(), self.options.clone(), Arc::clone(&self.state));
            self.loads.push_back(Box::pin(async move {
                let keys: Vec<_> = ids.iter().map(|id| row_key(&id.text())).collect();
                let mut dice = ports.dice.clone();
                let mut failures = 0;
                loop {
                    match read(&ports, options.call_timeout, &keys).await {
                        Ok(rows) => {
                            state.send_if_modified(|state| state.store.take().is_some());
                            return ids.into_iter().zip(rows.into_iter().map(|row| row.map(parse))).collect();
                        }
                        Err(fault) => {
                            failures += 1;
                            let why = fault.chain();
                            tracing::warn!(error = why, failures, "outbox not read; retrying");
                            state.send_if_modified(|state| state.store.replace(why).is_none());
                            let rest =
                                backoff::rest(failures, options.rest_first, options.rest_max, &mut dice);
                            ports.clock.sleep(rest).await;
                        }
                    }
                }
            }));
        }
    }

    /// Puts loaded rows into their lanes.
    pub(super) fn loaded(&mut self, rows: LoadAnswer) {
        let horizon = self.horizon();
        for (id, row) in rows {
            match row {
                // Withdrawn by its owner, or published by another instance.
                None => self.agenda.forget(&id),
                Some(Loaded::Row(row)) if row.due > horizon => self.agenda.put_back(row.due.as_millis(), id),
                Some(Loaded::Row(row)) => self.lanes.push(row),
                Some(Loaded::Unreadable) => {
                    // Only an operator can tell what the event was. The row stays in the store, and
                    // each whole rescan reports it again.
                    tracing::error!(
                        event_id = id.text(),
                        "unreadable outbox row: it lacks its body, time or reservation"
                    );
                    self.agenda.forget(&id);
                }
            }
        }
    }
}

async fn read(
    ports: &RelayPorts,
    limit: Duration,
    keys: &[ports::store::Key],
) -> Result<Vec<Option<Row>>, Fault> {
    let rows = clock::timeout(&*ports.clock, limit, ports.store.get(keys))
        .await
        .unwrap_or_else(|_| Err(Fault::unavailable("reading outbox rows took too long")))?;
    if rows.len() == keys.len() {
        Ok(rows)
    } else {
        Err(Fault::transient(format!("asked for {} rows, got {}", keys.len(), rows.len())))
    }
}

fn parse(row: Row) -> Loaded {
    PendingRow::read(&row).map_or(Loaded::Unreadable, Loaded::Row)
}
