//! A platform for one test: `tacos up` on a folder, or each service as a process on SQS and
//! DynamoDB. It uses free ports, and its processes are ended by their ids.

use adapter_aws::SqsQueue;
use anyhow::{Context, Result, ensure};
use app::buyers::Endpoints;
use app::client::{Answer, Http};
use census::snapshot::Reported;
use contracts::pass::Pass;
use domain::id::{PersonId, ShowId};
use domain::invariant::Counts;
use identity::{Claims, Secret, mint};
use ports::queue::Depth;
use ports::{Clock, Queue};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

mod processes;

/// The limit of a start, a stop or a condition. A passing test never waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The secret that signs passes of the waiting room.
const ROOM_SECRET: &str = "the waiting room of this test";

/// The secret that signs tokens of people.
pub(crate) const JWT_SECRET: &str = "who the people of this test are, signed";

/// A platform in one process or in several.
pub(crate) struct Running {
    child: Child,
    /// The other services, if each is a process.
    others: Vec<Child>,
    queue: Option<SqsQueue>,
    ready: Value,
    pub(crate) http: Http,
    clock: Arc<dyn Clock>,
}

impl Running {
    /// Starts `tacos up` and waits for the ready line with the addresses.
    pub(crate) async fn start(data: &Path, hold: &str) -> Result<Self> {
        Self::start_with(data, hold, &[]).await
    }

    /// As [`Self::start`], with environment variables.
    pub(crate) async fn start_with(data: &Path, hold: &str, env: &[(&str, &str)]) -> Result<Self> {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_tacos")), data, hold, env).await
    }

    /// As [`Self::start`], with files limited to `blocks` of 512 bytes and the signal for that
    /// ignored, as on a full disk.
    pub(crate) async fn start_on_a_small_disk(data: &Path, hold: &str, blocks: u64) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_tacos"));
        Self::start_as(command, data, hold, &[]).await
    }

    async fn start_as(mut tacos: Command, data: &Path, hold: &str, env: &[(&str, &str)]) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
        let mut child = tacos
            .args(["up", "--free-ports", "--hold", hold, "--data"])
            .arg(data)
            .env("WAITING_ROOM_SECRET", ROOM_SECRET)
            .env("JWT_SECRET", JWT_SECRET)
            .envs(env.iter().copied())
            .env("LOG_LEVEL", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start tacos")?;
        let stdout = child.stdout.take().context("its stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = ports::clock::timeout(&*clock, PATIENCE, lines.next_line())
            .await
            .map_err(|_| anyhow::anyhow!("no ready line within {PATIENCE:?}"))??
            .context("tacos ended before it was ready")?;
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        ensure!(ready["ready"] == true, "{line}");
        Ok(Self { child, others: Vec::new(), queue: None, ready, http: Http::new(clock.clone()), clock })
    }

    /// Starts each service as a process, on ElasticMQ and DynamoDB Local.
    pub(crate) async fn start_on_aws(hold: &str) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
        let processes = processes::start(hold, &*clock).await?;
        let processes::Processes { mut children, addresses, queue } = processes;
        let child = children.pop().context("a process")?;
        let ready = json!({"addresses": addresses});
        let http = Http::new(clock.clone());
        Ok(Self { child, others: children, queue: Some(queue), ready, http, clock })
    }

    /// A pass of the waiting room, valid for half a minute.
    pub(crate) fn pass(&self, id: &str, show: &str, person: &str) -> Result<String> {
        let expires_at = self.clock.now().plus(Duration::from_secs(30));
        let (show, person) = (ShowId::parse(show)?, PersonId::parse(person)?);
        let pass = Pass { id: id.into(), show, person, expires_at };
        Ok(contracts::pass::sign(ROOM_SECRET.as_bytes(), &pass))
    }

    /// The Authorization header of a signed-in person.
    pub(crate) fn bearer(&self, person: &str) -> Result<String> {
        let now = self.clock.now();
        let hour = Duration::from_secs(3_600);
        let claims = Claims::new(PersonId::parse(person)?, gateway::ISSUER, now, hour);
        Ok(format!("Bearer {}", mint(&Secret::new(JWT_SECRET)?, &claims)))
    }

    /// The ready line.
    pub(crate) const fn ready(&self) -> &Value {
        &self.ready
    }

    /// `host:port` of one of its sockets.
    pub(crate) fn address(&self, name: &str) -> &str {
        self.ready["addresses"][name]
            .as_str()
            .unwrap_or_else(|| panic!("no address {name} in {}", self.ready))
    }

    /// The addresses for the crowd.
    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints {
            gateway_http: self.address("gateway_http").to_owned(),
            payment_grpc: self.address("payment_grpc").to_owned(),
        }
    }

    /// A GET to one of its sockets.
    pub(crate) async fn get(&self, name: &str, path: &str) -> Result<Answer> {
        self.http.get(&format!("http://{}{path}", self.address(name))).await
    }

    /// A POST to one of its sockets.
    pub(crate) async fn post(
        &self,
        name: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Answer> {
        self.http.post(&format!("http://{}{path}", self.address(name)), headers, body).await
    }

    /// Waits until no work is pending: no timer, no unpublished event, nothing in the queue.
    pub(crate) async fn at_rest(&self) -> Result<()> {
        self.until("everything is at rest", async || {
            if let Some(queue) = &self.queue {
                return Ok(queue.depth().await? == Depth::default());
            }
            let answer = self.get("admin_http", "/admin/rest").await?;
            Ok(answer.body["at_rest"] == true)
        })
        .await
    }

    /// Repeats until a condition holds.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let give_up = self.clock.elapsed() + PATIENCE;
        while !holds().await.with_context(|| format!("while waiting until {what}"))? {
            ensure!(self.clock.elapsed() < give_up, "waited {PATIENCE:?} until {what}");
            self.clock.sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) -> Result<()> {
        ensure!(self.others.is_empty(), "kill works only on a platform in one process");
        self.child.kill().await.context("kill tacos")
    }

    /// Sends SIGTERM; returns the exit code.
    pub(crate) async fn terminate(mut self) -> Result<i32> {
        let id = self.child.id().context("it runs")?.to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await?;
        ensure!(sent.success(), "kill -TERM {id}");
        let status = ports::clock::timeout(&*self.clock, PATIENCE, self.child.wait())
            .await
            .map_err(|_| anyhow::anyhow!("the platform did not end within {PATIENCE:?} of SIGTERM"))??;
        status.code().context("ended by a signal")
    }
}

/// The stock in these answers of `GET /admin/shows/{id}`.
pub(crate) fn stock(shows: &[Value]) -> Result<Reported> {
    let mut reported = Reported::new();
    for show in shows {
        let show: contracts::rest::admin::Show = serde_json::from_value(show.clone()).context("a show")?;
        for section in show.sections {
            let counts = Counts {
                available: section.remaining,
                held: section.held,
                sold: section.sold,
                blocked: section.blocked,
            };
            reported.insert((show.event_id.clone(), section.id), counts);
        }
    }
    Ok(reported)
}
