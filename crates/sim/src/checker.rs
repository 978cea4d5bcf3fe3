//! The checker: looks for states that must never be, whenever something changes.
//!
//! - After every commit it computes the invariants that hold at every instant from the rows
//!   (`domain::invariant`), and compares each row with its history: a resolved hold stays resolved,
//!   a sold seat stays sold, a confirmed reservation stays confirmed, a payment only moves forward.
//! - At every call to the queue it checks that the worker may make it: not with a lease that had
//!   ended, not under an old receipt, not without the effect.
//!
//! The simulated engines report to it, so it sees what really happened and trusts no instance.
//! Where an injected fault explains a violation (a lease that was cut short), it stays silent.

use crate::core::Core;
use crate::queue::Held;
use crate::table::Change;
use census::{Census, Table};
use contracts::envelope;
use domain::event::{Event, Fact};
use domain::hold::{Hold, HoldState};
use domain::id::{PaymentIntentId, ReservationId};
use domain::invariant::{self, Name, Phase, Report, World};
use domain::payment::Status as Paid;
use domain::reservation::{Reservation, Status};
use history::history;
use ports::queue::{Message, Outgoing};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use worker::dead_letter::attribute;
use worker::journal::Step;

mod history;

/// How far an instance's clock may be off, in milliseconds: half of the difference between two
/// clocks that the services allow for.
pub const SKEW_MAX_MS: i64 = 2_400;
/// The id of callers that are no instance: buyers and operators.
pub const OUTSIDE: u32 = 0;
/// After this time without any answer of a downstream its breaker must be open: six runs take
/// longer.
const SILENCE_MAX_US: u64 = 20_000_000;
/// The breaker must also be open after this many calls: three runs without an answer open it, and
/// no run makes more than two calls to one downstream.
const SILENT_CALLS_MAX: u32 = 6;
/// How long it may take until a failed settlement is sent again: the answer may be slow, and the
/// worker rests in between.
const REPEAT_US: u64 = 7_000_000;

/// What a worker asks of the queue for a message that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// Its effect is durable.
    Delete,
    /// It becomes visible again later.
    GiveBack,
    /// The worker is still working on it.
    Renew,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the invariant, or of the trap.
    pub invariant: String,
    /// What is wrong.
    pub text: String,
    /// The step at which it was found.
    pub step: u64,
}

/// The state of the checker.
#[derive(Default)]
pub struct Checker {
    census: Census,
    /// How often each invariant was checked at an instant.
    checks: BTreeMap<Name, u64>,
    instances: BTreeMap<u32, Instance>,
    /// The newest lease that each instance received, by message, and when.
    received: BTreeMap<(u32, Arc<str>), (u64, u64)>,
    /// Deletes that failed and were not tried again yet: the lease, and when it ends.
    failed: BTreeMap<(u32, Arc<str>), (u64, u64)>,
    /// When a downstream last answered an instance, and the calls since then.
    answered: BTreeMap<(u32, &'static str), (u64, u32)>,
    /// Outbox rows that were ever committed: when they are due.
    outbox: BTreeMap<Arc<str>, u64>,
    /// Messages that were copied to the dead-letter queue.
    buried: BTreeSet<Arc<str>>,
    max_retries: u32,
}

struct Instance {
    alive: bool,
    ending: bool,
    worker: Option<worker::Handle>,
}

impl Checker {
    /// A checker of an empty world. Workers retry `retries_max` times.
    pub fn new(max_retries: u32) -> Self {
        Self { max_retries, ..Self::default() }
    }

    /// The stored rows.
    pub fn world(&self) -> &World {
        self.census.world()
    }

    /// The number of checks so far, by invariant.
    pub fn checks(&self) -> &BTreeMap<Name, u64> {
        &self.checks
    }

    /// An instance was started.
    pub fn started(&mut self, id: u32, worker: Option<worker::Handle>) {
        self.instances.insert(id, Instance { alive: true, ending: false, worker });
    }

    /// An instance begins its shutdown.
    pub fn ending(&mut self, id: u32) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.ending = true;
        }
    }

    /// An instance died or ended.
    pub fn ended(&mut self, id: u32) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.alive = false;
            instance.ending = true;
        }
    }

    /// A downstream answered an instance.
    pub fn answered(&mut self, core: &Core, id: u32, downstream: &'static str) {
        self.answered.insert((id, downstream), (core.exec.micros(), 0));
    }

    /// An instance calls a downstream.
    pub fn called(&mut self, id: u32, downstream: &'static str) {
        self.answered.entry((id, downstream)).or_default().1 += 1;
    }

    fn lives(&self, id: u32) -> bool {
        self.instances.get(&id).is_some_and(|instance| instance.alive)
    }

    /// A commit was applied: compares the rows with their state before, and computes the
    /// invariants.
    pub fn committed(&mut self, core: &Core, table: Table, changes: &[Change<'_>]) {
        let mut matters = false;
        for change in changes {
            let is_outbox = outbox::PendingRow::read(
                change
                    .after
                    .or(change.before)
                    .unwrap_or_else(|| unreachable!("a change has a row before or after it")),
            );
            match is_outbox {
                Some(row) => {
                    if change.after.is_some() {
                        self.outbox.insert(row.event_id.as_str().into(), row.due.as_millis());
                    }
                }
                None => {
                    matters = true;
                    if let Err(text) = history(table, change) {
                        core.violated(text.0, text.1);
                    }
                }
            }
            if let Err(error) = self.census.set(table, change.key, change.after) {
                core.violated("rows", error.to_string());
            }
        }
        if let Err(error) = self.census.complete() {
            core.violated("rows", error.to_string());
        }
        if matters {
            let report = invariant::check(self.census.world(), Phase::Running);
            self.judge(core, &report);
        }
    }

    /// Checks what must hold when nothing is on its way any more.
    pub fn at_rest(&mut self, core: &Core, queued: u64, buried: Vec<ReservationId>) {
        let world = self.census.world_mut();
        world.queued = queued;
        world.buried = buried;
        let report = invariant::check(self.census.world(), Phase::AtRest);
        self.judge(core, &report);
        for instance in self.instances.values() {
            let Some(worker) = &instance.worker else { continue };
            for (name, seen) in worker.observations() {
                *self.checks.entry(name).or_default() += seen.checks;
            }
        }
    }

    /// Compares what the inventory reports of a show with its rows (invariant X4).
    pub fn reported(&mut self, core: &Core, status: &inventory::ShowStatus) {
        let world = self.census.world_mut();
        for section in &mut world.sections {
            let at = status.show.sections.iter().position(|known| known.id == section.section);
            section.reported = at.map(|at| status.counts[at]);
        }
        let report = invariant::check(self.census.world(), Phase::Running);
        self.judge(core, &report);
        // It was true at that moment; later changes are in no report.
        self.census.world_mut().sections.iter_mut().for_each(|section| section.reported = None);
    }

    /// Reads the worker's own observations (Q2 to Q6).
    pub fn observe(&self, core: &Core, id: u32) {
        let Some(worker) = self.instances.get(&id).and_then(|instance| instance.worker.as_ref()) else {
            return;
        };
        for (name, seen) in worker.observations() {
            if seen.violations > 0 {
                core.broken(
                    name,
                    format!("the observer of instance {id} saw {} violations", seen.violations),
                );
            }
        }
    }

    fn judge(&mut self, core: &Core, report: &Report) {
        for (name, verdict) in report.verdicts() {
            *self.checks.entry(name).or_default() += verdict.checked;
            if verdict.violations > 0 {
                core.broken(name, verdict.examples.join("; "));
            }
        }
    }

    /// Messages are being sent to the event queue.
    pub fn sending(&mut self, core: &Core, entries: &[Outgoing], holder: u32) {
        if holder == OUTSIDE {
            return;
        }
        for entry in entries {
            let Some(id) = entry.dedup_id.as_deref() else { continue };
            if id.starts_with("redrive-") {
                continue;
            }
            match self.outbox.get(id) {
                None => core.broken(Name::X3, format!("event {id} is published and was never committed")),
                Some(due) if *due > core.now_ms() + SKEW_MAX_MS as u64 => {
                    core.broken(Name::I7, format!("event {id} is published before it is due"));
                }
                Some(_) => {}
            }
        }
    }

    /// Copies are being sent to the dead-letter queue.
    pub fn burying(&mut self, core: &Core, entries: &[Outgoing], holder: u32) {
        for entry in entries {
            self.contradicts(core, entry);
            if of(entry, attribute::REASON) != Some("retries_exhausted") {
                continue;
            }
            let Some(id) = of(entry, attribute::MESSAGE_ID) else { continue };
            let Some(worker) = self.instances.get(&holder).and_then(|instance| instance.worker.as_ref())
            else {
                continue;
            };
            let Ok((event, _)) = envelope::decode(&entry.body, id, &[]) else { continue };
            let journal = worker.journal().entries(event.reservation.as_str());
            let started = journal
                .iter()
                .filter(|line| *line.message == *id && matches!(line.step, Step::Started { .. }));
            let started = started.count();
            if started <= self.max_retries as usize {
                core.broken(Name::Q6, format!("message {id} is buried as exhausted after {started} runs"));
            }
            let error = of(entry, attribute::ERROR).unwrap_or_default();
            let silent = ["inventory", "reservation", "payments"].into_iter().find(|name| {
                error.strip_prefix(name).is_some_and(|rest| rest.starts_with(" did not answer"))
            });
            if let Some(downstream) = silent {
                let (answered, calls) = self.answered.get(&(holder, downstream)).copied().unwrap_or_default();
                if core.exec.micros() > answered + SILENCE_MAX_US && calls > SILENT_CALLS_MAX {
                    let text = format!("message {id} is buried for an outage of {downstream} (trap T-T10)");
                    core.broken(Name::Q6, text);
                }
            }
        }
    }

    /// All events of existing reservations are true, so none may be buried as a contradiction.
    fn contradicts(&self, core: &Core, copy: &Outgoing) {
        if of(copy, attribute::REASON) != Some("contradiction") {
            return;
        }
        let Ok((event, _)) = envelope::decode(&copy.body, "", &[]) else { return };
        if self.world().reservations.iter().any(|known| known.id == event.reservation) {
            let error = of(copy, attribute::ERROR).unwrap_or_default();
            core.broken(Name::X1, format!("{}: {error}", event.reservation));
        }
    }

    /// A copy is in the dead-letter queue.
    pub fn buried(&mut self, copy: &Outgoing) {
        if let Some(id) = of(copy, attribute::MESSAGE_ID) {
            self.buried.insert(id.into());
        }
    }

    /// An instance received messages.
    pub fn received(&mut self, core: &Core, holder: u32, messages: &[Message]) {
        for message in messages {
            let number = message.receipt.0.rsplit('#').next().and_then(|number| number.parse().ok());
            let received = (number.unwrap_or(0), core.exec.micros());
            let newest = self.received.entry((holder, message.id.clone())).or_insert(received);
            if received.0 > newest.0 {
                *newest = received;
            }
        }
    }

    /// A settlement leaves its sender. `lease` is the message, if it still exists, and the lease
    /// that the receipt names.
    pub fn settling(&mut self, core: &Core, holder: u32, lease: Option<(Held, u64)>, settling: Settling) {
        let Some((message, number)) = lease else { return };
        let key = (holder, message.id.clone());
        if settling == Settling::GiveBack {
            // A message that an earlier receive returns late is a delivery of its own then.
            self.received.remove(&key);
        }
        if settling == Settling::Delete {
            self.failed.remove(&key);
            let (newest, received_at) = self.received.get(&key).copied().unwrap_or((number, 0));
            // A receive that was answered at this very moment may still be on its way within the
            // instance.
            if newest > number && received_at < core.exec.micros() {
                let text =
                    format!("{} is deleted under lease {number}, {newest} is known (trap T-T7)", message.id);
                core.broken(Name::Q4, text);
            }
        }
        let newest = message.lease();
        let in_force =
            newest.is_some_and(|newest| newest.number == number && newest.until > core.exec.micros());
        if !in_force && !message.was_cut(number) {
            core.broken(Name::Q4, format!("{} is settled under lease {number}, which has ended", message.id));
        }
    }

    /// A delete failed, and its sender knows it.
    pub fn delete_failed(&mut self, core: &Core, holder: u32, message: &Held, number: u64) {
        if let Some(lease) = message.lease().filter(|lease| lease.number == number)
            && !message.was_cut(number)
            && lease.until > core.exec.micros() + 2 * REPEAT_US
        {
            self.failed.insert((holder, message.id.clone()), (number, lease.until));
        }
    }

    /// Deletes that failed and were never repeated although there was time (trap T-T8).
    pub fn unrepeated(&mut self, core: &Core) {
        let now = core.exec.micros();
        let late: Vec<_> = self
            .failed
            .iter()
            .filter(|(_, (_, until))| now + REPEAT_US > *until)
            .map(|(key, _)| key.clone())
            .collect();
        for key in late {
            self.failed.remove(&key);
            let working =
                self.instances.get(&key.0).is_some_and(|instance| instance.alive && !instance.ending);
            if working && core.faults.active() {
                core.broken(Name::Q4, format!("the failed delete of {} is not repeated (trap T-T8)", key.1));
            }
        }
    }

    /// A poll was dropped before it ended.
    pub fn poll_dropped(&self, core: &Core, holder: u32) {
        if self.lives(holder) {
            core.violated("T2", format!("instance {holder} dropped a poll in the air"));
        }
    }

    /// A message was deleted by a worker: its effect must be durable, or its copy with the dead
    /// letters (invariant Q1).
    pub fn deleted(&mut self, core: &Core, message: &Held) {
        *self.checks.entry(Name::Q1).or_default() += 1;
        // Other instances that wanted to delete it need not try again.
        self.failed.retain(|(_, id), _| *id != message.id);
        if self.buried.contains(&message.id) {
            return;
        }
        let Ok((event, _)) = envelope::decode(&message.body, &message.id, &message.attributes) else {
            return core.broken(Name::Q1, format!("{} is deleted and was never understood", message.id));
        };
        if !self.has_effect(&event) {
            let kind = event.fact.kind().wire();
            core.broken(Name::Q1, format!("{kind} of {} is deleted without its effect", event.reservation));
        }
    }

    fn has_effect(&self, event: &Event) -> bool {
        let world = self.census.world();
        let id = &event.reservation;
        let reservation = world.reservations.iter().find(|known| known.id == *id);
        let holds = || world.holds.iter().filter(|hold| hold.reservation == *id);
        let sold = holds().any(Hold::is_committed);
        let live = holds().any(|hold| hold.state == HoldState::Live);
        let ended = reservation.is_none_or(|reservation| reservation.status.is_terminal());
        match &event.fact {
            Fact::ReservationExpired { .. } => sold || (ended && !live),
            Fact::PaymentFailed { .. } => ended && !live || sold,
            Fact::PaymentApproved { intent, .. } => {
                let confirmed = |reservation: &Reservation| {
                    reservation.status == Status::Confirmed && reservation.intent.as_ref() == Some(intent)
                };
                reservation.is_some_and(confirmed) || self.given_back(intent)
            }
        }
    }

    fn given_back(&self, intent: &PaymentIntentId) -> bool {
        let found = self.census.world().payments.iter().find(|payment| payment.intent == *intent);
        found.is_some_and(|payment| matches!(payment.status, Paid::Refunded | Paid::Voided | Paid::Failed))
    }
}

fn of<'e>(entry: &'e Outgoing, name: &str) -> Option<&'e str> {
    entry.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}
