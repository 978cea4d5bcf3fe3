//! What inventory-api's administration reports of a show (docs/contracts.md#inventory-api).

use crate::address;
use crate::internal::Internal;
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use bytes::Bytes;
use contracts::answer::class_of_code;
use contracts::answer::rest::{RestAnswer, read};
use contracts::backends::Shows;
use contracts::rest::admin;
use domain::id::{SectionId, ShowId};
use http::Method;
use ports::{CallContext, Clock, Fault};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A client of inventory-api's HTTP interface.
pub struct ShowsClient(Internal);

impl ShowsClient {
    /// A client of inventory-api at `base` (a URL or `host:port`). `token` is sent as
    /// `X-Internal-Token`.
    pub fn new(
        base: &str,
        token: Option<&str>,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        Internal::new("inventory administration", base, token, options, clock).map(Self)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        cx: &CallContext,
        what: &str,
        path: &str,
    ) -> Result<Option<T>, Fault> {
        let path = format!("/admin/shows{path}");
        let answer = self.0.call_at(cx, what, Method::GET, &path, Bytes::new()).await?;
        match read(&["NO_SUCH_SHOW", "NO_SUCH_SECTION"], &answer) {
            RestAnswer::NoSuchThing => Ok(None),
            RestAnswer::Done(body) => serde_json::from_slice(body)
                .map(Some)
                .map_err(|why| Fault::transient(format!("{what}: an answer of another shape")).because(why)),
            RestAnswer::Conflict(error) | RestAnswer::Failed(error) => {
                Err(Fault::new(class_of_code(error.code), format!("{what}: {error}")))
            }
            RestAnswer::NoSuchPath(why) | RestAnswer::NotReached(why) => {
                Err(Fault::not_reached(format!("{what}: {why}")))
            }
            RestAnswer::Unreadable(why) => Err(Fault::transient(format!("{what}: {why}"))),
        }
    }
}

#[async_trait]
impl Shows for ShowsClient {
    async fn shows(&self, cx: &CallContext) -> Result<Vec<admin::Show>, Fault> {
        let what = "inventory GET shows";
        let shows: Option<admin::Shows> = self.read(cx, what, "").await?;
        shows.map(|all| all.shows).ok_or_else(|| Fault::not_reached(format!("{what}: status 404")))
    }

    async fn show(&self, cx: &CallContext, show: &ShowId) -> Result<Option<admin::Show>, Fault> {
        self.read(cx, "inventory GET show", &format!("/{}", address::segment(show.as_str()))).await
    }

    async fn seats(
        &self,
        cx: &CallContext,
        show: &ShowId,
        section: &SectionId,
    ) -> Result<Option<admin::Seats>, Fault> {
        let (show, section) = (address::segment(show.as_str()), address::segment(section.as_str()));
        self.read(cx, "inventory GET seats", &format!("/{show}/seats?section={section}")).await
    }
}
