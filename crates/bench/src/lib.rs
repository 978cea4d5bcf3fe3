//! What the load generators share: a platform in a process of its own, its CPU time, and how
//! results are printed.
//!
//! Every figure in the documents comes from one of the binaries here, through `cargo xtask
//! bench NAME`. The platform under load is the shipped `tacos` binary; the generator runs
//! beside it on the same cores and says so.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "these are command-line tools")]

pub mod calls;
pub mod eta;
pub mod gateway;
pub mod worker;

use anyhow::{Context, Result, ensure};
use domain::random::{Random, SplitMix64};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `tacos up` in a process of its own; ended when dropped.
pub struct Platform {
    child: Child,
    ready: Value,
    /// Start of the process to its ready line.
    pub ready_after: Duration,
}

impl Platform {
    /// Starts `tacos up` on a folder and waits until it is ready.
    pub fn start(data: &Path, hold: &str) -> Result<Self> {
        let binary = sibling("tacos")?;
        let started = now();
        let mut child = Command::new(&binary)
            .args(["up", "--free-ports", "--hold", hold, "--data"])
            .arg(data)
            .env("LOG_LEVEL", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready_after = now().saturating_sub(started);
        let ready: Value =
            serde_json::from_str(&line).with_context(|| format!("tacos did not start: {line:?}"))?;
        ensure!(ready["ready"] == true, "{line}");
        Ok(Self { child, ready, ready_after })
    }

    /// `host:port` of one of its sockets.
    pub fn address(&self, name: &str) -> &str {
        self.ready["addresses"][name].as_str().unwrap_or_default()
    }

    /// User and system time of the process so far.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(self.child.id())
    }

    /// kill -9.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A binary that was built beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built; run: cargo build --release -p app --bin {name}", path.display());
    Ok(path)
}

/// User and system time of a process, from the kernel's accounting in ticks of 10 ms.
pub fn cpu_of(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the kernel's accounting")?;
    let after_name = stat.rsplit_once(')').context("the name in /proc/PID/stat")?.1;
    let field = |n: usize| after_name.split_whitespace().nth(n).and_then(|text| text.parse::<u64>().ok());
    let ticks = field(11).context("utime")? + field(12).context("stime")?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Monotonic time for measurements.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Cores of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Command-line options of the benches that sell out shows.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Shows to sell out, one run each.
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// Operations in the air.
    #[arg(long, default_value_t = 192)]
    pub in_flight: usize,
    /// Seed of the order of the seats.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// One run of a benchmark: how many operations took how long, as their callers saw it, and the
/// processor time of the servers. Latencies are in microseconds.
pub fn summary(name: &str, latency: &Histogram<u64>, took: Duration, cpu: Duration) -> Value {
    let count = latency.len() as f64;
    let ms = |quantile: f64| (latency.value_at_quantile(quantile) as f64 / 10.0).round() / 100.0;
    json!({
        "name": name,
        "operations": latency.len(),
        "per_second": (count / took.as_secs_f64()).round(),
        "p50_ms": ms(0.50),
        "p99_ms": ms(0.99),
        "p999_ms": ms(0.999),
        "cpu_us_each": round(cpu.as_secs_f64() * 1e6 / count),
    })
}

/// Every pair of seats once, in random order.
pub fn pairs(seats: u32, seed: u64) -> Vec<(u32, u32)> {
    let mut dice = SplitMix64::new(seed);
    let mut seats: Vec<u32> = (0..seats).collect();
    for last in (1..seats.len()).rev() {
        seats.swap(last, dice.below(last as u64 + 1) as usize);
    }
    seats.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Prints the result: one JSON object with `--json`, else a line a figure.
pub fn print(command: &str, runs: &[Value], json: bool) {
    let result = json!({"command": command, "cores": cores(), "runs": runs});
    if json {
        println!("{result}");
        return;
    }
    println!("{command} on {} cores, load generator included", cores());
    for run in runs {
        println!();
        for (name, value) in run.as_object().into_iter().flatten() {
            println!("  {name:<28} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
}

/// One line a figure, one column a run: the figures of `first` in its order, then the others by
/// name.
pub fn columns(runs: &[Value], first: &[&str]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in runs.iter().filter_map(Value::as_object).flat_map(|run| run.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // serde_json keeps objects sorted by key; the name of the run is the head of its column.
    let place = |name: &str| first.iter().position(|known| *known == name).unwrap_or(first.len());
    names.sort_by_key(|name| (*name != "name", place(name)));
    let cell = |run: &Value, name: &str| match &run[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut text = String::new();
    for name in names {
        let head = if name == "name" { "" } else { name };
        text.push_str(&format!("{head:<31}"));
        for run in runs {
            text.push_str(&format!("{:>20}", cell(run, name)));
        }
        text.push('\n');
    }
    text
}

/// Shows progress, on a terminal only.
pub fn say(what: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{what}");
    }
}

/// A variable on the command line, as NAME=VALUE.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("\"{text}\" is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A figure with one decimal place.
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
