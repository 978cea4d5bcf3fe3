//! The bodies of answers. A message is written piece by piece, because most of it is JSON already.

use super::message::{Message, Receipt, id};
use super::queue::QueueState;
use super::request::ReceiveMessage;
use serde_json::{Value, json};
use std::io::Write;

/// The attributes that a receive requests.
pub(super) struct Wanted<'a> {
    system: [&'a [String]; 2],
    own: &'a [String],
}

impl<'a> Wanted<'a> {
    pub(super) fn new(request: &'a ReceiveMessage) -> Self {
        let system = [&*request.attribute_names, &*request.message_system_attribute_names];
        Self { system, own: &request.message_attribute_names }
    }

    fn system(&self, name: &str) -> bool {
        self.system.iter().flat_map(|names| names.iter()).any(|wanted| wanted == "All" || wanted == name)
    }

    fn own(&self, name: &str) -> bool {
        self.own.iter().any(|wanted| {
            let prefix = wanted.strip_suffix(".*").or_else(|| wanted.strip_suffix('*'));
            wanted == "All" || wanted == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    }
}

/// Writes the answer to a receive. `epoch` converts a time of the queue to milliseconds of the wall
/// clock.
pub(super) fn messages<'m>(
    output: &mut Vec<u8>,
    messages: impl Iterator<Item = &'m Message>,
    wanted: &Wanted<'_>,
    epoch: impl Fn(core::time::Duration) -> u64,
) {
    output.extend_from_slice(b"{\"Messages\":[");
    for (n, message) in messages.enumerate() {
        if n > 0 {
            output.push(b',');
        }
        put(output, format_args!(r#"{{"MessageId":"{}","ReceiptHandle":""#, id(message.number)));
        Receipt { number: message.number, count: message.count }.write(output);
        output.extend_from_slice(b"\",\"Body\":");
        output.extend_from_slice(message.body.as_bytes());
        system_attributes(output, message, wanted, &epoch);
        own_attributes(output, message, wanted);
        output.push(b'}');
    }
    output.extend_from_slice(b"]}");
}

fn system_attributes(
    output: &mut Vec<u8>,
    message: &Message,
    wanted: &Wanted<'_>,
    epoch: impl Fn(core::time::Duration) -> u64,
) {
    let mut begun = false;
    let mut number = |output: &mut Vec<u8>, name: &str, value: u64| {
        if wanted.system(name) {
            output.extend_from_slice(if begun { b"," } else { b",\"Attributes\":{" });
            begun = true;
            put(output, format_args!(r#""{name}":"{value}""#));
        }
    };
    number(output, "ApproximateReceiveCount", message.count.into());
    number(output, "SentTimestamp", epoch(message.sent_at));
    number(
        output,
        "ApproximateFirstReceiveTimestamp",
        epoch(message.first_received_at.unwrap_or(message.sent_at)),
    );
    if message.dedup.is_some() {
        number(output, "SequenceNumber", message.place);
    }
    let texts = [
        ("MessageGroupId", message.group.as_deref()),
        ("MessageDeduplicationId", message.dedup.as_deref()),
        ("AWSTraceHeader", message.trace_header.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|_| wanted.system(name)) {
            output.extend_from_slice(if begun { b"," } else { b",\"Attributes\":{" });
            begun = true;
            put(output, format_args!(r#""{name}":{}"#, Quoted(text)));
        }
    }
    if begun {
        output.push(b'}');
    }
}

fn own_attributes(output: &mut Vec<u8>, message: &Message, wanted: &Wanted<'_>) {
    let mut begun = false;
    for (name, value) in message.attributes.iter().filter(|(name, _)| wanted.own(name)) {
        output.extend_from_slice(if begun { b"," } else { b",\"MessageAttributes\":{" });
        begun = true;
        put(output, format_args!("{}:{value}", Quoted(name)));
    }
    if begun {
        output.push(b'}');
    }
}

/// A text as JSON.
struct Quoted<'a>(&'a str);

impl core::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.0.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            write!(f, "\"{}\"", self.0)
        } else {
            write!(f, "{}", Value::from(self.0))
        }
    }
}

fn put(output: &mut Vec<u8>, text: core::fmt::Arguments<'_>) {
    output.write_fmt(text).expect("a buffer takes everything");
}

/// The answer to a batch.
pub(super) fn batch(successful: &[Value], failed: &[Value]) -> Value {
    json!({"Successful": successful, "Failed": failed})
}

/// The answer to GetQueueAttributes.
pub(super) fn attributes(queue: &QueueState, names: &[String]) -> Value {
    let depth = queue.depth();
    let arn = |name: &str| format!("arn:aws:sqs:ap-northeast-2:000000000000:{name}");
    let mut all = vec![
        ("QueueArn", arn(&queue.spec.name)),
        ("ApproximateNumberOfMessages", depth.visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
        ("VisibilityTimeout", queue.spec.visibility.as_secs().to_string()),
        ("MessageRetentionPeriod", (14 * 24 * 3_600).to_string()),
    ];
    if queue.fifo() {
        all.push(("FifoQueue", "true".to_owned()));
        all.push(("ContentBasedDeduplication", "false".to_owned()));
    }
    if let Some((dead_letters, max)) = &queue.spec.redrive {
        let policy = json!({"deadLetterTargetArn": arn(dead_letters), "maxReceiveCount": max});
        all.push(("RedrivePolicy", policy.to_string()));
    }
    let wanted = |name: &str| names.iter().any(|wanted| wanted == "All" || wanted == name);
    let requested = all.into_iter().filter(|(name, _)| wanted(name));
    json!({"Attributes": requested.map(|(name, value)| (name.to_owned(), value.into())).collect::<serde_json::Map<_, Value>>()})
}
