//! One or more gateways on one waiting room, with shows on sale and a clock that the test moves.

use crate::served::Served;
use adapter_embedded::MemoryWaitingRoom;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use contracts::error::WireError;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use domain::id::{PersonId, ShowId};
use domain::time::Timestamp;
use domain::waiting_room::{Patience, Refusal, RuleChange, Rules, Standing, Ticket};
use gateway::{Config, Gateway};
use http::{Method, Request, StatusCode, header};
use identity::{Claims, Secret, mint};
use ports::waiting_room::{Dated, Ticked};
use ports::{Clock, Entropy, Fault, PortError, Tasks, WaitingRoomStore};
use runtime::Process;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use testkit::{ManualClock, NoSales, SeededEntropy, Shop, show};
use tower::ServiceExt;

pub(crate) const JWT_SECRET: &str = "who the people of this test are, signed";
pub(crate) const ROOM_SECRET: &str = "the waiting room of this test";
/// Behind a waiting room of 2 people a second, 2 at once.
pub(crate) const SHOW: &str = "first-night";
/// Not behind one.
pub(crate) const OPEN_SHOW: &str = "open-air";

/// The embedded waiting room, which can lose everything, hang and panic.
pub(crate) struct Room {
    now: Mutex<Arc<MemoryWaitingRoom>>,
    opened: Mutex<Vec<(ShowId, Rules)>>,
    clock: Arc<ManualClock>,
    entropy: Arc<dyn Entropy>,
    is_dead: AtomicBool,
    is_broken: AtomicBool,
    pub(crate) calls: Mutex<Vec<&'static str>>,
}

impl Room {
    /// Loses everything, as an emptied Redis does; the rules are the first ones again.
    pub(crate) async fn lose_everything(&self) {
        let new =
            Arc::new(MemoryWaitingRoom::new(Patience::default(), self.clock.clone(), self.entropy.clone()));
        let opened = self.opened.lock().unwrap().clone();
        for (show, rules) in opened {
            new.open(&show, rules).await.unwrap();
        }
        *self.now.lock().unwrap() = new;
    }

    /// Calls panic from now on, or work again.
    pub(crate) fn break_down(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
    }

    /// Calls hang from now on, or work again.
    pub(crate) fn die(&self, is_dead: bool) {
        self.is_dead.store(is_dead, Ordering::SeqCst);
    }

    async fn store(&self, call: &'static str) -> Arc<MemoryWaitingRoom> {
        self.calls.lock().unwrap().push(call);
        if self.is_dead.load(Ordering::SeqCst) {
            core::future::pending::<()>().await;
        }
        assert!(!self.is_broken.load(Ordering::SeqCst), "a mistake in the store's adapter");
        self.now.lock().unwrap().clone()
    }
}

#[async_trait]
impl WaitingRoomStore for Room {
    async fn open(&self, show: &ShowId, rules: Rules) -> Result<Rules, Fault> {
        self.opened.lock().unwrap().push((show.clone(), rules));
        self.store("open").await.open(show, rules).await
    }

    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault> {
        self.store("find").await.find(show).await
    }

    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>> {
        self.store("join").await.join(show, key).await
    }

    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault> {
        self.store("beat").await.beat(show, tickets).await
    }

    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault> {
        self.store("enter").await.enter(show, ticket).await
    }

    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault> {
        self.store("leave").await.leave(show, ticket).await
    }

    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault> {
        self.store("tick").await.tick(show, since).await
    }

    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault> {
        self.store("rule").await.rule(show, change).await
    }

    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault> {
        self.store("announce").await.announce(show, notice).await
    }

    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault> {
        self.store("notice").await.notice(show).await
    }
}

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a test runs on.
pub(crate) struct Fixture {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) room: Arc<Room>,
    pub(crate) shop: Arc<Shop>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
}

/// One gateway.
pub(crate) struct TestGateway {
    pub(crate) process: Process,
    routes: Router,
    admin: Router,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no text {name} in {self:?}"))
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.body[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {self:?}"))
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        // Not at its start, where whatever a process has counted so far would be zero.
        clock.advance(Duration::from_secs(50_000_000));
        let shows = vec![show(SHOW, "A show", Some((2.0, 2.0))), show(OPEN_SHOW, "A show", None)];
        let entropy = Arc::new(SeededEntropy::new(7)) as Arc<dyn Entropy>;
        let now = MemoryWaitingRoom::new(Patience::default(), clock.clone(), entropy.clone());
        let room = Room {
            now: Mutex::new(Arc::new(now)),
            opened: Mutex::default(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            is_dead: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            calls: Mutex::default(),
        };
        let shop = Arc::new(Shop::new(shows));
        Self { clock, room: Arc::new(room), shop, entropy, tasks: Tasks::new() }
    }

    /// Another gateway on the same waiting room.
    pub(crate) fn gateway(&self) -> TestGateway {
        self.gateway_with(|_| {})
    }

    pub(crate) fn gateway_with(&self, change: impl FnOnce(&mut Config)) -> TestGateway {
        self.assemble(change).0
    }

    /// Another gateway, and the same over sockets.
    pub(crate) async fn serve(&self, change: impl FnOnce(&mut Config)) -> (TestGateway, Served) {
        let (calls, gateway) = self.assemble(change);
        (calls, Served::start(gateway).await)
    }

    fn assemble(&self, change: impl FnOnce(&mut Config)) -> (TestGateway, Gateway) {
        let mut config = Config::new(ROOM_SECRET.into(), JWT_SECRET.into());
        (config.limits.per_person, config.limits.per_address) = (None, None);
        change(&mut config);
        let process = Process::new("gateway-api");
        let deps = gateway::Deps {
            waiting_room: self.room.clone(),
            shows: self.shop.clone(),
            sales: Arc::new(NoSales { read_refusal: Some(WireError::invalid("reservation_id", "none")) }),
            keys: None,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
            process: process.clone(),
        };
        let gateway: Gateway = gateway::assemble(config, deps).unwrap();
        (TestGateway { routes: gateway.routes(), admin: gateway.admin_routes(), process }, gateway)
    }

    /// Lets time pass in small steps, and the tasks run meanwhile.
    pub(crate) async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(5);
        for _ in 0..time.as_millis() / step.as_millis() {
            self.clock.advance(step);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Lets time pass until a request is answered.
    pub(crate) async fn answered<T>(&self, request: impl Future<Output = T>) -> T {
        let mut request = core::pin::pin!(request);
        loop {
            tokio::select! {
                biased;
                answer = &mut request => return answer,
                () = self.pass(Duration::from_millis(5)) => {}
            }
        }
    }

    pub(crate) fn token(&self, person: &str) -> String {
        let now = self.clock.now();
        let (person, hour) = (PersonId::parse(person).unwrap(), Duration::from_secs(3_600));
        let claims = Claims::new(person, gateway::ISSUER, now, hour);
        mint(&Secret::new(JWT_SECRET).unwrap(), &claims)
    }

    /// Joins as `person` and returns the ticket.
    pub(crate) async fn join(&self, gateway: &TestGateway, person: &str) -> String {
        let body = serde_json::json!({"event_id": SHOW, "user_id": person});
        let joined = self.answered(gateway.post("/queue/join", &[], &body)).await;
        assert_eq!(joined.status, StatusCode::ACCEPTED, "{joined:?}");
        joined.text("waiting_token").to_owned()
    }

    pub(crate) async fn status(&self, gateway: &TestGateway, ticket: &str) -> Reply {
        self.answered(gateway.get(&format!("/queue/status?token={ticket}"), &[])).await
    }

    pub(crate) async fn enter(&self, gateway: &TestGateway, ticket: &str) -> Reply {
        let body = serde_json::json!({"waiting_token": ticket});
        self.answered(gateway.post("/queue/enter", &[], &body)).await
    }
}

impl TestGateway {
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        call(&self.routes, Method::GET, &format!("/api/v1{path}"), headers, None).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        call(&self.routes, Method::POST, &format!("/api/v1{path}"), headers, Some(body)).await
    }

    /// A call to the public port outside of the API.
    pub(crate) async fn page(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        call(&self.routes, method, path, headers, None).await
    }

    pub(crate) async fn admin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        call(&self.admin, method, path, headers, body).await
    }

    /// The events of a stream, as they arrive.
    pub(crate) async fn stream(&self, ticket: &str) -> axum::body::BodyDataStream {
        let path = format!("/api/v1/queue/stream?token={ticket}");
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        response.into_body().into_data_stream()
    }
}

async fn call(
    routes: &Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let response = routes.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Reply { status, headers, body }
}
