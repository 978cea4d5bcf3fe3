//! The services as separate processes: their environment, and inventory-api alone.

use anyhow::{Context, Result, ensure};
use app::client::Http;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const GATEWAY_API: &str = env!("CARGO_BIN_EXE_gateway-api");
const INVENTORY_API: &str = env!("CARGO_BIN_EXE_inventory-api");
const RESERVATION_API: &str = env!("CARGO_BIN_EXE_reservation-api");
const PAYMENT_SIM_API: &str = env!("CARGO_BIN_EXE_payment-sim-api");
const RESERVATION_WORKER: &str = env!("CARGO_BIN_EXE_reservation-worker");

/// Runs a binary to its end; returns its exit code and its stderr.
async fn ended(binary: &str, env: &[(&str, &str)]) -> Result<(Option<i32>, String)> {
    let output =
        Command::new(binary).env_clear().envs(env.iter().copied()).stdin(Stdio::null()).output().await?;
    Ok((output.status.code(), String::from_utf8(output.stderr)?))
}

#[tokio::test]
async fn every_binary_reports_all_its_configuration_mistakes_at_once() -> Result<()> {
    let mistakes = [
        (
            GATEWAY_API,
            [("JWT_SECRET", "short"), ("WAITING_ROOM_STORE", "disk"), ("TRUSTED_PROXIES", "everybody")],
        ),
        (INVENTORY_API, [("HOLD_TTL", "soon"), ("SERVER_PORT", "high"), ("INVENTORY_DEADLINE", "-1")]),
        (
            RESERVATION_API,
            [("PAYMENT_WEBHOOK_SECRET", "short"), ("SERVER_PORT", "high"), ("HOLD_TTL", "soon")],
        ),
        (
            PAYMENT_SIM_API,
            [("PAYMENT_DELAY", "soon"), ("PAYMENT_WEBHOOK_URL", "?"), ("PAYMENT_RANDOM_SEED", "x")],
        ),
        (
            RESERVATION_WORKER,
            [("WORKER_CONCURRENCY", "lots"), ("MAX_RETRIES", "-1"), ("SERVER_PORT", "high")],
        ),
    ];
    for (binary, env) in mistakes {
        let (code, said) = ended(binary, &env).await?;
        ensure!(code == Some(64), "{binary}: {code:?} {said}");
        for (name, _) in env {
            ensure!(said.contains(name), "{binary} does not report {name}: {said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_binary_that_needs_a_queue_says_which_setting_names_it() -> Result<()> {
    let secret = ("PAYMENT_WEBHOOK_SECRET", "0123456789abcdef");
    for (binary, env, names) in [
        (RESERVATION_API, &[secret][..], &["SQS_QUEUE_URL", "EVENT_BUS_NAME"][..]),
        (PAYMENT_SIM_API, &[], &["SQS_QUEUE_URL", "EVENT_BUS_NAME"]),
        (RESERVATION_WORKER, &[], &["SQS_QUEUE_URL"]),
    ] {
        let (code, said) = ended(binary, env).await?;
        ensure!(code == Some(64), "{binary}: {code:?} {said}");
        for name in names {
            ensure!(said.contains(name), "{binary} does not name {name}: {said}");
        }
    }
    Ok(())
}

/// Starts inventory-api on a folder and free ports; returns its process and its HTTP URL.
async fn inventory_api(data: &Path) -> Result<(Child, String)> {
    let mut child = Command::new(INVENTORY_API)
        .env_clear()
        .env("DATA_DIR", data)
        .envs([("SERVER_PORT", "0"), ("GRPC_PORT", "0")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its stdout")?).lines();
    while let Some(line) = lines.next_line().await? {
        let line: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        if line["msg"] == "inventory-api listens" {
            return Ok((child, format!("http://{}", line["http"].as_str().context("an address")?)));
        }
    }
    anyhow::bail!("inventory-api ended before it listened")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inventory_api_keeps_its_shows_over_a_restart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let http = Http::new(Arc::new(runtime::SystemClock::new()));
    let (mut first, url) = inventory_api(folder.path()).await?;
    let show =
        json!({"event_id": "evt-1", "name": "One", "sections": [{"id": "F", "price": 1_000, "capacity": 3}]});
    let made = http.post(&format!("{url}/admin/shows"), &[], &show).await?;
    ensure!(made.status == 201, "{} {}", made.status, made.body);

    let pid = first.id().context("it runs")?.to_string();
    ensure!(Command::new("kill").args(["-TERM", &pid]).status().await?.success());
    ensure!(first.wait().await?.code() == Some(0), "it drains and ends with 0");

    let (mut second, url) = inventory_api(folder.path()).await?;
    let again = http.post(&format!("{url}/admin/shows"), &[], &show).await?;
    ensure!(
        again.status == 200,
        "posting the same show again is not an error: {} {}",
        again.status,
        again.body
    );
    second.kill().await?;
    Ok(())
}
