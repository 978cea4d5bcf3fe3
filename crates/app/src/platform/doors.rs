//! What services ask of others that no port of their own covers: the door of a show, and posting webhooks.

use adapter_peers::{HttpPost, ShowsClient};
use async_trait::async_trait;
use domain::id::{PersonId, ShowId};
use payment::{WebhookPost, WebhookRequest};
use ports::{CallContext, Fault, PortError};
use reservation::{Admission, Admissions, NoSuchShow};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Shows that a process remembers, at most; a sale has a handful.
const SHOWS_KNOWN_MAX: usize = 10_000;

/// The door of a show, as its definition says. There is no waiting room yet, so no pass is valid.
pub(crate) struct Door(inventory::Service);

impl Door {
    /// Asks the inventory of this process.
    pub(crate) const fn new(inventory: inventory::Service) -> Self {
        Self(inventory)
    }
}

#[async_trait]
impl Admissions for Door {
    async fn check(
        &self,
        _: &CallContext,
        show: &ShowId,
        _: Option<&str>,
        _: &PersonId,
    ) -> Result<Admission, PortError<NoSuchShow>> {
        let definition = self.0.definition(show).await?;
        Admission::by_definition(definition.as_deref()).map_err(PortError::Rejected)
    }
}

/// The same door, of an inventory in another process. A show's definition never changes, so an answer is remembered.
pub(crate) struct RemoteDoor {
    shows: ShowsClient,
    known: Mutex<BTreeMap<ShowId, Admission>>,
}

impl RemoteDoor {
    /// Asks this inventory.
    pub(crate) const fn new(shows: ShowsClient) -> Self {
        Self { shows, known: Mutex::new(BTreeMap::new()) }
    }
}

#[async_trait]
impl Admissions for RemoteDoor {
    async fn check(
        &self,
        cx: &CallContext,
        show: &ShowId,
        _: Option<&str>,
        _: &PersonId,
    ) -> Result<Admission, PortError<NoSuchShow>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(show).copied();
        if let Some(admission) = known {
            return Ok(admission);
        }
        let admission = match self.shows.requires_pass(cx, show).await? {
            Some(true) => Admission::Denied,
            Some(false) => Admission::Granted,
            None => return Err(PortError::Rejected(NoSuchShow)),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < SHOWS_KNOWN_MAX {
            known.insert(show.clone(), admission);
        }
        Ok(admission)
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
