//! A message of SQS as the port's.

use aws_sdk_sqs::types::{Message as SqsMessage, MessageSystemAttributeName as Name};
use domain::time::Timestamp;
use ports::queue::{Message, Receipt};
use std::collections::HashMap;

/// The name under which the trace header comes, beside the attributes of the sender.
pub(super) const TRACE_HEADER: &str = "AWSTraceHeader";

/// `None` for what has no id, receipt or body, which no server sends: it could be neither handled nor settled.
pub(super) fn message(from: SqsMessage) -> Option<Message> {
    let mut system = from.attributes.unwrap_or_default();
    let sent_at = time(&system, &Name::SentTimestamp).unwrap_or_default();
    let first_received_at =
        time(&system, &Name::ApproximateFirstReceiveTimestamp).unwrap_or(sent_at).max(sent_at);
    let receive_count =
        system.get(&Name::ApproximateReceiveCount).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut attributes: Vec<(String, String)> = from
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect();
    // The SDK's map has no order; ours is always the same.
    attributes.sort_unstable();
    if let Some(trace) = system.remove(&Name::AwsTraceHeader) {
        attributes.push((TRACE_HEADER.to_owned(), trace));
    }
    Some(Message {
        id: from.message_id?.into(),
        receipt: Receipt(from.receipt_handle?.into()),
        body: from.body?,
        group: system.remove(&Name::MessageGroupId).map(Into::into),
        receive_count,
        sent_at,
        first_received_at,
        attributes,
    })
}

fn time(attributes: &HashMap<Name, String>, name: &Name) -> Option<Timestamp> {
    attributes.get(name)?.parse().ok().map(Timestamp::from_millis)
}
