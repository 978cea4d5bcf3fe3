//! Every message that the worker has: its newest lease, its stage, and when it must be looked at
//! next.
//!
//! - A delivery is found by its message id, so a message that is received again meanwhile is
//!   recognised and its newer receipt kept (trap T-T7).
//! - `lease_until` is the start of the receive (or renewal) plus the visibility, less a margin: a
//!   slow answer has used up part of its own lease (trap T-T6).
//! - Each delivery has one entry in the agenda, at the next time when something must happen to it.
//!   One timer serves all.

use super::signal::Arrival;
use crate::breakers::Probes;
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

/// One delivery. Ids grow in the order of receipt and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeliveryId(pub(super) u64);

pub(super) struct Delivery {
    pub(super) message: Message,
    pub(super) content: Content,
    pub(super) lane: ReservationId,
    pub(super) arrived_at: Duration,
    pub(super) lease_until: Duration,
    pub(super) state: DeliveryState,
    /// The arrivals to take up when this delivery has ended, in the order of receipt: the same
    /// message, received again after its settlement was sent, and later arrivals of its lane, which
    /// must not overtake it.
    pub(super) again: Vec<Arrival>,
    /// A renewal was sent and is unanswered. It must not arrive behind the change of visibility
    /// that ends the lease.
    pub(super) renewal_in_air: bool,
    agenda_at: Duration,
}

/// The stage of a delivery.
pub(super) enum DeliveryState {
    /// It waits in its lane.
    Waiting,
    /// A handler works on it.
    Running(Run),
    /// It is being copied to the dead-letter queue and still occupies its lane.
    Copying(Copying),
    /// Its lane failed; it is handed back when the head's settlement is confirmed.
    Following,
    /// Its settlement is being sent.
    Settling(Settling),
}

pub(super) struct Run {
    pub(super) attempt: u32,
    pub(super) since: Duration,
    pub(super) abort: AbortHandle,
    pub(super) probes: Probes,
    pub(super) renewing: bool,
    /// Why the run was cut off, if it was; it ends when its task reports.
    pub(super) cut: Option<Cut>,
}

/// Why a run is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    LeaseLost,
    /// No path of today's handlers is that long, because each call has its limit; this guards
    /// against one that is.
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
    /// Hide it for this long from now.
    Hide(Duration),
}

/// What follows the settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// It was buried: the next of its lane may start.
    LaneGoesOn,
    /// It is the head of a failed lane: its followers are handed back now.
    FollowersGoBack,
    /// It is a follower of a failed lane: the lane opens after the last of them.
    LaneOpens,
}

impl Run {
    /// Ends the run from outside.
    pub(super) fn cut_off(&mut self, why: Cut) {
        probe::hit_variant("cut", &why);
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
pub(super) struct Deliveries {
    by_id: BTreeMap<DeliveryId, Box<Delivery>>,
    by_message: BTreeMap<Arc<str>, DeliveryId>,
    agenda: BTreeSet<(Duration, DeliveryId)>,
    next: u64,
}

impl Deliveries {
    pub(super) fn insert(
        &mut self,
        message: Message,
        content: Content,
        lane: ReservationId,
        lease_until: Duration,
        look_at: Duration,
        now: Duration,
    ) -> DeliveryId {
        let id = DeliveryId(self.next);
        self.next += 1;
        self.by_message.insert(message.id.clone(), id);
        self.agenda.insert((look_at, id));
        let delivery = Delivery {
            message,
            content,
            lane,
            arrived_at: now,
            lease_until,
            state: DeliveryState::Waiting,
            again: Vec::new(),
            renewal_in_air: false,
            agenda_at: look_at,
        };
        self.by_id.insert(id, Box::new(delivery));
        id
    }

    pub(super) fn by_message(&self, id: &str) -> Option<DeliveryId> {
        self.by_message.get(id).copied()
    }

    pub(super) fn get(&self, id: DeliveryId) -> Option<&Delivery> {
        self.by_id.get(&id).map(|delivery| &**delivery)
    }

    pub(super) fn get_mut(&mut self, id: DeliveryId) -> Option<&mut Delivery> {
        self.by_id.get_mut(&id).map(|delivery| &mut **delivery)
    }

    pub(super) fn remove(&mut self, id: DeliveryId) -> Option<Box<Delivery>> {
        let delivery = self.by_id.remove(&id)?;
        self.agenda.remove(&(delivery.agenda_at, id));
        self.by_message.remove(&delivery.message.id);
        Some(delivery)
    }

    /// Moves the next look at the delivery to that time.
    pub(super) fn look_at(&mut self, id: DeliveryId, at: Duration) {
        if let Some(delivery) = self.by_id.get_mut(&id)
            && delivery.agenda_at != at
        {
            self.agenda.remove(&(delivery.agenda_at, id));
            delivery.agenda_at = at;
            self.agenda.insert((at, id));
        }
    }

    /// When the next delivery must be looked at.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// The deliveries whose look is due by then, earliest first.
    pub(super) fn due(&self, until: Duration) -> Vec<DeliveryId> {
        self.agenda.iter().take_while(|(at, _)| *at <= until).map(|(_, id)| *id).collect()
    }

    /// All deliveries, in the order of receipt.
    pub(super) fn ids(&self) -> Vec<DeliveryId> {
        self.by_id.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
