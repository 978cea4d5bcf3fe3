//! Sending webhooks over HTTP.

use crate::fault::Fault;
use async_trait::async_trait;
use std::sync::Arc;

/// Sends webhooks over HTTP.
#[async_trait]
pub trait WebhookPost: Send + Sync + 'static {
    /// Posts the body and returns the status of the response, whatever it is.
    ///
    /// A fault means that no response arrived; the receiver may have the webhook all the same. The
    /// caller limits the time by dropping the call.
    async fn post(&self, request: WebhookRequest) -> Result<u16, Fault>;
}

/// One attempt at a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// The receiver: `http://…`.
    pub url: Arc<str>,
    /// Names in lower case, `content-type` among them.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Arc<str>,
}
