//! From a confirmed message to a deleted row.

use super::{DeleteAnswer, Relay, Rest};
use crate::id::CompactId;
use crate::row::row_key;
use domain::limits::ROWS_PER_COMMIT_MAX;
use ports::store::{CommitError, Expect, Write};
use ports::{Fault, clock};

impl Relay {
    /// Deletes all sent rows that wait, up to a commit's limit at a time, so batches form under
    /// load.
    pub(super) fn start_deletes(&mut self) {
        if self.ports.clock.elapsed() < self.delete_rest.until {
            return;
        }
        while self.deletes.len() < self.options.deletes_in_flight_max && !self.sent.is_empty() {
            let batch: Vec<CompactId> = self.sent.drain(..self.sent.len().min(ROWS_PER_COMMIT_MAX)).collect();
            let (ports, limit) = (self.ports.clone(), self.options.call_timeout);
            self.deletes.push(Box::pin(async move {
                let writes =
                    batch.iter().map(|id| Write::Delete { key: row_key(&id.text()), expect: Expect::Any });
                let committed =
                    clock::timeout(&*ports.clock, limit, ports.store.commit(writes.collect())).await;
                let result = match committed {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(CommitError::Failed(fault) | CommitError::Ambiguous(fault))) => Err(fault),
                    Ok(Err(CommitError::Conflict { .. })) => {
                        Err(Fault::transient("an unconditional delete conflicted"))
                    }
                    Err(_) => Err(Fault::unavailable("deleting outbox rows took too long")),
                };
                (batch, result)
            }));
        }
    }

    /// Handles the answer of one delete. An ambiguous one is repeated: deleting twice changes
    /// nothing.
    pub(super) fn deleted(&mut self, (batch, result): DeleteAnswer) {
        match result {
            Ok(()) => {
                self.delete_rest = Rest::default();
                self.state_set(|state| state.store = None);
                for id in &batch {
                    self.agenda.forget(id);
                }
            }
            Err(fault) => {
                let failures = self.delete_rest.failures.saturating_add(1);
                let until = self.ports.clock.elapsed() + self.rest(failures);
                self.delete_rest = Rest { failures, until };
                let error = fault.chain();
                tracing::warn!(failures, error, "published events not deleted from the outbox; retrying");
                self.state_set(|state| state.store = Some(error.clone()));
                self.sent.extend(batch);
            }
        }
    }
}
