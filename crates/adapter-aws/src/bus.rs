//! A bus of EventBridge as the target of a producer's events; rules forward them to standard
//! queues.
//!
//! The encoded event is taken apart: its type becomes the detail type; its source, detail and time
//! stay; and EventBridge writes its own envelope around them, which consumers accept as an equal
//! form (docs/contracts.md#events). That envelope has no place for the event's own id and for parts
//! of a second of its time, so both are lost: a repetition looks like another event, and only the
//! consumer's idempotency recognises it. The trace travels in EventBridge's trace header. A bus
//! keeps no order and delays nothing.

use crate::connect::Aws;
use crate::fault::{Failure, Kind, Unusable};
use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use domain::limits::{MESSAGE_BYTES_MAX, QUEUE_BATCH_MAX};
use ports::queue::{Outgoing, Sent};
use ports::{Fault, FaultClass, Publisher};
use serde_json::Value;
use std::sync::Arc;

/// Attributes that carry the trace.
const TRACE_HEADER: &str = "AWSTraceHeader";
const TRACEPARENT: &str = "traceparent";
/// The bytes that EventBridge counts for a time.
const TIME_BYTES: usize = 14;
/// The event itself is at fault, so the same entry will always be refused.
const REFUSED: [&str; 4] = [
    "InvalidArgument",
    "MalformedDetail",
    "NotAuthorizedForDetailTypeException",
    "NotAuthorizedForSourceException",
];

/// One event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: Arc<str>,
    region: Arc<str>,
}

impl EventBus {
    /// The bus with this name or ARN. Calls nothing; see [`check`](Self::check).
    pub fn new(aws: &Aws, name: &str) -> Self {
        Self { client: Client::new(aws.sdk()), name: name.into(), region: aws.region().into() }
    }

    /// Checks that the bus exists, to find a wrong setting before work begins. `setting` is the
    /// variable that named it. A role that may publish need not be allowed to describe the bus:
    /// then the result is unknown, and a warning is logged.
    ///
    /// # Errors
    ///
    /// The text names the setting to change, or says that AWS does not answer.
    pub async fn check(&self, setting: &str) -> Result<(), Unusable> {
        let answer = self.client.describe_event_bus().name(&*self.name).send().await;
        let Err(error) = answer else { return Ok(()) };
        let failure = Failure::from_sdk(&format!("events:DescribeEventBus {}", self.name), &error);
        if failure.kind == Kind::Denied {
            tracing::warn!(why = %failure, "{setting} not checked; allow events:DescribeEventBus to check it");
            return Ok(());
        }
        let allow = "events:PutEvents and events:DescribeEventBus";
        Err(Unusable::from_failure(&failure, setting, allow, &self.region))
    }

    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        let count = entries.len();
        let answer = self.client.put_events().set_entries(Some(entries)).send().await;
        let what = || format!("events:PutEvents on {}", self.name);
        let answer = answer.map_err(|error| Failure::from_sdk(&what(), &error))?;
        let mut results: Vec<_> =
            answer.entries.unwrap_or_default().into_iter().take(count).map(result).collect();
        let left_out = || Err(Fault::transient(format!("{}: the answer leaves the entry out", what())));
        results.resize_with(count, left_out);
        Ok(results)
    }
}

#[async_trait]
impl Publisher for EventBus {
    async fn publish(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        let count = entries.len();
        if !(1..=QUEUE_BATCH_MAX).contains(&count) {
            return Err(Fault::permanent(format!("{count} events: EventBridge takes 1 to 10 a call")));
        }
        let mut results: Vec<Option<Result<Sent, Fault>>> = (0..count).map(|_| None).collect();
        let mut calls: Vec<Call> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            match sized(&self.name, entry) {
                Ok((size, entry)) => match calls.last_mut() {
                    Some(call) if call.bytes + size <= MESSAGE_BYTES_MAX => call.add(place, size, entry),
                    _ => calls.push(Call { places: vec![place], bytes: size, entries: vec![entry] }),
                },
                Err(fault) => results[place] = Some(Err(fault)),
            }
        }
        let mut is_known = calls.is_empty() || results.iter().any(Option::is_some);
        for call in calls {
            match self.put(call.entries).await {
                Ok(done) => {
                    is_known = true;
                    for (place, result) in call.places.into_iter().zip(done) {
                        results[place] = Some(result);
                    }
                }
                // No answer, or one error for all entries: the rest would only wait for the same.
                Err(fault) if is_known => {
                    results[call.places[0]] = Some(Err(fault));
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        let behind = || Err(Fault::transient("not published: the call with it, or one before it, failed"));
        Ok(results.into_iter().map(|result| result.unwrap_or_else(behind)).collect())
    }
}

/// EventBridge limits the bytes of a whole call, so large entries go into calls of their own.
struct Call {
    places: Vec<usize>,
    bytes: usize,
    entries: Vec<PutEventsRequestEntry>,
}

impl Call {
    fn add(&mut self, place: usize, size: usize, entry: PutEventsRequestEntry) {
        self.places.push(place);
        self.bytes += size;
        self.entries.push(entry);
    }
}

/// The entry with its size, unless it is over EventBridge's limit.
fn sized(bus: &str, outgoing: &Outgoing) -> Result<(usize, PutEventsRequestEntry), Fault> {
    let entry = entry(bus, outgoing)?;
    let texts = [entry.source(), entry.detail_type(), entry.detail()];
    let bytes = TIME_BYTES + texts.into_iter().flatten().map(str::len).sum::<usize>();
    if bytes > MESSAGE_BYTES_MAX {
        return Err(Fault::permanent(format!(
            "an event of {bytes} bytes is over the limit of {MESSAGE_BYTES_MAX}"
        )));
    }
    Ok((bytes, entry))
}

fn entry(bus: &str, outgoing: &Outgoing) -> Result<PutEventsRequestEntry, Fault> {
    if !outgoing.delay.is_zero() {
        return Err(Fault::permanent("an event bus delays nothing"));
    }
    let body: Value = serde_json::from_str(&outgoing.body)
        .map_err(|error| Fault::permanent("an event that is not JSON").because(error))?;
    let text = |field: &str| {
        let text = body[field].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| Fault::permanent(format!("an event for a bus has no {field}")))
    };
    let detail = body
        .get("detail")
        .filter(|detail| detail.is_object())
        .ok_or_else(|| Fault::permanent("no detail"))?;
    let time = text("time")?;
    let time = DateTime::from_str(time, Format::DateTimeWithOffset)
        .map_err(|error| Fault::permanent(format!("an event's time {time:?}")).because(error))?;
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(text("source")?)
        .detail_type(text("type")?)
        .detail(detail.to_string())
        .time(DateTime::from_secs(time.secs()))
        .set_trace_header(trace_header(&outgoing.attributes));
    Ok(entry.build())
}

/// The given trace header, or one made of the W3C header.
fn trace_header(attributes: &[(String, String)]) -> Option<String> {
    let named = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    named(TRACE_HEADER).cloned().or_else(|| from_traceparent(named(TRACEPARENT)?))
}

/// `00-TRACE-PARENT-FLAGS` as `Root=1-…;Parent=…;Sampled=…`
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
fn from_traceparent(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (_version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !(hex(id, 32) && hex(parent, 16) && hex(flags, 2)) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
    let (time, unique) = id.split_at(8);
    Some(format!("Root=1-{time}-{unique};Parent={parent};Sampled={sampled}"))
}

fn result(entry: PutEventsResultEntry) -> Result<Sent, Fault> {
    match (entry.event_id, entry.error_code) {
        (Some(id), None) => Ok(Sent { message_id: id.into(), deduplicated: None }),
        (None, None) => Err(Fault::transient("events:PutEvents: an entry has neither id nor error")),
        (_, Some(code)) => {
            let class = match Kind::from_code(&code) {
                Some(kind) => kind.class(),
                None if REFUSED.contains(&&*code) => FaultClass::Permanent,
                None => FaultClass::Transient,
            };
            let message = entry.error_message.unwrap_or_default();
            Err(Fault::new(class, format!("events:PutEvents: {code}: {message}")))
        }
    }
}

#[cfg(test)]
mod tests;
