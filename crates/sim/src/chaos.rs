//! The episodes: crashes, outages, deploys, scaling, dead peers, dead engines, clocks that jump.
//!
//! Each kind has a task that waits for its next time and starts it. A crash is armed here and
//! carried out by the run between two steps, so that it can hit an instance at any await of any of
//! its tasks.

use crate::cluster::{Cluster, Service};
use crate::exec::lock;
use crate::fault::Kind;
use crate::network::Peer;
use core::time::Duration;
use std::sync::{Arc, Mutex};

/// Steps within which an armed crash happens.
const CRASH_WITHIN: u64 = 400;

/// A crash that will happen soon.
#[derive(Default)]
pub struct Armed(Mutex<Option<u64>>);

impl Armed {
    /// Whether it happens at this step; it is disarmed then.
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
pub fn begin(cluster: &Arc<Cluster>, armed: &Arc<Armed>) {
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
        Kind::PeerMisrouted,
        Kind::ClockJump,
    ];
    for kind in kinds {
        let (episodes, armed) = (Arc::clone(cluster), Arc::clone(armed));
        cluster.core.exec.spawn(cluster.core.world, async move {
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

async fn episode(cluster: &Arc<Cluster>, armed: &Armed, kind: Kind) {
    let (core, faults) = (&cluster.core, &cluster.core.faults);
    let until = |from: u64, to: u64| {
        let length = faults.between(Duration::from_millis(from), Duration::from_millis(to));
        core.exec.micros() + length.as_micros() as u64
    };
    match kind {
        Kind::Crash => *lock(&armed.0) = Some(core.exec.steps() + faults.below(CRASH_WITHIN)),
        Kind::Outage => {
            cluster.outage();
            let down = faults.between(Duration::from_millis(100), Duration::from_secs(20));
            core.exec.sleep(down).await;
            start_all(cluster);
        }
        Kind::Deploy => deploy(cluster).await,
        Kind::ScaleOut => drop(cluster.start(Service::Worker)),
        Kind::ScaleIn => {
            if let Some(id) =
                one_of(cluster, Service::Worker).filter(|_| cluster.working(Service::Worker) > 1)
            {
                cluster.end(id).await;
            }
        }
        Kind::QueueDown => {
            let queue = if faults.below(2) == 0 { &cluster.events } else { &cluster.letters };
            queue.down_until(until(500, 60_000));
        }
        Kind::StoreDown => {
            let table = faults.below(cluster.tables.len() as u64) as usize;
            cluster.tables[table].down_until(until(500, 30_000));
        }
        Kind::PeerDead => cluster.network.dead_until(peer(cluster), until(500, 15_000)),
        Kind::PeerDeadLong => cluster.network.dead_until(peer(cluster), until(60_000, 300_000)),
        Kind::PeerFailing => cluster.network.failing_until(peer(cluster), until(1_000, 90_000)),
        Kind::PeerMisrouted => cluster.network.misrouted_until(peer(cluster), until(1_000, 120_000)),
        Kind::ClockJump => {
            let instances = cluster.instances();
            let choice = faults.below(instances.len().max(1) as u64) as usize;
            if let Some(instance) = instances.get(choice) {
                instance.clock.set_skew(cluster.skew());
            }
        }
        _ => {}
    }
}

/// Starts a new instance beside each old one of a service, then ends the old ones. An inventory
/// that must be the only one is ended first.
async fn deploy(cluster: &Arc<Cluster>) {
    // Workers are deployed as often as all the others together: their shutdown is the one whose
    // order can go wrong.
    let service = Service::ALL[cluster.core.faults.below(6).min(3) as usize];
    let old: Vec<u32> = cluster
        .instances()
        .iter()
        .filter(|instance| instance.service == service && !instance.ending)
        .map(|instance| instance.id)
        .collect();
    for id in old {
        if is_alone(cluster, service) {
            cluster.end(id).await;
            cluster.tables[Service::Inventory as usize].tear();
            if cluster.working(service) == 0 {
                cluster.start(service);
            }
        } else {
            cluster.start(service);
            cluster.end(id).await;
        }
    }
}

/// Whether a service must not have two instances.
fn is_alone(cluster: &Cluster, service: Service) -> bool {
    service == Service::Inventory && cluster.plan.sole_writer
}

/// Kills an instance, if there is one, and starts another after a while. `preferred` is the
/// instance whose task was just polled: half of the crashes hit it in the middle of its work.
pub fn crash(cluster: &Arc<Cluster>, preferred: Option<u32>) {
    let faults = &cluster.core.faults;
    let instances = cluster.instances();
    if instances.is_empty() {
        return;
    }
    let any = instances[faults.below(instances.len() as u64) as usize].id;
    let id = preferred.filter(|_| faults.below(2) == 0).unwrap_or(any);
    let Some(service) = instances.iter().find(|instance| instance.id == id).map(|instance| instance.service)
    else {
        return;
    };
    cluster.crash(id);
    let again = Arc::clone(cluster);
    let rest = faults.between(Duration::from_millis(10), Duration::from_secs(8));
    cluster.core.exec.spawn(cluster.core.world, async move {
        again.core.exec.sleep(rest).await;
        let wanted = again.plan.instances[service as usize] as usize;
        if again.working(service) < wanted && !(is_alone(&again, service) && is_there(&again, service)) {
            again.start(service);
        }
    });
}

fn is_there(cluster: &Cluster, service: Service) -> bool {
    cluster.instances().iter().any(|instance| instance.service == service)
}

/// Starts the missing instances.
pub fn start_all(cluster: &Arc<Cluster>) {
    for service in Service::ALL {
        while cluster.working(service) < cluster.plan.instances[service as usize] as usize {
            if is_alone(cluster, service) && is_there(cluster, service) {
                break;
            }
            cluster.start(service);
        }
    }
}

fn one_of(cluster: &Cluster, service: Service) -> Option<u32> {
    let there: Vec<u32> = cluster
        .instances()
        .iter()
        .filter(|instance| instance.service == service && !instance.ending)
        .map(|instance| instance.id)
        .collect();
    let choice = cluster.core.faults.below(there.len().max(1) as u64) as usize;
    there.get(choice).copied()
}

fn peer(cluster: &Cluster) -> Peer {
    Peer::ALL[cluster.core.faults.below(3) as usize]
}
