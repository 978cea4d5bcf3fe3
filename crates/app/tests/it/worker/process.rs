//! A worker in its own process: started between stand-ins, its log read, stopped by its id, and
//! killed on drop.

use super::stand_ins::{PATIENCE, StandIns};
use anyhow::{Context, Result, bail, ensure};
use app::client::Http;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use ports::Tasks;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// Log lines that a failure prints.
const TAIL: usize = 30;

/// The log lines of a worker, without those of successful runs, of which there is one for each
/// event.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// The lines that contain this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines(text).len()
    }

    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        let lines = self.0.lock().expect("no reader panics");
        lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }

    fn tail(&self) -> String {
        let lines = self.lines("");
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    async fn read(self, from: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if !(line.contains(r#""msg":"handled""#) && line.contains(r#""outcome":"success""#)) {
                self.0.lock().expect("no reader panics").push(line);
            }
        }
    }
}

/// A running worker.
pub(crate) struct Worker {
    child: Child,
    log: Log,
    readers: Tasks,
    /// `host:port` of health and metrics.
    pub(crate) http: String,
    /// `host:port` of administration.
    pub(crate) admin: String,
}

/// A worker that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: Log,
}

/// The variables of a worker between these stand-ins. Those of the test override them.
pub(crate) fn environment(stand_ins: &StandIns) -> Vec<(String, String)> {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        own("SQS_QUEUE_URL", &stand_ins.queue_url),
        own("AWS_ENDPOINT_URL_SQS", &stand_ins.sqs.endpoint()),
        own("AWS_REGION", "ap-northeast-2"),
        own("AWS_ACCESS_KEY_ID", "test"),
        own("AWS_SECRET_ACCESS_KEY", "test"),
        own("AWS_EC2_METADATA_DISABLED", "true"),
        own("INVENTORY_GRPC_ADDR", &stand_ins.inventory.address().to_string()),
        own("RESERVATION_API_BASE", &stand_ins.reservations.base()),
        own("SERVER_PORT", "0"),
        own("GRPC_DEBUG_PORT", "0"),
        own("ADMIN_ADDR", "127.0.0.1:0"),
        own("SQS_WAIT_TIME", "1"),
    ]
}

/// The binary with only these variables in its environment.
pub(crate) fn command(env: &[(String, String)], more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reservation-worker"));
    command.env_clear().envs(env.iter().cloned()).envs(more.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Worker {
    /// Starts a worker and waits until it listens.
    pub(crate) async fn start(stand_ins: &StandIns, more: &[(&str, &str)]) -> Result<Self> {
        let mut child = command(&environment(stand_ins), more).spawn().context("start the worker")?;
        let (log, readers) = (Log::default(), Tasks::new());
        readers.spawn(log.clone().read(child.stdout.take().context("its stdout")?));
        readers.spawn(log.clone().read(child.stderr.take().context("its stderr")?));
        let mut worker = Self { child, log, readers, http: String::new(), admin: String::new() };
        let log = worker.log.clone();
        let listens = || log.count("reservation-worker listens") > 0;
        worker.until(stand_ins, "it listens", listens).await?;
        let line = log.lines("reservation-worker listens").pop().context("the line")?;
        let line: Value = serde_json::from_str(&line)?;
        let address = |name: &str| line[name].as_str().map(str::to_owned).context("an address");
        (worker.http, worker.admin) = (address("http")?, address("admin")?);
        Ok(worker)
    }

    /// Waits until a condition holds, as long as the worker runs.
    pub(crate) async fn until(
        &mut self,
        stand_ins: &StandIns,
        what: &str,
        holds: impl FnMut() -> bool,
    ) -> Result<()> {
        let held = tokio::select! {
            held = stand_ins.journal.until(PATIENCE, holds) => held,
            status = self.child.wait() => {
                self.readers.finished().await;
                bail!("the worker ended ({}) before {what}\n{}", status?, self.log.tail());
            }
        };
        ensure!(held, "waited {PATIENCE:?} until {what}: {:?}\n{}", stand_ins.depth(), self.log.tail());
        Ok(())
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// A GET to its administration.
    pub(crate) async fn ask(&self, stand_ins: &StandIns, path: &str) -> Result<Value> {
        let answer = Http::new(stand_ins.clock.clone()).get(&format!("http://{}{path}", self.admin)).await?;
        ensure!(answer.status.is_success(), "{path}: {answer:?}");
        Ok(answer.body)
    }

    /// A POST to its administration.
    pub(crate) async fn tell(&self, stand_ins: &StandIns, path: &str, body: &Value) -> Result<Value> {
        let http = Http::new(stand_ins.clock.clone());
        let answer = http.post(&format!("http://{}{path}", self.admin), &[], body).await?;
        ensure!(answer.status.is_success(), "{path}: {answer:?}");
        Ok(answer.body)
    }

    /// A metric without labels.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
        let answer = client.get(format!("http://{}/metrics", self.http).parse()?).await?;
        let text = String::from_utf8(answer.into_body().collect().await?.to_bytes().into())?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no {name} in\n{text}"))?.parse()?)
    }

    /// Sends SIGTERM and does not wait for the end.
    pub(crate) fn terminate(&self) -> Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(kill_process(pid.context("it runs")?, Signal::TERM)?)
    }

    /// Waits until it ends.
    pub(crate) async fn ended(mut self, stand_ins: &StandIns) -> Result<Ended> {
        let status = ports::clock::timeout(&*stand_ins.clock, PATIENCE, self.child.wait()).await;
        let Ok(status) = status else { bail!("no end within {PATIENCE:?}\n{}", self.log.tail()) };
        self.readers.finished().await;
        Ok(Ended { code: status?.code(), log: self.log })
    }

    /// Sends SIGTERM and waits for the end, which must have exit code 0.
    pub(crate) async fn stop(self, stand_ins: &StandIns) -> Result<Log> {
        self.terminate()?;
        let Ended { code, log } = self.ended(stand_ins).await?;
        ensure!(code == Some(0), "exit code {code:?}\n{}", log.tail());
        Ok(log)
    }

    /// kill -9; afterwards the process is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill the worker")
    }
}
