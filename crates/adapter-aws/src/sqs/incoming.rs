//! A message of SQS as a message of the port.

use super::wire::Received;
use domain::time::Timestamp;
use ports::queue::{Message, Receipt};

/// The name of the trace header, beside the attributes of the sender.
pub(super) const TRACE_HEADER: &str = "AWSTraceHeader";

/// `None` for a message without id, receipt or body, which no server sends: it could be neither
/// handled nor settled.
pub(super) fn message(from: Received<'_>) -> Option<Message> {
    let system = from.attributes.unwrap_or_default();
    let sent_at = time(&system.sent_timestamp).unwrap_or_default();
    let first_received_at = time(&system.approximate_first_receive_timestamp).unwrap_or(sent_at).max(sent_at);
    let mut attributes: Vec<(String, String)> = from
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect();
    if let Some(trace) = system.trace_header {
        attributes.push((TRACE_HEADER.to_owned(), trace));
    }
    let given = |text: &str| (!text.is_empty()).then(|| text.into());
    Some(Message {
        id: given(&from.message_id)?,
        receipt: Receipt(given(&from.receipt_handle)?),
        body: from.body?,
        group: given(&system.message_group_id),
        receive_count: system.approximate_receive_count.parse().unwrap_or(1),
        sent_at,
        first_received_at,
        attributes,
    })
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(Timestamp::from_millis)
}
