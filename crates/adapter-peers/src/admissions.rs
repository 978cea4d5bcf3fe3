//! The port [`ports::Admissions`]: whether a show of an inventory in another process needs a pass.

use crate::shows::ShowsClient;
use async_trait::async_trait;
use contracts::backends::Shows;
use domain::id::ShowId;
use parking_lot::{Mutex, MutexGuard};
use ports::admissions::NoSuchShow;
use ports::{Admissions, CallContext, PortError};
use std::collections::BTreeMap;

/// A process remembers at most this many shows; a sale has a handful.
const SHOWS_MAX: usize = 10_000;

/// Asks inventory-api, and remembers each answer: the definition of a show never changes.
pub struct AdmissionsClient {
    shows: ShowsClient,
    /// Whether a show needs a pass.
    known: Mutex<BTreeMap<ShowId, bool>>,
}

impl AdmissionsClient {
    /// Asks this inventory.
    pub const fn new(shows: ShowsClient) -> Self {
        Self { shows, known: Mutex::new(BTreeMap::new()) }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<ShowId, bool>> {
        self.known.lock()
    }
}

#[async_trait]
impl Admissions for AdmissionsClient {
    async fn requires_pass(&self, cx: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        if let Some(required) = self.known().get(show).copied() {
            return Ok(required);
        }
        let found = self.shows.show(cx, show).await?.ok_or(PortError::Rejected(NoSuchShow))?;
        let required = found.waiting_room.is_some_and(|room| room.required);
        let mut known = self.known();
        if known.len() < SHOWS_MAX {
            known.insert(show.clone(), required);
        }
        Ok(required)
    }
}
