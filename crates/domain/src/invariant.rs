//! The invariants (docs/design.md#invariants), as functions over a snapshot of the stored rows.
//!
//! The demo, the crash test, the simulator and `tacos check` on a folder use the same checks. The
//! checks read what is stored, never what a driver remembers. Each check counts what it examined,
//! so that a report over nothing cannot pass as a success.
//!
//! Only a history can show I3's growing versions and Q1-Q6. These are observed where they happen
//! and added with [`Report::record`].
//!
//! W1-W6 are no [`Name`], because a line stores no rows that a snapshot could show. The oracle of
//! the simulator's waiting-room world (`sim::line_world::oracle`) sees each command of the line and
//! reports them as text, beside W10 and facts without a number (docs/simulation.md lists all).

use crate::hold::{Hold, HoldKey};
use crate::id::{OrderId, PaymentIntentId, ReservationId, SeatId, SectionId, ShowId};
use crate::payment::Payment;
use crate::reservation::Reservation;
use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

mod crossing;
mod money;
mod seats;

/// The names of the invariants (docs/design.md#invariants).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the design's; `meaning` says what each demands")]
pub enum Name {
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    X1,
    X2,
    X3,
    X4,
    M1,
    M2,
    M3,
    Q1,
    Q2,
    Q3,
    Q4,
    Q5,
    Q6,
    L1,
}

impl Name {
    /// What the invariant demands, in one line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::I1 => "no seat is sold to two orders",
            Self::I2 => "available + held + sold + blocked = capacity, on rows",
            Self::I3 => "no two live holds share a seat",
            Self::I4 => "a hold resolves once",
            Self::I5 => "all seats of a hold, or none",
            Self::I6 => "sold seats stay sold to their order",
            Self::I7 => "no hold expires before its time",
            Self::X1 => "reservation and hold agree",
            Self::X2 => "one key, one reservation",
            Self::X3 => "every event had its effect",
            Self::X4 => "reported stock equals the rows",
            Self::M1 => "captured money has its seats or its refund",
            Self::M2 => "never refunded more than captured",
            Self::M3 => "a refund runs once",
            Self::Q1 => "acknowledged means the effect is durable",
            Self::Q2 => "at most one run per lane",
            Self::Q3 => "runs of a lane start in order",
            Self::Q4 => "one settlement per delivery, within its lease",
            Self::Q5 => "in flight within the limit",
            Self::Q6 => "no dead letter without its own attempts",
            Self::L1 => "everything reaches its end",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The owner of a seat, as the seat's row says. A seat without a row is free at version 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// AVAILABLE.
    Free,
    /// HELD by a hold of this reservation.
    Held(ReservationId),
    /// SOLD to this order.
    Sold(OrderId),
    /// BLOCKED by an operator.
    Blocked,
}

/// One stored seat row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRow {
    /// Its show.
    pub show: ShowId,
    /// Its section.
    pub section: SectionId,
    /// Its id.
    pub seat: SeatId,
    /// Whether the definition of the show has such a seat.
    pub defined: bool,
    /// Its owner.
    pub owner: Owner,
}

/// The capacity of a section, and the counts that the inventory reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The show.
    pub show: ShowId,
    /// The section.
    pub section: SectionId,
    /// Seats in its definition.
    pub capacity: u64,
    /// The service's counts; `None` if they were not requested.
    pub reported: Option<Counts>,
}

/// Seats of a section by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// AVAILABLE.
    pub available: u64,
    /// HELD.
    pub held: u64,
    /// SOLD.
    pub sold: u64,
    /// BLOCKED.
    pub blocked: u64,
}

/// One executed refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The refunded payment.
    pub intent: PaymentIntentId,
    /// How much.
    pub amount: u64,
    /// The idempotency key of its request: a refund runs once under each.
    pub key: Arc<str>,
}

/// Everything that is stored, in the terms of the domain.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The sections of all shows.
    pub sections: Vec<Section>,
    /// The stored seat rows.
    pub seats: Vec<SeatRow>,
    /// All remembered holds.
    pub holds: Vec<Hold>,
    /// All reservations.
    pub reservations: Vec<Reservation>,
    /// For each idempotency record, the reservation in its answer.
    pub idempotency: Vec<ReservationId>,
    /// All payments.
    pub payments: Vec<Payment>,
    /// All executed refunds.
    pub refunds: Vec<Refund>,
    /// Events that are stored and not yet published.
    pub outbox_pending: u64,
    /// Messages in the event queue, in any state.
    pub queued: u64,
    /// Reservations with an event in the dead-letter queue: an operator has to end them.
    pub buried: Vec<ReservationId>,
}

/// Whether changes may still be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Buyers and workers are busy: check only what holds at every instant.
    Running,
    /// Faults have stopped, the outbox and the queue are empty, every hold is due: check the final
    /// states too.
    AtRest,
}

/// The verdict on one invariant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Things that were examined.
    pub checked: u64,
    /// Things that were wrong.
    pub violations: u64,
    /// Messages about the first few violations.
    pub examples: Vec<String>,
}

/// The verdicts by invariant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(BTreeMap<Name, Verdict>);

impl Report {
    /// A verdict keeps at most this many messages.
    pub const EXAMPLES_MAX: usize = 5;

    /// Counts one examined thing; `problem` says what is wrong with it, if anything.
    pub fn note(&mut self, name: Name, problem: Option<String>) {
        let verdict = self.0.entry(name).or_default();
        verdict.checked += 1;
        if let Some(problem) = problem {
            verdict.violations += 1;
            if verdict.examples.len() < Self::EXAMPLES_MAX {
                verdict.examples.push(problem);
            }
        }
    }

    /// Counts one examined thing; the message is only built if `holds` is false.
    pub fn expect(&mut self, name: Name, holds: bool, problem: impl FnOnce() -> String) {
        self.note(name, (!holds).then(problem));
    }

    /// Adds the counts of an observer.
    pub fn record(&mut self, name: Name, checked: u64, violations: u64) {
        let verdict = self.0.entry(name).or_default();
        verdict.checked += checked;
        verdict.violations += violations;
    }

    /// All verdicts in the order of the names.
    pub fn verdicts(&self) -> impl Iterator<Item = (Name, &Verdict)> {
        self.0.iter().map(|(name, verdict)| (*name, verdict))
    }

    /// The verdict on one invariant.
    pub fn get(&self, name: Name) -> Option<&Verdict> {
        self.0.get(&name)
    }

    /// Whether no violation was seen.
    pub fn holds(&self) -> bool {
        self.0.values().all(|verdict| verdict.violations == 0)
    }
}

/// The holds by reservation and key, for the checks.
type Holds<'w> = BTreeMap<(&'w ReservationId, HoldKey), &'w Hold>;

/// Checks every invariant that a snapshot can show.
pub fn check(world: &World, phase: Phase) -> Report {
    let mut report = Report::default();
    let holds: Holds<'_> = world.holds.iter().map(|hold| ((&hold.reservation, hold.key), hold)).collect();
    seats::check(world, &holds, &mut report);
    crossing::check(world, &holds, phase, &mut report);
    money::check(world, phase, &mut report);
    report
}

#[cfg(test)]
mod tests;
