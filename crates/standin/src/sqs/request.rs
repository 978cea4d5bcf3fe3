//! The bodies of requests, borrowed from the connection's buffer.

use super::Push;
use core::time::Duration;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    #[serde(default)]
    pub(super) max_number_of_messages: Option<i64>,
    #[serde(default)]
    pub(super) wait_time_seconds: Option<i64>,
    #[serde(default)]
    pub(super) visibility_timeout: Option<i64>,
    /// The older name of the next field.
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
}

/// One entry of DeleteMessageBatch; DeleteMessage is one without id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete<'a> {
    #[serde(borrow, default)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) receipt_handle: Cow<'a, str>,
}

/// One entry of ChangeMessageVisibilityBatch; ChangeMessageVisibility is one without id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change<'a> {
    #[serde(borrow, default)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) receipt_handle: Cow<'a, str>,
    #[serde(default)]
    pub(super) visibility_timeout: i64,
}

/// One entry of SendMessageBatch; SendMessage is one without id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    message_body: String,
    #[serde(default)]
    delay_seconds: Option<u32>,
    #[serde(default)]
    message_group_id: Option<String>,
    #[serde(default)]
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Value>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Value>,
}

impl Send {
    pub(super) fn bytes(&self) -> usize {
        let value = |value: &Value| value["StringValue"].as_str().map_or(0, str::len);
        let attributes = self.message_attributes.iter();
        self.message_body.len() + attributes.map(|(name, of)| name.len() + value(of)).sum::<usize>()
    }

    /// The message, and its non-text attributes.
    pub(super) fn into_push(self) -> (Push, Vec<(String, Value)>) {
        let text = |value: &Value| {
            (value["DataType"] == "String").then(|| value["StringValue"].as_str().map(str::to_owned))?
        };
        let (mut attributes, mut values) = (Vec::new(), Vec::new());
        for (name, value) in self.message_attributes {
            match text(&value) {
                Some(text) => attributes.push((name, text)),
                None => values.push((name, value)),
            }
        }
        let push = Push {
            body: self.message_body,
            group: self.message_group_id,
            dedup_id: self.message_deduplication_id,
            delay: Duration::from_secs(self.delay_seconds.unwrap_or_default().into()),
            attributes,
            trace_header: self.message_system_attributes.get("AWSTraceHeader").and_then(text),
        };
        (push, values)
    }
}

/// The entries of any batch.
#[derive(Deserialize)]
pub(super) struct Batch<T> {
    #[serde(rename = "Entries", default = "Vec::new")]
    pub(super) entries: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributes {
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

/// The queue of a request.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct About<'a> {
    #[serde(borrow, default)]
    pub(super) queue_url: Cow<'a, str>,
    /// Of GetQueueUrl.
    #[serde(borrow, default)]
    pub(super) queue_name: Cow<'a, str>,
}
