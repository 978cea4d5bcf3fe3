//! One measurement: a show of its own, the generator in its process, and what everybody spent
//! meanwhile.

use super::Plan;
use super::server::Rig;
use crate::{cores, now, round, say};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

/// The argument that makes a process the generator.
pub const GENERATOR: &str = "generator";
/// Steps of a search are so close at the end: the last that holds is within this of the first
/// that does not.
const CLOSE: f64 = 1.05;
/// By how much a rate is raised that holds, and lowered that does not, before both are known.
const STEP: f64 = 1.3;
const RATE_MIN: f64 = 500.0;
/// A step that does not hold while other programs take more of the cores than this is tried
/// again, so often.
const QUIET: f64 = 0.25;
const TRIES: u32 = 3;

/// The requests to a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// 99 % of the answers within so many milliseconds.
    pub p99_ms: f64,
}

impl Limit {
    /// Whether the figures keep it, without an error.
    pub fn holds(self, figures: &Value) -> bool {
        let is_fast = figures["p99_ms"].as_f64().is_some_and(|p99| p99 <= self.p99_ms);
        is_fast && figures["errors"] == 0 && figures["unsent"].as_u64().is_some_and(|unsent| unsent < 100)
    }
}

/// Runs the plan against the running gateways; returns its figures (docs/contracts.md#commands).
pub async fn measure(rig: &Rig, name: &str, plan: &Plan, limit: Limit) -> Result<Value> {
    let program = std::env::current_exe()?;
    let mut child = Command::new(program)
        .arg(GENERATOR)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start the generator")?;
    let mut stdin = child.stdin.take().context("its stdin")?;
    stdin.write_all(&serde_json::to_vec(plan)?).await?;
    drop(stdin);
    let mut lines = BufReader::new(child.stdout.take().context("its stdout")?).lines();
    next(&mut lines).await?;
    let before = rig.cost()?;
    let mut figures = next(&mut lines).await?;
    let after = rig.cost()?;
    child.wait().await?;
    figures["name"] = name.into();
    figures["holds"] = limit.holds(&figures).into();
    let count = |name: &str| figures[name].as_u64().unwrap_or_default().max(1) as f64;
    let (answered, statuses) = (count("answered"), count("statuses"));
    let seconds = (after.at - before.at).as_secs_f64();
    let calls = after.calls_since(&before);
    let beats = calls.get("beat").and_then(Value::as_u64);
    let all: u64 = calls.values().filter_map(Value::as_u64).sum();
    let thousandths = |value: f64| (value * 1e3).round() / 1e3;
    let us = |cpu: Duration| round(cpu.as_secs_f64() * 1e6 / answered);
    let share = |cpu: Duration| (cpu.as_secs_f64() / seconds * 100.0).round() / 100.0;
    if beats.is_some() {
        figures["status_store_calls"] = thousandths(beats.unwrap_or_default() as f64 / statuses).into();
        figures["store_calls_per_request"] = thousandths(all as f64 / answered).into();
        figures["store_calls"] = Value::Object(calls);
    }
    let (gateways, store) = (after.gateways - before.gateways, after.store - before.store);
    if !gateways.is_zero() {
        figures["gateway_cpu_us_per_request"] = us(gateways).into();
        figures["gateway_cores"] = share(gateways).into();
        figures["rss_max_mb"] = round(after.rss_max_mb).into();
    }
    // A machine that is busy with something else cannot show a gateway's capacity.
    let own = Duration::from_secs_f64(figures["generator_cores"].as_f64().unwrap_or_default() * seconds);
    let others = (after.machine - before.machine).saturating_sub(gateways + store + own);
    figures["cores_of_other_programs"] = share(others).into();
    if !store.is_zero() {
        figures["store_cpu_us_per_request"] = us(store).into();
        figures["store_cores"] = share(store).into();
    }
    figures["cores"] = cores().into();
    Ok(figures)
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Value> {
    let Some(line) = lines.next_line().await? else { bail!("the generator has ended; it says why above") };
    Ok(serde_json::from_str(&line)?)
}

/// The highest rate that holds, searched from that of `plan` until `until`. `show` opens
/// another show for a rate.
pub async fn search(
    rig: &Rig,
    name: &str,
    plan: &Plan,
    limit: Limit,
    until: Duration,
    show: &dyn Fn(u32) -> String,
) -> Result<Value> {
    let (mut rate, mut held, mut missed) = (f64::from(plan.rate), None::<(f64, Value)>, None::<(f64, Value)>);
    let mut tries = 0;
    loop {
        let step = Plan { rate: rate as u32, event: show(rate as u32), prefill: rate as u64, ..plan.clone() };
        let began = now();
        let figures = measure(rig, name, &step, limit).await?;
        say(&format!(
            "       {} a second: p99 {} ms, {} errors",
            step.rate, figures["p99_ms"], figures["errors"]
        ));
        let is_held = figures["holds"] == true;
        let is_disturbed = figures["cores_of_other_programs"].as_f64().is_some_and(|cores| cores > QUIET);
        tries += 1;
        if !is_held && is_disturbed && tries < TRIES && now() + (now() - began) <= until {
            continue;
        }
        tries = 0;
        if is_held {
            held = Some((rate, figures))
        } else {
            missed = Some((rate, figures))
        }
        rate = match (&held, &missed) {
            (Some((low, _)), Some((high, _))) if high / low <= CLOSE => break,
            (Some((low, _)), Some((high, _))) => (low * high).sqrt(),
            (Some((low, _)), None) => low * STEP,
            (None, Some((high, _))) => high / STEP,
            (None, None) => break,
        };
        if rate < RATE_MIN || now() + (now() - began) > until {
            break;
        }
    }
    let first_missed = missed.as_ref().map(|(rate, _)| rate.round());
    let (_, mut figures) = held.or(missed).context("at least one rate was tried")?;
    figures["first_rate_that_does_not_hold"] = json!(first_missed);
    Ok(figures)
}
