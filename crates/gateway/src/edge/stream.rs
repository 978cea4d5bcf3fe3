//! The status as server-sent events: one event for each change, and a comment now and then without
//! one.

use super::Edge;
use crate::refusal::Refusal;
use crate::service::waiting_room::HeldTicket;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use contracts::rest::gateway::{QueueStatus, Status};
use core::convert::Infallible;
use core::time::Duration;
use futures_util::stream;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How often the status is compared. Each time is also a sign of life.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how many looks without a change a comment is sent: proxies close connections that are
/// silent for a minute.
const SILENT_LOOKS_MAX: u32 = 15;
/// Open streams of one address, at most: enough for a household or a small office.
const STREAMS_OF_ADDRESS_MAX: u32 = 64;

/// The open streams: each occupies a connection, and their number is limited.
pub(crate) struct Streams {
    places: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    closing: CancellationToken,
}

impl Streams {
    /// For a server of `connections`, a quarter of which may be streams. All streams end with
    /// `closing`.
    pub(crate) fn new(connections: u32, closing: CancellationToken) -> Arc<Self> {
        let places = Arc::new(Semaphore::new((connections / 4).max(1) as usize));
        Arc::new(Self { places, by_address: Mutex::default(), closing })
    }

    fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        if let Some(address) = address {
            let mut all = self.by_address.lock();
            let count = all.entry(address).or_default();
            if *count >= STREAMS_OF_ADDRESS_MAX {
                return None;
            }
            *count += 1;
        }
        Some(Place { streams: Arc::clone(self), address, _permit: permit })
    }
}

/// The place of one stream; dropping it frees the place.
struct Place {
    streams: Arc<Streams>,
    address: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut all = self.streams.by_address.lock();
        if let Entry::Occupied(mut count) = all.entry(address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

struct Watching {
    edge: Edge,
    held: HeldTicket,
    last: Option<Status>,
    silent: u32,
    is_over: bool,
    place: Place,
}

pub(super) fn open(edge: &Edge, held: HeldTicket, address: Option<IpAddr>) -> Result<Response, Refusal> {
    let too_many = || Refusal::unavailable("too many streams are open; ask for the status instead");
    let place = edge.streams.enter(address).ok_or_else(too_many)?;
    let watching = Watching { edge: edge.clone(), held, last: None, silent: 0, is_over: false, place };
    let events = stream::unfold(watching, async |mut watching| {
        let event = watching.next().await?;
        Some((Ok::<_, Infallible>(event), watching))
    });
    // Without it nginx would buffer the events.
    Ok(([("x-accel-buffering", "no")], Sse::new(events)).into_response())
}

impl Watching {
    /// The next event; `None` ends the stream, because the wait is over or the gateway shuts down
    /// and the client reconnects to another.
    async fn next(&mut self) -> Option<Event> {
        let closing = self.place.streams.closing.clone();
        closing.run_until_cancelled(self.news()).await.flatten()
    }

    async fn news(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
            if self.last.is_some() {
                self.edge.waiting_room.clock().sleep(LOOK_EVERY).await;
            }
            let status = self.edge.waiting_room.status(&self.held).await;
            self.is_over = matches!(status.status, QueueStatus::Expired | QueueStatus::Left);
            if self.last.as_ref().is_none_or(|last| is_news(last, &status)) {
                let event = Event::default().event("status").json_data(&status);
                self.last = Some(status);
                self.silent = 0;
                // Serialising texts and numbers does not fail.
                return event.ok();
            }
            self.silent += 1;
            if self.silent >= SILENT_LOOKS_MAX {
                self.silent = 0;
                return Some(Event::default().comment("still here"));
            }
        }
    }
}

/// Whether anything but the passing time has changed.
fn is_news(last: &Status, status: &Status) -> bool {
    let same =
        Status { waiting_time: last.waiting_time, ready_for_sec: last.ready_for_sec, ..status.clone() };
    *last != same
}
