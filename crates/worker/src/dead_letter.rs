//! Dead letters: the copies in the dead-letter queue, written by the worker and read by operators.
//!
//! The body is the original's. The ten attributes (SQS allows ten) say why the message is there and
//! how to put it back. The copy's deduplication id is derived from the original message's id. So a
//! second copy after a crash between copy and delete is stored once, and the same event buried
//! again after a redrive (which is another message) is kept.

use crate::work::Content;
use contracts::time::rfc3339;
use domain::event::Kind;
use domain::limits::MESSAGE_BYTES_MAX;
use domain::retry::Reason;
use domain::time::Timestamp;
use ports::queue::{Message, Outgoing};
use serde::Serialize;

/// The names of the attributes of a dead letter.
pub mod attribute {
    /// Why it was buried: the text of [`domain::retry::Reason`].
    pub const REASON: &str = "reason";
    /// The error chain of its last run, or what is wrong with the message.
    pub const ERROR: &str = "error";
    /// How often it was run.
    pub const ATTEMPTS: &str = "attempts";
    /// When it was first received, RFC 3339.
    pub const FIRST_SEEN: &str = "first_seen";
    /// When it was buried, RFC 3339.
    pub const LAST_SEEN: &str = "last_seen";
    /// The queue's id of the message that was buried.
    pub const MESSAGE_ID: &str = "original_message_id";
    /// The event's id, which was the deduplication id.
    pub const DEDUP_ID: &str = "original_dedup_id";
    /// The message group, if it had one.
    pub const GROUP: &str = "original_group";
    /// The trace id of the event, if it has one.
    pub const TRACE_ID: &str = "trace_id";
    /// The W3C trace context, if there is one.
    pub const TRACEPARENT: &str = "traceparent";
}

/// An error chain is cut to this many bytes.
const ERROR_BYTES_MAX: usize = 2_048;

/// Why a message is buried, and what was tried before.
pub(crate) struct Burial<'b> {
    pub(crate) reason: Reason,
    pub(crate) error: &'b str,
    pub(crate) attempts: u32,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
}

/// The copy that goes to the dead-letter queue.
pub(crate) fn copy_of(message: &Message, content: &Content, burial: &Burial<'_>) -> Outgoing {
    let event = match content {
        Content::Event(work) => Some(work),
        Content::Undecodable(..) => None,
    };
    let of_message =
        |name: &str| message.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let traceparent =
        event.and_then(|work| work.trace.traceparent.as_deref()).or_else(|| of_message("traceparent"));
    let trace_id =
        event.and_then(|work| work.trace.trace_id.as_deref()).or_else(|| of_message("AWSTraceHeader"));
    let group = message.group.as_deref().or_else(|| event.map(|work| work.event.reservation.as_str()));
    let dedup_id = event.map_or(&*message.id, |work| work.event.id.as_str());
    let mut attributes = Vec::with_capacity(10);
    let mut with = |name: &str, value: &str| {
        if !value.is_empty() {
            attributes.push((name.to_owned(), printable(value)));
        }
    };
    with(attribute::REASON, burial.reason.as_str());
    with(attribute::ERROR, cut(burial.error, ERROR_BYTES_MAX));
    with(attribute::ATTEMPTS, &burial.attempts.to_string());
    with(attribute::FIRST_SEEN, &rfc3339(burial.first_seen));
    with(attribute::LAST_SEEN, &rfc3339(burial.last_seen));
    with(attribute::MESSAGE_ID, &message.id);
    with(attribute::DEDUP_ID, dedup_id);
    with(attribute::GROUP, message.group.as_deref().unwrap_or_default());
    with(attribute::TRACE_ID, cut(trace_id.unwrap_or_default(), 256));
    with(attribute::TRACEPARENT, cut(traceparent.unwrap_or_default(), 256));
    let taken: usize = attributes.iter().map(|(name, value)| name.len() + value.len() + "String".len()).sum();
    Outgoing {
        // A body above the limit cannot have come from a queue whole; operators see the part that
        // fits.
        body: cut(&message.body, MESSAGE_BYTES_MAX.saturating_sub(taken)).to_owned(),
        group: Some(group.unwrap_or(&message.id).to_owned()),
        dedup_id: Some(format!("bury-{}", cut(&message.id, 120))),
        delay: core::time::Duration::ZERO,
        attributes,
    }
}

/// Bytes that a message counts for in a batch.
pub(crate) fn size_of(copy: &Outgoing) -> usize {
    copy.body.len() + copy.attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>()
}

/// A dead letter as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DeadLetter {
    /// The id in the dead-letter queue.
    pub id: String,
    /// The event's type on the wire, or `unknown`.
    pub r#type: &'static str,
    /// The reservation of the event; empty if it cannot be read.
    pub reservation_id: String,
    /// Why it was buried, in one word.
    pub reason: String,
    /// The error chain.
    pub error: String,
    /// How often it was run.
    pub attempts: u32,
    /// When it was first received, RFC 3339.
    pub first_seen: String,
    /// When it was buried, RFC 3339.
    pub last_seen: String,
    /// The trace id of the event.
    pub trace_id: String,
}

impl DeadLetter {
    /// Reads a message of the dead-letter queue. A message that the queue's own redrive policy
    /// moved there has none of our attributes; its reason is `max_receive_count`.
    pub fn read(message: &Message) -> Self {
        let of =
            |name: &str| message.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let event = match Content::decode(message) {
            Content::Event(work) => Some(work),
            Content::Undecodable(..) => None,
        };
        let kind = event.as_ref().map(|work| work.event.fact.kind());
        let reservation = event.as_ref().map(|work| work.event.reservation.to_string());
        let trace = event.as_ref().and_then(|work| work.trace.trace_id.as_deref().map(str::to_owned));
        Self {
            id: message.id.to_string(),
            r#type: kind.map_or("unknown", Kind::wire),
            reservation_id: reservation.or_else(|| of(attribute::GROUP)).unwrap_or_default(),
            reason: of(attribute::REASON).unwrap_or_else(|| "max_receive_count".to_owned()),
            error: of(attribute::ERROR).unwrap_or_default(),
            attempts: of(attribute::ATTEMPTS).and_then(|n| n.parse().ok()).unwrap_or(message.receive_count),
            first_seen: of(attribute::FIRST_SEEN).unwrap_or_else(|| rfc3339(message.first_received_at)),
            last_seen: of(attribute::LAST_SEEN).unwrap_or_else(|| rfc3339(message.sent_at)),
            trace_id: of(attribute::TRACE_ID).or(trace).unwrap_or_default(),
        }
    }
}

/// The longest prefix of at most `bytes` bytes that ends on a character boundary.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// SQS refuses attribute values with control characters other than tab and line breaks; a refused
/// copy would keep the message from being buried.
fn printable(text: &str) -> String {
    let kept = |c: char| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c };
    text.chars().map(kept).collect()
}
