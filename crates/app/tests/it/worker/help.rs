//! `--check-config` and `--help` of the binaries: their settings, without a start.

use super::process::{command, environment};
use super::stand_ins::{Kind, Setting, StandIns};
use anyhow::{Context, Result, ensure};
use standin::Action;

/// The variables of docs/configuration.md, and their defaults.
const VARIABLES: [(&str, &str); 28] = [
    ("AWS_PROFILE", ""),
    ("AWS_REGION", "ap-northeast-2"),
    ("AWS_ENDPOINT_URL", ""),
    ("AWS_ENDPOINT_URL_SQS", ""),
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_SESSION_TOKEN", ""),
    ("USE_SECRET_MANAGER", "false"),
    ("SECRET_NAME", "traffictacos/reservation-worker"),
    ("SQS_QUEUE_URL", "(required)"),
    ("SQS_DLQ_URL", ""),
    ("SQS_WAIT_TIME", "20"),
    ("WORKER_CONCURRENCY", "20"),
    ("MAX_RETRIES", "5"),
    ("BACKOFF_BASE_MS", "1000"),
    ("MAX_WRITE_RPS", ""),
    ("INVENTORY_GRPC_ADDR", "inventory-svc:8021"),
    ("RESERVATION_API_BASE", "http://reservation-api:8010"),
    ("PAYMENT_GRPC_ADDR", ""),
    ("INTERNAL_API_TOKEN", ""),
    ("DOWNSTREAM_TIMEOUT_MS", "10000"),
    ("ADMIN_ADDR", "127.0.0.1:8042"),
    ("ADMIN_TOKEN", ""),
    ("LOG_LEVEL", "info"),
    ("SERVER_PORT", "8040"),
    ("GRPC_DEBUG_PORT", "8041"),
    ("SHUTDOWN_TIMEOUT", "30s"),
    ("LISTEN_IP", "127.0.0.1"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_lists_every_variable_with_its_default() -> Result<()> {
    let output = command(&[], &[]).arg("--help").output().await?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(0), "{said}");
    for (name, default) in VARIABLES {
        let mut lines = said.lines().map(str::trim);
        let line = lines.find(|line| line.split(' ').next() == Some(name));
        ensure!(line.is_some_and(|line| line.contains(default)), "{name}, {default:?}: {line:?} in\n{said}");
    }
    ensure!(["64", "69", "--check-config"].iter().all(|word| said.contains(word)), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_config_accepts_valid_settings_and_makes_no_call() -> Result<()> {
    let stand_ins = StandIns::new(Setting::of(Kind::Fifo, 1)).await?;
    let env = environment(&stand_ins);
    let good = [("SQS_DLQ_URL", stand_ins.letters_url.as_str()), ("WORKER_CONCURRENCY", "auto")];
    let output = command(&env, &good).arg("--check-config").output().await?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(0) && said.contains("valid"), "{said} {:?}", output.stderr);
    let calls: u64 = Action::ALL.into_iter().map(|action| stand_ins.sqs.calls(action)).sum();
    ensure!(calls == 0 && stand_ins.journal.is_empty(), "the queue was asked {calls} times");

    let output = command(&env, &[("MAX_RETRIES", "many")]).arg("--check-config").output().await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(64) && said.contains("MAX_RETRIES"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variable_of_every_binary_has_a_description() -> Result<()> {
    for binary in [
        env!("CARGO_BIN_EXE_gateway-api"),
        env!("CARGO_BIN_EXE_inventory-api"),
        env!("CARGO_BIN_EXE_reservation-api"),
        env!("CARGO_BIN_EXE_payment-sim-api"),
        env!("CARGO_BIN_EXE_reservation-worker"),
    ] {
        let output = tokio::process::Command::new(binary).env_clear().arg("--help").output().await?;
        let said = String::from_utf8(output.stdout)?;
        let (_, section) = said.split_once("Environment:\n").context("no variables")?;
        let lines: Vec<&str> = section.lines().take_while(|line| !line.starts_with("Exit codes")).collect();
        let is_name = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
        let names = lines.iter().filter(|line| is_name(line)).count();
        ensure!(names > 5, "{binary} names {names} variables");
        for (line, next) in lines.iter().zip(lines.iter().skip(1)).filter(|(line, _)| is_name(line)) {
            ensure!(next.starts_with("      "), "{binary} does not describe{line}");
        }
    }
    Ok(())
}
