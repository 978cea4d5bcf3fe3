//! A stored message, and its receipts.

use super::Push;
use crate::journal::{Lane, Tag};
use core::time::Duration;
use serde_json::{Value, json};
use std::sync::Arc;

/// The beginning of receipts, as with SQS.
const RECEIPT_BEGINS: &str = "AQEB";
/// As long as receipts of SQS, because the client carries each of them twice.
const RECEIPT_BYTES: usize = 180;

pub(super) struct Message {
    /// Unique among all queues, and kept when the message moves.
    pub(super) number: u64,
    /// Its position in its queue.
    pub(super) place: u64,
    pub(super) state: State,
    /// Receives so far.
    pub(super) count: u32,
    pub(super) received_at: Duration,
    pub(super) first_received_at: Option<Duration>,
    pub(super) sent_at: Duration,
    /// The body as a JSON text, quotes and all: written when it is sent, copied each time it is
    /// received.
    pub(super) body: Box<str>,
    pub(super) group: Option<Arc<str>>,
    pub(super) dedup: Option<Arc<str>>,
    /// Named values beside the body, each already JSON.
    pub(super) attributes: Vec<(Box<str>, Box<str>)>,
    pub(super) trace_header: Option<Box<str>>,
    pub(super) tag: Tag,
    pub(super) lane: Lane,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Delayed { until: Duration },
    Leased { until: Duration },
}

impl Message {
    /// A new message, before it enters a queue.
    pub(super) fn new(number: u64, push: Push, values: Vec<(String, Value)>, now: Duration) -> Self {
        let lane = Lane::from_message(&push.body);
        let tag = tag_of(&push);
        let texts = push.attributes.into_iter().map(|(name, text)| {
            let value = json!({"DataType": "String", "StringValue": text});
            (name, value)
        });
        let written = |(name, value): (String, Value)| (name.into(), value.to_string().into());
        let attributes = texts.chain(values).map(written).collect();
        Self {
            number,
            place: 0,
            state: State::Ready,
            count: 0,
            received_at: now,
            first_received_at: None,
            sent_at: now,
            body: Value::String(push.body).to_string().into(),
            group: push.group.map(Into::into),
            dedup: push.dedup_id.map(Into::into),
            attributes,
            trace_header: push.trace_header.map(Into::into),
            tag,
            lane,
        }
    }

    /// The message as it was sent, without its delay and its non-text attributes.
    pub(super) fn to_push(&self) -> Push {
        let text = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
        let attribute = |(name, value): &(Box<str>, Box<str>)| {
            text(value)["StringValue"].as_str().map(|text| (name.to_string(), text.to_owned()))
        };
        Push {
            body: text(&self.body).as_str().unwrap_or_default().to_owned(),
            group: self.group.as_deref().map(str::to_owned),
            dedup_id: self.dedup.as_deref().map(str::to_owned),
            delay: Duration::ZERO,
            attributes: self.attributes.iter().filter_map(attribute).collect(),
            trace_header: self.trace_header.as_deref().map(str::to_owned),
        }
    }
}

/// A `traceparent` wins over the header of AWS, and that over the body.
fn tag_of(push: &Push) -> Tag {
    let Some(header) = &push.trace_header else { return Tag::from_message(&push.body, &push.attributes) };
    let mut attributes = push.attributes.clone();
    attributes.push((contracts::trace::AWS_TRACE_HEADER.to_owned(), header.clone()));
    Tag::from_message(&push.body, &attributes)
}

/// The id of a message, in the form of SQS.
pub(super) fn id(number: u64) -> String {
    format!("{:08x}-{:04x}-4000-8000-{number:012x}", number as u32, (number >> 32) as u16)
}

/// One lease of one message, inside a receipt handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) number: u64,
    /// The receive that issued it.
    pub(super) count: u32,
}

impl Receipt {
    pub(super) fn write(self, output: &mut Vec<u8>) {
        use std::io::Write;
        let begin = output.len();
        write!(output, "{RECEIPT_BEGINS}{:016x}{:08x}", self.number, self.count)
            .expect("a buffer takes everything");
        output.resize(begin + RECEIPT_BYTES, b'z');
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(RECEIPT_BEGINS).filter(|_| text.len() == RECEIPT_BYTES)?;
        let number = u64::from_str_radix(rest.get(..16)?, 16).ok()?;
        let count = u32::from_str_radix(rest.get(16..24)?, 16).ok()?;
        Some(Self { number, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let receipt = Receipt { number: 0x0123_4567_89ab_cdef, count: 7 };
        let mut text = Vec::new();
        receipt.write(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(Receipt::parse(&text), Some(receipt));
        assert_eq!(Receipt::parse("this is no receipt"), None);
        assert_eq!(Receipt::parse(&text[..100]), None);
    }
}
