//! The worker under load: the shipped binary, its settings, its cost, its end.

use super::rig::Rig;
use crate::{cpu_of, now, sibling};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long it may take to its first poll.
const START_MAX: Duration = Duration::from_secs(20);
/// What of its log is shown when it fails.
const TAIL_BYTES: u64 = 4_000;

/// The program that runs as the worker.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// A program that reads the worker's variables; `None`: the `reservation-worker` beside us.
    pub binary: Option<PathBuf>,
    /// Variables beyond those of the rig.
    pub set: Vec<(String, String)>,
}

/// The program in a process of its own; ended when dropped.
pub struct Worker {
    child: Child,
    log: File,
    /// Start of the process to its first poll.
    pub first_poll_after: Duration,
}

impl Worker {
    /// Starts it on the rig's queue and waits for its first poll. Its log goes to a file that
    /// nobody else sees.
    pub async fn start(rig: &Rig, program: &Program, concurrency: &str) -> Result<Self> {
        let binary = program.binary.clone().map_or_else(|| sibling("reservation-worker"), Ok)?;
        let log = tempfile::tempfile()?;
        let started = now();
        let child = Command::new(&binary)
            .env_clear()
            .envs([
                ("SQS_QUEUE_URL", rig.queue_url()),
                ("AWS_ENDPOINT_URL_SQS", &rig.sqs.endpoint()),
                ("AWS_REGION", "ap-northeast-2"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("WORKER_CONCURRENCY", concurrency),
                ("INVENTORY_GRPC_ADDR", &rig.inventory.address().to_string()),
                ("RESERVATION_API_BASE", &rig.reservations.base()),
                ("SERVER_PORT", "0"),
                ("GRPC_DEBUG_PORT", "0"),
                ("ADMIN_ADDR", "127.0.0.1:0"),
                ("LOG_LEVEL", "info"),
            ])
            .envs(program.set.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        // From here on it is ended whatever happens.
        let mut worker = Self { child, log, first_poll_after: Duration::ZERO };
        let mut ended = None;
        rig.journal
            .until(START_MAX, || {
                ended = worker.child.try_wait().ok().flatten();
                rig.receives() > 0 || ended.is_some()
            })
            .await;
        worker.first_poll_after = now() - started;
        let how = ended.map_or_else(|| "did not poll".to_owned(), |status| format!("ended: {status}"));
        ensure!(rig.receives() > 0, "the worker {how}\n{}", worker.log_tail());
        Ok(worker)
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(self.child.id()).with_context(|| format!("the worker has ended\n{}", self.log_tail()))
    }

    /// The most memory it ever had resident, in MB.
    pub fn rss_max_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1_024.0)
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let length = self.log.metadata().map_or(0, |meta| meta.len());
        let from = length.saturating_sub(TAIL_BYTES);
        let mut tail = vec![0; (length - from) as usize];
        // Without moving the position, which the worker writes at.
        match self.log.read_exact_at(&mut tail, from) {
            Ok(()) => String::from_utf8_lossy(&tail).into_owned(),
            Err(why) => format!("its log cannot be read: {why}"),
        }
    }
}

/// The measurement is over, or went wrong: nothing is waited for but the end of the process.
impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
