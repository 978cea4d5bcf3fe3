//! Starts an engine and waits until it answers.
//!
//! Engines outlive the process that starts them: they have a process group of their own, so that an
//! interrupt at the terminal does not reach them, nothing on standard input, and all output in a
//! log.

use crate::ask;
use crate::fetch::{Fetched, end_of};
use crate::kind::Kind;
use crate::ports::free;
use crate::process::{self, Process};
use crate::state::Entry;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The wait for an answer. ElasticMQ, the slowest, takes 2 s on idle cores, and 6 s beside a
/// compiler.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
/// Another program took the port before the server did: once in thousands of starts.
const ATTEMPTS: u32 = 3;

/// The other programs were checked when they were fetched.
const JAVA: &str = "apt-get install -y --no-install-recommends default-jre-headless";

/// One engine to start.
pub(crate) struct Launch<'a> {
    pub(crate) kind: Kind,
    pub(crate) fetched: &'a Fetched,
    /// Its own folder; empty at the start.
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
}

/// Why an attempt failed, and whether other ports may help.
enum Failed {
    Ports(anyhow::Error),
    Engine(anyhow::Error),
}

impl Launch<'_> {
    /// Starts it and waits until it answers. Every process is passed to `record` before anything
    /// can go wrong with it.
    pub(crate) fn run(&self, record: &dyn Fn(&Entry) -> Result<()>) -> Result<Entry> {
        let name = self.kind.name();
        let mut attempt = 1;
        loop {
            let mut entry = Entry { version: self.fetched.version.clone(), kept: true, ..Entry::default() };
            let failed = match self.attempt(&mut entry, record) {
                Ok(()) => return Ok(entry),
                Err(failed) => failed,
            };
            process::end(&entry.processes)?;
            match failed {
                Failed::Ports(_) if attempt < ATTEMPTS => attempt += 1,
                Failed::Ports(error) | Failed::Engine(error) => {
                    return Err(error.context(format!("cannot start {name}{}", self.end_of_log())));
                }
            }
        }
    }

    /// The engine's own explanation of why it does not start.
    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        if log.is_empty() {
            return String::new();
        }
        format!("; {} ends with:\n{}\n", self.log.display(), end_of(&log))
    }

    fn attempt(&self, entry: &mut Entry, record: &dyn Fn(&Entry) -> Result<()>) -> Result<(), Failed> {
        let cluster = self.kind == Kind::RedisCluster;
        let ports = free(self.kind.nodes(), cluster).map_err(Failed::Engine)?;
        entry.addresses = ports.iter().map(|port| self.kind.url(*port)).collect();
        let mut children = Vec::new();
        for port in &ports {
            let child = self.spawn(*port).map_err(Failed::Engine)?;
            let process = Process::of(child.id(), program(self.kind)).map_err(Failed::Ports)?;
            children.push(child);
            entry.processes.push(process);
            record(entry).map_err(Failed::Engine)?;
        }
        wait(entry, &mut children, || listening(entry, &ports))?;
        if cluster {
            ask::cluster(&ports).map_err(Failed::Engine)?;
        }
        wait(entry, &mut children, || ask::answers(self.kind, &ports))?;
        entry.ready = true;
        record(entry).map_err(Failed::Engine)
    }

    fn spawn(&self, port: u16) -> Result<Child> {
        let folder = self.data.join(port.to_string());
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log: File = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = command(self.kind, &self.fetched.path, &folder, port)?;
        command.current_dir(&folder).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let program = command.get_program().display().to_string();
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound && program == "java" => {
                bail!("`java` is not installed; install it with: {JAVA}")
            }
            spawned => spawned.with_context(|| format!("cannot start `{program}`")),
        }
    }
}

/// A word of the command line that identifies a process of the engine.
fn program(kind: Kind) -> &'static str {
    match kind {
        Kind::ElasticMq => "org.elasticmq.server.Main",
        Kind::DynamoDb => "software.amazon.dynamodb.services.local.main.ServerRunner",
        Kind::MiniStack => "ministack",
        Kind::Redis | Kind::RedisCluster => "redis-server",
    }
}

fn command(kind: Kind, path: &Path, folder: &Path, port: u16) -> Result<Command> {
    let port = port.to_string();
    let mut command = Command::new(match kind {
        Kind::ElasticMq | Kind::DynamoDb => Path::new("java"),
        Kind::MiniStack | Kind::Redis | Kind::RedisCluster => path,
    });
    match kind {
        Kind::ElasticMq => {
            std::fs::write(folder.join("elasticmq.conf"), elasticmq(&port))?;
            command.args(["-Xmx512m", "-Dconfig.file=elasticmq.conf", "-cp"]).arg(path.join("*"));
            command.arg(program(kind));
        }
        Kind::DynamoDb => {
            let mut natives = std::ffi::OsString::from("-Djava.library.path=");
            natives.push(path);
            command.arg("-Xmx1g").arg(natives).arg("-cp").arg(path.join("*")).arg(program(kind));
            command.args(["-inMemory", "-sharedDb", "-disableTelemetry", "-port", &port]);
        }
        Kind::MiniStack => {
            // Not its script, which contains the folder of its installation and so would not
            // survive a move.
            command.args(["-m", "ministack"]);
            command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", &port).env("TMPDIR", folder);
            // Otherwise it also opens ports for MQTT and SFTP, on all interfaces.
            command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
        }
        Kind::Redis | Kind::RedisCluster => {
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            command.args(["--daemonize", "no"]);
            if kind == Kind::RedisCluster {
                command.args(["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]);
            }
        }
    }
    Ok(command)
}

fn elasticmq(port: &str) -> String {
    format!(
        "include classpath(\"application.conf\")\n\
         node-address {{ protocol = http, host = \"127.0.0.1\", port = {port}, context-path = \"\" }}\n\
         rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = \"127.0.0.1\", sqs-limits = strict }}\n\
         rest-stats.enabled = false\n"
    )
}

/// Whether a process that is not ours listens on the port. ElasticMQ would keep running without its
/// port.
fn is_taken(entry: &Entry, port: u16) -> bool {
    process::is_listened_to(port) && !entry.processes.iter().any(|process| process.listens(port))
}

/// Checks that each node has its port.
fn listening(entry: &Entry, ports: &[u16]) -> Result<()> {
    let nodes = entry.processes.iter().zip(ports);
    for (process, port) in nodes {
        ensure!(process.listens(*port), "process {} does not listen on port {port}", process.pid);
    }
    Ok(())
}

/// Waits until the condition holds, a process ends, or patience runs out; the error is the last
/// unmet condition.
fn wait(entry: &Entry, children: &mut [Child], holds: impl Fn() -> Result<()>) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let missing = match holds() {
            Ok(()) => return Ok(()),
            Err(missing) => missing,
        };
        // This also reaps an ended process, so that no zombie is left.
        if let Some(status) = children.iter_mut().find_map(|child| child.try_wait().ok().flatten()) {
            return Err(Failed::Ports(anyhow::anyhow!("it has ended with {status}")));
        }
        if let Some(port) = entry.ports().unwrap_or_default().into_iter().find(|port| is_taken(entry, *port))
        {
            return Err(Failed::Ports(anyhow::anyhow!("port {port} belongs to another program")));
        }
        if Instant::now() > deadline {
            let pids: Vec<_> = entry.processes.iter().map(|process| process.pid).collect();
            let silent = format!("no answer after {} s (process {pids:?})", PATIENCE.as_secs());
            return Err(Failed::Engine(missing.context(silent)));
        }
        // A server does not report that it is ready: it is asked until it answers. Nothing else
        // runs in this process meanwhile.
        std::thread::sleep(POLL);
    }
}
