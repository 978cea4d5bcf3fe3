//! What this service knows about one reservation's past, for `tacos trace`.

use super::Service;
use crate::refusal::Refusal;
use crate::rows::IdempotencyRow;
use contracts::time::rfc3339;
use domain::id::ReservationId;
use domain::time::Timestamp;
use outbox::PendingRow;
use serde::Serialize;

/// One line: time, layer, text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TraceLine {
    /// RFC 3339.
    pub at: String,
    /// `reservation` or `outbox`.
    pub layer: &'static str,
    /// What happened, for a person.
    pub what: String,
}

impl Service {
    /// The lines of one reservation, ordered by time; the announcement of its expiry has its due
    /// time.
    pub async fn trace(&self, id: &ReservationId) -> Result<Vec<TraceLine>, Refusal> {
        let stored = self.get(id, None).await?;
        let event = outbox::expired_event_id(id);
        let keys = [IdempotencyRow::key(id), outbox::row_key(event.as_str())];
        let [record, waiting] = self.inner.table.get(keys).await.map_err(Refusal::Store)?;
        let mut lines: Vec<(Timestamp, &'static str, String)> = stored
            .history
            .entries()
            .into_iter()
            .map(|entry| (entry.at, "reservation", entry.text.to_string()))
            .collect();
        if let Some(record) = record.and_then(|row| IdempotencyRow::read(&row)) {
            lines.push((
                record.created_at,
                "reservation",
                "answer recorded under its Idempotency-Key".to_owned(),
            ));
        }
        if let Some(waiting) = waiting.and_then(|row| PendingRow::read(&row)) {
            lines.push((waiting.due, "outbox", format!("reservation.expired waits as {}", waiting.event_id)));
        }
        lines.sort_by_key(|(at, ..)| *at);
        Ok(lines.into_iter().map(|(at, layer, what)| TraceLine { at: rfc3339(at), layer, what }).collect())
    }
}
