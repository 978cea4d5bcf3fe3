//! What inventory-api's administration says of a show (contracts 3.4).

use crate::fault::class_of_code;
use crate::internal::Internal;
use crate::options::{InvalidPeer, PeerOptions};
use bytes::Bytes;
use contracts::reservation_wire::code_of_status;
use contracts::rest::admin;
use domain::id::ShowId;
use http::{Method, StatusCode};
use ports::{CallContext, Clock, Fault};
use std::sync::Arc;

/// inventory-api's HTTP side at the other end of a wire.
pub struct ShowsClient(Internal);

impl ShowsClient {
    /// A client of inventory-api at `base` (a URL or `host:port`). `token` is sent as `X-Internal-Token`.
    pub fn new(
        base: &str,
        token: Option<&str>,
        options: PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidPeer> {
        Internal::new("inventory administration", base, token, options, clock).map(Self)
    }

    /// Whether a reservation of this show needs a pass of the waiting room; `None` if there is no such show.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn requires_pass(&self, cx: &CallContext, show: &ShowId) -> Result<Option<bool>, Fault> {
        let what = "inventory GET show";
        let place = ("/admin/shows", show.as_str());
        let (status, body) = self.0.call(cx, what, Method::GET, place, Bytes::new()).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let show: admin::Show = serde_json::from_slice(&body).map_err(|why| {
                    Fault::transient(format!("{what}: an answer of another shape")).because(why)
                })?;
                Ok(Some(show.waiting_room.is_some_and(|room| room.required)))
            }
            status => {
                let class = class_of_code(code_of_status(status));
                Err(Fault::new(class, format!("{what}: status {}", status.as_u16())))
            }
        }
    }
}
