//! One run: a seed's world from the opening of the sale until nothing is on its way any more, and the verdict.

use crate::chaos::{self, Armed};
use crate::checker::{Checker, Violation};
use crate::crowd::{Crowd, NAMED, PLACES, SHOW};
use crate::exec::{Turn, lock};
use crate::fault::KINDS;
use crate::house::{House, Service};
use crate::operators;
use crate::plan::Plan;
use crate::queue::Held;
use crate::trace::Trace;
use contracts::envelope;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use domain::id::{ReservationId, SectionId, ShowId};
use domain::invariant::Name;
use domain::money::Currency;
use domain::show::{Layout, RowRange, Rows, Section, Show};
use std::collections::BTreeMap;
use std::sync::Arc;
use worker::dead_letter::attribute;

/// Virtual time within which everything must come to rest after the faults have stopped: the longest that a backstop
/// rests between two looks at the same reservation, and half as much again.
const REST_MAX: Duration = Duration::from_secs(90 * 60);
/// Steps after which a run is taken for one that never ends.
const STEPS_MAX: u64 = 5_000_000;
/// How often dead letters are put back before it is asked which of them stay.
const REDRIVES: u32 = 2;
/// How often the checker looks at what only shows after a while.
const LOOK_EVERY_US: u64 = 1_000_000;

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was run.
    pub plan: Plan,
    /// The first violation, if there was one.
    pub violation: Option<Violation>,
    /// Polls of tasks.
    pub steps: u64,
    /// Virtual microseconds.
    pub micros: u64,
    /// How often each fault happened.
    pub faults: [u64; KINDS],
    /// How often each code probe was hit.
    pub variants: BTreeMap<String, u64>,
    /// How often each invariant was checked.
    pub checks: BTreeMap<Name, u64>,
    /// The last lines of the trace, if they were asked for.
    pub lines: Vec<String>,
}

/// Runs a plan.
pub fn run(plan: Plan, trace: Trace) -> Outcome {
    // What an earlier run on this thread left behind is nobody's.
    drop(ports::probe::take());
    let house = House::new(plan, trace);
    let core = Arc::clone(&house.core);
    let (armed, over) = (Arc::new(Armed::default()), Arc::new(AtomicBool::new(false)));
    let crowd = Crowd::new(Arc::clone(&house));
    let conductor = conduct(Arc::clone(&house), Arc::clone(&crowd), Arc::clone(&armed), Arc::clone(&over));
    core.exec.spawn(core.world, conductor);
    let mut look_at = LOOK_EVERY_US;
    while !over.load(Ordering::Relaxed) && core.violation().is_none() {
        match core.exec.turn() {
            Turn::Polled(group) => {
                let steps = core.exec.steps();
                core.trace.step(steps, core.exec.micros(), || house.owner(group));
                if armed.take(steps) && core.faults.active() {
                    let hit = house.instances().iter().find(|instance| instance.group == group).map(|i| i.id);
                    chaos::crash(&house, hit);
                }
                if steps > STEPS_MAX {
                    let open = house.unrest().unwrap_or_default();
                    core.broken(Name::L1, format!("no end after {steps} steps: {open}"));
                }
            }
            Turn::Waited if core.exec.micros() >= look_at => {
                look_at = core.exec.micros() + LOOK_EVERY_US;
                lock(&core.checker).unrepeated(&core);
                let instances = house.instances();
                let checker = lock(&core.checker);
                instances.iter().for_each(|instance| checker.observe(&core, instance.id));
            }
            Turn::Waited => {}
            Turn::Still => core.broken(Name::L1, "no task is ready and no timer runs"),
            Turn::Loops => core.broken(Name::L1, "tasks wake each other and time stands still"),
            Turn::Panicked(_, words) => core.violated("panic", words),
        }
    }
    core.trace.step(core.exec.steps(), core.exec.micros(), || "end".to_owned());
    let outcome = Outcome {
        plan: house.plan.clone(),
        violation: core.violation(),
        steps: core.exec.steps(),
        micros: core.exec.micros(),
        faults: core.faults.fired(),
        variants: ports::probe::take(),
        checks: lock(&core.checker).checks().clone(),
        lines: core.trace.lines(),
    };
    take_down(&house, &crowd);
    outcome
}

/// Drops every task, so that the circle of handles between them is broken. What they say then is nobody's business.
fn take_down(house: &Arc<House>, crowd: &Crowd) {
    let instances = house.instances();
    instances.iter().for_each(|instance| lock(&house.core.checker).ended(instance.id));
    instances.iter().for_each(|instance| house.core.exec.kill(instance.group));
    let groups = [house.core.world, crowd.group()];
    groups.into_iter().for_each(|group| house.core.exec.kill(group));
    *lock(&house.network.endpoints) = Default::default();
    *lock(&house.core.checker) = Checker::default();
}

/// Leads through the run, from outside of everything that can fail.
async fn conduct(house: Arc<House>, crowd: Arc<Crowd>, armed: Arc<Armed>, over: Arc<AtomicBool>) {
    let core = Arc::clone(&house.core);
    chaos::start_all(&house);
    open_the_sale(&house).await;
    crowd.come();
    chaos::begin(&house, &armed);
    if house.plan.operators {
        operators::begin(&crowd);
    }
    core.exec.sleep(house.plan.storm).await;
    calm(&house);
    let began = core.exec.micros();
    while crowd.there() > 0 {
        core.exec.sleep(Duration::from_secs(1)).await;
    }
    come_to_rest(&house, began).await;
    // What was buried in the storm is put back, and must find its end now. A failure that waits for an approval behind it
    // in its own group is buried once more, and finds its end when it is put back behind it.
    for _ in 0..REDRIVES {
        let limit = house.letters.len();
        while !house.letters.is_empty() && operators::redrive_all(&house, limit).await.is_none() {}
        come_to_rest(&house, core.exec.micros()).await;
    }
    judge(&house, &crowd).await;
    for service in [Service::Worker, Service::Reservation, Service::Payments, Service::Inventory] {
        for instance in house.instances().iter().filter(|instance| instance.service == service) {
            house.end(instance.id).await;
        }
    }
    over.store(true, Ordering::Relaxed);
}

/// Puts the show on sale, however often that takes.
async fn open_the_sale(house: &House) {
    let show = show(house.plan.named, house.plan.places);
    let caller = crate::network::Caller { network: Arc::clone(&house.network), id: crate::checker::OUTSIDE };
    loop {
        let show = show.clone();
        let handler = |service: inventory::Service| async move { service.create_show(&show).await.is_ok() };
        if let Ok(true) = caller.call(handler).await {
            return;
        }
        house.core.exec.sleep(Duration::from_millis(100)).await;
    }
}

fn show(named: u32, places: u32) -> Show {
    let section = |id: &str, price, layout| Section {
        id: SectionId::parse(id).expect("a literal"),
        name: id.to_owned(),
        price,
        layout,
    };
    let mut sections = Vec::new();
    if named > 0 {
        let rows = Rows::new(vec![RowRange { row: "1".to_owned(), from: 1, to: named }]);
        sections.push(section(NAMED, 150_000, Layout::Rows(rows)));
    }
    if places > 0 {
        sections.push(section(PLACES, 110_000, Layout::Places(places)));
    }
    Show {
        id: ShowId::parse(SHOW).expect("a literal"),
        name: "The show".to_owned(),
        currency: Currency::krw(),
        sections,
        waiting_room: None,
    }
}

/// Ends the faults: everybody answers, and what is missing is started.
fn calm(house: &Arc<House>) {
    house.core.tell(|| "the faults stop".to_owned());
    house.core.faults.stop();
    house.network.heal();
    house.events.down_until(0);
    house.letters.down_until(0);
    house.tables.iter().for_each(|table| table.down_until(0));
    chaos::start_all(house);
}

/// Waits until nothing is on its way (invariant L1).
async fn come_to_rest(house: &Arc<House>, began: u64) {
    let core = &house.core;
    while let Some(open) = house.unrest() {
        if core.exec.micros() > began + REST_MAX.as_micros() as u64 {
            return core.broken(Name::L1, format!("after {REST_MAX:?} without faults there are {open}"));
        }
        chaos::start_all(house);
        core.exec.sleep(Duration::from_secs(1)).await;
    }
}

/// Everything that must be true at rest.
async fn judge(house: &House, crowd: &Crowd) {
    let core = &house.core;
    core.tell(|| "at rest".to_owned());
    let letters = house.letters.messages();
    let buried = letters.iter().filter_map(of_reservation).collect();
    for letter in &letters {
        let reason = attribute_of(letter, attribute::REASON);
        let known = of_reservation(letter)
            .is_some_and(|id| lock(&core.checker).world().reservations.iter().any(|known| known.id == id));
        if known || matches!(reason, "retries_exhausted" | "permanent_fault" | "") {
            let error = attribute_of(letter, attribute::ERROR);
            core.broken(Name::L1, format!("{} stays buried: {reason}: {error}", letter.id));
        }
    }
    lock(&core.checker).at_rest(core, house.events.len() as u64, buried);
    let broken = lock(&crowd.ledger).broken(lock(&core.checker).world());
    if let Some(words) = broken {
        core.violated("promise", words);
    }
    // A release of the last moment is written, and its answer may be on its way: until then memory may say either.
    core.exec.sleep(Duration::from_secs(2)).await;
    reported(house).await;
}

/// X4: what the inventory says of its stock is the fold of the rows.
async fn reported(house: &House) {
    let caller = crate::network::Caller { network: Arc::clone(&house.network), id: crate::checker::OUTSIDE };
    let handler = |service: inventory::Service| async move {
        service.status(&ShowId::parse(SHOW).expect("a literal"), None).await.ok()
    };
    let Ok(Some(status)) = caller.call(handler).await else {
        return house.core.broken(Name::X4, "the inventory does not say what it has");
    };
    lock(&house.core.checker).reported(&house.core, &status);
}

fn of_reservation(letter: &Held) -> Option<ReservationId> {
    let (event, _) = envelope::decode(&letter.body, &letter.id, &[]).ok()?;
    Some(event.reservation)
}

fn attribute_of<'l>(letter: &'l Held, name: &str) -> &'l str {
    let found = letter.attributes.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}
