//! The queue on SQS, standard and FIFO.
//!
//! Only this module maps SQS's terms to the port's. Calls are not retried below the callers of the
//! port, which know what a repetition means. Each call has a limit; a receive's is longer than its
//! long poll. A receive future must run to its end: SQS may have handed messages to a connection
//! that nobody reads (trap T-T2).
//!
//! Receiving and deleting, the cost of every message, use our own wire code; the rest uses the
//! SDK's client.

use crate::connect::{Aws, CALL_MAX, timeouts};
use crate::fault::{Failure, Kind, Unusable};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, QueueAttributeName,
};
use bytes::Bytes;
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use ports::queue::{Depth, Message, Outgoing, QueueKind, Receipt, Receive, RedrivePolicy, Sent};
use ports::{Fault, Queue};
use std::sync::Arc;
use wire::{DeleteEntry, DeleteMessageBatch, Deleted, ReceivedMessages, Wire};

mod address;
mod batch;
mod incoming;
mod letters;
mod outgoing;
mod wire;

pub use address::{InvalidQueueUrl, QueueUrl};
pub use letters::LetterBox;

/// The longest long poll of SQS.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The longest time that a message may stay hidden after its receive.
const VISIBILITY_MAX: Duration = Duration::from_secs(12 * 3_600);
/// The system attributes that a receive asks for.
const SYSTEM_ATTRIBUTES: [&str; 5] = [
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "AWSTraceHeader",
    "MessageGroupId",
    "SentTimestamp",
];

/// One SQS queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    wire: Arc<Wire>,
    url: Arc<str>,
    kind: QueueKind,
    region: Arc<str>,
}

impl SqsQueue {
    /// The queue at `url`, which is FIFO if its name says so. Calls nothing; see
    /// [`check`](Self::check).
    pub fn new(aws: &Aws, url: &QueueUrl) -> Self {
        let configured = aws.sqs_endpoint();
        let endpoint = url.endpoint(configured.as_deref());
        let mut builder = aws_sdk_sqs::config::Builder::from(aws.sdk()).timeout_config(timeouts(CALL_MAX));
        builder.set_endpoint_url(endpoint.map(str::to_owned));
        Self {
            client: Client::from_conf(builder.build()),
            wire: Arc::new(Wire::new(aws, endpoint)),
            url: url.as_str().into(),
            kind: url.kind(),
            region: aws.region().into(),
        }
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks the queue for its settings, to find a wrong one before work begins. `setting` is the
    /// variable that named it.
    ///
    /// # Errors
    ///
    /// The text names the setting to change, or says that SQS does not answer.
    pub async fn check(&self, setting: &str) -> Result<(), Unusable> {
        match self.attributes(&[QueueAttributeName::QueueArn]).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let allow = "sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes";
                Err(Unusable::from_failure(&failure, setting, allow, &self.region))
            }
        }
    }

    async fn attributes(
        &self,
        names: &[QueueAttributeName],
    ) -> Result<Vec<(QueueAttributeName, String)>, Failure> {
        let call = self.client.get_queue_attributes().queue_url(&*self.url);
        let answer = call.set_attribute_names(Some(names.to_vec())).send().await;
        let answer = answer.map_err(|error| self.failure("GetQueueAttributes", &error))?;
        Ok(answer.attributes.unwrap_or_default().into_iter().collect())
    }

    /// Changes the entries that can be changed; the others are refused with this message.
    async fn without(
        &self,
        entries: Vec<(Receipt, Duration)>,
        refused: impl Fn(&(Receipt, Duration)) -> bool + Send,
        why: &str,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        let is_refused: Vec<bool> = entries.iter().map(refused).collect();
        let kept: Vec<_> =
            entries.into_iter().zip(&is_refused).filter(|(_, no)| !**no).map(|(entry, _)| entry).collect();
        let mut results = match kept.is_empty() {
            true => Vec::new(),
            false => Box::pin(self.change_visibility(kept)).await?,
        }
        .into_iter();
        let missing = || Err(Fault::transient("the answer leaves the entry out"));
        let result =
            |no: bool| if no { Err(Fault::permanent(why)) } else { results.next().unwrap_or_else(missing) };
        Ok(is_refused.into_iter().map(result).collect())
    }

    fn failure<E>(
        &self,
        action: &str,
        error: &aws_smithy_runtime_api::client::result::SdkError<E, aws_smithy_runtime_api::http::Response>,
    ) -> Failure
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata
            + std::error::Error
            + Send
            + Sync
            + 'static,
    {
        Failure::from_sdk(&self.what(action), error)
    }

    fn what(&self, action: &str) -> String {
        format!("sqs:{action} on {}", self.url)
    }

    /// Receives with these system attributes: the messages as [`wire::ReceivedMessages`].
    async fn receive_with(&self, request: Receive, attributes: &[&str]) -> Result<Bytes, Fault> {
        if !(1..=QUEUE_BATCH_MAX).contains(&request.max) || request.wait > WAIT_MAX {
            return Err(Fault::permanent(format!(
                "a receive of {} messages with a wait of {:?}: SQS gives 1 to 10 and waits up to 20 s",
                request.max, request.wait
            )));
        }
        let action = "ReceiveMessage";
        let body = wire::ReceiveMessage {
            queue_url: &self.url,
            max_number_of_messages: request.max,
            wait_time_seconds: seconds(request.wait),
            visibility_timeout: request.visibility.map(|visibility| seconds(visibility.min(VISIBILITY_MAX))),
            message_attribute_names: ["All"],
            message_system_attribute_names: attributes,
        };
        let limit = request.wait + CALL_MAX;
        Ok(self.wire.call(|| self.what(action), action, limit, &body).await?)
    }
}

#[async_trait]
impl Queue for SqsQueue {
    fn kind(&self) -> QueueKind {
        self.kind
    }

    async fn send(&self, entries: Vec<Outgoing>) -> Result<Vec<Result<Sent, Fault>>, Fault> {
        batch::in_range(entries.len())?;
        let mut results = Vec::with_capacity(entries.len());
        for part in outgoing::parts(entries) {
            // A part after a failed call may be of the same group, and must not overtake it.
            match self.send_part(part.entries).await {
                Ok(sent) => results.extend(sent),
                Err(fault) if results.is_empty() && part.is_last => return Err(fault),
                Err(fault) => {
                    let left = part.left;
                    results.push(Err(fault));
                    let behind = || Err(Fault::transient("not sent: an entry before it was not accepted"));
                    results.extend((1..left).map(|_| behind()));
                    return Ok(results);
                }
            }
        }
        Ok(results)
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, Fault> {
        let answer = self.receive_with(request, &SYSTEM_ATTRIBUTES).await?;
        let answer: ReceivedMessages<'_> = wire::read(&self.what("ReceiveMessage"), &answer)?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(incoming::message).collect())
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<Vec<Result<(), Fault>>, Fault> {
        batch::in_range(receipts.len())?;
        let entries = receipts.iter().enumerate();
        let entries =
            entries.map(|(place, receipt)| DeleteEntry { id: batch::id(place), receipt_handle: &receipt.0 });
        let action = "DeleteMessageBatch";
        let body = DeleteMessageBatch { queue_url: &self.url, entries: entries.collect() };
        let answer = self.wire.call(|| self.what(action), action, CALL_MAX, &body).await?;
        let answer: Deleted = wire::read(&self.what(action), &answer)?;
        let done = answer.successful.unwrap_or_default();
        let done = done.into_iter().filter_map(|entry| Some((entry.id?, ())));
        let failed = answer.failed.unwrap_or_default().into_iter().map(failed_entry).collect();
        Ok(batch::results("sqs:DeleteMessage", receipts.len(), done, failed))
    }

    async fn change_visibility(
        &self,
        entries: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        batch::in_range(entries.len())?;
        let count = entries.len();
        // Servers other than SQS accept more.
        let too_long = |(_, visibility): &(Receipt, Duration)| *visibility > VISIBILITY_MAX;
        if entries.iter().any(too_long) {
            return self.without(entries, too_long, "a message is hidden for at most 12 hours").await;
        }
        let entries = entries.iter().enumerate().map(|(place, (receipt, visibility))| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(batch::id(place))
                .receipt_handle(&*receipt.0)
                .visibility_timeout(seconds(*visibility));
            entry.build().expect("id and receipt are set")
        });
        let call = self.client.change_message_visibility_batch().queue_url(&*self.url);
        let answer = call.set_entries(Some(entries.collect())).send().await;
        let answer = answer.map_err(|error| self.failure("ChangeMessageVisibilityBatch", &error))?;
        let done = answer.successful.into_iter().map(|entry| (entry.id, ()));
        Ok(batch::results("sqs:ChangeMessageVisibility", count, done, answer.failed))
    }

    async fn depth(&self) -> Result<Depth, Fault> {
        use QueueAttributeName as Name;
        let (visible, in_flight, delayed) = (
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        );
        let found = self.attributes(&[visible.clone(), in_flight.clone(), delayed.clone()]).await?;
        let number = |wanted: Name| {
            let value =
                found.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| value.parse().ok());
            value.ok_or_else(|| Fault::transient(format!("{} does not answer with {wanted}", self.url)))
        };
        Ok(Depth { visible: number(visible)?, in_flight: number(in_flight)?, delayed: number(delayed)? })
    }

    async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Fault> {
        match self.attributes(&[QueueAttributeName::RedrivePolicy]).await {
            Ok(found) => found.into_iter().next().map(|(_, text)| address::redrive_policy(&text)).transpose(),
            // A server that does not know the attribute has no such policy.
            Err(failure) if failure.kind == Kind::Refused => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// In the SDK's form, like the results of the other batches.
fn failed_entry(entry: wire::DeletedEntry) -> BatchResultErrorEntry {
    BatchResultErrorEntry::builder()
        .id(entry.id.unwrap_or_default())
        .code(entry.code.unwrap_or_default())
        .set_message(entry.message)
        .sender_fault(entry.sender_fault.unwrap_or_default())
        .build()
        .expect("id, code and fault are set")
}

/// SQS counts in whole seconds; rounded up, so that no message is redelivered too early.
fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
