//! Gateways in processes of their own, their store, and the costs of both.

use crate::{cpu_of, now, sibling};
use anyhow::{Context, Result, ensure};
use engines::{Kind, Purpose, ServerPool};
use serde_json::{Map, Value};
use standin::Shows;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const START_MAX: Duration = Duration::from_secs(20);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A gateway that is overloaded answers late, and for its metrics that is no matter.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What of its log is shown when it fails.
const TAIL_BYTES: u64 = 4_000;
const STORE_CALLS: &str = "waiting_room_store_calls_total{";
/// Nothing listens there: no reservation and no payment is made.
const NOBODY: &str = "127.0.0.1:9";

/// The program that runs as the gateway.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// A program that reads the gateway's variables; `None`: the `gateway-api` beside us.
    pub binary: Option<PathBuf>,
    /// Variables beyond those that it needs here.
    pub set: Vec<(String, String)>,
}

/// Where lines are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In the one gateway.
    Memory,
    /// On a server that is started for it.
    Redis,
}

/// The gateways to measure.
pub struct Rig {
    servers: Vec<Server>,
    redis: Option<Redis>,
    addresses: Vec<SocketAddr>,
}

impl Rig {
    /// Starts so many gateways on one store, and waits until each is ready.
    pub async fn start(program: &Program, store: Store, gateways: usize, shows: &Shows) -> Result<Self> {
        ensure!(store == Store::Redis || gateways == 1, "lines in memory have one gateway");
        let redis = (store == Store::Redis).then(Redis::start).transpose()?;
        let mut rig = Self { servers: Vec::new(), redis, addresses: Vec::new() };
        for _ in 0..gateways {
            let server = Server::start(program, rig.redis.as_ref(), shows)?;
            rig.addresses.push(server.address);
            rig.servers.push(server);
        }
        for server in &mut rig.servers {
            server.ready().await?;
        }
        Ok(rig)
    }

    /// One that runs already; its costs are not known.
    pub const fn of_others(addresses: Vec<SocketAddr>) -> Self {
        Self { servers: Vec::new(), redis: None, addresses }
    }

    /// Where they listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Their costs so far.
    pub fn cost(&self) -> Result<Cost> {
        let mut cost = Cost { at: now(), machine: machine()?, ..Cost::default() };
        for server in &self.servers {
            cost.gateways += cpu_of(server.child.id())
                .with_context(|| format!("a gateway has ended\n{}", server.log_tail()))?;
            cost.rss_max_mb = cost.rss_max_mb.max(rss_max_mb(server.child.id())?);
        }
        for pid in self.redis.iter().flat_map(|redis| &redis.pids) {
            cost.store += cpu_of(*pid)?;
        }
        for address in &self.addresses {
            let metrics = get(*address, "/metrics").unwrap_or_default();
            for (operation, calls) in metrics.lines().filter_map(store_calls) {
                *cost.calls.entry(operation).or_insert_with(|| 0.into()) =
                    (cost.calls.get(operation).and_then(Value::as_u64).unwrap_or_default() + calls).into();
            }
        }
        Ok(cost)
    }
}

/// The costs up to a moment, all together.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// When that is.
    pub at: Duration,
    /// Processor time of everything on the machine.
    pub machine: Duration,
    /// Processor time of the gateways.
    pub gateways: Duration,
    /// Processor time of the store's server.
    pub store: Duration,
    /// The most memory that a gateway ever had resident, in MB.
    pub rss_max_mb: f64,
    /// Calls of the store, by operation.
    pub calls: Map<String, Value>,
}

impl Cost {
    /// Calls of the store since then, by operation.
    pub fn calls_since(&self, before: &Self) -> Map<String, Value> {
        let count =
            |calls: &Map<String, Value>, name: &str| calls.get(name).and_then(Value::as_u64).unwrap_or(0);
        let since =
            |name: &String| (name.clone(), (count(&self.calls, name) - count(&before.calls, name)).into());
        self.calls.keys().map(since).collect()
    }
}

/// `waiting_room_store_calls_total{operation="beat",outcome="answered"} 12`.
fn store_calls(line: &str) -> Option<(&str, u64)> {
    let (labels, count) = line.strip_prefix(STORE_CALLS)?.split_once("} ")?;
    let operation = labels.split("operation=\"").nth(1)?.split('"').next()?;
    Some((operation, count.trim().parse::<f64>().ok()? as u64))
}

/// A gateway; ended when dropped.
struct Server {
    child: Child,
    log: File,
    address: SocketAddr,
}

impl Server {
    fn start(program: &Program, redis: Option<&Redis>, shows: &Shows) -> Result<Self> {
        let binary = program.binary.clone().map_or_else(|| sibling("gateway-api"), Ok)?;
        let log = tempfile::tempfile()?;
        let port = free_port()?;
        let shows = shows.address();
        let mut command = Command::new(&binary);
        command
            .env_clear()
            .envs([
                ("SERVER_PORT", port.to_string().as_str()),
                ("GRPC_PORT", "0"),
                ("ADMIN_ADDR", "127.0.0.1:0"),
                ("WAITING_ROOM_SECRET", "a secret of the benchmark alone"),
                ("JWT_SECRET", "a secret of the benchmark alone, long enough"),
                ("INVENTORY_API_BASE", &format!("http://{shows}")),
                ("RESERVATION_GRPC_ADDR", NOBODY),
                ("PAYMENT_GRPC_ADDR", NOBODY),
                ("RATE_LIMIT_PERSON", "0"),
                ("RATE_LIMIT_ADDRESS", "0"),
                ("WAITING_ROOM_STORE", if redis.is_some() { "redis" } else { "memory" }),
                ("LOG_LEVEL", "warn"),
            ])
            .envs(redis.map(|redis| ("REDIS_URL", redis.url.as_str())))
            .envs(program.set.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        let child = command.spawn().with_context(|| format!("start {}", binary.display()))?;
        Ok(Self { child, log, address: (Ipv4Addr::LOCALHOST, port).into() })
    }

    async fn ready(&mut self) -> Result<()> {
        let until = now() + START_MAX;
        loop {
            if get(self.address, "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            let how = ended.map_or_else(|| "is not ready".to_owned(), |status| format!("ended: {status}"));
            ensure!(ended.is_none() && now() < until, "the gateway {how}\n{}", self.log_tail());
            crate::worker::after(ASK_AGAIN_AFTER).await;
        }
    }

    fn log_tail(&self) -> String {
        let length = self.log.metadata().map_or(0, |meta| meta.len());
        let from = length.saturating_sub(TAIL_BYTES);
        let mut tail = vec![0; (length - from) as usize];
        // Without moving the position, which the gateway writes at.
        match self.log.read_exact_at(&mut tail, from) {
            Ok(()) => String::from_utf8_lossy(&tail).into_owned(),
            Err(why) => format!("its log cannot be read: {why}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server of its own, in a folder of its own; ended when dropped.
struct Redis {
    pool: ServerPool,
    url: String,
    pids: Vec<u32>,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let pool = ServerPool::new(folder.path().to_owned());
        let state = pool.up(&[Kind::Redis], Purpose::Kept, &|what| crate::say(what))?;
        let entry = state.engines.get(&Kind::Redis).context("Redis was started")?;
        let url = entry.addresses.first().context("the address of Redis")?.clone();
        let pids = entry.processes.iter().map(|process| process.pid).collect();
        Ok(Self { pool, url, pids, _folder: folder })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.pool.down(&[Kind::Redis]);
    }
}

/// Somebody else could take it before the gateway does; then that one says so and ends.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn rss_max_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024.0)
}

/// The time that the cores of the machine were not idle, in ticks of 10 ms.
fn machine() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").context("the kernel's accounting")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("cpu in /proc/stat")?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|text| text.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    let busy: u64 = ticks.iter().take(8).sum::<u64>() - ticks.iter().skip(3).take(2).sum::<u64>();
    Ok(Duration::from_millis(busy * 10))
}

/// The whole answer to a GET, head included.
fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_store_are_counted_by_operation() {
        let line = r#"waiting_room_store_calls_total{operation="beat",outcome="answered"} 12"#;
        assert_eq!(store_calls(line), Some(("beat", 12)));
        assert_eq!(store_calls("# TYPE waiting_room_store_calls_total counter"), None);
        let cost = |beats: u64| Cost {
            calls: [("beat".to_owned(), beats.into())].into_iter().collect(),
            ..Cost::default()
        };
        assert_eq!(Value::Object(cost(12).calls_since(&cost(5))), serde_json::json!({"beat": 7}));
    }
}
