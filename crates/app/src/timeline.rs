//! The timeline of one reservation across every layer, oldest first, for `tacos trace`.
//!
//! It is read from the stores and, if the engine can list messages without receiving them, from the
//! queues. So it also works on a folder that no process has open; a running worker adds its
//! journal.

use crate::engines::Engines;
use anyhow::Result;
use contracts::time::rfc3339;
use domain::hold::{HoldKey, HoldState};
use domain::id::ReservationId;
use domain::time::Timestamp;
use ports::Store;
use ports::store::Key;
use serde::{Deserialize, Serialize};

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The time, RFC 3339.
    pub(crate) at: String,
    /// The time in milliseconds since the Unix epoch; the entries are in this order.
    pub(crate) at_ms: u64,
    /// The layer: `inventory`, `reservation`, `payment`, `outbox`, `queue`, `dead-letter queue` or
    /// `worker`.
    pub(crate) layer: String,
    /// What happened.
    pub(crate) what: String,
}

fn new_entry(at: Timestamp, layer: &str, what: impl Into<String>) -> Entry {
    Entry { at: rfc3339(at), at_ms: at.as_millis(), layer: layer.to_owned(), what: what.into() }
}

/// Collects the timeline of a reservation. Empty if the reservation is unknown.
pub(crate) async fn read(
    engines: &Engines,
    id: &ReservationId,
    journal: Option<&worker::Journal>,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    holds(&mut entries, &*engines.inventory, id).await?;
    reservation(&mut entries, &*engines.reservation, id).await?;
    payments(&mut entries, &*engines.payment, id).await?;
    messages(&mut entries, engines, id)?;
    for entry in journal.map(|journal| journal.entries(id.as_str())).unwrap_or_default() {
        let record = entry.body(String::new());
        let what = format!("{} {} {}", record.event_type, record.what, record.detail);
        entries.push(new_entry(entry.at, "worker", what.trim_end()));
    }
    entries.sort_by_key(|entry| entry.at_ms);
    Ok(entries)
}

async fn holds(entries: &mut Vec<Entry>, store: &dyn Store, id: &ReservationId) -> Result<()> {
    let keys = [HoldKey::First, HoldKey::Retake].map(|key| inventory::rows::hold_key(id, key));
    for row in store.get(&keys).await?.into_iter().flatten() {
        let hold = inventory::rows::read_hold(&row)?;
        let seats = hold.seats.iter().map(|seat| seat.as_str()).collect::<Vec<_>>().join(", ");
        let what = match hold.key {
            HoldKey::First => format!("held {seats} until {}", rfc3339(hold.until)),
            HoldKey::Retake => format!("took {seats} again"),
        };
        entries.push(new_entry(hold.placed_at, "inventory", what));
        match &hold.state {
            HoldState::Live => {}
            HoldState::Committed { order, at, .. } => {
                entries.push(new_entry(*at, "inventory", format!("sold as {order}")))
            }
            HoldState::Released { cause, at } => {
                entries.push(new_entry(*at, "inventory", format!("released, {}", cause.as_str())));
            }
        }
        for intent in &hold.refused {
            entries.push(new_entry(
                hold.until,
                "inventory",
                format!("no seats left for the late payment {intent}"),
            ));
        }
    }
    Ok(())
}

async fn reservation(entries: &mut Vec<Entry>, store: &dyn Store, id: &ReservationId) -> Result<()> {
    let event = outbox::expired_event_id(id);
    let keys: [Key; 2] = [reservation::rows::reservation_key(id), outbox::row_key(event.as_str())];
    let found = store.get(&keys).await?;
    if let Some(stored) = found[0].as_ref().and_then(reservation::rows::Stored::read) {
        for entry in stored.history.entries() {
            entries.push(new_entry(entry.at, "reservation", entry.text.to_string()));
        }
    }
    if let Some(waiting) = found[1].as_ref().and_then(outbox::PendingRow::read) {
        entries.push(new_entry(waiting.due, "outbox", format!("{} will be published", waiting.event_id)));
    }
    Ok(())
}

async fn payments(entries: &mut Vec<Entry>, store: &dyn Store, id: &ReservationId) -> Result<()> {
    let due = store.due(payment::rows::BY_RESERVATION, id.as_str(), None, Timestamp::MAX, 100).await?;
    for payment in due {
        for row in store.list(&payment.key.partition, None, 100).await? {
            match payment::rows::AnyRow::read(&row) {
                Ok(Some(payment::rows::AnyRow::Payment(stored))) => {
                    let payment = &stored.payment;
                    let asked = format!("{} asks for {:?}", payment.intent, payment.amount);
                    entries.push(new_entry(payment.created_at, "payment", asked));
                    let is = format!("{} is {:?}", payment.intent, payment.status).to_lowercase();
                    entries.push(new_entry(payment.updated_at, "payment", is));
                }
                Ok(Some(payment::rows::AnyRow::Refund(refund))) => {
                    let what = format!("{} gave back {:?}: {}", refund.intent, refund.amount, refund.reason);
                    entries.push(new_entry(refund.at, "payment", what));
                }
                Ok(Some(payment::rows::AnyRow::Webhook(webhook))) => {
                    let what = format!(
                        "webhook {} is {:?} after {} attempts",
                        webhook.id, webhook.delivery, webhook.attempts
                    );
                    entries.push(new_entry(webhook.due_at, "payment", what.to_lowercase()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn messages(entries: &mut Vec<Entry>, engines: &Engines, id: &ReservationId) -> Result<()> {
    for message in engines.messages_of(id)? {
        let why = message.reason.map(|reason| format!(" because of {reason}")).unwrap_or_default();
        let what = format!("message {} is queued{why}, received {} times", message.id, message.receive_count);
        entries.push(new_entry(message.sent_at, message.layer, what));
    }
    Ok(())
}
