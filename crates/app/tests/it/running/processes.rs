//! The services as separate processes, with their queue on ElasticMQ and their rows
//! on DynamoDB Local.

use super::PATIENCE;
use adapter_aws::{Aws, SqsQueue};
use anyhow::{Context, Result, ensure};
use core::sync::atomic::{AtomicU32, Ordering};
use ports::Clock;
use serde_json::{Map, Value, json};
use std::net::TcpListener;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// All services of one platform.
pub(super) struct Processes {
    pub(super) children: Vec<Child>,
    pub(super) addresses: Map<String, Value>,
    pub(super) queue: SqsQueue,
}

/// The addresses of the servers, and credentials that they accept.
fn servers() -> Vec<(String, String)> {
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        of("AWS_ENDPOINT_URL_SQS", &engines::sqs()),
        of("AWS_ENDPOINT_URL_DYNAMODB", &engines::dynamodb()),
        of("AWS_ACCESS_KEY_ID", "local"),
        of("AWS_SECRET_ACCESS_KEY", "local"),
        of("PAYMENT_WEBHOOK_SECRET", "a secret of this test"),
        of("WAITING_ROOM_SECRET", super::ROOM_SECRET),
        of("SERVER_PORT", "0"),
        of("GRPC_PORT", "0"),
        of("GRPC_DEBUG_PORT", "0"),
        of("ADMIN_ADDR", "127.0.0.1:0"),
        of("SQS_WAIT_TIME", "1"),
        // The default of 250 ms is for DynamoDB, not for a local server beside a compiler.
        of("INVENTORY_DEADLINE", "20s"),
        of("INVENTORY_TIMEOUT", "20s"),
        of("PAYMENT_TIMEOUT", "20s"),
        of("ADMISSION_TIMEOUT", "20s"),
        of("STORE_TIMEOUT", "20s"),
        of("BACKEND_TIMEOUT", "20s"),
        of("JWT_SECRET", super::JWT_SECRET),
        of("REDIS_URL", &engines::redis()),
    ]
}

pub(super) async fn start(hold: &str, clock: &dyn Clock) -> Result<Processes> {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("walk-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
    let mut env = servers();
    env.extend(create(&prefix, &env).await?);
    let queue = env.iter().find(|(name, _)| name == "SQS_QUEUE_URL").context("the queue")?.1.parse()?;
    let queue = SqsQueue::new(&Aws::local(&engines::sqs(), "ap-northeast-2"), &queue);

    let mut addresses = Map::new();
    let mut children = Vec::new();
    let inventory = Service::start(env!("CARGO_BIN_EXE_inventory-api"), &env, clock).await?;
    addresses.insert("inventory_http".to_owned(), json!(inventory.http));
    env.push(("INVENTORY_GRPC_ADDR".to_owned(), inventory.grpc));
    env.push(("INVENTORY_API_BASE".to_owned(), format!("http://{}", inventory.http)));
    children.push(inventory.child);

    // The provider sends webhooks to reservation-api, which asks the provider: one has to know the
    // other's port before.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut of_payment = env.clone();
    let webhook = format!("http://127.0.0.1:{port}/internal/payment/webhook");
    of_payment.push(("PAYMENT_WEBHOOK_URL".to_owned(), webhook));
    let payment = Service::start(env!("CARGO_BIN_EXE_payment-sim-api"), &of_payment, clock).await?;
    addresses.insert("payment_grpc".to_owned(), json!(payment.grpc));
    env.push(("PAYMENT_GRPC_ADDR".to_owned(), payment.grpc));
    children.push(payment.child);

    let mut of_reservation = env.clone();
    of_reservation.push(("SERVER_PORT".to_owned(), port.to_string()));
    of_reservation.push(("HOLD_TTL".to_owned(), hold.to_owned()));
    let reservation = Service::start(env!("CARGO_BIN_EXE_reservation-api"), &of_reservation, clock).await?;
    addresses.insert("reservation_http".to_owned(), json!(reservation.http));
    env.push(("RESERVATION_GRPC_ADDR".to_owned(), reservation.grpc));
    env.push(("RESERVATION_API_BASE".to_owned(), format!("http://{}", reservation.http)));
    children.push(reservation.child);

    let mut of_gateway = env.clone();
    of_gateway.push(("REDIS_PREFIX".to_owned(), prefix));
    let gateway = Service::start(env!("CARGO_BIN_EXE_gateway-api"), &of_gateway, clock).await?;
    addresses.insert("gateway_http".to_owned(), json!(gateway.http));
    addresses.insert("gateway_grpc".to_owned(), json!(gateway.grpc));
    children.push(gateway.child);

    let worker = Service::start(env!("CARGO_BIN_EXE_reservation-worker"), &env, clock).await?;
    addresses.insert("worker_http".to_owned(), json!(worker.http));
    children.push(worker.child);
    Ok(Processes { children, addresses, queue })
}

/// `tacos aws create`; the variables that it prints.
async fn create(prefix: &str, env: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let output = Command::new(env!("CARGO_BIN_EXE_tacos"))
        .args(["aws", "create", "--json", "--prefix", prefix])
        .env_clear()
        .envs(env.iter().cloned())
        .output()
        .await?;
    ensure!(output.status.success(), "tacos aws create: {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let variables = report["environment"].as_object().context("the variables")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(variables.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

struct Service {
    child: Child,
    http: String,
    grpc: String,
}

impl Service {
    /// Starts a service and waits until it logs its addresses.
    async fn start(binary: &str, env: &[(String, String)], clock: &dyn Clock) -> Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {binary}"))?;
        let mut lines = BufReader::new(child.stdout.take().context("its stdout")?).lines();
        let listens = async {
            while let Some(line) = lines.next_line().await? {
                let line: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
                if line["msg"].as_str().is_some_and(|text| text.ends_with(" listens")) {
                    return Ok(line);
                }
            }
            anyhow::bail!("{binary} ended before it listened")
        };
        let line = ports::clock::timeout(clock, PATIENCE, Box::pin(listens)).await;
        let line = line.map_err(|_| anyhow::anyhow!("{binary} does not listen within {PATIENCE:?}"))??;
        // Somebody has to read what it says, or it would be report about lines that were dropped.
        #[allow(clippy::disallowed_methods, reason = "the task ends with the process whose log it reads")]
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let address = |name: &str| line[name].as_str().map(str::to_owned).context("an address");
        Ok(Self { http: address("http")?, grpc: address("grpc")?, child })
    }
}
