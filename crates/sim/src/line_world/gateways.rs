//! The gateways, which start and crash, and the network between them and the people.

use super::fault::Trouble;
use super::room::{JWT_SECRET, ROOM_SECRET, Room};
use super::storage::Port;
use super::watch::{self, Asked};
use crate::core::{SimClock, SimEntropy, Spawner, stream};
use crate::exec::{Group, lock};
use axum::Router;
use axum::body::{Body, to_bytes};
use core::sync::atomic::Ordering;
use core::time::Duration;
use domain::random::Random;
use http::{Method, Request, header};
use ports::Tasks;
use ports::clock::timeout;
use ports::plant::{Plant, planted};
use runtime::Process;
use serde_json::Value;
use std::sync::Arc;
use testkit::{NoSales, Shop, show};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// One running gateway.
#[derive(Clone)]
pub struct Gateway {
    /// Its number; never used again.
    pub id: u32,
    group: Group,
    clock: Arc<SimClock>,
    routes: Router,
    admin: Router,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Reply {
    /// The code of an error.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// Starts a gateway.
pub fn start(world: &Arc<Room>) {
    let id = world.next.fetch_add(1, Ordering::Relaxed);
    let skew = if world.faults.strikes(Trouble::ClockSkew) { world.skew() } else { 0 };
    let group = world.exec.group();
    let clock = SimClock::new(world.exec.clone(), skew);
    let rate = (f64::from(world.plan.rate), f64::from(world.plan.burst));
    let shows = world.shows();
    let shows = shows.iter().map(|id| show(id.as_str(), id.as_str(), Some(rate))).collect();
    let deps = gateway::Deps {
        waiting_room: Arc::new(Port::new(Arc::clone(world), id)),
        shows: Arc::new(Shop::new(shows)),
        sales: Arc::new(NoSales::default()),
        keys: None,
        clock: clock.clone(),
        entropy: SimEntropy::new(stream(world.plan.seed, 2_000 + u64::from(id)).next_u64()),
        tasks: Tasks::on(Arc::new(Spawner { exec: world.exec.clone(), group })),
        process: Process::new("gateway-api"),
    };
    let mut config = gateway::Config::new(ROOM_SECRET.into(), JWT_SECRET.into());
    // Calls to the store without a limit.
    if planted(Plant::StoreAwaited) {
        config.line.store_timeout = Duration::MAX / 4;
    }
    let assembled = gateway::assemble(config, deps).expect("the secret is long enough");
    let gateway = Gateway { id, group, clock, routes: assembled.routes(), admin: assembled.admin_routes() };
    world.record(|| format!("gateway {id} starts, its clock {skew} ms off"));
    lock(&world.gateways).push(gateway);
}

/// Starts the missing gateways.
pub fn start_all(world: &Arc<Room>) {
    while lock(&world.gateways).len() < world.plan.gateways as usize {
        start(world);
    }
}

/// Drops all tasks of a gateway where they stand; another gateway is started later.
pub fn crash(world: &Arc<Room>, id: u32) {
    let gateway = {
        let mut gateways = lock(&world.gateways);
        let place = gateways.iter().position(|gateway| gateway.id == id);
        place.map(|place| gateways.remove(place))
    };
    let Some(gateway) = gateway else { return };
    world.record(|| format!("gateway {id} crashes"));
    world.trouble();
    world.exec.kill(gateway.group);
    let again = Arc::clone(world);
    let rest = world.faults.between(Duration::from_millis(10), Duration::from_secs(8));
    world.exec.spawn(world.base, async move {
        again.exec.sleep(rest).await;
        if lock(&again.gateways).len() < again.plan.gateways as usize {
            start(&again);
        }
    });
}

/// Ends every gateway.
pub(super) fn end_all(world: &Room) {
    let gateways = core::mem::take(&mut *lock(&world.gateways));
    gateways.iter().for_each(|gateway| world.exec.kill(gateway.group));
}

/// The numbers of the running gateways.
pub fn there(world: &Room) -> Vec<u32> {
    lock(&world.gateways).iter().map(|gateway| gateway.id).collect()
}

/// The owner of a group's tasks, for the trace.
pub(super) fn owner(world: &Room, group: Group) -> String {
    if group == world.base {
        return "world".to_owned();
    }
    let gateways = lock(&world.gateways);
    let found = gateways.iter().find(|gateway| gateway.group == group);
    found.map_or_else(|| "people".to_owned(), |gateway| format!("gateway {}", gateway.id))
}

/// Lets the clock of a gateway jump.
pub(super) fn jump(world: &Room) {
    let (gateways, choice) = (lock(&world.gateways), world.faults.below(64) as usize);
    if !gateways.is_empty() {
        gateways[choice % gateways.len()].clock.set_skew(world.skew());
    }
}

/// A request.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) is_admin: bool,
    pub(super) asked: Asked,
}

impl Call {
    fn request(&self) -> Request<Body> {
        // A request without a trace would get one from the system's entropy.
        let request = Request::builder().method(self.method.clone()).uri(&self.path);
        let mut request = request.header("x-trace-id", "sim");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = match &self.body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(serde_json::to_vec(body).expect("a value"))),
            None => request.body(Body::empty()),
        };
        request.expect("paths and headers of this world are")
    }
}

/// Calls a gateway; `None`: there was no answer.
pub(super) async fn ask(world: &Arc<Room>, gateway: u32, limit: Duration, call: Call) -> Option<Reply> {
    if world.faults.strikes(Trouble::RequestLost) {
        world.exec.sleep(limit).await;
        return None;
    }
    let slow = || world.faults.between(Duration::from_millis(100), Duration::from_secs(5));
    let is_slow = world.faults.strikes(Trouble::RequestSlow);
    if is_slow && world.faults.below(2) == 0 {
        world.exec.sleep(slow()).await;
    }
    world.way().await;
    let found = lock(&world.gateways).iter().find(|there| there.id == gateway).cloned()?;
    let (answer_to, answered) = oneshot::channel();
    let cut = CancellationToken::new();
    let handler = {
        let (world, cut) = (Arc::clone(world), cut.clone());
        async move {
            let handled = cut.run_until_cancelled_owned(handle(world, found, call)).await;
            if let Some(reply) = handled {
                // The caller may be gone.
                drop(answer_to.send(reply));
            }
        }
    };
    let group =
        lock(&world.gateways).iter().find(|there| there.id == gateway).map(|gateway| gateway.group)?;
    world.exec.spawn(group, handler);
    // Like a server whose client is gone.
    let _cut = cut.drop_guard();
    let limit = match world.faults.strikes(Trouble::RequestCut) {
        true => world.faults.between(Duration::ZERO, Duration::from_millis(600)),
        false => limit,
    };
    let reply = timeout(&*world.clock, limit, answered).await.ok()?.ok()?;
    if is_slow {
        world.exec.sleep(slow()).await;
    }
    world.way().await;
    (!world.faults.strikes(Trouble::AnswerLost)).then_some(reply)
}

async fn handle(world: Arc<Room>, gateway: Gateway, call: Call) -> Reply {
    let started = world.micros();
    let routes = if call.is_admin { gateway.admin.clone() } else { gateway.routes.clone() };
    watch::asks(&world, &call.asked);
    let Ok(response) = routes.oneshot(call.request()).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    let reply = Reply { status, body: serde_json::from_slice(&body).unwrap_or_default() };
    watch::answered(&world, gateway.id, &call.asked, started, &reply);
    reply
}
