//! `reservation-worker`: brings events from SQS to their final state. Its configuration is that of
//! its earlier versions (docs/configuration.md).

use super::{Base, Service, address, bind, listen_ip};
use crate::aws::{AwsSettings, QueueSetting, reach, secret};
use crate::exit::Failure;
use adapter_aws::{Aws, LetterBox, QueueUrl, SqsQueue, Unusable};
use adapter_peers::{InventoryClient, PaymentsClient, PeerOptions, ReservationsClient};
use ports::{Clock, DeadLetters, Queue};
use runtime::config::Env;
use runtime::{Listeners, Process};
use secrecy::ExposeSecret;
use std::net::IpAddr;
use std::sync::Arc;
use worker::{Environment, InFlight};

/// The receiver of spans, which are not exported yet.
const TRACES_TO: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

pub(super) struct ReservationWorker;

pub(super) struct Settings {
    aws: AwsSettings,
    queue: QueueUrl,
    dead_letter_queue: Option<QueueUrl>,
    ip: IpAddr,
    environment: Environment,
    traces_to: Option<String>,
}

impl Service for ReservationWorker {
    type Settings = Settings;
    const NAME: &'static str = "reservation-worker";
    const ABOUT: &'static str = "Consumes reservation.expired, payment.approved and payment.failed from SQS and moves seats and \
        reservations to their final state";

    async fn prepare(env: &mut Env) -> Result<(), Failure> {
        secret::prepare(env).await
    }

    fn read(env: &mut Env) -> Option<Settings> {
        secret::describe(env);
        let aws = AwsSettings::read(env);
        let environment = Environment::from_env(env);
        let ip = listen_ip(env);
        let traces_to =
            env.optional(TRACES_TO, "not used yet: trace contexts are passed on, spans are not exported");
        let environment = environment?;
        let queue = aws.queue_url(env, "SQS_QUEUE_URL", &environment.queue_url);
        let dead = environment.dead_letter_queue_url.clone();
        let dead_letter_queue = dead.and_then(|url| aws.queue_url(env, "SQS_DLQ_URL", &url));
        let queue = queue?;
        if let Some(dead) = &dead_letter_queue
            && dead.kind() != queue.kind()
        {
            let text = "must be a FIFO queue if SQS_QUEUE_URL is one, and a standard queue if not: SQS moves messages only between queues of the same kind";
            env.problem("SQS_DLQ_URL", text);
        }
        Some(Settings { aws, queue, dead_letter_queue, ip, environment, traces_to })
    }

    async fn run(settings: Settings, base: Base) -> Result<(), Failure> {
        let Settings { aws, queue, dead_letter_queue, ip, environment, traces_to } = settings;
        if let Some(endpoint) = traces_to {
            tracing::warn!(endpoint, "spans are not exported yet; {TRACES_TO} has no effect");
        }
        let aws = aws.connect().await;
        let (queue, letters) = queues(&aws, &queue, dead_letter_queue.as_ref(), &base).await?;
        let listeners = Listeners {
            http: bind(ip, environment.http_port).await?,
            grpc: bind(ip, environment.grpc_port).await?,
            admin: Some(bind(environment.admin.ip(), environment.admin.port()).await?),
        };
        tracing::info!(
            http = address(&listeners.http),
            grpc = address(&listeners.grpc),
            admin = listeners.admin.as_ref().map(address),
            queue = queue.url(),
            dead_letter_queue = letters.as_ref().map(SqsQueue::url),
            region = aws.region(),
            concurrency = ?environment.config.pipeline.in_flight,
            "reservation-worker listens"
        );
        let dead_letters = letters
            .clone()
            .map(|letters| Arc::new(LetterBox::new(letters, base.clock.clone())) as Arc<dyn DeadLetters>);
        let tasks = base.tasks.clone();
        let deps = worker::Deps {
            queue: Arc::new(queue),
            dead_letter_queue: letters.map(|letters| Arc::new(letters) as Arc<dyn Queue>),
            dead_letters,
            peers: peers(&environment, &base.clock)?,
            clock: base.clock,
            entropy: base.entropy,
            tasks: base.tasks,
            process: Process::new(ReservationWorker::NAME),
        };
        let ran = worker::run(environment.config, deps, listeners, base.stop).await;
        // The worker has waited for its polls as long as SHUTDOWN_TIMEOUT allows. A poll that still
        // runs would keep the process alive, and its messages could not be returned any more.
        tasks.abort_all();
        ran.map_err(Failure::stopped)
    }
}

/// The queue and its dead-letter queue. If no variable names that, the queue's redrive policy does.
async fn queues(
    aws: &Aws,
    url: &QueueUrl,
    dead: Option<&QueueUrl>,
    base: &Base,
) -> Result<(SqsQueue, Option<SqsQueue>), Failure> {
    let queue = SqsQueue::new(aws, url);
    reach(&*base.clock, || queue.check(QueueSetting::EVENTS)).await?;
    if let Some(dead) = dead {
        let letters = SqsQueue::new(aws, dead);
        match letters.check(QueueSetting::LETTERS).await {
            Ok(()) => {}
            // A missing permission is reported when it matters: a message whose copy cannot be sent
            // is left to the queue's own redrive policy (docs/configuration.md).
            Err(Unusable::Denied(why) | Unusable::Silent(why)) => {
                tracing::warn!(
                    why,
                    "cannot check the dead-letter queue; check the permissions on SQS_DLQ_URL"
                );
            }
            Err(Unusable::Setting(why)) => return Err(Failure::configuration(why)),
        }
        return Ok((queue, Some(letters)));
    }
    let policy = match queue.redrive_policy().await {
        Ok(policy) => policy,
        Err(fault) => {
            tracing::warn!(
                error = fault.chain(),
                "cannot read the queue's redrive policy; set SQS_DLQ_URL or allow sqs:GetQueueAttributes"
            );
            None
        }
    };
    let letters = policy.and_then(|policy| url.sibling(&policy.dead_letter_queue));
    Ok((queue, letters.map(|url| SqsQueue::new(aws, &url))))
}

fn peers(environment: &Environment, clock: &Arc<dyn Clock>) -> Result<worker::Peers, Failure> {
    let bad = |error: adapter_peers::InvalidPeer| Failure::configuration(error.to_string());
    let timeout = environment.config.downstream_timeout;
    let grpc = PeerOptions { timeout, ..PeerOptions::grpc() };
    // Each call in flight uses its own connection.
    let connections = match environment.config.pipeline.in_flight {
        InFlight::Fixed(limit) => limit.min(PeerOptions::CONNECTIONS_MAX),
        InFlight::Auto => PeerOptions::CONNECTIONS_MAX,
    };
    let rest = PeerOptions { timeout, connections, ..PeerOptions::rest() };
    let token = environment.internal_api_token.as_ref().map(ExposeSecret::expose_secret);
    let inventory = InventoryClient::new(&environment.inventory.to_string(), grpc.clone(), clock.clone());
    let reservations =
        ReservationsClient::new(&environment.reservations.to_string(), token, rest, clock.clone());
    let payments = environment.payments.as_ref().map(|payments| {
        PaymentsClient::new(&payments.to_string(), grpc, clock.clone()).map(|client| Arc::new(client) as _)
    });
    Ok(worker::Peers {
        inventory: Arc::new(inventory.map_err(bad)?),
        reservations: Arc::new(reservations.map_err(bad)?),
        payments: payments.transpose().map_err(bad)?,
    })
}
