//! Every message that is with us: its newest lease, its stage, and when it must be looked at next.
//!
//! - A delivery is found by its message id, so a message that comes again while it is with us is recognised and its newer
//!   receipt kept (trap T7).
//! - `lease_until` is the start of the receive (or renewal) plus the visibility, less a margin: an answer that took long
//!   has used up its own lease (trap T6).
//! - Each delivery stands once in the agenda, at the next time when something must happen to it. One timer serves all.

use super::signal::Arrival;
use crate::gates::Probes;
use crate::work::Content;
use core::time::Duration;
use domain::event::Kind;
use domain::id::ReservationId;
use domain::retry::Reason;
use futures_util::future::AbortHandle;
use ports::probe;
use ports::queue::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One delivery. Tickets grow in the order of receipt and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(pub(super) u64);

pub(super) struct Delivery {
    pub(super) message: Message,
    pub(super) content: Content,
    pub(super) lane: ReservationId,
    pub(super) arrived_at: Duration,
    pub(super) lease_until: Duration,
    pub(super) stage: Stage,
    /// What is taken up when this delivery is over, in the order of receipt: the same message, received again after
    /// its last word was on its way, and what came after it for its lane, which must not overtake it.
    pub(super) again: Vec<Arrival>,
    /// A renewal was sent and is not answered. It must not arrive behind the change of visibility that ends the lease.
    pub(super) renewal_in_air: bool,
    agenda_at: Duration,
}

/// Where a delivery stands.
pub(super) enum Stage {
    /// In its lane.
    Waiting,
    /// A handler works on it.
    Running(Run),
    /// It is being copied to the dead-letter queue; it still occupies its lane.
    Copying(Copying),
    /// Its lane failed; it goes back when the settlement of the head is confirmed.
    Following,
    /// Its last word is said.
    Settling(Settling),
}

pub(super) struct Run {
    pub(super) attempt: u32,
    pub(super) since: Duration,
    pub(super) abort: AbortHandle,
    pub(super) probes: Probes,
    pub(super) renewing: bool,
    /// Why the run was cut off, if it was: it ends as soon as its task says so.
    pub(super) cut: Option<Cut>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    LeaseLost,
    TookTooLong,
    Shutdown,
}

pub(super) struct Copying {
    pub(super) reason: Reason,
    pub(super) error: String,
    pub(super) attempts: u32,
    pub(super) in_air: bool,
    pub(super) tries: u32,
}

pub(super) struct Settling {
    pub(super) action: Action,
    pub(super) then: Then,
    pub(super) in_air: bool,
    pub(super) tries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Delete,
    /// Invisible for this long from now on.
    Hide(Duration),
}

/// What follows when the settlement is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// It was buried: the next of its lane may start.
    LaneGoesOn,
    /// It is the head of a failed lane: its followers go back now.
    FollowersGoBack,
    /// It is a follower of a failed lane: the lane opens after the last of them.
    LaneOpens,
}

impl Run {
    /// Ends the run from outside.
    pub(super) fn cut_off(&mut self, why: Cut) {
        probe::hit(match why {
            Cut::LeaseLost => "cut.LeaseLost",
            Cut::TookTooLong => "cut.TookTooLong",
            Cut::Shutdown => "cut.Shutdown",
        });
        self.cut = Some(why);
        self.abort.abort();
    }
}

impl Delivery {
    pub(super) fn kind(&self) -> Option<Kind> {
        self.content.kind()
    }

    pub(super) fn lease_left(&self, now: Duration) -> Duration {
        self.lease_until.saturating_sub(now)
    }
}

#[derive(Default)]
pub(super) struct Table {
    deliveries: BTreeMap<Ticket, Box<Delivery>>,
    by_message: BTreeMap<Arc<str>, Ticket>,
    agenda: BTreeSet<(Duration, Ticket)>,
    next: u64,
}

impl Table {
    pub(super) fn insert(
        &mut self,
        message: Message,
        content: Content,
        lane: ReservationId,
        lease_until: Duration,
        look_at: Duration,
        now: Duration,
    ) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.by_message.insert(message.id.clone(), ticket);
        self.agenda.insert((look_at, ticket));
        let delivery = Delivery {
            message,
            content,
            lane,
            arrived_at: now,
            lease_until,
            stage: Stage::Waiting,
            again: Vec::new(),
            renewal_in_air: false,
            agenda_at: look_at,
        };
        self.deliveries.insert(ticket, Box::new(delivery));
        ticket
    }

    pub(super) fn by_message(&self, id: &str) -> Option<Ticket> {
        self.by_message.get(id).copied()
    }

    pub(super) fn get(&self, ticket: Ticket) -> Option<&Delivery> {
        self.deliveries.get(&ticket).map(|delivery| &**delivery)
    }

    pub(super) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Delivery> {
        self.deliveries.get_mut(&ticket).map(|delivery| &mut **delivery)
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Box<Delivery>> {
        let delivery = self.deliveries.remove(&ticket)?;
        self.agenda.remove(&(delivery.agenda_at, ticket));
        self.by_message.remove(&delivery.message.id);
        Some(delivery)
    }

    /// Looks at the delivery again at that time, instead of the time before.
    pub(super) fn look_at(&mut self, ticket: Ticket, at: Duration) {
        if let Some(delivery) = self.deliveries.get_mut(&ticket)
            && delivery.agenda_at != at
        {
            self.agenda.remove(&(delivery.agenda_at, ticket));
            delivery.agenda_at = at;
            self.agenda.insert((at, ticket));
        }
    }

    /// When the next delivery must be looked at.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// The deliveries to look at by then, earliest first.
    pub(super) fn due(&self, until: Duration) -> Vec<Ticket> {
        self.agenda.iter().take_while(|(at, _)| *at <= until).map(|(_, ticket)| *ticket).collect()
    }

    /// All deliveries, in the order of receipt.
    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.deliveries.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }
}
