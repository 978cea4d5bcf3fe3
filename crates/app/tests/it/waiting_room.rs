//! Gateways as separate processes on one Redis, which dies while they run.

use anyhow::{Context, Result, ensure};
use app::client::{Answer, Http};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use ports::Clock;

const SHOW: &str = "opening";
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that has logged its addresses.
struct Process {
    child: Child,
    http: String,
    admin: String,
}

impl Process {
    async fn start(binary: &str, env: &[(&str, &str)]) -> Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs([("SERVER_PORT", "0"), ("GRPC_PORT", "0"), ("ADMIN_ADDR", "127.0.0.1:0")])
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its stdout")?).lines();
        loop {
            let line =
                lines.next_line().await?.with_context(|| format!("{binary} ended before it listened"))?;
            let line: Value = serde_json::from_str(&line)?;
            if line["msg"].as_str().is_some_and(|text| text.ends_with(" listens")) {
                let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
                let (http, admin) = (text("http"), text("admin"));
                // The pipe must be drained, or the process would block on its log.
                #[allow(
                    clippy::disallowed_methods,
                    reason = "the task ends with the process whose log it reads"
                )]
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { child, http, admin });
            }
        }
    }
}

/// A Redis server for one test.
struct Redis {
    port: u16,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Redis {
    async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut redis = Self { port, child: None, folder: tempfile::tempdir()? };
        redis.begin().await?;
        Ok(redis)
    }

    /// Starts it empty.
    async fn begin(&mut self) -> Result<()> {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &self.port.to_string(), "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start redis-server: apt-get install -y redis-server")?;
        self.child = Some(child);
        let clock = runtime::SystemClock::new();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            clock.sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }
}

struct Deployment {
    redis: Redis,
    _inventory: Process,
    gateways: Vec<Process>,
    http: Http,
    clock: Arc<dyn Clock>,
    _folder: tempfile::TempDir,
}

impl Deployment {
    /// Two gateways on one Redis, and a show with a waiting room of that rate.
    async fn new(rate: u32) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
        let (redis, folder) = (Redis::start().await?, tempfile::tempdir()?);
        let data = folder.path().to_str().context("a path")?;
        let inventory = Process::start(env!("CARGO_BIN_EXE_inventory-api"), &[("DATA_DIR", data)]).await?;
        let http = Http::new(clock.clone());
        let show = json!({"event_id": SHOW, "name": "Opening", "waiting_room": {"rate_per_sec": rate, "burst": 1},
                          "sections": [{"id": "A", "price": 1, "capacity": 100}]});
        let opened = http.post(&format!("http://{}/admin/shows", inventory.http), &[], &show).await?;
        ensure!(opened.status == StatusCode::CREATED, "{opened:?}");
        let (url, shows) =
            (format!("redis://127.0.0.1:{}", redis.port), format!("http://{}", inventory.http));
        let env = [
            ("REDIS_URL", &*url),
            ("INVENTORY_API_BASE", &shows),
            ("WAITING_ROOM_SECRET", "the waiting room of this test"),
            ("JWT_SECRET", "who the people of this test are, signed"),
            ("RATE_LIMIT_ADDRESS", "0"),
            ("BACKEND_TIMEOUT", "20s"),
        ];
        let mut gateways = Vec::new();
        for _ in 0..2 {
            gateways.push(Process::start(env!("CARGO_BIN_EXE_gateway-api"), &env).await?);
        }
        Ok(Self { redis, _inventory: inventory, gateways, http, clock, _folder: folder })
    }

    fn url(&self, gateway: usize, path: &str) -> String {
        format!("http://{}/api/v1{path}", self.gateways[gateway % self.gateways.len()].http)
    }

    async fn join(&self, gateway: usize, person: &str) -> Result<String> {
        let body = json!({"event_id": SHOW, "user_id": person});
        let joined = self.http.post(&self.url(gateway, "/queue/join"), &[], &body).await?;
        ensure!(joined.status == StatusCode::ACCEPTED, "{joined:?}");
        Ok(joined.text("waiting_token").to_owned())
    }

    async fn status(&self, gateway: usize, ticket: &str) -> Result<Answer> {
        let status = self.http.get(&self.url(gateway, &format!("/queue/status?token={ticket}"))).await?;
        ensure!(status.status == StatusCode::OK, "{status:?}");
        Ok(status)
    }

    /// All people poll either gateway and enter at their turn. Returns the order of their passes,
    /// once all are in.
    async fn all_enter(&self, tickets: &[String]) -> Result<Vec<usize>> {
        let give_up = self.clock.elapsed() + PATIENCE;
        let (mut order, mut round) = (Vec::new(), 0);
        while order.len() < tickets.len() {
            ensure!(self.clock.elapsed() < give_up, "{} of {} are in: {order:?}", order.len(), tickets.len());
            for (n, ticket) in tickets.iter().enumerate() {
                if !order.contains(&n) && self.status(n + round, ticket).await?.text("status") == "ready" {
                    let body = json!({"waiting_token": ticket});
                    let entered = self.http.post(&self.url(n, "/queue/enter"), &[], &body).await?;
                    ensure!(entered.status == StatusCode::OK, "reported ready, but refused: {entered:?}");
                    order.push(n);
                }
            }
            round += 1;
            self.clock.sleep(Duration::from_millis(50)).await;
        }
        Ok(order)
    }
}

/// Trap T-W10: Redis loses all data. Nobody has to join again, all get in by their order of
/// arrival, and newcomers after the loss are last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_keep_their_order_when_redis_is_killed_and_emptied() -> Result<()> {
    let mut deployment = Deployment::new(4).await?;
    let mut tickets = Vec::new();
    for n in 0..16 {
        tickets.push(deployment.join(n, &format!("p-{n}")).await?);
    }
    for (n, ticket) in tickets.iter().enumerate() {
        deployment.status(n, ticket).await?;
    }
    deployment.redis.kill().await?;
    // While Redis is away, positions are still answered, and joins are refused.
    let status = deployment.status(0, &tickets[15]).await?;
    ensure!(status.text("status") == "waiting", "{status:?}");
    let body = json!({"event_id": SHOW});
    let refused = deployment.http.post(&deployment.url(0, "/queue/join"), &[], &body).await?;
    ensure!(
        refused.status == StatusCode::SERVICE_UNAVAILABLE && refused.code() == "UNAVAILABLE",
        "{refused:?}"
    );
    deployment.redis.begin().await?;
    let joined = async || deployment.http.post(&deployment.url(1, "/queue/join"), &[], &body).await;
    let newcomer = loop {
        let answer = joined().await?;
        if answer.status == StatusCode::ACCEPTED {
            break answer.text("waiting_token").to_owned();
        }
        deployment.clock.sleep(Duration::from_millis(50)).await;
    };
    // This place has no owner yet, because people sign in to enter. Only its position matters here.
    let ahead = deployment.status(1, &newcomer).await?;
    let order = deployment.all_enter(&tickets).await?;
    println!("order {order:?}, the newcomer was {} in line", ahead.body["position"]);
    // The two gateways report their people one after the other, so only neighbours may swap places.
    let overtaken = order.iter().enumerate().filter(|(at, n)| n.abs_diff(*at) > 3).count();
    ensure!(overtaken == 0, "{order:?}");
    ensure!(deployment.status(0, &newcomer).await?.text("status") != "expired");
    Ok(())
}

/// A Redis that does not answer for a while stops no gateway and loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_takes_no_gateway_out() -> Result<()> {
    let deployment = Deployment::new(20).await?;
    let mut tickets = Vec::new();
    for n in 0..6 {
        tickets.push(deployment.join(n, &format!("p-{n}")).await?);
    }
    let id = deployment.redis.child.as_ref().and_then(Child::id).context("it runs")?.to_string();
    let signal = async |name: &str| Command::new("kill").args([name, &id]).status().await;
    ensure!(signal("-STOP").await?.success());
    let mut refused: BTreeMap<u16, u32> = BTreeMap::new();
    for n in 0..12 {
        let body = json!({"event_id": SHOW, "user_id": format!("late-{n}")});
        let answer = deployment.http.post(&deployment.url(n, "/queue/join"), &[], &body).await?;
        *refused.entry(answer.status.as_u16()).or_default() += 1;
        deployment.status(n, &tickets[n % tickets.len()]).await?;
        let health =
            deployment.http.get(&format!("http://{}/health", deployment.gateways[n % 2].http)).await?;
        ensure!(health.status == StatusCode::OK, "{health:?}");
    }
    ensure!(refused == BTreeMap::from([(503, 12)]), "{refused:?}");
    ensure!(signal("-CONT").await?.success());
    let order = deployment.all_enter(&tickets).await?;
    ensure!(order.len() == 6);
    let figures =
        deployment.http.get(&format!("http://{}/admin/queues/{SHOW}", deployment.gateways[0].admin)).await?;
    ensure!(figures.body["entered"] == 6, "{figures:?}");
    for mut gateway in deployment.gateways {
        let pid = gateway.child.id().context("it runs")?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        ensure!(gateway.child.wait().await?.success(), "a drained gateway ends with 0");
    }
    Ok(())
}
