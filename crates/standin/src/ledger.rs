//! Checks the journal for broken promises.
//!
//! - **Lost**: a message was sent and is neither deleted nor moved to the dead-letter queue.
//!   Checked at the end, when the queue should be empty.
//! - **Without effect**: a message was deleted before its event was carried out at the inventory
//!   and at reservation-api. An inventory that refuses (the seats are sold, or gone for good) is
//!   enough to settle the event.
//! - **Twice**: the same call changed the same reservation more than once.
//! - **Inversion**: two events of a reservation on a FIFO queue, and the later one's first call
//!   came before the earlier one's.
//! - **Overlap**: the later one's first call came before the end of the earlier one's last call.

use crate::journal::{Called, Entry, Journal, Lane, Outcome, Step, Tag};
use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

/// A broken promise, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Neither deleted nor buried.
    Lost(Tag),
    /// Deleted before it was carried out.
    WithoutEffect(Tag),
    /// The same call changed this reservation more than once.
    Twice(Lane, Called),
    /// The second event began before the first one, which was sent earlier.
    Inversion(Tag, Tag),
    /// The second event began before the first one had ended.
    Overlap(Tag, Tag),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(Tag(event)) => write!(f, "event {event:032x} is lost"),
            Self::WithoutEffect(Tag(event)) => write!(f, "event {event:032x} was deleted without its effect"),
            Self::Twice(Lane(lane), call) => {
                write!(f, "reservation {lane:016x} was changed twice by {call:?}")
            }
            Self::Inversion(Tag(one), Tag(other)) => {
                write!(f, "event {other:032x} began before {one:032x} of its group")
            }
            Self::Overlap(Tag(one), Tag(other)) => {
                write!(f, "event {other:032x} began before {one:032x} of its group had ended")
            }
        }
    }
}

/// The times of an event, since the journal began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// When its message was last received.
    pub received: Option<Duration>,
    /// When its message's delete arrived.
    pub settled: Option<Duration>,
    /// The total time of its calls downstream, measured at the servers.
    pub downstream: Duration,
}

/// The account of each event. An event is one trace id: the first message with it is the event, one
/// in another queue is its dead letter, and another one in the first queue is a redriven dead
/// letter. All messages without a trace id count as one event, so a load gives each event a trace
/// id of its own.
#[derive(Default)]
pub struct Ledger {
    events: HashMap<Tag, Account>,
    /// Effects on each reservation, by call.
    effects: BTreeMap<(Lane, Called), u32>,
    buried: u64,
}

#[derive(Default)]
struct Account {
    /// The number of its message, which is its position among all messages.
    message: Option<u64>,
    queue: u32,
    lane: Lane,
    fifo: bool,
    times: Times,
    buried: bool,
    began: Option<usize>,
    ended: Option<usize>,
    /// When a call in progress began, for each kind of call.
    in_air: [Option<Duration>; 4],
    inventory_done: bool,
    /// The inventory refused for good, so reservation-api needs no call.
    refused: bool,
    reservation_done: bool,
    deleted_too_early: bool,
}

impl Ledger {
    /// Reads a journal.
    pub fn read(journal: &Journal) -> Self {
        journal.read(|entries| {
            let mut ledger = Self::default();
            for (place, entry) in entries.iter().enumerate() {
                ledger.apply(place, entry);
            }
            ledger
        })
    }

    /// Messages that were sent.
    pub fn sent(&self) -> usize {
        self.accounts().count()
    }

    /// Messages that were deleted.
    pub fn settled(&self) -> usize {
        self.accounts().filter(|(_, account)| account.times.settled.is_some()).count()
    }

    /// How many messages were moved to a dead-letter queue, by the redrive policy or by the worker.
    pub fn buried(&self) -> u64 {
        self.buried
    }

    /// The times of each event.
    pub fn times(&self) -> impl Iterator<Item = (Tag, Times)> {
        self.accounts().map(|(tag, account)| (*tag, account.times))
    }

    /// Every broken promise. `at_rest`: the queue should be empty, so a remaining message is lost.
    pub fn broken(&self, at_rest: bool) -> Vec<Broken> {
        let lost = |account: &Account| at_rest && account.times.settled.is_none() && !account.buried;
        let mut broken: Vec<Broken> = Vec::new();
        for (tag, account) in self.accounts() {
            if lost(account) {
                broken.push(Broken::Lost(*tag));
            }
            if account.deleted_too_early {
                broken.push(Broken::WithoutEffect(*tag));
            }
        }
        let twice = self.effects.iter().filter(|(_, count)| **count > 1);
        broken.extend(twice.map(|((lane, call), _)| Broken::Twice(*lane, *call)));
        broken.extend(self.disorder());
        broken
    }

    fn accounts(&self) -> impl Iterator<Item = (&Tag, &Account)> {
        self.events.iter().filter(|(_, account)| account.message.is_some())
    }

    fn disorder(&self) -> Vec<Broken> {
        let mut lanes: HashMap<Lane, Vec<(u64, Tag)>> = HashMap::new();
        for (tag, account) in self.accounts().filter(|(_, account)| account.fifo) {
            lanes.entry(account.lane).or_default().push((account.message.unwrap_or_default(), *tag));
        }
        let mut broken = Vec::new();
        for events in lanes.values_mut() {
            events.sort_unstable();
            // Events without a call have no position in time.
            let runs: Vec<(Tag, usize, usize)> = events
                .iter()
                .filter_map(|(_, tag)| {
                    let account = &self.events[tag];
                    Some((*tag, account.began?, account.ended.unwrap_or(usize::MAX)))
                })
                .collect();
            for pair in runs.windows(2) {
                let [(one, began, ended), (other, next, _)] = pair else { continue };
                if next < began {
                    broken.push(Broken::Inversion(*one, *other));
                } else if next < ended {
                    broken.push(Broken::Overlap(*one, *other));
                }
            }
        }
        broken
    }

    fn apply(&mut self, place: usize, entry: &Entry) {
        let account = self.events.entry(entry.tag).or_default();
        match entry.step {
            Step::Sent { queue, message, fifo } => {
                if account.message.is_some() && account.queue != queue {
                    // The worker's own copy of a poison message carries the trace of the first.
                    account.buried = true;
                    self.buried += 1;
                    return;
                }
                account.message = Some(message);
                account.queue = queue;
                account.lane = entry.lane;
                account.fifo = fifo;
                // If it was buried, this is its redrive.
                account.buried = false;
                account.times.settled = None;
            }
            Step::Received { .. } => account.times.received = Some(entry.at),
            Step::Hidden { .. } => {}
            Step::Deleted { message, .. } if account.message == Some(message) => {
                account.times.settled = Some(entry.at);
                let ended = account.reservation_done || account.refused;
                let done = account.inventory_done && ended;
                account.deleted_too_early = !(done || account.buried);
            }
            Step::Deleted { .. } => {}
            Step::Moved { .. } => {
                account.buried = true;
                self.buried += 1;
            }
            Step::Began(call) => {
                account.began.get_or_insert(place);
                account.in_air[call as usize] = Some(entry.at);
            }
            Step::Ended(call, outcome) => {
                account.ended = Some(place);
                if let Some(began) = account.in_air[call as usize].take() {
                    account.times.downstream += entry.at.saturating_sub(began);
                }
                account.called(call, outcome);
                if matches!(outcome, Outcome::Effect | Outcome::Lost) && call != Called::Get {
                    *self.effects.entry((entry.lane, call)).or_default() += 1;
                }
            }
        }
    }
}

impl Account {
    fn called(&mut self, call: Called, outcome: Outcome) {
        let done = !matches!(outcome, Outcome::Failed | Outcome::Lost);
        match call {
            Called::Commit | Called::Release => {
                self.inventory_done |= done;
                self.refused |= outcome == Outcome::Refused;
            }
            Called::Patch => self.reservation_done |= done,
            Called::Get => {}
        }
    }
}
