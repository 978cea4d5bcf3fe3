//! The shows on sale, as of a moment ago: thousands of requests at once cost one call to the
//! inventory and one body.

use crate::cached_body::CachedBody;
use crate::refusal::Refusal;
use crate::single_flight_cache::SingleFlightCache;
use contracts::backends::Shows;
use contracts::error::Code;
use contracts::rest::{admin, gateway as body};
use contracts::time::rfc3339;
use core::time::Duration;
use domain::id::{SectionId, ShowId};
use ports::{CallContext, Clock, Tasks, Trace};
use std::sync::Arc;

/// How old an answer about a show may be.
const FRESH_FOR: Duration = Duration::from_millis(250);
/// How old the list of shows may be; it changes when a show is put on sale.
const LIST_FRESH_FOR: Duration = Duration::from_secs(1);

/// Cached reads of the inventory.
pub(crate) struct Catalogue {
    shows: Arc<dyn Shows>,
    clock: Arc<dyn Clock>,
    limit: Duration,
    list: SingleFlightCache<(), Arc<CachedBody>>,
    one: SingleFlightCache<ShowId, Option<Arc<CachedShow>>>,
    seats: SingleFlightCache<(ShowId, SectionId), Option<Arc<CachedBody>>>,
}

/// A show, and the body that describes it.
struct CachedShow {
    show: admin::Show,
    body: Arc<CachedBody>,
}

impl Catalogue {
    pub(crate) fn new(shows: Arc<dyn Shows>, clock: Arc<dyn Clock>, tasks: &Tasks, limit: Duration) -> Self {
        Self {
            list: SingleFlightCache::new(LIST_FRESH_FOR, clock.clone(), tasks.clone()),
            one: SingleFlightCache::new(FRESH_FOR, clock.clone(), tasks.clone()),
            seats: SingleFlightCache::new(FRESH_FOR, clock.clone(), tasks.clone()),
            shows,
            clock,
            limit,
        }
    }

    /// Every show.
    pub(crate) async fn list(&self, trace: &Trace) -> Result<Arc<CachedBody>, Refusal> {
        let fetch = || {
            let (shows, cx, at) = (self.shows.clone(), self.context(trace), rfc3339(self.clock.now()));
            async move {
                let shows = shows.shows(&cx).await?;
                let events = shows.iter().map(event).collect();
                Ok(Arc::new(CachedBody::json(&body::Events { events, as_of: at })))
            }
        };
        let list = self.list.get(&(), fetch).await;
        list.map_err(|fault| Refusal::failed("shows", fault))
    }

    /// A show, with the seats left in each section.
    pub(crate) async fn availability(
        &self,
        show: &ShowId,
        trace: &Trace,
    ) -> Result<Arc<CachedBody>, Refusal> {
        let found = self.find(show, trace).await?;
        Ok(Arc::clone(&found.body))
    }

    /// The seats of a section. Empty for general admission, whose seats have no names to choose by.
    pub(crate) async fn seats(
        &self,
        show: &ShowId,
        section: &SectionId,
        trace: &Trace,
    ) -> Result<Arc<CachedBody>, Refusal> {
        let found = self.find(show, trace).await?;
        let mut sections = found.show.sections.iter();
        let kind = sections.find(|one| one.id == section.as_str()).map(|section| section.kind);
        let Some(kind) = kind else { return Err(no_such_section(show, section)) };
        let fetch = || {
            let (shows, cx, at) = (self.shows.clone(), self.context(trace), rfc3339(self.clock.now()));
            let (show, section) = (show.clone(), section.clone());
            async move {
                let seats = match kind {
                    admin::Kind::General => Vec::new(),
                    admin::Kind::Seats => match shows.seats(&cx, &show, &section).await? {
                        Some(found) => found.seats,
                        None => return Ok(None),
                    },
                };
                let (event_id, section) = (show.to_string(), section.to_string());
                let seats = seats.into_iter().map(seat).collect();
                Ok(Some(Arc::new(CachedBody::json(&body::Seats { event_id, section, seats, as_of: at }))))
            }
        };
        let found = self.seats.get(&(show.clone(), section.clone()), fetch).await;
        let found = found.map_err(|fault| Refusal::failed("seats", fault))?;
        found.ok_or_else(|| no_such_section(show, section))
    }

    /// The settings of a show's waiting room; `None` if there is none and anybody can reserve.
    pub(crate) async fn waiting_room(
        &self,
        show: &ShowId,
        trace: &Trace,
    ) -> Result<Option<admin::WaitingRoom>, Refusal> {
        let found = self.find(show, trace).await?;
        Ok(found.show.waiting_room.clone())
    }

    async fn find(&self, show: &ShowId, trace: &Trace) -> Result<Arc<CachedShow>, Refusal> {
        let fetch = || {
            let (shows, cx, at) = (self.shows.clone(), self.context(trace), rfc3339(self.clock.now()));
            let show = show.clone();
            async move {
                let found = shows.show(&cx, &show).await?;
                let seen =
                    |show| CachedShow { body: Arc::new(CachedBody::json(&availability(&show, at))), show };
                Ok(found.map(|show| Arc::new(seen(show))))
            }
        };
        let found = self.one.get(show, fetch).await;
        let found = found.map_err(|fault| Refusal::failed("show", fault))?;
        found.ok_or_else(|| no_such_show(show))
    }

    fn context(&self, trace: &Trace) -> CallContext {
        CallContext { trace: trace.clone(), timeout: Some(self.limit) }
    }
}

fn event(show: &admin::Show) -> body::Event {
    body::Event {
        event_id: show.event_id.clone(),
        name: show.name.clone(),
        currency: show.currency.clone(),
        total: show.total_seats,
        remaining: show.sections.iter().map(|section| section.remaining).sum(),
        waiting_room: is_behind_a_waiting_room(show),
    }
}

fn availability(show: &admin::Show, as_of: String) -> body::Availability {
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
    body::Availability {
        event_id: show.event_id.clone(),
        name: show.name.clone(),
        currency: show.currency.clone(),
        waiting_room: is_behind_a_waiting_room(show),
        remaining: show.sections.iter().map(|section| section.remaining).sum(),
        sections: show.sections.iter().map(section).collect(),
        as_of,
    }
}

fn seat(seat: admin::Seat) -> body::Seat {
    let admin::Seat { id, row, number, price, status } = seat;
    body::Seat { seat_id: id, row, number, price, status }
}

fn is_behind_a_waiting_room(show: &admin::Show) -> bool {
    show.waiting_room.as_ref().is_some_and(|room| room.required)
}

fn no_such_show(show: &ShowId) -> Refusal {
    Refusal::new(Code::NotFound, format!("there is no show {show}"))
}

fn no_such_section(show: &ShowId, section: &SectionId) -> Refusal {
    Refusal::new(Code::NotFound, format!("show {show} has no section {section}"))
}
