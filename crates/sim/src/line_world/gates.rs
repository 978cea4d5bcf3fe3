//! The gateways, which come and crash, and the network between them and the people.

use super::fault::Trouble;
use super::shop::{Nobody, Shop};
use super::store::Port;
use super::watch::{self, Asked};
use super::world::{JWT_SECRET, ROOM_SECRET, World};
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
use runtime::Process;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// One running gateway.
#[derive(Clone)]
pub struct Gate {
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
    /// The status of HTTP.
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
pub fn start(world: &Arc<World>) {
    let id = world.next.fetch_add(1, Ordering::Relaxed);
    let skew = if world.faults.strikes(Trouble::ClockSkew) { world.skew() } else { 0 };
    let group = world.exec.group();
    let clock = SimClock::new(world.exec.clone(), skew);
    let shop = Shop { shows: world.shows(), rate: world.plan.rate, burst: world.plan.burst };
    let deps = gateway::Deps {
        waiting_room: Arc::new(Port { world: Arc::clone(world), holder: id, rules: Arc::default() }),
        shows: Arc::new(shop),
        sales: Arc::new(Nobody),
        keys: None,
        clock: clock.clone(),
        entropy: SimEntropy::new(stream(world.plan.seed, 2_000 + u64::from(id)).next_u64()),
        tasks: Tasks::on(Arc::new(Spawner { exec: world.exec.clone(), group })),
        process: Process::new("gateway-api"),
    };
    let config = gateway::Config::new(ROOM_SECRET.into(), JWT_SECRET.into());
    let gateway = gateway::assemble(config, deps).expect("the secret is long enough");
    let gate = Gate { id, group, clock, routes: gateway.routes(), admin: gateway.admin_routes() };
    world.tell(|| format!("gateway {id} starts, its clock {skew} ms off"));
    lock(&world.gates).push(gate);
}

/// Starts those that are missing.
pub fn start_all(world: &Arc<World>) {
    while lock(&world.gates).len() < world.plan.gateways as usize {
        start(world);
    }
}

/// Drops everything that a gateway does, at the awaits where it stands; another is started later.
pub fn crash(world: &Arc<World>, id: u32) {
    let gate = {
        let mut gates = lock(&world.gates);
        let place = gates.iter().position(|gate| gate.id == id);
        place.map(|place| gates.remove(place))
    };
    let Some(gate) = gate else { return };
    world.tell(|| format!("gateway {id} crashes"));
    world.trouble();
    world.exec.kill(gate.group);
    let again = Arc::clone(world);
    let rest = world.faults.between(Duration::from_millis(10), Duration::from_secs(8));
    world.exec.spawn(world.base, async move {
        again.exec.sleep(rest).await;
        if lock(&again.gates).len() < again.plan.gateways as usize {
            start(&again);
        }
    });
}

/// Ends every gateway.
pub(super) fn end_all(world: &World) {
    let gates = core::mem::take(&mut *lock(&world.gates));
    gates.iter().for_each(|gate| world.exec.kill(gate.group));
}

/// The numbers of those that are there.
pub fn there(world: &World) -> Vec<u32> {
    lock(&world.gates).iter().map(|gate| gate.id).collect()
}

/// Whose tasks a group are, for the trace.
pub(super) fn owner(world: &World, group: Group) -> String {
    if group == world.base {
        return "world".to_owned();
    }
    let gates = lock(&world.gates);
    let found = gates.iter().find(|gate| gate.group == group);
    found.map_or_else(|| "people".to_owned(), |gate| format!("gateway {}", gate.id))
}

/// Lets the clock of a gateway jump.
pub(super) fn jump(world: &World) {
    let (gates, choice) = (lock(&world.gates), world.faults.below(64) as usize);
    if !gates.is_empty() {
        gates[choice % gates.len()].clock.set_skew(world.skew());
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
        // A request without a trace would be given one of the system's entropy.
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

/// Asks a gateway; `None`: nobody answered.
pub(super) async fn ask(world: &Arc<World>, gate: u32, limit: Duration, call: Call) -> Option<Reply> {
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
    let found = lock(&world.gates).iter().find(|there| there.id == gate).cloned()?;
    let (tell, told) = oneshot::channel();
    let cut = CancellationToken::new();
    let handler = {
        let (world, cut) = (Arc::clone(world), cut.clone());
        async move {
            let handled = cut.run_until_cancelled_owned(handle(world, found, call)).await;
            if let Some(reply) = handled {
                // Whoever asked may have gone away.
                drop(tell.send(reply));
            }
        }
    };
    let group = lock(&world.gates).iter().find(|there| there.id == gate).map(|gate| gate.group)?;
    world.exec.spawn(group, handler);
    // As a server does it whose client is gone.
    let _cut = cut.drop_guard();
    let limit = match world.faults.strikes(Trouble::RequestCut) {
        true => world.faults.between(Duration::ZERO, Duration::from_millis(600)),
        false => limit,
    };
    let reply = timeout(&*world.clock, limit, told).await.ok()?.ok()?;
    if is_slow {
        world.exec.sleep(slow()).await;
    }
    world.way().await;
    (!world.faults.strikes(Trouble::AnswerLost)).then_some(reply)
}

async fn handle(world: Arc<World>, gate: Gate, call: Call) -> Reply {
    let started = world.micros();
    let routes = if call.is_admin { gate.admin.clone() } else { gate.routes.clone() };
    watch::asks(&world, &call.asked);
    let Ok(response) = routes.oneshot(call.request()).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    let reply = Reply { status, body: serde_json::from_slice(&body).unwrap_or_default() };
    watch::answered(&world, gate.id, &call.asked, started, &reply);
    reply
}
