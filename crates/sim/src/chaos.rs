//! The episodes: crashes, outages, deploys, scaling, dead peers, dead engines, clocks that jump.
//!
//! Each kind has a task that waits for its next time and lets it happen. A crash is armed here and carried out by the run
//! between two steps, so that it can hit an instance at any await of any of its tasks.

use crate::exec::lock;
use crate::fault::Kind;
use crate::house::{House, Service};
use crate::network::Peer;
use core::time::Duration;
use std::sync::{Arc, Mutex};

/// Steps within which an armed crash happens.
const CRASH_WITHIN: u64 = 400;

/// A crash that is to come.
#[derive(Default)]
pub struct Armed(Mutex<Option<u64>>);

impl Armed {
    /// Whether it is to happen now; then it is no longer armed.
    pub fn take(&self, step: u64) -> bool {
        let mut at = lock(&self.0);
        let due = at.is_some_and(|at| at <= step);
        if due {
            *at = None;
        }
        due
    }
}

/// Starts the task of each kind of episode.
pub fn begin(house: &Arc<House>, armed: &Arc<Armed>) {
    let kinds = [
        Kind::Crash,
        Kind::Outage,
        Kind::Deploy,
        Kind::ScaleOut,
        Kind::ScaleIn,
        Kind::QueueDown,
        Kind::StoreDown,
        Kind::PeerDead,
        Kind::PeerDeadLong,
        Kind::PeerFailing,
        Kind::ClockJump,
    ];
    for kind in kinds {
        let (episodes, armed) = (Arc::clone(house), Arc::clone(armed));
        house.core.exec.spawn(house.core.world, async move {
            while let Some(interval) = episodes.core.faults.interval(kind) {
                episodes.core.exec.sleep(interval).await;
                if !episodes.core.faults.active() {
                    return;
                }
                episodes.core.faults.count(kind);
                episode(&episodes, &armed, kind).await;
            }
        });
    }
}

async fn episode(house: &Arc<House>, armed: &Armed, kind: Kind) {
    let (core, faults) = (&house.core, &house.core.faults);
    let until = |from: u64, to: u64| {
        let length = faults.between(Duration::from_millis(from), Duration::from_millis(to));
        core.exec.micros() + length.as_micros() as u64
    };
    match kind {
        Kind::Crash => *lock(&armed.0) = Some(core.exec.steps() + faults.below(CRASH_WITHIN)),
        Kind::Outage => {
            house.outage();
            let down = faults.between(Duration::from_millis(100), Duration::from_secs(20));
            core.exec.sleep(down).await;
            start_all(house);
        }
        Kind::Deploy => deploy(house).await,
        Kind::ScaleOut => drop(house.start(Service::Worker)),
        Kind::ScaleIn => {
            if let Some(id) = one_of(house, Service::Worker).filter(|_| house.working(Service::Worker) > 1) {
                house.end(id).await;
            }
        }
        Kind::QueueDown => {
            let queue = if faults.below(2) == 0 { &house.events } else { &house.letters };
            queue.down_until(until(500, 60_000));
        }
        Kind::StoreDown => {
            let table = faults.below(house.tables.len() as u64) as usize;
            house.tables[table].down_until(until(500, 30_000));
        }
        Kind::PeerDead => house.network.dead_until(peer(house), until(500, 15_000)),
        Kind::PeerDeadLong => house.network.dead_until(peer(house), until(60_000, 300_000)),
        Kind::PeerFailing => house.network.failing_until(peer(house), until(1_000, 90_000)),
        Kind::ClockJump => {
            let instances = house.instances();
            let choice = faults.below(instances.len().max(1) as u64) as usize;
            if let Some(instance) = instances.get(choice) {
                instance.clock.set_skew(house.skew());
            }
        }
        _ => {}
    }
}

/// A new instance beside each old one of a service, then the old ones end. Of an inventory that must be alone the old one
/// ends first.
async fn deploy(house: &Arc<House>) {
    // Workers are deployed as often as all the others together: theirs is the order of shutdown that can go wrong.
    let service = Service::ALL[house.core.faults.below(6).min(3) as usize];
    let old: Vec<u32> = house
        .instances()
        .iter()
        .filter(|instance| instance.service == service && !instance.ending)
        .map(|instance| instance.id)
        .collect();
    for id in old {
        if is_alone(house, service) {
            house.end(id).await;
            house.tables[Service::Inventory as usize].tear();
            if house.working(service) == 0 {
                house.start(service);
            }
        } else {
            house.start(service);
            house.end(id).await;
        }
    }
}

/// Whether there must not be two instances of a service.
fn is_alone(house: &House, service: Service) -> bool {
    service == Service::Inventory && house.plan.sole_writer
}

/// Kills an instance, if one is there, and starts another after a while. `preferred` is the one whose task was just
/// polled: half of the crashes hit it, in the middle of what it does.
pub fn crash(house: &Arc<House>, preferred: Option<u32>) {
    let faults = &house.core.faults;
    let instances = house.instances();
    if instances.is_empty() {
        return;
    }
    let any = instances[faults.below(instances.len() as u64) as usize].id;
    let id = preferred.filter(|_| faults.below(2) == 0).unwrap_or(any);
    let Some(service) = instances.iter().find(|instance| instance.id == id).map(|instance| instance.service)
    else {
        return;
    };
    house.crash(id);
    let again = Arc::clone(house);
    let rest = faults.between(Duration::from_millis(10), Duration::from_secs(8));
    house.core.exec.spawn(house.core.world, async move {
        again.core.exec.sleep(rest).await;
        let wanted = again.plan.instances[service as usize] as usize;
        if again.working(service) < wanted && !(is_alone(&again, service) && is_there(&again, service)) {
            again.start(service);
        }
    });
}

fn is_there(house: &House, service: Service) -> bool {
    house.instances().iter().any(|instance| instance.service == service)
}

/// Starts what is missing.
pub fn start_all(house: &Arc<House>) {
    for service in Service::ALL {
        while house.working(service) < house.plan.instances[service as usize] as usize {
            if is_alone(house, service) && is_there(house, service) {
                break;
            }
            house.start(service);
        }
    }
}

fn one_of(house: &House, service: Service) -> Option<u32> {
    let there: Vec<u32> = house
        .instances()
        .iter()
        .filter(|instance| instance.service == service && !instance.ending)
        .map(|instance| instance.id)
        .collect();
    let choice = house.core.faults.below(there.len().max(1) as u64) as usize;
    there.get(choice).copied()
}

fn peer(house: &House) -> Peer {
    Peer::ALL[house.core.faults.below(3) as usize]
}
