//! `tacos demo` as a user runs it: small, and once with the data damaged on purpose.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::{Output, Stdio};
use tokio::process::Command;

async fn demo(args: &[&str]) -> Result<Output> {
    let size = ["demo", "--seats", "300", "--buyers", "700", "--hold", "1s", "--seed", "7"];
    played(Command::new(env!("CARGO_BIN_EXE_tacos")).args(size).args(args)).await
}

async fn played(tacos: &mut Command) -> Result<Output> {
    let output = tacos.env("LOG_LEVEL", "error").stdin(Stdio::null()).output().await?;
    Ok(output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_buys_out_a_hall_and_every_invariant_holds() -> Result<()> {
    every_invariant_holds(&demo(&["--json"]).await?, 200)
}

/// Trap T-S8: the same on tables and queues of independent implementations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_buys_out_a_hall_on_sqs_and_dynamodb() -> Result<()> {
    let mut tacos = Command::new(env!("CARGO_BIN_EXE_tacos"));
    tacos.args([
        "demo",
        "--engines",
        "aws",
        "--seats",
        "60",
        "--buyers",
        "130",
        "--hold",
        "3s",
        "--seed",
        "7",
    ]);
    tacos.arg("--json").envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")]);
    tacos.env("AWS_ENDPOINT_URL_SQS", engines::sqs()).env("AWS_ENDPOINT_URL_DYNAMODB", engines::dynamodb());
    every_invariant_holds(&played(&mut tacos).await?, 30)
}

fn every_invariant_holds(output: &Output, sold_min: u64) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stdout);
    let result: Value = serde_json::from_str(&said).with_context(|| format!("not JSON alone: {said}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(0), "{:?}: {result}\n{stderr}", output.status);
    ensure!(
        result["oversold"] == 0 && result["non_terminal"] == 0 && result["events"]["lost"] == 0,
        "{result}"
    );
    ensure!(result["sold"].as_u64().context("sold")? > sold_min, "{result}");
    for name in [
        "I1", "I2", "I4", "I5", "I6", "I7", "X1", "X2", "X3", "X4", "M1", "M2", "M3", "Q1", "Q2", "Q3", "Q4",
        "Q5", "L1",
    ] {
        let verdict = &result["invariants"][name];
        ensure!(verdict["violations"] == 0, "{name}: {result}");
        ensure!(
            verdict["checked"].as_u64().is_some_and(|checked| checked > 0),
            "{name} checked nothing: {result}"
        );
    }
    for end in ["confirmed", "expired", "cancelled", "refunded"] {
        ensure!(
            result[end].as_u64().is_some_and(|count| count > 0),
            "no reservation ended as {end}: {result}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_invariant_ends_the_demo_with_1_and_is_named() -> Result<()> {
    for name in ["I1", "X1", "M1"] {
        let output = demo(&["--break-invariant", name]).await?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(output.status.code() == Some(1), "{name}: {:?}: {said}", output.status);
        ensure!(
            said.contains("FAILED") && said.contains(&format!("{name}: ")),
            "{name} is not named: {said}"
        );
    }
    Ok(())
}
