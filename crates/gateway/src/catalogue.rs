//! What is on sale, as of a moment ago: thousands who look at once are one call of the inventory.

use crate::backends::Shows;
use crate::fresh::Fresh;
use crate::refusal::Refusal;
use contracts::error::Code;
use contracts::rest::{admin, gateway as body};
use contracts::time::rfc3339;
use core::time::Duration;
use domain::id::{SectionId, ShowId};
use domain::time::Timestamp;
use ports::{CallContext, Clock, Fault, Trace};
use std::sync::Arc;

/// How old an answer may be.
const FRESH_FOR: Duration = Duration::from_millis(250);
/// The list of shows changes when one is put on sale.
const LIST_FRESH_FOR: Duration = Duration::from_secs(1);

/// The inventory, looked at.
pub(crate) struct Catalogue {
    shows: Arc<dyn Shows>,
    clock: Arc<dyn Clock>,
    limit: Duration,
    list: Fresh<(), Dated<Vec<admin::Show>>>,
    one: Fresh<ShowId, Dated<Option<admin::Show>>>,
    seats: Fresh<(ShowId, SectionId), Dated<Option<admin::Seats>>>,
}

struct Dated<T> {
    at: Timestamp,
    value: T,
}

impl Catalogue {
    pub(crate) fn new(shows: Arc<dyn Shows>, clock: Arc<dyn Clock>, limit: Duration) -> Self {
        let (list, one, seats) = (Fresh::new(LIST_FRESH_FOR), Fresh::new(FRESH_FOR), Fresh::new(FRESH_FOR));
        Self { shows, clock, limit, list, one, seats }
    }

    /// Every show.
    pub(crate) async fn list(&self, trace: &Trace) -> Result<body::Events, Refusal> {
        let cx = self.context(trace);
        let list = self.list.get(&(), self.clock.elapsed(), self.dated(self.shows.shows(&cx))).await;
        let list = list.map_err(|fault| Refusal::failed("shows", &fault, trace))?;
        let event = |show: &admin::Show| body::Event {
            event_id: show.event_id.clone(),
            name: show.name.clone(),
            currency: show.currency.clone(),
            total: show.total_seats,
            remaining: show.sections.iter().map(|section| section.remaining).sum(),
            waiting_room: is_behind_a_waiting_room(show),
        };
        Ok(body::Events { events: list.value.iter().map(event).collect(), as_of: rfc3339(list.at) })
    }

    /// A show and how many seats are left in each section.
    pub(crate) async fn availability(
        &self,
        show: &ShowId,
        trace: &Trace,
    ) -> Result<body::Availability, Refusal> {
        let found = self.find(show, trace).await?;
        let Some(show) = &found.value else { return Err(no_such_show(show)) };
        let section = |section: &admin::SectionCounts| body::Section {
            id: section.id.clone(),
            name: section.name.clone(),
            price: section.price,
            kind: section.kind.as_str().to_owned(),
            total: section.total,
            remaining: section.remaining,
            held: section.held,
            sold: section.sold,
        };
        Ok(body::Availability {
            event_id: show.event_id.clone(),
            name: show.name.clone(),
            currency: show.currency.clone(),
            waiting_room: is_behind_a_waiting_room(show),
            remaining: show.sections.iter().map(|section| section.remaining).sum(),
            sections: show.sections.iter().map(section).collect(),
            as_of: rfc3339(found.at),
        })
    }

    /// The seats of a section.
    pub(crate) async fn seats(
        &self,
        show: &ShowId,
        section: &SectionId,
        trace: &Trace,
    ) -> Result<body::Seats, Refusal> {
        let cx = self.context(trace);
        let key = (show.clone(), section.clone());
        let fetch = self.dated(self.shows.seats(&cx, show, section));
        let found = self.seats.get(&key, self.clock.elapsed(), fetch).await;
        let found = found.map_err(|fault| Refusal::failed("seats", &fault, trace))?;
        let Some(seats) = &found.value else {
            let message = format!("there is no section {section} in show {show}, or no such show");
            return Err(Refusal::new(Code::NotFound, message));
        };
        let seat = |seat: &admin::Seat| body::Seat {
            seat_id: seat.id.clone(),
            row: seat.row.clone(),
            number: seat.number.clone(),
            price: seat.price,
            status: seat.status.clone(),
        };
        Ok(body::Seats {
            event_id: seats.event_id.clone(),
            section: seats.section.clone(),
            seats: seats.seats.iter().map(seat).collect(),
            as_of: rfc3339(found.at),
        })
    }

    /// How a show is entered; `None` if anybody may reserve.
    pub(crate) async fn waiting_room(
        &self,
        show: &ShowId,
        trace: &Trace,
    ) -> Result<Option<admin::WaitingRoom>, Refusal> {
        let found = self.find(show, trace).await?;
        found.value.as_ref().map(|show| show.waiting_room.clone()).ok_or_else(|| no_such_show(show))
    }

    async fn find(&self, show: &ShowId, trace: &Trace) -> Result<Arc<Dated<Option<admin::Show>>>, Refusal> {
        let cx = self.context(trace);
        let found = self.one.get(show, self.clock.elapsed(), self.dated(self.shows.show(&cx, show))).await;
        found.map_err(|fault| Refusal::failed("show", &fault, trace))
    }

    async fn dated<T>(&self, fetch: impl Future<Output = Result<T, Fault>>) -> Result<Dated<T>, Fault> {
        let at = self.clock.now();
        fetch.await.map(|value| Dated { at, value })
    }

    fn context(&self, trace: &Trace) -> CallContext {
        CallContext { trace: trace.clone(), timeout: Some(self.limit) }
    }
}

fn is_behind_a_waiting_room(show: &admin::Show) -> bool {
    show.waiting_room.as_ref().is_some_and(|room| room.required)
}

fn no_such_show(show: &ShowId) -> Refusal {
    Refusal::new(Code::NotFound, format!("there is no show {show}"))
}
