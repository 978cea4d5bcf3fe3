//! The interface for scripts: exit codes, only JSON on stdout, and commands that answer.

use crate::running::Running;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::Command;

async fn tacos(args: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_tacos"))
        .args(args)
        .env_remove("JWT_SECRET")
        .stdin(Stdio::null())
        .output()
        .await?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_mistakes_end_with_2_and_missing_services_with_69() -> Result<()> {
    for args in [
        &["fly"][..],
        &["up", "--hold", "soon"],
        &["demo", "--seats", "0"],
        &["trace"],
        &["seed", "--show", "/no/such/file"],
    ] {
        let (code, out, err) = tacos(args).await?;
        ensure!(code == Some(2) && out.is_empty() && !err.is_empty(), "{args:?}: {code:?} {out} {err}");
    }
    // Port 9 is the discard service; nothing listens there.
    let (code, _, err) = tacos(&["dlq", "list", "--addr", "127.0.0.1:9"]).await?;
    ensure!(code == Some(69) && err.contains("127.0.0.1:9"), "{code:?} {err}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_help_of_every_command_teaches() -> Result<()> {
    for command in ["up", "demo", "check", "seed", "trace", "dlq", "token", "openapi"] {
        let (code, out, _) = tacos(&[command, "--help"]).await?;
        ensure!(code == Some(0) && out.contains("Usage: tacos") && out.len() > 200, "{command}: {out}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_has_three_parts_and_the_secret_stays_in_the_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_str().context("a path")?;
    let (code, out, err) = tacos(&["token", "--sub", "u-1", "--data", data]).await?;
    ensure!(code == Some(0) && out.trim().split('.').count() == 3, "{code:?} {out} {err}");
    let (code, _, err) = tacos(&["token", "--sub", "", "--data", data]).await?;
    ensure!(code == Some(2) && err.contains("--sub"), "{code:?} {err}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trace_tells_the_story_of_a_reservation_running_or_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_str().context("a path")?;
    let platform = Running::start(folder.path(), "1s").await?;
    let show = json!({"event_id": "s", "name": "S", "sections": [{"id": "A", "price": 100, "capacity": 4}]});
    platform.post("inventory_http", "/admin/shows", &[], &show).await?;
    let body = json!({"event_id": "s", "seat_ids": [], "section": "A", "quantity": 1, "user_id": "u", "reservation_token": ""});
    let held =
        platform.post("reservation_http", "/v1/reservations", &[("idempotency-key", "k")], &body).await?;
    let id = held.text("reservation_id").to_owned();
    platform.at_rest().await?;

    let admin = platform.address("admin_http").to_owned();
    let (code, out, err) = tacos(&["trace", &id, "--json", "--addr", &admin]).await?;
    ensure!(code == Some(0), "{code:?} {err}");
    let layers = |out: &str| -> Result<Vec<String>> {
        let lines: Vec<Value> = serde_json::from_str(out)?;
        let times: Vec<u64> = lines.iter().filter_map(|line| line["at_ms"].as_u64()).collect();
        ensure!(!lines.is_empty() && times.is_sorted(), "in the order of time: {out}");
        Ok(lines.iter().filter_map(|line| line["layer"].as_str().map(str::to_owned)).collect())
    };
    let seen = layers(&out)?;
    for layer in ["inventory", "reservation", "worker"] {
        ensure!(seen.iter().any(|seen| seen == layer), "no {layer} in {out}");
    }
    let (code, _, err) = tacos(&["trace", "rsv_none", "--addr", &admin]).await?;
    ensure!(code == Some(1) && err.contains("rsv_none"), "{code:?} {err}");
    ensure!(platform.terminate().await? == 0, "a drained platform ends with 0");

    let (code, out, err) = tacos(&["trace", &id, "--json", "--data", data]).await?;
    ensure!(
        code == Some(0) && layers(&out)?.iter().any(|layer| layer == "reservation"),
        "{code:?} {out} {err}"
    );
    let (code, out, err) = tacos(&["check", "--at-rest", "--json", "--data", data]).await?;
    ensure!(code == Some(0), "{code:?} {out} {err}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_answers_and_sigterm_ends_the_platform_with_0() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let platform = Running::start(folder.path(), "60s").await?;
    for (name, path) in [
        ("reservation_http", "/ready"),
        ("inventory_http", "/ready"),
        ("payment_http", "/ready"),
        ("worker_http", "/ready"),
        ("worker_http", "/healthz"),
        ("inventory_http", "/version"),
    ] {
        let answer = platform.get(name, path).await?;
        ensure!(answer.status.is_success(), "{name}{path}: {answer:?}");
    }
    ensure!(platform.ready()["pid"].as_u64().is_some(), "{}", platform.ready());
    ensure!(platform.terminate().await? == 0, "SIGTERM ends it with 0");
    Ok(())
}
