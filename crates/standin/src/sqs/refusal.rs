//! Refusals of SQS: the error shapes of its JSON protocol.
//!
//! Errors of SQS itself also carry the code of its older query protocol in a header, which the SDKs
//! prefer. Errors from in front of it (signature, credentials, permissions, throttling) have no
//! such header.

use crate::http1::Reply;
use serde_json::json;
use std::borrow::Cow;
use std::fmt::Write;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The shape's name, without its namespace.
    pub(super) shape: &'static str,
    /// The code of the query protocol.
    pub(super) code: Option<&'static str>,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    const fn own(shape: &'static str, code: &'static str, message: &'static str) -> Self {
        Self { status: 400, shape, code: Some(code), message: Cow::Borrowed(message) }
    }

    const fn in_front(status: u16, shape: &'static str, message: Cow<'static, str>) -> Self {
        Self { status, shape, code: None, message }
    }

    pub(super) const fn no_such_queue() -> Self {
        Self::own(
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    pub(super) const fn not_in_flight() -> Self {
        let code = "AWS.SimpleQueueService.MessageNotInflight";
        Self::own("MessageNotInflight", code, "The message referred to isn't in flight.")
    }

    pub(super) const fn bad_receipt() -> Self {
        Self::own(
            "ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            "The input receipt handle is not a valid receipt handle.",
        )
    }

    pub(super) const fn expired_receipt() -> Self {
        Self::invalid("Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
    }

    pub(super) const fn invalid(message: &'static str) -> Self {
        Self::own("InvalidParameterValueException", "InvalidParameterValue", message)
    }

    pub(super) const fn missing(message: &'static str) -> Self {
        Self::own("MissingParameterException", "MissingParameter", message)
    }

    pub(super) const fn empty_batch() -> Self {
        let code = "AWS.SimpleQueueService.EmptyBatchRequest";
        Self::own("EmptyBatchRequest", code, "There should be at least one entry in the request.")
    }

    pub(super) const fn too_many_entries() -> Self {
        Self::own(
            "TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        )
    }

    pub(super) const fn ids_not_distinct() -> Self {
        let code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
        Self::own("BatchEntryIdsNotDistinct", code, "Id is repeated.")
    }

    pub(super) const fn batch_too_long() -> Self {
        Self::own(
            "BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes.",
        )
    }

    pub(super) const fn unknown_operation() -> Self {
        let message = Cow::Borrowed("The stand-in does not support this operation.");
        Self::in_front(400, "UnknownOperationException", message)
    }

    pub(super) fn malformed(why: &serde_json::Error) -> Self {
        Self::in_front(400, "SerializationException", why.to_string().into())
    }

    pub(super) const fn throttled() -> Self {
        Self::own("RequestThrottled", "RequestThrottled", "The request was denied due to request throttling.")
    }

    pub(super) const fn throttling() -> Self {
        Self::in_front(400, "ThrottlingException", Cow::Borrowed("Rate exceeded"))
    }

    pub(super) const fn internal() -> Self {
        Self::in_front(500, "InternalFailure", Cow::Borrowed("We encountered an internal error."))
    }

    pub(super) const fn unavailable() -> Self {
        Self::in_front(503, "ServiceUnavailable", Cow::Borrowed("Service is temporarily unavailable."))
    }

    pub(super) fn denied(action: &str, queue: &str) -> Self {
        let message = format!(
            "User: arn:aws:sts::000000000000:assumed-role/worker/pod is not authorized to perform: \
             sqs:{} on resource: arn:aws:sqs:ap-northeast-2:000000000000:{queue} because no identity-based \
             policy allows the sqs:{} action",
            action.to_ascii_lowercase(),
            action.to_ascii_lowercase()
        );
        Self::in_front(403, "AccessDeniedException", message.into())
    }

    pub(super) const fn expired_credentials() -> Self {
        let message = Cow::Borrowed("The security token included in the request is expired");
        Self::in_front(403, "ExpiredTokenException", message)
    }

    pub(super) const fn signature_expired() -> Self {
        let message = Cow::Borrowed("Signature expired: the request's time is too far from the server's");
        Self::in_front(403, "InvalidSignatureException", message)
    }

    /// As the answer to a whole call.
    pub(super) fn answer(&self, reply: &mut Reply) {
        let namespace = if self.code.is_some() { "com.amazonaws.sqs" } else { "com.amazon.coral.service" };
        reply.status = self.status;
        if let Some(code) = self.code {
            let _ = write!(reply.headers, "x-amzn-query-error: {code};Sender\r\n");
        }
        let body = json!({"__type": format!("{namespace}#{}", self.shape), "message": self.message});
        reply.body = body.to_string().into_bytes();
    }

    /// As the result of one entry.
    pub(super) fn entry(&self, id: &str) -> serde_json::Value {
        let code = self.code.unwrap_or(self.shape);
        json!({"Id": id, "Code": code, "Message": self.message, "SenderFault": self.status < 500})
    }
}
