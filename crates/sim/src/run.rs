//! One run: a seed's world from the opening of the sale until nothing is on its way any more, and
//! the verdict.

use crate::buyers::{Crowd, NAMED, PLACES, SHOW};
use crate::chaos::{self, Armed};
use crate::checker::Checker;
use crate::cluster::{Cluster, Service};
use crate::exec::{Turn, lock};
use crate::operators;
use crate::plan::Plan;
use crate::queue::Held;
use crate::trace::Trace;
use crate::world::Outcome;
use contracts::envelope;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use domain::id::{ReservationId, SectionId, ShowId};
use domain::invariant::Name;
use domain::money::Currency;
use domain::show::{Layout, RowRange, Rows, Section, Show};
use std::sync::Arc;
use worker::dead_letter::attribute;

/// Virtual time within which everything must come to rest after the faults have stopped: the
/// longest pause of a backstop between two looks at the same reservation, and half as much again.
const REST_MAX: Duration = Duration::from_secs(90 * 60);
/// Steps after which a run counts as endless.
const STEPS_MAX: u64 = 5_000_000;
/// How often dead letters are sent back before the run checks which of them stay.
const REDRIVES: u32 = 2;
/// How often the checker looks for problems that show only after a while.
const LOOK_EVERY_US: u64 = 1_000_000;

/// Runs a plan.
pub fn run(plan: Plan, trace: Trace) -> Outcome<Plan> {
    // Drop the hits of an earlier run on this thread.
    drop(ports::probe::take());
    let cluster = Cluster::new(plan, trace);
    let core = Arc::clone(&cluster.core);
    let (armed, over) = (Arc::new(Armed::default()), Arc::new(AtomicBool::new(false)));
    let crowd = Crowd::new(Arc::clone(&cluster));
    let conductor = conduct(Arc::clone(&cluster), Arc::clone(&crowd), Arc::clone(&armed), Arc::clone(&over));
    core.exec.spawn(core.world, conductor);
    let mut look_at = LOOK_EVERY_US;
    while !over.load(Ordering::Relaxed) && core.violation().is_none() {
        match core.exec.turn() {
            Turn::Polled(group) => {
                let steps = core.exec.steps();
                core.trace.step(steps, core.exec.micros(), || cluster.owner(group));
                if armed.take(steps) && core.faults.active() {
                    let hit =
                        cluster.instances().iter().find(|instance| instance.group == group).map(|i| i.id);
                    chaos::crash(&cluster, hit);
                }
                if steps > STEPS_MAX {
                    let open = cluster.pending_work().unwrap_or_default();
                    core.broken(Name::L1, format!("no end after {steps} steps: {open}"));
                }
            }
            Turn::Waited if core.exec.micros() >= look_at => {
                look_at = core.exec.micros() + LOOK_EVERY_US;
                lock(&core.checker).unrepeated(&core);
                let instances = cluster.instances();
                let checker = lock(&core.checker);
                instances.iter().for_each(|instance| checker.observe(&core, instance.id));
            }
            Turn::Waited => {}
            Turn::Still => core.broken(Name::L1, "no task is ready and no timer runs"),
            Turn::Loops => core.broken(Name::L1, "tasks wake each other and time stands still"),
            Turn::Panicked(_, text) => core.violated("panic", text),
        }
    }
    core.trace.step(core.exec.steps(), core.exec.micros(), || "end".to_owned());
    let outcome = Outcome {
        plan: cluster.plan.clone(),
        violation: core.violation(),
        steps: core.exec.steps(),
        micros: core.exec.micros(),
        faults: core.faults.fired().to_vec(),
        variants: ports::probe::take(),
        checks: lock(&core.checker).checks().clone(),
        lines: core.trace.lines(),
    };
    take_down(&cluster, &crowd);
    outcome
}

/// Drops every task, which breaks the circle of handles between them. Nothing is checked from here
/// on.
fn take_down(cluster: &Arc<Cluster>, crowd: &Crowd) {
    let instances = cluster.instances();
    instances.iter().for_each(|instance| lock(&cluster.core.checker).ended(instance.id));
    instances.iter().for_each(|instance| cluster.core.exec.kill(instance.group));
    let groups = [cluster.core.world, crowd.group()];
    groups.into_iter().for_each(|group| cluster.core.exec.kill(group));
    *lock(&cluster.network.endpoints) = Default::default();
    *lock(&cluster.core.checker) = Checker::default();
}

/// Conducts the run, from outside of everything that can fail.
async fn conduct(cluster: Arc<Cluster>, crowd: Arc<Crowd>, armed: Arc<Armed>, over: Arc<AtomicBool>) {
    let core = Arc::clone(&cluster.core);
    chaos::start_all(&cluster);
    open_the_sale(&cluster).await;
    crowd.come();
    chaos::begin(&cluster, &armed);
    if cluster.plan.operators {
        operators::begin(&crowd);
    }
    core.exec.sleep(cluster.plan.storm).await;
    calm(&cluster);
    let began = core.exec.micros();
    while crowd.there() > 0 {
        core.exec.sleep(Duration::from_secs(1)).await;
    }
    come_to_rest(&cluster, began).await;
    // Messages that were buried in the storm are sent back and must reach their end now. A failure
    // that waits for an approval behind it in its own group is buried once more, and reaches its
    // end when it is sent back behind it.
    for _ in 0..REDRIVES {
        let limit = cluster.letters.len();
        while !cluster.letters.is_empty() && operators::redrive_all(&cluster, limit).await.is_none() {}
        come_to_rest(&cluster, core.exec.micros()).await;
    }
    judge(&cluster, &crowd).await;
    for service in [Service::Worker, Service::Reservation, Service::Payments, Service::Inventory] {
        for instance in cluster.instances().iter().filter(|instance| instance.service == service) {
            cluster.end(instance.id).await;
        }
    }
    over.store(true, Ordering::Relaxed);
}

/// Puts the show on sale, however often that takes.
async fn open_the_sale(cluster: &Cluster) {
    let show = show(cluster.plan.named, cluster.plan.places);
    let caller =
        crate::network::Caller { network: Arc::clone(&cluster.network), id: crate::checker::OUTSIDE };
    loop {
        let show = show.clone();
        let handler = |service: inventory::Service| async move { service.create_show(&show).await.is_ok() };
        if let Ok(true) = caller.call(handler).await {
            return;
        }
        cluster.core.exec.sleep(Duration::from_millis(100)).await;
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

/// Ends the faults: everything answers, and missing instances are started.
fn calm(cluster: &Arc<Cluster>) {
    cluster.core.record(|| "the faults stop".to_owned());
    cluster.core.faults.stop();
    cluster.network.heal();
    cluster.events.down_until(0);
    cluster.letters.down_until(0);
    cluster.tables.iter().for_each(|table| table.down_until(0));
    chaos::start_all(cluster);
}

/// Waits until nothing is on its way (invariant L1).
async fn come_to_rest(cluster: &Arc<Cluster>, began: u64) {
    let core = &cluster.core;
    while let Some(open) = cluster.pending_work() {
        if core.exec.micros() > began + REST_MAX.as_micros() as u64 {
            return core.broken(Name::L1, format!("after {REST_MAX:?} without faults there are {open}"));
        }
        chaos::start_all(cluster);
        core.exec.sleep(Duration::from_secs(1)).await;
    }
}

/// Everything that must be true at rest.
async fn judge(cluster: &Cluster, crowd: &Crowd) {
    let core = &cluster.core;
    core.record(|| "at rest".to_owned());
    let letters = cluster.letters.messages();
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
    lock(&core.checker).at_rest(core, cluster.events.len() as u64, buried);
    let broken = lock(&crowd.ledger).broken(lock(&core.checker).world());
    if let Some(text) = broken {
        core.violated("promise", text);
    }
    // A release of the last moment is written, and its answer may be on its way: until it arrives
    // the inventory's memory may show either state.
    core.exec.sleep(Duration::from_secs(2)).await;
    reported(cluster).await;
}

/// X4: the inventory's report of its stock is the fold of the rows.
async fn reported(cluster: &Cluster) {
    let caller =
        crate::network::Caller { network: Arc::clone(&cluster.network), id: crate::checker::OUTSIDE };
    let handler = |service: inventory::Service| async move {
        service.status(&ShowId::parse(SHOW).expect("a literal"), None).await.ok()
    };
    let Ok(Some(status)) = caller.call(handler).await else {
        return cluster.core.broken(Name::X4, "the inventory does not say what it has");
    };
    lock(&cluster.core.checker).reported(&cluster.core, &status);
}

fn of_reservation(letter: &Held) -> Option<ReservationId> {
    let (event, _) = envelope::decode(&letter.body, &letter.id, &[]).ok()?;
    Some(event.reservation)
}

fn attribute_of<'l>(letter: &'l Held, name: &str) -> &'l str {
    let found = letter.attributes.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}
