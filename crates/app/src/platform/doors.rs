//! What services ask of others that no port of their own covers: the door of a show, and posting webhooks.

use adapter_peers::{HttpPost, ShowsClient};
use async_trait::async_trait;
use domain::id::ShowId;
use payment::{WebhookPost, WebhookRequest};
use ports::{CallContext, Fault, PortError};
use reservation::{Admissions, NoSuchShow};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Shows that a process remembers, at most; a sale has a handful.
const SHOWS_KNOWN_MAX: usize = 10_000;

/// The door of a show, as its definition says.
pub(crate) struct Door(inventory::Service);

impl Door {
    /// Asks the inventory of this process.
    pub(crate) const fn new(inventory: inventory::Service) -> Self {
        Self(inventory)
    }
}

#[async_trait]
impl Admissions for Door {
    async fn requires_pass(&self, _: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        let definition = self.0.definition(show).await?;
        definition.map(|show| show.requires_pass()).ok_or(PortError::Rejected(NoSuchShow))
    }
}

/// The same door, of an inventory in another process. A show's definition never changes, so an answer is remembered.
pub(crate) struct RemoteDoor {
    shows: ShowsClient,
    known: Mutex<BTreeMap<ShowId, bool>>,
}

impl RemoteDoor {
    /// Asks this inventory.
    pub(crate) const fn new(shows: ShowsClient) -> Self {
        Self { shows, known: Mutex::new(BTreeMap::new()) }
    }
}

#[async_trait]
impl Admissions for RemoteDoor {
    async fn requires_pass(&self, cx: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(show).copied();
        if let Some(required) = known {
            return Ok(required);
        }
        let required = self.shows.requires_pass(cx, show).await?.ok_or(PortError::Rejected(NoSuchShow))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < SHOWS_KNOWN_MAX {
            known.insert(show.clone(), required);
        }
        Ok(required)
    }
}

/// Webhooks over HTTP.
pub(crate) struct Post(HttpPost);

impl Post {
    /// With this client.
    pub(crate) const fn new(post: HttpPost) -> Self {
        Self(post)
    }
}

#[async_trait]
impl WebhookPost for Post {
    async fn post(&self, request: WebhookRequest) -> Result<u16, Fault> {
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(self.0.post(&request.url, &headers, request.body.as_bytes().to_vec()).await?.as_u16())
    }
}
