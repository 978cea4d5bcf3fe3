//! The status as server-sent events: one when it changes, a comment now and then when it does not.

use super::Edge;
use crate::queue::Held;
use crate::refusal::Refusal;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use contracts::rest::gateway::{QueueStatus, Status};
use core::convert::Infallible;
use core::time::Duration;
use futures_util::stream;
use std::sync::Arc;

/// How often it is looked whether something has changed. It is a sign of life as well.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks without a change a silent connection lasts: proxies close those of a minute.
const SILENT_LOOKS_MAX: u32 = 15;
/// Streams that one gateway has open at a time, at most.
pub(crate) const STREAMS_MAX: usize = 10_000;

struct Watching {
    edge: Edge,
    held: Held,
    told: Option<Status>,
    silent: u32,
    is_over: bool,
    _place: tokio::sync::OwnedSemaphorePermit,
}

pub(super) fn open(edge: &Edge, held: Held) -> Result<Response, Refusal> {
    let place = Arc::clone(&edge.0.streams).try_acquire_owned();
    let place =
        place.map_err(|_| Refusal::unavailable("too many streams are open; ask for the status instead"))?;
    let watching =
        Watching { edge: edge.clone(), held, told: None, silent: 0, is_over: false, _place: place };
    let events = stream::unfold(watching, async |mut watching| {
        let event = watching.next().await?;
        Some((Ok::<_, Infallible>(event), watching))
    });
    Ok(Sse::new(events).into_response())
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
            if self.told.is_some() {
                self.edge.0.queue.clock().sleep(LOOK_EVERY).await;
            }
            let status = self.edge.0.queue.status(&self.held).await;
            self.is_over = matches!(status.status, QueueStatus::Expired | QueueStatus::Left);
            if self.told.as_ref().is_none_or(|told| is_news(told, &status)) {
                let event = Event::default().event("status").json_data(&status);
                self.told = Some(status);
                self.silent = 0;
                // A status is texts and numbers.
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

/// Time that passes is no news.
fn is_news(told: &Status, status: &Status) -> bool {
    let same =
        Status { waiting_time: told.waiting_time, ready_for_sec: told.ready_for_sec, ..status.clone() };
    *told != same
}
