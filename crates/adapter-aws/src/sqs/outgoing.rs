//! Sending: the port's entries in SQS's form, in calls that SQS accepts.

use super::incoming::TRACE_HEADER;
use super::{SqsQueue, batch, seconds};
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use core::time::Duration;
use domain::limits::MESSAGE_BYTES_MAX;
use ports::Fault;
use ports::queue::{Outgoing, QueueKind, Sent};

/// The longest delay of a message.
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// Entries of one call.
pub(super) struct Part {
    pub(super) entries: Vec<Outgoing>,
    /// Entries in this part and in all later parts.
    pub(super) left: usize,
    pub(super) is_last: bool,
}

/// SQS limits the bytes of a whole batch like those of one message, so large entries go into calls
/// of their own. An entry that is too large by itself is sent alone, so that it is refused alone.
pub(super) fn parts(entries: Vec<Outgoing>) -> Vec<Part> {
    let mut parts: Vec<Vec<Outgoing>> = Vec::new();
    let (mut left, mut bytes) = (entries.len(), 0);
    for entry in entries {
        let size = size_of(&entry);
        match parts.last_mut() {
            Some(part) if bytes + size <= MESSAGE_BYTES_MAX => {
                part.push(entry);
                bytes += size;
            }
            _ => {
                parts.push(vec![entry]);
                bytes = size;
            }
        }
    }
    let last = parts.len().saturating_sub(1);
    let parts = parts.into_iter().enumerate().map(|(n, entries)| {
        let part = Part { left, is_last: n == last, entries };
        left -= part.entries.len();
        part
    });
    parts.collect()
}

/// As SQS counts: the body, and the name, type and value of each attribute.
fn size_of(entry: &Outgoing) -> usize {
    let attributes = entry.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
    entry.body.len() + attributes.sum::<usize>()
}

impl SqsQueue {
    pub(super) async fn send_part(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        let count = entries.len();
        let mut refused: Vec<(usize, Fault)> = Vec::new();
        let mut taken = Vec::with_capacity(count);
        for (place, entry) in entries.into_iter().enumerate() {
            match self.entry(place, entry) {
                Ok(entry) => taken.push(entry),
                Err(fault) => refused.push((place, fault)),
            }
        }
        let mut results = if taken.is_empty() {
            batch::results("sqs:SendMessage", count, [], Vec::new())
        } else {
            let call = self.client.send_message_batch().queue_url(&*self.url);
            let answer = call.set_entries(Some(taken)).send().await;
            let answer = answer.map_err(|error| self.failure("SendMessageBatch", &error))?;
            let done = answer
                .successful
                .into_iter()
                .map(|entry| (entry.id, Sent { message_id: entry.message_id.into(), deduplicated: None }));
            batch::results("sqs:SendMessage", count, done, answer.failed)
        };
        for (place, fault) in refused {
            results[place] = Err(fault);
        }
        Ok(results)
    }

    fn entry(&self, place: usize, entry: Outgoing) -> Result<SendMessageBatchRequestEntry, Fault> {
        let Outgoing { body, group, dedup_id, delay, attributes } = entry;
        let mut call = SendMessageBatchRequestEntry::builder().id(batch::id(place)).message_body(body);
        match self.kind {
            QueueKind::Fifo => {
                let missing =
                    |what: &str| Fault::permanent(format!("an entry for a FIFO queue has no {what}"));
                if !delay.is_zero() {
                    return Err(Fault::permanent("a FIFO queue delays no single message"));
                }
                call = call
                    .message_group_id(group.ok_or_else(|| missing("message group"))?)
                    .message_deduplication_id(dedup_id.ok_or_else(|| missing("deduplication id"))?);
            }
            // On a standard queue a group would only choose a tenant of SQS's fair queues, which a
            // reservation is not.
            QueueKind::Standard if delay > DELAY_MAX => {
                return Err(Fault::permanent("a message is delayed by at most 15 minutes"));
            }
            QueueKind::Standard => call = call.delay_seconds(seconds(delay)),
        }
        for (name, value) in attributes {
            let failed =
                |error: &dyn core::fmt::Display| Fault::permanent(format!("attribute {name}: {error}"));
            if name == TRACE_HEADER {
                let value = MessageSystemAttributeValue::builder().data_type("String").string_value(value);
                let value = value.build().map_err(|error| failed(&error))?;
                call =
                    call.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, value);
            } else {
                let value = MessageAttributeValue::builder().data_type("String").string_value(value);
                let value = value.build().map_err(|error| failed(&error))?;
                call = call.message_attributes(name, value);
            }
        }
        call.build().map_err(|error| Fault::permanent("an entry cannot be sent").because(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(bytes: usize) -> Outgoing {
        Outgoing { body: "x".repeat(bytes), ..Outgoing::default() }
    }

    #[test]
    fn a_batch_is_cut_where_it_would_be_too_large() {
        let sizes = [100, MESSAGE_BYTES_MAX - 100, 1, MESSAGE_BYTES_MAX + 1, 5];
        let parts = parts(sizes.map(entry_of).into());
        let shape: Vec<_> = parts.iter().map(|part| (part.entries.len(), part.left, part.is_last)).collect();
        assert_eq!(shape, [(2, 5, false), (1, 3, false), (1, 2, false), (1, 1, true)]);
    }
}
